package publish

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Line is one line of a body of the import route:
//
//	{"tags":{...},"step":"1m","timestamps":[ms...],"values":[...]}
//
// Times and Values are valid until the next line is read into the same columns.
type Line struct {
	Tags   []byte // the text of its tags, for AppendTags
	Step   int64  // ms that one value covers; 0 when the line does not say
	Times  []int64
	Values []float64 // as many; NaN is no data
	Points int       // those among Values
}

// Columns holds the values of lines one behind the other. Not safe for
// concurrent use.
type Columns struct {
	Times  []int64
	Values []float64

	names []byte // scratch of the scanner
}

// Reset empties the columns and keeps their memory.
func (c *Columns) Reset() { c.Times, c.Values = c.Times[:0], c.Values[:0] }

// Cap returns roughly how many bytes the columns hold on to.
func (c *Columns) Cap() int { return 8*cap(c.Times) + 8*cap(c.Values) + cap(c.names) }

// Room makes place for n points more, once take has agreed to the bytes that
// costs. It is false when take has not.
func (c *Columns) Room(n int, take func(bytes int) bool) bool {
	if have := min(cap(c.Times), cap(c.Values)); have < len(c.Values)+n {
		want := max(len(c.Values)+n, 2*len(c.Values))
		if !take(max(0, 16*want-8*cap(c.Times)-8*cap(c.Values))) { // one may have outgrown the other
			return false
		}
		c.Times = append(make([]int64, 0, want), c.Times...)
		c.Values = append(make([]float64, 0, want), c.Values...)
	}
	return true
}

// MostPoints returns how many points the text of a line may hold at most, when
// it has as many times as values.
func MostPoints(text []byte) int { return bytes.Count(text, []byte(","))/2 + 1 }

// A LineFault says why a line was refused.
type LineFault struct {
	Points  int // that are refused with it; 1 when it cannot be read
	Message string
}

func (e *LineFault) Error() string { return e.Message }

// fields of a line, as bits of those that were seen.
const (
	seenTags = 1 << iota
	seenStep
	seenTimes
	seenValues
)

// line is what is known of a line while it is read.
type line struct {
	Line
	most  int // points that it may have
	seen  int
	times int // timestamps in the text
	all   int // values in the text, with those that are null
	fault string
}

// blame keeps the first fault of a line that can still be read to its end.
func (l *line) blame(format string, args ...any) {
	if l.fault == "" {
		l.fault = fmt.Sprintf(format, args...)
	}
}

// Line reads one line, without its line break, and appends its values to the
// columns. It is JSON as the publish route reads it, but strict in what it
// means: every field at most once and no other, numbers as numbers, values that
// are finite or null, which is no data. It fails with a *LineFault; the columns
// are then as before.
func (c *Columns) Line(text []byte, most int) (Line, error) {
	n := len(c.Times)
	l := line{most: most}
	if err := c.read(text, &l); err != nil {
		c.Times, c.Values = c.Times[:n], c.Values[:n]
		return Line{}, err
	}
	l.Times, l.Values = c.Times[n:], c.Values[n:]
	return l.Line, nil
}

func (c *Columns) read(text []byte, l *line) error {
	s := scanner{b: text, limits: Limits{}.withDefaults(), scratch: c.names}
	switch i := skip(text, 0); {
	case uint64(len(text)) > math.MaxUint32:
		s.fail(0, "line is too long")
	case !utf8.Valid(text):
		s.fail(invalidAt(text), "invalid UTF-8")
	case i >= len(text) || text[i] != '{':
		s.fail(i, "expected an object")
	default:
		s.end(s.line(c, l, i))
	}
	c.names = s.scratch
	if s.err != nil {
		return &LineFault{1, s.err.Error()}
	}
	switch {
	case l.fault != "":
	case l.seen&seenTags == 0:
		l.blame("tags are missing")
	case l.seen&seenTimes == 0:
		l.blame("timestamps are missing")
	case l.seen&seenValues == 0:
		l.blame("values are missing")
	case l.times != l.all:
		l.blame("%d timestamps and %d values, must be as many", l.times, l.all)
	}
	if l.fault != "" {
		if l.seen&seenValues == 0 {
			l.Points = l.times
		}
		return &LineFault{max(1, l.Points), l.fault}
	}
	return nil
}

// line reads the object whose brace stands at i.
func (s *scanner) line(c *Columns, l *line, i int) int {
	if i = skip(s.b, i+1); i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for more := true; more; {
		name, j := s.field(i)
		if j < 0 {
			return -1
		}
		bit := 0
		switch string(name) {
		case "tags":
			bit = seenTags
			var at span
			if at, i = s.tags(j); i >= 0 {
				l.Tags = s.b[at.from:at.to]
			}
		case "step":
			bit = seenStep
			i = s.step(l, j)
		case "timestamps":
			bit = seenTimes
			i = s.times(c, l, j)
		case "values":
			bit = seenValues
			i = s.values(c, l, j)
		default:
			l.blame("unknown field %s beside tags, step, timestamps and values", quote(name))
			i = s.value(j, 1)
		}
		if i < 0 {
			return -1
		}
		if l.seen&bit != 0 {
			l.blame("field %s is given twice", quote(name))
		}
		l.seen |= bit
		if i, more = s.next(i, '}'); i < 0 {
			return -1
		}
	}
	return i
}

// step reads how long a value covers.
func (s *scanner) step(l *line, i int) int {
	end := s.str(i)
	if end < 0 {
		return -1
	}
	text := s.b[i+1 : end-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		text = appendDecoded(nil, text)
	}
	var ok bool
	if l.Step, ok = parseStep(text); !ok {
		l.blame("step %s is not a number of ms, s, m, h, d or w, such as 1m", quote(text))
	}
	return end
}

// units of a step, in ms.
var units = []struct {
	name string
	ms   int64
}{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3600_000}, {"d", 24 * 3600_000}, {"w", 7 * 24 * 3600_000}}

// parseStep reads up to nine digits and a unit.
func parseStep(text []byte) (ms int64, ok bool) {
	n := 0
	for n < len(text) && n < 9 && text[n]-'0' <= 9 {
		ms = ms*10 + int64(text[n]-'0')
		n++
	}
	for _, u := range units {
		if string(text[n:]) == u.name {
			return ms * u.ms, ms > 0
		}
	}
	return 0, false
}

// enter passes the opening bracket of a list, and the closing one of an empty
// list. more is as of next.
func (s *scanner) enter(i int, expected string) (end int, more bool) {
	if i >= len(s.b) || s.b[i] != '[' {
		return s.fail(i, expected), false
	}
	if i = skip(s.b, i+1); i < len(s.b) && s.b[i] == ']' {
		return i + 1, false
	}
	return i, true
}

// tight reports whether a comma stands at i and an element right behind it.
func tight(b []byte, i int) bool {
	return i+1 < len(b) && b[i] == ',' && b[i+1] > ' ' && b[i+1] != '/'
}

// times reads a list of timestamps.
func (s *scanner) times(c *Columns, l *line, i int) int {
	n := 0
	i, more := s.enter(i, "expected a list of timestamps")
	for ; more; n++ {
		var t int64
		if t, i = s.integer(i, "timestamp"); i < 0 {
			return -1
		}
		if n < l.most {
			c.Times = append(c.Times, t)
		}
		if tight(s.b, i) {
			i++
		} else if i, more = s.next(i, ']'); i < 0 {
			return -1
		}
	}
	l.times = n
	if n > l.most {
		l.blame("more than %d points in one line; split it", l.most)
	}
	return i
}

// values reads a list of values.
func (s *scanner) values(c *Columns, l *line, i int) int {
	n, points := 0, 0
	i, more := s.enter(i, "expected a list of values")
	for ; more; n++ {
		v := math.NaN()
		if i < len(s.b) && s.b[i] == 'n' {
			i = s.literal(i, "null")
		} else if v, i = s.number(i); i >= 0 {
			points++
			if v-v != 0 {
				l.blame("value %d is %s, must be finite, or null for no data", n+1, strings.TrimPrefix(fmt.Sprint(v), "+"))
			}
		}
		if i < 0 {
			return -1
		}
		if n < l.most {
			c.Values = append(c.Values, v)
		}
		if tight(s.b, i) {
			i++
		} else if i, more = s.next(i, ']'); i < 0 {
			return -1
		}
	}
	l.all, l.Points = n, points
	if n > l.most {
		l.blame("more than %d points in one line; split it", l.most)
	}
	return i
}
