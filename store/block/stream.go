package block

import (
	"encoding/binary"
	"math"
	"math/bits"

	"pulse/store/field"
)

// stream is a stream of n integers whose lengths were checked.
type stream struct {
	n         int
	base      uint64
	width     int
	data      []byte
	count     int // exceptions
	moreBase  uint64
	moreWidth int
	places    []byte
	more      []byte
}

// parse reads a stream of n integers.
func (s *stream) parse(c *field.Reader, n int) error {
	first := c.Byte()
	s.n, s.width = n, int(first&^streamExcepts)
	if s.width > maxWidth {
		return corrupt("stream of %d bits, want at most %d", s.width, maxWidth)
	}
	s.base = uint64(c.Varint())
	s.data = c.Bytes((n*s.width + 7) / 8)
	if first&streamExcepts == 0 {
		return nil
	}
	s.count, s.moreWidth = int(c.Byte()), int(c.Byte())
	s.moreBase = s.base + uint64(c.Varint())
	if !c.Bad && (s.count < 1 || s.count > n || s.moreWidth > maxWidth) {
		return corrupt("%d exceptions of %d bits in a stream of %d integers", s.count, s.moreWidth, n)
	}
	s.places = c.Bytes(placesSize(n, s.count))
	s.more = c.Bytes((s.count*s.moreWidth + 7) / 8)
	if c.Bad || listed(n, s.count) {
		return nil
	}
	marked := 0
	for _, x := range s.places {
		marked += bits.OnesCount8(x)
	}
	if marked != s.count || n&7 != 0 && s.places[len(s.places)-1]>>(n&7) != 0 {
		return corrupt("%d of %d positions marked, want %d", marked, n, s.count)
	}
	return nil
}

// at returns the integer numbered i of a stream without exceptions.
func (s *stream) at(i int) int64 {
	return int64(s.base + loadEnd(s.data, uint(i*s.width))&(1<<s.width-1))
}

// unpack puts the first len(dst) integers into dst, each into the bits of a
// double.
func (s *stream) unpack(dst []float64) {
	unpack(dst, s.data, 0, uint(s.width), s.base)
	if s.count > 0 {
		s.except(dst)
	}
}

// except puts the exceptions into dst.
func (s *stream) except(dst []float64) {
	mask := uint64(1)<<s.moreWidth - 1
	if listed(s.n, s.count) {
		width := uint(placeWidth(s.n))
		for k := range uint(s.count) {
			if i := loadEnd(s.places, k*width) & (1<<width - 1); i < uint64(len(dst)) {
				dst[i] = math.Float64frombits(s.moreBase + loadEnd(s.more, k*uint(s.moreWidth))&mask)
			}
		}
		return
	}
	k := uint(0)
	for j, x := range s.places {
		for ; x != 0; x &= x - 1 {
			if i := 8*j + bits.TrailingZeros8(x); i < len(dst) {
				dst[i] = math.Float64frombits(s.moreBase + loadEnd(s.more, k)&mask)
			}
			k += uint(s.moreWidth)
		}
	}
}

// loadEnd is load for places near the end of data: what lies beyond it is zero.
func loadEnd(data []byte, bit uint) uint64 {
	i := int(bit >> 3)
	if i+8 <= len(data) {
		return binary.LittleEndian.Uint64(data[i:]) >> (bit & 7)
	}
	var x uint64
	for k, c := range data[min(i, len(data)):] {
		x |= uint64(c) << (8 * k)
	}
	return x >> (bit & 7)
}
