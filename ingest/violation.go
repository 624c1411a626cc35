package ingest

import (
	"fmt"
	"unicode/utf8"
)

// Reason is why a datapoint was rejected; its String is the name of the counter.
type Reason uint8

const (
	TooOld Reason = iota
	FromFuture
	MissingKey
	KeyTooShort
	KeyTooLong
	ValueTooShort
	ValueTooLong
	InvalidKey   // characters
	InvalidValue // characters
	TooManyUserTags
	ReservedKey
	KeyPattern
	ValuePattern
	TooManyTags
	TagsTooLong
	InvalidAmount
	SeriesLimit // the store refused a new series
	numReasons
)

var reasonNames = [numReasons]string{
	"too-old", "from-future", "missing-key", "key-too-short", "key-too-long", "value-too-short", "value-too-long",
	"invalid-key-characters", "invalid-value-characters", "too-many-user-tags", "reserved-key", "key-pattern",
	"value-pattern", "too-many-tags", "tags-too-long", "invalid-amount", "series-limit",
}

func (r Reason) String() string { return reasonNames[r] }

var fixes = [numReasons]string{
	TooOld:          "Set the sender's clock, send each report when its step ends, or raise --max-age; history goes to /api/v1/import.",
	FromFuture:      "Set the sender's clock, or raise --max-future.",
	MissingKey:      "Give every series the tag that the message names, and a name in any case.",
	KeyTooShort:     "Use tag keys of at least as many characters as the message says.",
	KeyTooLong:      "Shorten the tag key to what the message says.",
	ValueTooShort:   "Leave a tag without a value out, or give it one.",
	ValueTooLong:    "Shorten the tag value to what the message says; an identifier or a text does not belong into a tag.",
	InvalidKey:      "Use only the characters that the message lists, or send through /api/v4/update, which replaces others by _.",
	InvalidValue:    "Use only the characters that the message lists, or send through /api/v4/update, which replaces others by _.",
	TooManyUserTags: "Send fewer tags with each series; drop those that nobody asks by.",
	ReservedKey:     "Rename the tag: keys that begin with atlas. or nf. are kept for a fixed list.",
	KeyPattern:      "Rename the tag so that its key has the form that the message shows.",
	ValuePattern:    "Change the tag's value to the form that the message shows.",
	TooManyTags:     "Send fewer tags with each series; drop those that nobody asks by.",
	TagsTooLong:     "Shorten keys and values of the series' tags.",
	InvalidAmount:   "Send the growth since the last report, which is finite and never negative; a level that goes down is a gauge.",
	SeriesLimit:     "Stop sending tags whose values are ever new, such as ids and addresses; if the series are wanted, raise the limit that the message names.",
}

// Fix is a sentence that says what to do about it.
func (r Reason) Fix() string { return fixes[r] }

// ClashFix is what to do about a source that Clashes.
const ClashFix = "Its rates keep arriving when their series have a report for the same time already, and are lost: two reporters send equal tags. " +
	"Give each its own nf.node, or send shares of a total as atlas.dstype=sum. If there is only one, it sends every report twice."

// UnreadableFix is what to do about a source whose requests are refused as a whole.
const UnreadableFix = "Nothing of such a request is taken. Send a body of the form that the route reads, complete and not packed twice; the latest message says where it goes wrong."

// Reasons lists every reason in the order of Counts.Rejected.
func Reasons() []Reason {
	all := make([]Reason, numReasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Violation is one rejected datapoint's reason with what its message names.
type Violation struct {
	Reason     Reason
	Key, Value string
	Allowed    string // characters, prefix or pattern of the rule
	Got, Limit int64
	Now, Time  int64   // of the age check, Unix ms
	Amount     float64 // of InvalidAmount
	Err        error   // of SeriesLimit
}

// maxShown is the most bytes of a key or value that a message repeats.
const maxShown = 512

// Error returns the message for the sender, Atlas's wherever Atlas has one.
func (v *Violation) Error() string {
	key, value := cut(v.Key, maxShown), cut(v.Value, maxShown)
	switch v.Reason {
	case TooOld:
		return fmt.Sprintf("data is too old: now = %d, timestamp = %d, %d > %d", v.Now, v.Time, v.Got, v.Limit)
	case FromFuture:
		return fmt.Sprintf("data is from future: now = %d, timestamp = %d", v.Now, v.Time)
	case MissingKey:
		return fmt.Sprintf("missing key '%s'", key)
	case KeyTooShort:
		return fmt.Sprintf("key too short: [%s] (%d < %d)", key, v.Got, v.Limit)
	case KeyTooLong:
		return fmt.Sprintf("key too long: [%s] (%d > %d)", key, v.Got, v.Limit)
	case ValueTooShort:
		return fmt.Sprintf("value too short: %s = [%s] (%d < %d)", key, value, v.Got, v.Limit)
	case ValueTooLong:
		return fmt.Sprintf("value too long: %s = [%s] (%d > %d)", key, value, v.Got, v.Limit)
	case InvalidKey:
		return fmt.Sprintf("invalid characters in key: [%s] ([%s] are allowed)", key, v.Allowed)
	case InvalidValue:
		return fmt.Sprintf("invalid characters in value: %s = [%s] ([%s] are allowed)", key, value, v.Allowed)
	case TooManyUserTags:
		return fmt.Sprintf("too many user tags: %d > %d", v.Got, v.Limit)
	case ReservedKey:
		return fmt.Sprintf("invalid key for reserved prefix '%s': %s", v.Allowed, key)
	case KeyPattern:
		return fmt.Sprintf("key doesn't match pattern '%s': [%s]", v.Allowed, key)
	case ValuePattern:
		return fmt.Sprintf("value doesn't match pattern '%s': [%s]", v.Allowed, value)
	case TooManyTags:
		return fmt.Sprintf("too many tags: more than %d", v.Limit)
	case TagsTooLong:
		return fmt.Sprintf("tags too long: more than %d bytes", v.Limit)
	case InvalidAmount:
		return fmt.Sprintf("invalid amount: %v (must be finite and not negative)", v.Amount)
	case SeriesLimit:
		return v.Err.Error()
	}
	panic(fmt.Sprintf("BUG: no message for reason %d", v.Reason))
}

// cut shortens text from outside to at most n bytes, on a rune's border, and
// marks the place.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
