package block

import (
	"encoding/binary"
	"math/bits"
)

// zigzag maps small integers of either sign to small unsigned ones.
func zigzag(i int64) uint64 { return uint64(i<<1) ^ uint64(i>>63) }

func uvarintLen(u uint64) int { return max(1, (bits.Len64(u)+6)/7) }

// transformSize returns the bytes that appendTransform writes.
func (f *form) transformSize() int {
	if f.t.family == ieee {
		return 1 + f.t.baseBytes()
	}
	size := uvarintLen(zigzag(int64(f.base)))
	if f.t.family.hasSeconds() {
		size += uvarintLen(f.t.s)
	}
	if f.t.family.hasPower() {
		size++
	}
	return size
}

// appendTransform appends the parameters of the transform and the base.
func (f *form) appendTransform(dst []byte) []byte {
	if f.t.family == ieee {
		dst = append(dst, f.t.zeros)
		for i := range f.t.baseBytes() {
			dst = append(dst, byte(f.base>>(8*i)))
		}
		return dst
	}
	if f.t.family.hasSeconds() {
		dst = binary.AppendUvarint(dst, f.t.s)
	}
	if f.t.family.hasPower() {
		dst = append(dst, f.t.k)
	}
	return binary.AppendUvarint(dst, zigzag(int64(f.base)))
}

// pack appends the low width bits of each value, least significant first, and
// zero bits up to a whole byte. Width is 1 to maxWidth.
func pack(dst []byte, values []uint64, width int) []byte {
	var held uint64
	n := 0 // bits in held, at most 7 before a value is added
	for _, v := range values {
		held |= v << n
		n += width
		for n >= 8 {
			dst = append(dst, byte(held))
			held >>= 8
			n -= 8
		}
	}
	if n > 0 {
		dst = append(dst, byte(held))
	}
	return dst
}
