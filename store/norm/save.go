package norm

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrState says that bytes are no saved state.
var ErrState = errors.New("not a saved state of a rate or counter")

const (
	savedSeen = 1 << iota
	savedEven
)

// AppendTo appends the state for Restore: one byte when nothing was seen.
// Times are kept as their distance from base, which makes them short.
func (s *State) AppendTo(dst []byte, base int64) []byte {
	if !s.seen {
		return append(dst, 0)
	}
	flags := byte(savedSeen)
	if s.even {
		flags |= savedEven
	}
	dst = append(dst, flags)
	dst = binary.AppendVarint(dst, s.last-base)
	dst = binary.AppendUvarint(dst, uint64(uint32(s.off)))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.prev))
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.carry))
}

// Restore reads what AppendTo wrote with the same base from the front of src
// and returns what follows it. It refuses what no report under the given step
// leaves behind.
func (s *State) Restore(src []byte, base, step int64) ([]byte, error) {
	*s = State{}
	if len(src) == 0 || src[0]&^(savedSeen|savedEven) != 0 || src[0] == savedEven {
		return src, ErrState
	}
	flags := src[0]
	src = src[1:]
	if flags == 0 {
		return src, nil
	}
	last, n := binary.Varint(src)
	if n <= 0 {
		return src, ErrState
	}
	off, m := binary.Uvarint(src[n:])
	if m <= 0 || off >= uint64(step) || len(src) < n+m+16 {
		return src, ErrState
	}
	src = src[n+m:]
	*s = State{
		last:  base + last,
		off:   int32(off),
		prev:  math.Float64frombits(binary.LittleEndian.Uint64(src)),
		carry: math.Float64frombits(binary.LittleEndian.Uint64(src[8:])),
		seen:  true,
		even:  flags&savedEven != 0,
	}
	if s.prev != s.prev {
		*s = State{}
		return src, ErrState
	}
	return src[16:], nil
}
