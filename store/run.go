package store

import (
	"context"
	"runtime"
	"sync"
)

// run is a scan under way: what was selected, and the lines to come.
type run struct {
	Scan
	ctx     context.Context
	store   *Store
	grid    grid // of the tier
	steps   int
	parts   [partitions]selected
	count   int    // of lines
	gauge   []bool // by line: every member is a gauge
	grouper *grouper
	series  []Ref // of the lines of AggAll
	lines   []Line
	values  []float64 // of all lines: the step i of line n is at n*steps+i
	keys    []string  // of groups, to order their lines
	groups  groupNames
	epoch   uint64 // the last of an arena when the series were selected
	pruned  int64  // the latest value of a series that was dropped
	stats   ScanStats

	eachZero bool // see errZeros
}

// reader reads the steps in (start, end] of a run. Readers of different steps
// work at once; each step is folded by one, in the order of series.
type reader struct {
	*run
	start, end int64
	blocks     int64
	pins       pins         // of the partition at hand, in range
	minis      []pinnedMini // likewise
	row        []float64    // of one series, for ZeroFill
	scratch    decoded
	mini       miniLoad
	strips     []strip  // what is read at once of the partition at hand
	zeros      [][]bool // of a sum, by strip and line: a block is 0 throughout
}

const parallelFrom = 1 << 20 // datapoints that are worth a second reader

// again reports whether all has to be read anew after err, and how: blocks turned
// out to be absent, or zeros to matter.
func (r *run) again(err error) bool {
	r.eachZero = r.eachZero || err == errZeros
	return err == errZeros || err == errLost
}

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
	return reader{run: r, start: start, end: end}
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

const maxReaders = 4 // of one scan

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
				m, end := b.run(from, to)
				if m.arena != nil {
					m.hold.Retain()
					r.minis = append(r.minis, pinnedMini{m, b.number})
				} else {
					r.head(p, b, sel, from, end)
				}
				from = end
			}
		}
	}
	p.mu.RUnlock()
	defer r.dropMinis()
	return r.pins.read(func() error {
		r.strips = r.strips[:0]
		for _, m := range r.minis {
			r.addMini(m)
		}
		for _, a := range r.pins.arenas {
			r.addArena(a)
		}
		return r.sweep(sel)
	})
}

// index returns the place of a stamp in the values of a line.
func (r *run) index(stamp int64) int { return int((stamp-r.Start)/r.grid.step) - 1 }
