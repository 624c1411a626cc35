package publish

import (
	"bytes"
	"math"
	"strconv"
)

// Quick reads what Decode reads, but takes the tags of a metric to end at the
// first closing brace without looking at them, which is most of the work. It
// fails on a metric with tags given twice. Where Quick succeeds and Verify is
// true for every datapoint whose tags are not known to be an object of tags byte
// for byte, Decode would have read the same. In all other cases Decode has the
// answer.
func Quick(b *Batch, body []byte, limits Limits) error {
	return decode(b, body, limits, true)
}

// Verify reports whether the tags of datapoint i are what Decode takes for tags.
func (b *Batch) Verify(i int) bool {
	at := b.spans[i]
	if b.flat || at.to == 0 {
		return true
	}
	s := scanner{b: b.body[:at.to]}
	_, end := s.tags(int(at.from))
	return end == int(at.to)
}

// Decode reads a body of the publish route into b: an object with common tags
// and metrics, a list of metrics, or the compact batch that servers exchange. It
// fails with a *SyntaxError or a *LimitError; b is then empty.
func Decode(b *Batch, body []byte, limits Limits) error {
	return decode(b, body, limits, false)
}

func decode(b *Batch, body []byte, limits Limits, quick bool) error {
	s, i := b.begin(body, limits)
	s.quick = quick
	if i < 0 {
		return b.finish(&s, i)
	}
	switch {
	case i < len(body) && body[i] == '{':
		i = s.payload(b, i)
	case i < len(body) && body[i] == '[':
		if i = skip(body, i+1); i < len(body) && body[i] != '{' && body[i] != ']' {
			i = s.compact(b, i)
		} else {
			i = s.metrics(b, i, 1)
		}
	default:
		i = s.fail(i, "expected an object or a list")
	}
	return b.finish(&s, i)
}

// quote shows a name from outside in an error, shortened.
func quote(name []byte) string {
	if len(name) > 60 {
		name = name[:60]
	}
	return strconv.Quote(string(name))
}

// payload reads the object form, whose brace stands at i.
func (s *scanner) payload(b *Batch, i int) int {
	if i = skip(s.b, i+1); i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for more := true; more; {
		at := i
		name, j := s.field(i)
		if j < 0 {
			return -1
		}
		switch string(name) {
		case "tags":
			b.common, i = s.tags(j)
		case "metrics":
			i = s.metricsField(b, j)
		default:
			return s.fail(at, "unknown field "+quote(name)+" beside tags and metrics")
		}
		if i < 0 {
			return -1
		}
		if i, more = s.next(i, '}'); i < 0 {
			return -1
		}
	}
	return i
}

func (s *scanner) metricsField(b *Batch, i int) int {
	if i < len(s.b) && s.b[i] == 'n' {
		return s.literal(i, "null")
	}
	if i >= len(s.b) || s.b[i] != '[' {
		return s.fail(i, "expected a list of metrics")
	}
	return s.metrics(b, skip(s.b, i+1), 2)
}

// metrics reads the elements of a list of metrics and its closing bracket; i is
// the index of the first. depth is the number of objects and lists around each.
func (s *scanner) metrics(b *Batch, i, depth int) int {
	if i < len(s.b) && s.b[i] == ']' {
		return i + 1
	}
	for more := true; more; {
		if i = s.metric(b, i, depth+1); i < 0 {
			return -1
		}
		if i+1 < len(s.b) && s.b[i] == ',' && s.b[i+1] == '{' {
			i++
			continue
		}
		if i, more = s.next(i, ']'); i < 0 {
			return -1
		}
	}
	return i
}

// metric reads one datapoint. depth is the number of objects and lists around
// its fields.
func (s *scanner) metric(b *Batch, i, depth int) int {
	if i >= len(s.b) || s.b[i] != '{' {
		return s.fail(i, "expected a metric object")
	}
	if len(b.Values) >= s.limits.Points {
		return s.tooMany()
	}
	if s.quick {
		if end := s.plain(b, i); end != 0 {
			return end
		}
	}
	var own span
	when, value := int64(-1), math.NaN()
	more := true
	if i = skip(s.b, i+1); i < len(s.b) && s.b[i] == '}' {
		i, more = i+1, false
	}
	for more {
		name, j := s.field(i)
		if j < 0 {
			return -1
		}
		switch string(name) {
		case "tags":
			switch {
			case s.quick && own.to != 0:
				return s.fail(j, "tags given twice") // Verify sees the last ones only
			case s.quick:
				own, i = s.quickTags(j)
			default:
				own, i = s.tags(j)
			}
		case "timestamp", "start":
			when, i = s.integer(j, "timestamp")
		case "value":
			value, i = s.double(j)
		case "values":
			value, i = s.first(j, depth)
		default:
			i = s.value(j, depth)
		}
		if i < 0 {
			return -1
		}
		if i, more = s.next(i, '}'); i < 0 {
			return -1
		}
	}
	b.spans = append(b.spans, own)
	b.Times = append(b.Times, when)
	b.Values = append(b.Values, value)
	return i
}

func (s *scanner) tooMany() int { return s.exceed("datapoints", s.limits.Points) }

func (s *scanner) exceed(what string, most int) int {
	if s.err == nil {
		s.err = &LimitError{what, most}
	}
	return -1
}

// first reads a value, or the first element of a list of values.
func (s *scanner) first(i, depth int) (float64, int) {
	b := s.b
	if i >= len(b) || b[i] != '[' {
		return s.double(i)
	}
	if i = skip(b, i+1); i < len(b) && b[i] == ']' {
		return math.NaN(), i + 1
	}
	v, i := s.double(i)
	if i < 0 {
		return 0, -1
	}
	i, more := s.next(i, ']')
	if i >= 0 && more {
		if i < len(b) && b[i] == ']' {
			return 0, s.fail(i, "expected a value")
		}
		i = s.list(i, depth+1)
	}
	return v, i
}

// quickTags passes what are tags if their first closing brace ends them.
func (s *scanner) quickTags(i int) (span, int) {
	if i < len(s.b) && s.b[i] == '{' {
		if n := bytes.IndexByte(s.b[i:], '}'); n >= 0 {
			return span{uint32(i), uint32(i + n + 1)}, i + n + 1
		}
	}
	return s.tags(i)
}

// tags passes an object of strings and returns where it stands. null is no tags.
func (s *scanner) tags(i int) (span, int) {
	b := s.b
	if i < len(b) && b[i] == 'n' {
		return span{}, s.literal(i, "null")
	}
	if i >= len(b) || b[i] != '{' {
		return span{}, s.fail(i, "expected an object of tags")
	}
	from := i
	more := true
	if i = skip(b, i+1); i < len(b) && b[i] == '}' {
		i, more = i+1, false
	}
	for more {
		if i = s.str(i); i < 0 {
			return span{}, -1
		}
		if i = skip(b, i); i >= len(b) || b[i] != ':' {
			return span{}, s.fail(i, "expected ':'")
		}
		if i = skip(b, i+1); i < len(b) && b[i] == 'n' {
			i = s.literal(i, "null")
		} else if i < len(b) && b[i] == '"' {
			i = s.str(i)
		} else {
			return span{}, s.fail(i, "the value of a tag must be a string")
		}
		if i < 0 {
			return span{}, -1
		}
		if i, more = s.next(i, '}'); i < 0 {
			return span{}, -1
		}
	}
	return span{uint32(from), uint32(i)}, i
}
