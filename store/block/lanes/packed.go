package lanes

import (
	"encoding/binary"
	"fmt"
)

// MaxWidth is the number of bits that a packed integer may have: so many lie in
// one 64-bit load wherever they begin.
const MaxWidth = 57

// Packed is integers of one width, least significant bit first and one behind
// the other: the one numbered i is Base plus the Width bits from Bit + i·Width.
// Additions are modulo 2^64.
//
// Data may go on behind the integers: that may be read and is never used. With 64
// bytes there, AVX2 need not leave the last integers to plain code. Data that is
// too short for the integers asked of it is a mistake of the caller and panics.
//
// Kernels know the order and the sizes of the fields.
type Packed struct {
	Data  []byte
	Bit   uint
	Width uint // 0 to MaxWidth
	Base  uint64
}

// Int returns the integer numbered i.
func (p *Packed) Int(i int) uint64 {
	return p.Base + loadEnd(p.Data, p.Bit+uint(i)*p.Width)&(1<<p.Width-1)
}

// check panics unless there are n integers.
func (p *Packed) check(n int) {
	if !p.has(n) {
		p.tooShort(n)
	}
}

func (p *Packed) has(n int) bool {
	bits := 8 * uint(len(p.Data))
	return p.Width <= MaxWidth && p.Bit <= bits && uint(n)*p.Width <= bits-p.Bit
}

//go:noinline
func (p *Packed) tooShort(n int) {
	panic(fmt.Sprintf("BUG: %d integers of %d bits from bit %d of %d bytes", n, p.Width, p.Bit, len(p.Data)))
}

// after returns what follows the first n integers.
func (p *Packed) after(n int) Packed {
	return Packed{p.Data, p.Bit + uint(n)*p.Width, p.Width, p.Base}
}

// load returns the 57 or more bits of data that begin at bit.
func load(data []byte, bit uint) uint64 {
	i := bit >> 3
	return binary.LittleEndian.Uint64(data[i:i+8]) >> (bit & 7)
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

// wholeLoads returns how many of n integers lie in loads that do not reach
// beyond the data. Width is not 0.
func (p *Packed) wholeLoads(n int) int {
	end := uint(len(p.Data)) * 8
	switch {
	case p.Bit+uint(n-1)*p.Width+64 <= end:
		return n
	case p.Bit+64 > end:
		return 0
	}
	return min(n, int((end-64-p.Bit)/p.Width)+1)
}

const tailBytes = 24

// tail returns the integers that follow the first n, of which no load is whole,
// in a copy with room behind it.
func (p *Packed) tail(n int, memory *[tailBytes]byte) Packed {
	start := max(0, len(p.Data)-16)
	copy(memory[:], p.Data[start:])
	return Packed{memory[:], p.Bit + uint(n)*p.Width - 8*uint(start), p.Width, p.Base}
}
