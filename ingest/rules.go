package ingest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"pulse/store/tags"
)

// Rule checks the tags of a series. Its verdict depends on the tags alone, so
// that a series that passed once is not looked at again. Check returns nil when
// the tags pass. Safe for concurrent use.
type Rule interface {
	Check(t tags.Tags) *Violation
}

// NewRule builds a rule from its name and settings, as a configuration file
// gives them:
//
//	has-key            key
//	key-length         min, max
//	name-value-length  name: {min, max}, others: {min, max}
//	valid-characters   default-pattern (characters and ranges such as A-Z)
//	max-user-tags      limit
//	reserved-key       prefix, allowed (keys without the prefix)
//	key-pattern        pattern (a regular expression for the whole key)
//	value-pattern      pattern (the same for values)
//
// Lengths are in bytes and include both ends. An unknown name or setting, or
// one of the wrong kind, is an error.
func NewRule(name string, config map[string]any) (Rule, error) {
	s := settings{rule: name, left: maps.Clone(config)}
	var rule Rule
	switch name {
	case "has-key":
		rule = hasKey(s.text("key", "name"))
	case "key-length":
		rule = keyLength(s.bounds(bounds{2, 60}))
	case "name-value-length":
		names, others := s.group("name"), s.group("others")
		rule = valueLength{names.bounds(bounds{2, 255}), others.bounds(bounds{1, 120})}
		s.take(names, others)
	case "valid-characters":
		set, err := parseCharset(s.text("default-pattern", DefaultCharacters))
		s.keep(err)
		rule = validCharacters{set}
	case "max-user-tags":
		rule = maxUserTags(s.number("limit", 20))
	case "reserved-key":
		rule = reservedKey{s.text("prefix", ""), s.list("allowed")}
	case "key-pattern":
		rule = keyPattern{s.pattern()}
	case "value-pattern":
		rule = valuePattern{s.pattern()}
	default:
		return nil, fmt.Errorf("unknown rule %q", name)
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return rule, nil
}

// DefaultCharacters are the characters of keys and values.
const DefaultCharacters = "-._A-Za-z0-9^~"

// PublishRules returns the rules of the publish route in the order in which they
// decide the message.
func PublishRules() []Rule {
	return slices.Concat(
		[]Rule{hasKey("name")}, lengthRules(),
		[]Rule{validCharacters{defaultCharset()}, maxUserTags(20)}, reservedRules(),
	)
}

// UpdateRules returns the rules of the update route, which replaces characters
// instead of refusing them.
func UpdateRules() []Rule {
	return slices.Concat(lengthRules(), reservedRules(), []Rule{hasKey("name"), maxUserTags(20)})
}

func lengthRules() []Rule {
	return []Rule{keyLength{2, 60}, valueLength{bounds{2, 255}, bounds{1, 120}}}
}

func reservedRules() []Rule {
	return []Rule{
		reservedKey{"atlas.", []string{"aggr", "dstype", "offset", "legacy"}},
		reservedKey{"nf.", []string{
			"account", "ami", "app", "asg", "cluster", "container", "country", "country.rollup", "job", "node",
			"process", "region", "shard1", "shard2", "stack", "subnet", "task", "vmtype", "vpc", "zone",
		}},
	}
}

type hasKey string

func (r hasKey) Check(t tags.Tags) *Violation {
	if _, ok := t.Get(string(r)); ok {
		return nil
	}
	return &Violation{Reason: MissingKey, Key: string(r)}
}

// bounds is a range of lengths in bytes, both ends allowed.
type bounds struct{ min, max int }

type keyLength bounds

func (r keyLength) Check(t tags.Tags) *Violation {
	for _, x := range t {
		if n := len(x.Key); n < r.min {
			return &Violation{Reason: KeyTooShort, Key: x.Key, Got: int64(n), Limit: int64(r.min)}
		} else if n > r.max {
			return &Violation{Reason: KeyTooLong, Key: x.Key, Got: int64(n), Limit: int64(r.max)}
		}
	}
	return nil
}

type valueLength struct{ name, others bounds }

func (r valueLength) Check(t tags.Tags) *Violation {
	for _, x := range t {
		b := r.others
		if x.Key == "name" {
			b = r.name
		}
		if n := len(x.Value); n < b.min {
			return &Violation{Reason: ValueTooShort, Key: x.Key, Value: x.Value, Got: int64(n), Limit: int64(b.min)}
		} else if n > b.max {
			return &Violation{Reason: ValueTooLong, Key: x.Key, Value: x.Value, Got: int64(n), Limit: int64(b.max)}
		}
	}
	return nil
}

type validCharacters struct{ set *charset }

func (r validCharacters) Check(t tags.Tags) *Violation {
	for _, x := range t {
		if !r.set.all(x.Key) {
			return &Violation{Reason: InvalidKey, Key: x.Key, Allowed: r.set.String()}
		}
		if !r.set.all(x.Value) {
			return &Violation{Reason: InvalidValue, Key: x.Key, Value: x.Value, Allowed: r.set.String()}
		}
	}
	return nil
}

type maxUserTags int

func (r maxUserTags) Check(t tags.Tags) *Violation {
	n := 0
	for _, x := range t {
		if !strings.HasPrefix(x.Key, "nf.") && !strings.HasPrefix(x.Key, "atlas.") {
			n++
		}
	}
	if n > int(r) {
		return &Violation{Reason: TooManyUserTags, Got: int64(n), Limit: int64(r)}
	}
	return nil
}

type reservedKey struct {
	prefix  string
	allowed []string // without the prefix
}

func (r reservedKey) Check(t tags.Tags) *Violation {
	for _, x := range t {
		if rest, ok := strings.CutPrefix(x.Key, r.prefix); ok && !slices.Contains(r.allowed, rest) {
			return &Violation{Reason: ReservedKey, Key: x.Key, Allowed: r.prefix}
		}
	}
	return nil
}

// pattern is a regular expression for a whole text, and how it was written.
type pattern struct {
	text  string
	whole *regexp.Regexp
}

type keyPattern struct{ pattern }

func (r keyPattern) Check(t tags.Tags) *Violation {
	for _, x := range t {
		if !r.whole.MatchString(x.Key) {
			return &Violation{Reason: KeyPattern, Key: x.Key, Allowed: r.text}
		}
	}
	return nil
}

type valuePattern struct{ pattern }

func (r valuePattern) Check(t tags.Tags) *Violation {
	for _, x := range t {
		if !r.whole.MatchString(x.Value) {
			return &Violation{Reason: ValuePattern, Key: x.Key, Value: x.Value, Allowed: r.text}
		}
	}
	return nil
}
