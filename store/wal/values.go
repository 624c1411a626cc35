package wal

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// A column of values is a code of 4 bits for each, two to a byte, and then what
// the codes say in whole bytes, little endian. Telemetry is mostly integers
// divided by a constant, so a code names the constant and how many bytes the
// integer takes; the encoder has proved that the division gives the value back
// bit for bit. Code 0 is 0, the last one the 8 bytes of any double.
const (
	codeZero = 0
	codeRaw  = 15
	codes    = 16
)

// The transforms: value = i ÷ divisor · factor, each a rounding of its own.
const (
	byOne    = iota // whole numbers
	bySecond        // counts per second
	byCent          // two decimals
	byMilli         // three decimals
	byNano          // nanoseconds as seconds
	byTotal         // nanoseconds per second as seconds, as timers compute them
	byTop           // the upper bytes of the double, the rest is 0
	transforms
)

const (
	hintNone = transforms     // nothing is known of the place
	hintRaw  = transforms + 1 // and above: nothing fitted; tried again after some steps
	hintLast = hintRaw + 15
)

// codeOf is the transform and the length in bytes of each code.
var codeOf = [codes]struct{ transform, bytes uint8 }{
	{byOne, 0},
	{byOne, 1}, {byOne, 2}, {byOne, 4},
	{bySecond, 1}, {bySecond, 2}, {bySecond, 3}, {bySecond, 4},
	{byCent, 2}, {byMilli, 3},
	{byNano, 4}, {byNano, 5},
	{byTotal, 5}, {byTotal, 6},
	{byTop, 5},
	{byTop, 8},
}

// scale is a transform with its numbers.
type scale struct {
	multiplier, divisor, factor float64
	code                        [65]uint8 // by the bits of the integer; codeRaw = does not fit
}

// scales are the transforms of values at one step.
type scales [byTop]scale

func makeScales(stepMs uint64) (s scales) {
	seconds := float64(stepMs) / 1000
	for t, x := range [byTop]struct{ divisor, factor float64 }{
		byOne: {1, 1}, bySecond: {seconds, 1}, byCent: {100, 1}, byMilli: {1000, 1}, byNano: {1e9, 1}, byTotal: {seconds, 1e-9},
	} {
		s[t].divisor, s[t].factor = x.divisor, x.factor
		s[t].multiplier = x.divisor / x.factor
		for n := range s[t].code {
			s[t].code[n] = codeRaw
			for code := codeRaw - 1; code > 0; code-- {
				if int(codeOf[code].transform) == t && 8*int(codeOf[code].bytes) >= n {
					s[t].code[n] = uint8(code)
				}
			}
		}
		s[t].code[0] = codeZero
	}
	return s
}

// integer returns the integer of v and the code it takes, codeRaw when it does
// not give v back.
func (s *scale) integer(v float64) (uint64, uint8) {
	i := int64(float64(v*s.multiplier) + 0.5)
	if math.Float64bits(float64(float64(i)/s.divisor)*s.factor) != math.Float64bits(v) {
		return 0, codeRaw
	}
	return uint64(i), s.code[bits.Len64(uint64(i))]
}

// choose returns the shortest code for a value that is not 0, and the transform.
func (s *scales) choose(v float64) (i uint64, code, transform uint8) {
	b := math.Float64bits(v)
	i, code, transform = b, codeRaw, hintRaw
	if b<<40 == 0 {
		i, code, transform = b>>24, codeRaw-1, byTop
	}
	for t := range s {
		if j, c := s[t].integer(v); c != codeRaw && codeOf[c].bytes < codeOf[code].bytes {
			i, code, transform = j, c, uint8(t)
		}
	}
	return i, code, transform
}

// appendValues appends a column. hints has a byte per value that the encoder
// remembers from one column of the same series to the next.
func (s *scales) appendValues(dst []byte, values []float64, hints []uint8) []byte {
	n := len(values)
	at := len(dst)
	dst = grow(dst, (n+1)/2+8*n+8)
	codeAt, at := at, at+(n+1)/2
	for k, v := range values {
		var i uint64
		code := uint8(codeZero)
		if b := math.Float64bits(v); b != 0 {
			h := hints[k]
			switch {
			case h < byTop:
				i, code = s[h].integer(v)
			case h >= hintRaw && h < hintLast:
				hints[k]++
				i, code = b, codeRaw
			}
			if code == codeZero || code == codeRaw && h < hintRaw || h >= hintLast {
				i, code, hints[k] = s.choose(v)
			}
		}
		if k&1 == 0 {
			dst[codeAt+k/2] = code
		} else {
			dst[codeAt+k/2] |= code << 4
		}
		binary.LittleEndian.PutUint64(dst[at:], i)
		at += int(codeOf[code].bytes)
	}
	return dst[:at]
}

// grow makes room for n more bytes and returns dst with them.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		dst = append(dst, make([]byte, n)...)
		return dst
	}
	return dst[:len(dst)+n]
}

// readValues appends the n values of a column and leaves c behind it.
func (s *scales) readValues(c *cursor, dst []float64, n int) []float64 {
	codeBytes := c.bytes(uint64(n+1) / 2)
	if c.reason != "" {
		return dst
	}
	for k := range n {
		code := codeBytes[k/2] >> (k & 1 * 4) & 15
		width := codeOf[code].bytes
		data := c.bytes(uint64(width))
		if c.reason != "" {
			return dst
		}
		var raw [8]byte
		copy(raw[:], data)
		i := binary.LittleEndian.Uint64(raw[:])
		switch t := codeOf[code].transform; {
		case code == codeRaw:
			dst = append(dst, math.Float64frombits(i))
		case t == byTop:
			dst = append(dst, math.Float64frombits(i<<24))
		default:
			dst = append(dst, float64(float64(i)/s[t].divisor)*s[t].factor)
		}
	}
	return dst
}
