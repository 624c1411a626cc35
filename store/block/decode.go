package block

import (
	"encoding/binary"
	"math"

	"pulse/store/block/lanes"
)

// decode fills dst, of n values.
func (b *view) decode(dst []float64) {
	if b.kind == absent {
		tier.Fill(dst, math.NaN())
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
		tier.Spread(dst, b.gaps, b.m, math.NaN())
	}
}

// present fills dst with present values, beginning with the one numbered from,
// which is 0 in a layered block.
func (b *view) present(dst []float64, from int) {
	switch b.kind {
	case constant:
		tier.Fill(dst, b.constantValue())
	case packed:
		p := lanes.Packed{Data: b.src[b.data:], Bit: uint(from * b.width), Width: uint(b.width), Base: b.base}
		b.t.convert(dst, &p)
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
		tier.Fill(dst[run:run+size], math.NaN())
		end = run
	}
}
