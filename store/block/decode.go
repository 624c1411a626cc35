package block

import (
	"encoding/binary"
	"math"
)

// decode fills dst, of n values.
func (b *view) decode(dst []float64) {
	if b.kind == absent {
		fill(dst, math.NaN())
		return
	}
	b.present(dst[:b.m], 0)
	b.spread(dst)
}

// spread moves the present values, which are at the front of dst, to their
// positions, with NaN where there is none.
func (b *view) spread(dst []float64) {
	switch b.mask {
	case maskRuns:
		b.spreadRuns(dst)
	case maskBitmap:
		b.spreadBitmap(dst)
	}
}

// present fills dst with present values, beginning with the one numbered from,
// which is 0 in a layered block.
func (b *view) present(dst []float64, from int) {
	switch b.kind {
	case constant:
		fill(dst, b.constantValue())
	case packed:
		b.t.convert(dst, b.src[b.data:], uint(from*b.width), uint(b.width), b.base)
	case raw:
		for i := range dst {
			dst[i] = canonical(math.Float64frombits(binary.LittleEndian.Uint64(b.src[b.data+8*(from+i):])))
		}
	case layered:
		b.layered(dst)
	}
}

// spreadRuns is spread for runs.
func (b *view) spreadRuns(dst []float64) {
	end, left := len(dst), b.m
	for i := len(b.gaps) - 2; i >= 0; i -= 2 {
		run, size := int(b.gaps[i]), int(b.gaps[i+1])+1
		n := end - run - size // present values behind the run
		left -= n
		copy(dst[run+size:end], dst[left:left+n])
		fill(dst[run:run+size], math.NaN())
		end = run
	}
}

// spreadBitmap is spread for a bitmap. It goes from the end to the front, so
// that no value is overwritten before it was moved.
func (b *view) spreadBitmap(dst []float64) {
	next := b.m
	for k := len(b.gaps) - 1; k >= 0; k-- {
		x := b.gaps[k]
		part := dst[8*k : min(8*k+8, len(dst))]
		if x == 0xff {
			next -= 8
			copy(part, dst[next:next+8])
			continue
		}
		// No branch depends on a bit, since nobody can foresee it.
		for i := len(part) - 1; i >= 0; i-- {
			bit := uint64(x>>i) & 1
			v := math.Float64bits(dst[max(next-1, 0)])
			part[i] = math.Float64frombits(v&-bit | nanBits&(bit-1))
			next -= int(bit)
		}
	}
}

// nanBits is math.NaN().
const nanBits = 0x7ff8000000000001

// load returns the 57 or more bits of data that begin at bit.
func load(data []byte, bit uint) uint64 {
	i := bit >> 3
	return binary.LittleEndian.Uint64(data[i:i+8]) >> (bit & 7)
}
