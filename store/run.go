package store

import (
	"context"
	"fmt"

	"pulse/store/block"
)

// run is a scan under way.
type run struct {
	Scan
	ctx   context.Context
	store *Store
	steps int
	parts [partitions]selected
	lines []Line
	keys  []string // of lines, to order them; empty when there is one line only
	stats ScanStats

	arenas  []*arena  // of the partition at hand, in range
	row     []float64 // of one series, for ZeroFill
	scratch decoded
}

const (
	headTile  = 64   // slots whose rows stay cached while columns are folded
	checkEach = 1024 // blocks between two looks at ctx
)

// partition folds the values of one partition. The head is read under the
// lock; sealed blocks, which cannot change, without.
func (r *run) partition(part int) error {
	sel := &r.parts[part]
	if len(sel.slots) == 0 {
		return nil
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	p, g := &r.store.parts[part], r.store.grid
	if r.ZeroFill {
		return r.filled(p, sel)
	}
	p.mu.RLock()
	r.arenas = r.arenas[:0]
	for _, a := range p.sealed {
		if from, to := g.overlap(a.number, r.Start, r.End); from < to {
			r.arenas = append(r.arenas, a)
		}
	}
	for _, b := range p.open {
		if from, to := g.overlap(b.number, r.Start, r.End); from < to {
			r.head(p, b, sel, from, to)
		}
	}
	p.mu.RUnlock()
	for _, a := range r.arenas {
		if err := r.arena(a, sel); err != nil {
			return err
		}
	}
	return nil
}

// index returns the place of a stamp in the values of a line.
func (r *run) index(stamp int64) int { return int((stamp-r.Start)/r.store.grid.step) - 1 }

// head folds the columns [from, to) of an open block. Slots are taken in tiles
// so that their rows stay in the cache while column after column is read.
func (r *run) head(p *partition, b *openBlock, sel *selected, from, to int) {
	at := r.index(r.store.grid.stamp(b.number, from)) - from
	for lo := 0; lo < len(sel.slots); lo += headTile {
		hi := min(lo+headTile, len(sel.slots))
		slots := sel.slots[lo:hi]
		for pos := from; pos < to; pos++ {
			column := b.columns[pos]
			if column == nil {
				continue
			}
			if sel.groups == nil {
				acc := &r.lines[0].Values[at+pos]
				*acc = r.Agg.foldColumn(*acc, column, slots, p.flags, r.store.grid.secs)
				continue
			}
			r.foldGroups(column, slots, sel.groups[lo:hi], p.flags, at+pos)
		}
	}
}

// foldColumn folds the given slots of a column into acc.
func (a Agg) foldColumn(acc float64, column []float64, slots []uint32, flags []uint8, secs float64) float64 {
	for _, n := range slots {
		if int(n) >= len(column) {
			break // slots ascend
		}
		v := column[n]
		if v != v {
			continue
		}
		if flags[n]&flagAmount != 0 {
			v /= secs
		}
		acc = a.fold(acc, v)
	}
	return acc
}

// foldGroups folds the given slots of a column into element i of their lines.
func (r *run) foldGroups(column []float64, slots []uint32, groups []int32, flags []uint8, i int) {
	secs := r.store.grid.secs
	for k, n := range slots {
		if int(n) >= len(column) {
			break
		}
		v := column[n]
		if v != v {
			continue
		}
		if flags[n]&flagAmount != 0 {
			v /= secs
		}
		acc := &r.lines[groups[k]].Values[i]
		*acc = r.Agg.fold(*acc, v)
	}
}

// arena folds the sealed blocks of one block time.
func (r *run) arena(a *arena, sel *selected) error {
	from, to := r.store.grid.overlap(a.number, r.Start, r.End)
	at := r.index(r.store.grid.stamp(a.number, from))
	for k, n := range sel.slots {
		if k%checkEach == checkEach-1 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		word := a.word(n)
		if word == 0 {
			continue
		}
		line := int32(0)
		if sel.groups != nil {
			line = sel.groups[k]
		}
		r.stats.Blocks++
		acc := r.lines[line].Values[at : at+to-from]
		if err := r.block(acc, a.block(word, &r.scratch.inline), from, to); err != nil {
			return fmt.Errorf("read block %d of slot %d: %w", a.number, n, err)
		}
	}
	return nil
}

// block folds the steps [from, to) of one sealed block into acc.
func (r *run) block(acc []float64, src []byte, from, to int) error {
	switch r.Agg {
	case AggSum:
		return block.Sum(acc, src, from, to, &r.scratch.row)
	case AggCount:
		return block.Count(acc, src, from, to, &r.scratch.row)
	case AggMin:
		return block.Min(acc, src, from, to, &r.scratch.row)
	case AggMax:
		return block.Max(acc, src, from, to, &r.scratch.row)
	}
	if _, err := block.Decode(r.scratch.row[:], src); err != nil {
		return err
	}
	copy(acc, r.scratch.row[from:to])
	return nil
}
