package block

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// decode fills dst, of n values.
func (b *view) decode(dst []float64) {
	if b.kind == absent {
		fill(dst, math.NaN())
		return
	}
	b.present(dst[:b.m], 0)
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
		b.t.convert(dst, b.data, uint(from*b.width), uint(b.width), b.base)
	case raw:
		for i := range dst {
			dst[i] = canonical(math.Float64frombits(binary.LittleEndian.Uint64(b.data[8*(from+i):])))
		}
	case layered:
		b.layered(dst)
	}
}

// spreadRuns moves the present values, which are at the front of dst, to their
// positions, with NaN where there is none.
func (b *view) spreadRuns(dst []float64) {
	end, left := len(dst), b.m
	for i := len(b.runs) - 2; i >= 0; i -= 2 {
		run, size := int(b.runs[i]), int(b.runs[i+1])+1
		n := end - run - size // present values behind the run
		left -= n
		copy(dst[run+size:end], dst[left:left+n])
		fill(dst[run:run+size], math.NaN())
		end = run
	}
}

// spreadBitmap is spreadRuns for a bitmap. It goes from the end to the front, so
// that no value is overwritten before it was moved.
func (b *view) spreadBitmap(dst []float64) {
	next := b.m
	for k := len(b.bitmap) - 1; k >= 0; k-- {
		x := b.bitmap[k]
		part := dst[8*k : min(8*k+8, len(dst))]
		if x == 0xff && len(part) == 8 {
			next -= 8
			copy(part, dst[next:next+8])
			continue
		}
		next -= bits.OnesCount8(x)
		from := next + bits.OnesCount8(x)
		for i := len(part) - 1; i >= 0; i-- {
			if x>>i&1 == 0 {
				part[i] = math.NaN()
				continue
			}
			from--
			part[i] = dst[from]
		}
	}
}

// load returns the 57 or more bits of data that begin at bit.
func load(data []byte, bit uint) uint64 {
	i := bit >> 3
	return binary.LittleEndian.Uint64(data[i:i+8]) >> (bit & 7)
}
