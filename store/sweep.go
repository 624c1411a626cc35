package store

import (
	"errors"
	"fmt"
	"math"

	"pulse/store/archive"
	"pulse/store/block"
)

// strip is the blocks of one block time, or of one mini-block, as far as they are
// in range.
//
//	size      values of a block
//	from, to  which of them are read
//	at        where those go in a line
//	counts    1 if its blocks count as sealed ones
type strip struct {
	*arena
	size, from, to, at int
	field              int
	counts             int64
	plain              bool // a block is where the directory says
}

// pinnedMini is a mini-block of an open block that is read without the lock.
type pinnedMini struct {
	mini
	number int64 // of the block
}

// zeroWord is the directory word of a block of zeros, the most common one, however
// many they are.
const zeroWord = 3<<archive.InlineShift | 0x0101

const (
	maxStrips = 8    // read at once
	checkEach = 1024 // blocks between two looks at ctx
	manyZeros = 4    // series per line from which blocks of zeros are added once for all
)

func (r *reader) addMini(m pinnedMini) {
	from, to := r.grid.overlap(m.number, r.start, r.end)
	from, to = max(from, m.from), min(to, m.to)
	at := r.index(r.grid.stamp(m.number, from))
	r.strips = append(r.strips, strip{arena: m.arena, size: m.to - m.from, from: from - m.from, to: to - m.from, at: at, plain: true})
}

func (r *reader) addArena(a *arena) {
	from, to := r.grid.overlap(a.number, r.start, r.end)
	at := r.index(r.grid.stamp(a.number, from))
	plain := a.fields == 1 && len(a.patches) == 0
	r.strips = append(r.strips, strip{arena: a, size: block.Size, from: from, to: to, at: at, field: int(r.Field), counts: 1, plain: plain})
}

func (r *reader) dropMinis() {
	for i, m := range r.minis {
		m.hold.Release()
		r.minis[i] = pinnedMini{}
	}
	r.minis = r.minis[:0]
}

// sweep folds all strips, some at a time: slot after slot, since the blocks of one
// series are mostly alike, and those of a strip lie in the order of slots.
func (r *reader) sweep(sel *selected) error {
	for strips := r.strips; len(strips) > 0; {
		n := min(len(strips), maxStrips)
		if err := r.sweepSome(strips[:n], sel); err != nil {
			return err
		}
		strips = strips[n:]
	}
	return nil
}

func (r *reader) sweepSome(strips []strip, sel *selected) error {
	zeros := r.zerosFor(len(strips), sel)
	for k, n := range sel.slots {
		if k%(checkEach/maxStrips) == 0 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		line := 0
		if sel.groups != nil {
			line = int(sel.groups[k])
		}
		for i := range strips {
			s := &strips[i]
			r.pins.at = s.arena // its directory may be in a file, too
			var src []byte
			if s.plain {
				word := s.word(n)
				if word == 0 {
					continue
				}
				if word == zeroWord && zeros != nil {
					if zeros[i][line] {
						r.blocks += s.counts
						continue
					}
					zeros[i][line] = true // the first is added
				}
				src = s.block(word, &r.scratch.inline)
			} else if src = s.blockOf(n, s.field, &r.scratch.inline); src == nil {
				continue
			}
			r.blocks += s.counts
			first := line*r.steps + s.at
			if err := r.block(r.values[first:first+s.to-s.from], src, s); err != nil {
				return fmt.Errorf("read block %d of slot %d: %w", s.number, n, err)
			}
		}
	}
	return r.checkZeros(zeros, strips)
}

// zerosFor returns a list by line for each of n strips, nil when blocks of zeros are
// read like any other.
func (r *reader) zerosFor(n int, sel *selected) [][]bool {
	if r.Agg != AggSum || r.eachZero || r.count*manyZeros > len(sel.slots) {
		return nil
	}
	for len(r.zeros) < n {
		r.zeros = append(r.zeros, make([]bool, r.count))
	}
	for _, z := range r.zeros[:n] {
		clear(z)
	}
	return r.zeros[:n]
}

// errZeros says that blocks of zeros make a difference: all is read anew with each of
// them added in its turn.
var errZeros = errors.New("zeros matter")

// checkZeros returns errZeros if the lines of which only the first block of zeros was
// added would be others with all of them: a zero changes a sum only where it is none
// or -0, and after the first one that takes infinities of both signs.
func (r *reader) checkZeros(zeros [][]bool, strips []strip) error {
	for i, lines := range zeros {
		s := &strips[i]
		for line, found := range lines {
			if found && takesZero(r.values[line*r.steps+s.at:][:s.to-s.from]) {
				return errZeros
			}
		}
	}
	return nil
}

// takesZero reports whether 0 changes one of the sums.
func takesZero(sums []float64) bool {
	for _, v := range sums {
		if v != v || math.Float64bits(v) == 1<<63 {
			return true
		}
	}
	return false
}

// block folds one block into acc.
func (r *reader) block(acc []float64, src []byte, s *strip) error {
	whole := s.size == block.Size
	switch {
	case r.Agg == AggSum:
		return block.SumOf(acc, src, s.size, s.from, s.to, &r.scratch.row)
	case r.Agg == AggCount && whole:
		return block.Count(acc, src, s.from, s.to, &r.scratch.row)
	case r.Agg == AggMin && whole:
		return block.Min(acc, src, s.from, s.to, &r.scratch.row)
	case r.Agg == AggMax && whole:
		return block.Max(acc, src, s.from, s.to, &r.scratch.row)
	}
	if _, err := block.Decode(r.scratch.row[:s.size], src); err != nil {
		return err
	}
	for i, v := range r.scratch.row[s.from:s.to] {
		if v == v {
			acc[i] = r.Agg.fold(acc[i], v)
		}
	}
	return nil
}
