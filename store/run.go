package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"pulse/store/block"
)

// run is a scan under way: what was selected, and the lines to come.
type run struct {
	Scan
	ctx    context.Context
	store  *Store
	grid   grid // of the tier
	steps  int
	parts  [partitions]selected
	lines  []Line
	values []float64 // of all lines: the step i of line n is at n*steps+i
	keys   []string  // of groups, to order their lines
	groups groupNames
	epoch  uint64 // the last of an arena when the series were selected
	pruned int64  // the latest value of a series that was dropped
	stats  ScanStats
}

// reader reads the steps in (start, end] of a run. Readers of different steps
// work at once; each step is folded by one, in the order of series.
type reader struct {
	*run
	start, end int64
	blocks     int64
	pins       pins      // of the partition at hand, in range
	row        []float64 // of one series, for ZeroFill
	zeros      []bool    // of a sum, by line: a block of the arena at hand is 0 throughout
	scratch    decoded
	mini       miniLoad
	minis      []pinnedMini // of the partition at hand, in range
}

// pinnedMini is a mini-block of an open block that is read without the lock.
type pinnedMini struct {
	mini
	number int64 // of the block
	k      int
}

const parallelFrom = 1 << 20 // datapoints that are worth a second reader

// read folds the values of all series into the lines.
func (r *run) read() error {
	left := []span{{r.Start, r.End}}
	if r.cacheable() {
		var err error
		if left, err = r.readCached(); err != nil {
			return err
		}
	}
	for _, s := range left {
		if err := r.readSpan(s); err != nil {
			return err
		}
	}
	return nil
}

// readSpan does so for some of the steps.
func (r *run) readSpan(s span) error {
	n, steps := 1, int((s.end-s.start)/r.grid.step)
	if int64(r.stats.Series)*int64(steps) >= parallelFrom {
		n = max(1, min(runtime.GOMAXPROCS(0), maxReaders, steps/4))
	}
	readers := make([]reader, n)
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range readers {
		at := func(i int) int64 { return s.start + int64(steps*i/n)*r.grid.step }
		readers[i] = r.reader(at(i), at(i+1))
		if i == n-1 {
			errs[i] = readers[i].all()
			break
		}
		wait.Go(func() { errs[i] = readers[i].all() })
	}
	wait.Wait()
	for i := range readers {
		r.stats.Blocks += readers[i].blocks
		if errs[i] != nil {
			return errs[i]
		}
	}
	return nil
}

// reader returns what reads the steps in (start, end].
func (r *run) reader(start, end int64) reader {
	rd := reader{run: r, start: start, end: end}
	if r.Agg == AggSum && len(r.lines)*manyZeros <= r.stats.Series {
		rd.zeros = make([]bool, len(r.lines))
	}
	return rd
}

// all reads partition after partition.
func (r *reader) all() error {
	for part := range r.parts {
		if err := r.partition(part); err != nil {
			return err
		}
	}
	return nil
}

const (
	headTile  = 64   // slots whose rows stay cached while columns are folded
	checkEach = 1024 // blocks between two looks at ctx

	maxReaders = 4 // of one scan
	manyZeros  = 4 // series per line from which blocks of zeros are added once for all
)

// partition folds the values of one partition. The head is read under the
// lock; sealed blocks, which cannot change, without.
func (r *reader) partition(part int) error {
	sel := &r.parts[part]
	if len(sel.slots) == 0 {
		return nil
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	p, g := &r.store.parts[part], r.grid
	if r.ZeroFill && r.Tier == primary {
		return r.filled(p, sel)
	}
	p.mu.RLock()
	r.pins.take(p, r.Tier, g, r.start, r.end)
	defer r.pins.drop()
	if r.Tier == primary {
		for _, b := range p.open {
			from, to := g.overlap(b.number, r.start, r.end)
			for from < to {
				k := from / miniSteps
				end := min(to, (k+1)*miniSteps)
				if m := b.minis[k]; m.arena != nil {
					m.hold.Retain()
					r.minis = append(r.minis, pinnedMini{m, b.number, k})
					from = end
					continue
				}
				for end < to && b.minis[end/miniSteps].arena == nil {
					end = min(to, end+miniSteps)
				}
				r.head(p, b, sel, from, end)
				from = end
			}
		}
	}
	p.mu.RUnlock()
	for i, m := range r.minis {
		r.fold(m, sel)
		m.hold.Release()
		r.minis[i] = pinnedMini{}
	}
	r.minis = r.minis[:0]
	return r.pins.read(func() error {
		for _, a := range r.pins.arenas {
			r.pins.at = a
			if err := r.arena(a, sel); err != nil {
				return err
			}
		}
		return nil
	})
}

// index returns the place of a stamp in the values of a line.
func (r *run) index(stamp int64) int { return int((stamp-r.Start)/r.grid.step) - 1 }

// head folds the columns [from, to) of an open block. Slots are taken in tiles
// so that their rows stay in the cache while column after column is read.
func (r *reader) head(p *partition, b *openBlock, sel *selected, from, to int) {
	at := r.index(r.grid.stamp(b.number, from)) - from
	for lo := 0; lo < len(sel.slots); lo += headTile {
		hi := min(lo+headTile, len(sel.slots))
		slots := sel.slots[lo:hi]
		pos := from
		for ; r.Agg == AggSum && sel.groups == nil && pos+sumColumns <= to; pos += sumColumns {
			r.sumHead((*[sumColumns]float64)(r.values[at+pos:]), (*[sumColumns]column)(b.columns[pos:]), slots, p.flags)
		}
		for ; pos < to; pos++ {
			if sel.groups == nil {
				r.foldHead(&r.values[at+pos], b.columns[pos], slots, p.flags)
			} else {
				r.foldGroups(r.values[at+pos:], b.columns[pos], slots, sel.groups[lo:hi], p.flags)
			}
		}
	}
}

// fold folds the values of a mini-block.
func (r *reader) fold(m pinnedMini, sel *selected) {
	from, to := r.grid.overlap(m.number, r.start, r.end)
	from, to = max(from, m.k*miniSteps), min(to, (m.k+1)*miniSteps)
	at := r.index(r.grid.stamp(m.number, from))
	values := r.mini.row[from-m.k*miniSteps : to-m.k*miniSteps]
	for i, n := range sel.slots {
		if !m.load(&r.mini.row, &r.mini.inline, n) {
			continue
		}
		first := at
		if sel.groups != nil {
			first += int(sel.groups[i]) * r.steps
		}
		acc := r.values[first : first+len(values)]
		if r.Agg == AggSum {
			for i, v := range values {
				acc[i] = add(acc[i], v)
			}
			continue
		}
		for i, v := range values {
			if v == v {
				acc[i] = r.Agg.fold(acc[i], v)
			}
		}
	}
}

// arena folds the sealed blocks of one block time.
func (r *reader) arena(a *arena, sel *selected) error {
	from, to := r.grid.overlap(a.number, r.start, r.end)
	at := r.index(r.grid.stamp(a.number, from))
	plain := a.fields == 1 && len(a.patches) == 0
	zeros := r.zeros
	if len(zeros)*manyZeros > len(sel.slots) {
		zeros = nil
	}
	clear(zeros)
	for k, n := range sel.slots {
		if k%checkEach == checkEach-1 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		var src []byte
		if plain {
			if word := a.word(n); word != 0 {
				src = a.block(word, &r.scratch.inline)
			}
		} else {
			src = a.blockOf(n, int(r.Field), &r.scratch.inline)
		}
		if src == nil {
			continue
		}
		line := 0
		if sel.groups != nil {
			line = int(sel.groups[k])
		}
		r.blocks++
		if zeros != nil && block.Zero(src) {
			zeros[line] = true
			continue
		}
		first := at + line*r.steps
		acc := r.values[first : first+to-from]
		if err := r.block(acc, src, from, to); err != nil {
			return fmt.Errorf("read block %d of slot %d: %w", a.number, n, err)
		}
	}
	r.addZeros(zeros, at, to-from)
	return nil
}

// addZeros adds 0 to the n values from place at on of each line that a block of
// zeros belongs to. A sum is the same whenever that is done, to the last bit.
func (r *reader) addZeros(zeros []bool, at, n int) {
	for line, found := range zeros {
		if !found {
			continue
		}
		acc := r.values[at+line*r.steps:][:n]
		for i, v := range acc {
			acc[i] = AggSum.fold(v, 0)
		}
	}
}

// block folds the steps [from, to) of one sealed block into acc.
func (r *reader) block(acc []float64, src []byte, from, to int) error {
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
