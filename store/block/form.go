package block

import (
	"encoding/binary"
	"math/bits"
)

// form is a block of version 1: integers above a base.
type form struct {
	t     transform
	base  uint64 // two's complement except in ieee
	width int
	size  int // bytes after the mask
}

// formOf returns the form of m integers.
func formOf(t transform, x extent, m int) form {
	f := form{t: t, base: uint64(x.lo), width: x.width()}
	if f.size = f.transformSize(); f.width > 0 {
		f.size += 1 + (m*f.width+7)/8
	}
	return f
}

func (f *form) kind() kind {
	if f.width == 0 {
		return constant
	}
	return packed
}

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

// packAbove appends the low width bits of each integer less base, least
// significant first, and zero bits up to a whole byte. Width is at most
// maxWidth.
func packAbove(dst []byte, x []int64, base int64, width int) []byte {
	w := bitWriter{dst: dst}
	mask := uint64(1)<<width - 1
	for _, v := range x {
		w.add(uint64(v-base)&mask, width)
	}
	return w.end()
}
