// Package publish turns the bodies of the publish and update routes into
// columns, in one pass and without allocating per datapoint.
//
// A datapoint's tags are left as they came: a span of the body, the text of a
// JSON object. Whoever has seen the same bytes before knows the series and need
// not look inside; who has not calls AppendTags. Flat arrays, whose tags are
// numbers in a table of strings, are given the same form by Batch.Tags.
//
// Bodies are JSON as Atlas reads it: comments, bare NaN and Infinity, and
// numbers in strings are taken. Beyond that this package defines:
//
//   - invalid UTF-8 anywhere, a raw control character in a string, an unknown
//     escape and text behind the payload are errors; a byte order mark before it
//     is skipped; half of a surrogate pair reads as U+FFFD
//   - of a field given twice the last counts, except that `metrics` given twice
//     are read one after the other; of a tag given twice the last that is not
//     null counts
//   - a tag whose value is neither a string nor null is an error
//   - a value that is null, missing, or an empty list is NaN; a timestamp that is
//     missing is -1, which no age limit admits
package publish

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Limits bound what a body may hold. Zero means the default.
type Limits struct {
	Points int // datapoints in one body; default 100,000
	Depth  int // objects and lists inside each other; default 32
}

// tableLimit is the most entries a table of strings may announce.
const tableLimit = 100_000

// MaxTags is the most bytes that the tags of one datapoint of a flat array may
// take when they are written out. A short body can ask for far more than its own
// length, by naming one long string again and again.
const MaxTags = 64 << 10

// maxWritten is the most bytes that the tags of all datapoints of a flat array
// may take when they are written out, more than 1,300 for each of 100,000.
const maxWritten = 128 << 20

func (l Limits) withDefaults() Limits {
	if l.Points == 0 {
		l.Points = 100_000
	}
	if l.Depth == 0 {
		l.Depth = 32
	}
	return l
}

// SyntaxError says where a body stops making sense.
type SyntaxError struct {
	Offset  int // in bytes from the front of the body
	Message string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("unreadable payload: %s at byte %d", e.Message, e.Offset)
}

// LimitError says that a body holds more than one request may.
type LimitError struct {
	What string // datapoints or bytes of tags
	Most int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s in one request", e.Most, e.What)
}

// Op is what a datapoint does to its series.
type Op uint8

const (
	Report Op = iota // a finished value, by the series' own dstype
	Add              // an amount since the last report
	Max              // a gauge that keeps its maximum
)

// span is a part of a text, [from, to).
type span struct{ from, to uint32 }

// Batch is the columns of one body. It refers to the body, which must not
// change while the batch is in use; Reset cuts that tie. Not safe for concurrent
// use.
type Batch struct {
	Times  []int64   // Unix ms; 0 throughout in an update
	Values []float64 // NaN is no data
	Ops    []Op      // of an update only; else empty

	body   []byte
	common span   // the common tags; empty when absent
	spans  []span // tags in the body, or in pairs for a flat array
	flat   bool
	table  []span   // strings in the body, with their quotes
	pairs  []uint32 // alternating indexes in table: key, value
	buf    []byte   // what Tags wrote last
	names  []byte   // scratch of the scanner
}

// Len returns the number of datapoints.
func (b *Batch) Len() int { return len(b.Values) }

// Op returns what datapoint i does to its series.
func (b *Batch) Op(i int) Op {
	if len(b.Ops) == 0 {
		return Report
	}
	return b.Ops[i]
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Times, b.Values, b.Ops = b.Times[:0], b.Values[:0], b.Ops[:0]
	b.body, b.common, b.spans = nil, span{}, b.spans[:0]
	b.flat, b.table, b.pairs, b.buf = false, b.table[:0], b.pairs[:0], b.buf[:0]
}

// Cap returns roughly how many bytes the batch holds on to.
func (b *Batch) Cap() int {
	return 8*cap(b.Times) + 8*cap(b.Values) + cap(b.Ops) + 8*cap(b.spans) +
		8*cap(b.table) + 4*cap(b.pairs) + cap(b.buf) + cap(b.names)
}

// Common returns the text of the tags that all datapoints share, nil if none.
func (b *Batch) Common() []byte {
	if b.common.to == 0 {
		return nil
	}
	return b.body[b.common.from:b.common.to]
}

// Tags returns the text of datapoint i's own tags, a JSON object or nothing. It
// is valid until the next call. ok is false when the tags of a flat array's
// datapoint are longer than any series may have.
func (b *Batch) Tags(i int) (text []byte, ok bool) {
	s := b.spans[i]
	if !b.flat {
		return b.body[s.from:s.to], true
	}
	b.buf = append(b.buf[:0], '{')
	for p := s.from; p < s.to; p += 2 {
		if p > s.from {
			b.buf = append(b.buf, ',')
		}
		key, value := b.table[b.pairs[p]], b.table[b.pairs[p+1]]
		if len(b.buf)+int(key.to-key.from)+int(value.to-value.from) > MaxTags {
			return nil, false
		}
		b.buf = append(b.buf, b.body[key.from:key.to]...)
		b.buf = append(b.buf, ':')
		b.buf = append(b.buf, b.body[value.from:value.to]...)
	}
	b.buf = append(b.buf, '}')
	return b.buf, true
}

// begin points the batch at body and returns a scanner over it with the index of
// its first byte.
func (b *Batch) begin(body []byte, limits Limits) (scanner, int) {
	b.Reset()
	b.body = body
	s := scanner{b: body, limits: limits.withDefaults(), scratch: b.names}
	if uint64(len(body)) > math.MaxUint32 {
		return s, s.fail(0, "body is too large")
	}
	if !utf8.Valid(body) {
		return s, s.fail(invalidAt(body), "invalid UTF-8")
	}
	i := 0
	if len(body) >= 3 && string(body[:3]) == "\xEF\xBB\xBF" {
		i = 3
	}
	return s, skip(body, i)
}

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(body []byte) int {
	for i := 0; i < len(body); {
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(body)
}

// finish keeps the scanner's memory and empties the batch after an error, so
// that nothing of a malformed body is used.
func (b *Batch) finish(s *scanner, i int) error {
	b.names = s.scratch
	if err := s.end(i); err != nil {
		b.Reset()
		return err
	}
	return nil
}
