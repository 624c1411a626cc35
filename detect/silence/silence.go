// Package silence keeps the silences: what people asked not to be told about, for
// how long and why.
//
// A silence holds back the beginnings of alerts that its matchers mean, from
// StartsAt until before EndsAt. It ends nothing and hides nothing. What follows from
// it is the caller's: By says which silences mean an alert, and the caller holds its
// notification back and sends it when none does any more.
//
// All times are Unix ms and arguments. A Store is safe for concurrent use.
package silence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pulse/detect/label"
)

// Limits of a silence and of all of them.
const (
	MaxSilences = 10_000
	MaxText     = 1 << 10 // bytes of the author and of the comment
	MaxNormal   = 7 * 24 * 3_600_000
	MinNormal   = 1_000
	maxTime     = 253_402_300_799_999 // the end of the year 9999
	// Keep is how long after its end a silence can still be seen, in ms.
	Keep = 5 * 24 * 3_600_000
	// maxExpired bounds how many of those are kept; the ones that ended first go first.
	maxExpired = 10_000
)

// Errors that a caller may tell apart. ErrNotStored says that the database could not
// be written now.
var (
	ErrUnknown   = errors.New("unknown silence")
	ErrInvalid   = errors.New("invalid silence")
	ErrLimit     = errors.New("too many silences")
	ErrNotStored = errors.New("silence cannot be stored now")
)

// State is where a silence stands at a time.
type State string

// The states, as Alertmanager names them.
const (
	Pending State = "pending"
	Active  State = "active"
	Expired State = "expired"
)

// Silence is what a person asked for, and what came of it. Its JSON form is the
// record in the database.
type Silence struct {
	ID       string         `json:"id"`       // a UUID
	Matchers label.Matchers `json:"matchers"` // ascending by key, operator and value
	StartsAt int64          `json:"startsAt"`
	EndsAt   int64          `json:"endsAt"`
	Author   string         `json:"author"`
	Comment  string         `json:"comment"`
	// EndWhenNormalFor ends it, in ms, when the alerts that it has hit have all been
	// over for so long; 0: only EndsAt ends it. One that has hit none goes on.
	EndWhenNormalFor int64  `json:"endWhenNormalFor,omitempty"`
	UpdatedAt        int64  `json:"updatedAt"`
	EndedBy          string `json:"endedBy,omitempty"` // why it ended sooner than its author said
	Seen             Seen   `json:"seen"`
}

// Seen is what a silence has hit.
type Seen struct {
	Held int64 `json:"held,omitempty"` // notifications held back
	Last int64 `json:"last,omitempty"` // the newest step at which an alert began or ended; 0: none yet
}

// State returns where s stands at t.
func (s *Silence) State(t int64) State {
	switch {
	case t >= s.EndsAt:
		return Expired
	case t < s.StartsAt:
		return Pending
	}
	return Active
}

// quietAt is when s ends of itself if no alert that it hits is open; 0: not so.
func (s *Silence) quietAt() int64 {
	if s.EndWhenNormalFor == 0 || s.Seen.Last == 0 {
		return 0
	}
	return max(s.Seen.Last, s.StartsAt) + s.EndWhenNormalFor
}

// Check refuses what no silence may be. Its error wraps ErrInvalid and names the
// field and the limit.
func (s *Silence) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case len(s.Matchers) == 0:
		return wrong("matchers is empty, want at least one")
	case len(s.Matchers) > label.MaxMatchers:
		return wrong("matchers has %d entries, at most %d", len(s.Matchers), label.MaxMatchers)
	case s.Matchers.MatchesAbsent():
		return wrong("matchers %.200s mean alerts without any label too; at least one must want a label that is there", s.Matchers)
	case s.StartsAt <= 0 || s.EndsAt > maxTime:
		return wrong("startsAt and endsAt must lie between 1970 and the end of 9999")
	case s.EndsAt <= s.StartsAt:
		return wrong("endsAt %s is not after startsAt %s", rfc3339(s.EndsAt), rfc3339(s.StartsAt))
	case s.EndWhenNormalFor != 0 && (s.EndWhenNormalFor < MinNormal || s.EndWhenNormalFor > MaxNormal):
		return wrong("endWhenNormalFor is %d ms, want %d to %d", s.EndWhenNormalFor, MinNormal, MaxNormal)
	}
	if err := checkText("author", s.Author, ""); err != nil {
		return err
	}
	return checkText("comment", s.Comment, "\n\t")
}

// checkText accepts printable text and the control characters given.
func checkText(field, text, control string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%w: %s is missing", ErrInvalid, field)
	case len(text) > MaxText:
		return fmt.Errorf("%w: %s has %d bytes, at most %d", ErrInvalid, field, len(text), MaxText)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: %s is not valid UTF-8", ErrInvalid, field)
	case strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) && !strings.ContainsRune(control, c) }):
		return fmt.Errorf("%w: %s %.80q has a control character", ErrInvalid, field, text)
	}
	return nil
}

// normalize brings the matchers into their order, each once.
func (s *Silence) normalize() {
	s.Matchers = slices.Clone(s.Matchers)
	slices.SortFunc(s.Matchers, func(a, b label.Matcher) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(string(a.Op), string(b.Op)), strings.Compare(a.Value, b.Value))
	})
	s.Matchers = slices.CompactFunc(s.Matchers, label.Matcher.Equal)
}

// mayBecome reports whether s can be changed into next at now without changing what
// was silenced so far. Alertmanager's rule: the matchers stay, an active silence keeps
// its start, a pending one may not start in the past, and one that is over stays so.
func (s *Silence) mayBecome(next *Silence, now int64) bool {
	if !s.Matchers.Equal(next.Matchers) {
		return false
	}
	switch s.State(now) {
	case Active:
		return next.StartsAt/1000 == s.StartsAt/1000 // clients cut off the milliseconds
	case Pending:
		return next.StartsAt >= now
	}
	return false
}

// Compare orders by the end, then by the id.
func Compare(a, b Silence) int {
	return cmp.Or(cmp.Compare(a.EndsAt, b.EndsAt), strings.Compare(a.ID, b.ID))
}

func rfc3339(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
