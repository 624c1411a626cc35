package publish

import (
	"bytes"
	"encoding/binary"
)

// What plain expects around the three values of a datapoint, and how many digits
// a timestamp has, from 2001 to 2286.
const (
	plainHead  = `{"tags":{`
	plainTime  = `,"timestamp":`
	plainValue = `,"value":`

	stampDigits = 13
)

// stamp is a timestamp as it was written last: its first and its last eight
// digits, and what they mean. Datapoints of one body mostly have the same.
type stamp struct {
	first, last uint64
	ms          int64
}

// plain reads the datapoint at i if it is written as most senders do, its tags,
// its timestamp and its value in this order and nothing between them. It is for
// Quick: where the tags end is guessed. It returns 0, and has done nothing, for
// one that is written otherwise, which metric then reads.
func (s *scanner) plain(b *Batch, i int) int {
	text := s.b
	from := i + len(plainHead) - 1
	if from >= len(text) || string(text[i:from+1]) != plainHead {
		return 0
	}
	i = from + bytes.IndexByte(text[from:], '}') + 1
	if len(text)-i < len(plainTime)+stampDigits+len(plainValue) || string(text[i:i+len(plainTime)]) != plainTime {
		return 0
	}
	own := span{uint32(from), uint32(i)}
	if i += len(plainTime); !s.stamp.read(text[i : i+stampDigits]) {
		return 0
	}
	if i += stampDigits; string(text[i:i+len(plainValue)]) != plainValue {
		return 0
	}
	value, i := s.double(i + len(plainValue))
	if i < 0 {
		return -1
	}
	if i >= len(text) || text[i] != '}' {
		return 0
	}
	b.spans = append(b.spans, own)
	b.Times = append(b.Times, s.stamp.ms)
	b.Values = append(b.Values, value)
	return i + 1
}

// read takes a timestamp of stampDigits bytes. It is false when they are no such
// number.
func (s *stamp) read(text []byte) bool {
	first, last := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[stampDigits-8:])
	if first == s.first && last == s.last {
		return true
	}
	upper, ok := eight(first)
	lower, fine := eight(last)
	if !ok || !fine || text[0] == '0' {
		return false
	}
	*s = stamp{first, last, int64(upper*100_000 + lower%100_000)}
	return true
}
