package wal

import (
	"encoding/binary"
	"math"
)

// meaning says what to make of the bytes of a code.
type meaning struct {
	mask            uint64 // of the bytes
	width           int
	divisor, factor float64
	number          uint64 // all ones where i is a number, 0 where it is bits of the double
	bits            uint64 // what i is multiplied by then, else 0
}

// meanings are those of every code.
type meanings [codes]meaning

func makeMeanings(stepMs uint64) *meanings {
	rs := &meanings{}
	numbers := arithmetics(stepMs)
	for code, c := range codeOf {
		m := &rs[code]
		m.mask, m.width, m.divisor, m.factor = 1<<(8*c.bytes)-1, int(c.bytes), numbers[c.transform].divisor, numbers[c.transform].factor
		switch c.transform {
		case byTop:
			m.bits = 1 << topShift
		case byBits:
			m.bits = 1
		default:
			m.number = math.MaxUint64
		}
	}
	return rs
}

// value is what the integer i stands for.
func (r *meaning) value(i uint64) float64 {
	v := math.Float64bits(float64(float64(int64(i))/r.divisor) * r.factor)
	return math.Float64frombits(v&r.number | i*r.bits)
}

// read fills values with the column at src[at:end] and returns where it ends, or -1
// when that is behind end. src is the whole payload: reading 8 bytes for each
// value, up to its end, spares copies.
func (rs *meanings) read(values []float64, src []byte, at, end int) int {
	pairs := (len(values) + 1) / 2
	if pairs > end-at {
		return -1
	}
	packed := src[at : at+pairs]
	at += pairs
	k := 0
	for ; 2*k+1 < len(values) && at <= len(src)-16; k++ {
		low, high := &rs[packed[k]&15], &rs[packed[k]>>4]
		v := values[2*k : 2*k+2 : 2*k+2]
		v[0] = low.value(binary.LittleEndian.Uint64(src[at:at+8:at+8]) & low.mask)
		at += low.width
		v[1] = high.value(binary.LittleEndian.Uint64(src[at:at+8:at+8]) & high.mask)
		at += high.width
	}
	for k *= 2; k < len(values) && at <= end; k++ {
		r := &rs[packed[k/2]>>(k&1*4)&15]
		values[k] = r.value(last8(src, at) & r.mask)
		at += r.width
	}
	if at > end || len(values)&1 != 0 && packed[pairs-1]>>4 != codeZero {
		return -1
	}
	return at
}

// last8 reads 8 bytes, zeros where src has ended.
func last8(src []byte, at int) uint64 {
	if at <= len(src)-8 {
		return binary.LittleEndian.Uint64(src[at:])
	}
	var padded [8]byte
	copy(padded[:], src[at:])
	return binary.LittleEndian.Uint64(padded[:])
}
