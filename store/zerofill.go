package store

import (
	"slices"

	"pulse/store/block"
	"pulse/store/norm"
)

// reported reports whether a source of slot n reported the step: the series is
// then silent about a zero, not absent. It is never so for a gauge or before
// the first value. The caller holds the lock.
func (p *partition) reported(t *sources, n uint32, step int64) bool {
	s, kind := &p.slots[n], kindOf(p.flags[n])
	if kind == norm.Gauge || s.first == 0 || step < s.first || p.flags[n]&(flagDead|flagFaded) != 0 {
		return false
	}
	if step <= t.floor.Load() || t.gaps.Load() && p.gap(t.grid, step) {
		return false
	}
	if s.source != 0 && t.present(s.source, kind, step) {
		return true
	}
	if len(p.more) == 0 {
		return false
	}
	for _, l := range p.more[n] {
		if l.since <= step && t.present(l.source, kind, step) {
			return true
		}
	}
	return false
}

// gap reports whether values of the step were lost, so that nobody knows which
// of them were zero. The caller holds the lock.
func (p *partition) gap(g grid, step int64) bool {
	number, _ := g.place(step)
	if a := p.arena(number); a != nil && a.lost() {
		return true
	}
	_, found := slices.BinarySearch(p.gaps, number)
	return found
}

// addGap notes that values of a block were lost. The caller holds the lock.
func (p *partition) addGap(number int64) {
	if i, found := slices.BinarySearch(p.gaps, number); !found {
		p.gaps = slices.Insert(p.gaps, i, number)
	}
}

// filled folds the values of one partition, zeros filled in, series by series.
// A series may have many sources to be asked, so the lock is held for one only.
func (r *reader) filled(p *partition, sel *selected) error {
	if r.row == nil {
		r.row = make([]float64, (r.end-r.start)/r.store.grid.step)
	}
	defer r.pins.drop()
	seen := r.pin(p)
	for from := 0; from < len(sel.slots); {
		err := r.pins.read(func() error {
			n, err := r.fill(p, sel, from, seen)
			from += n
			return err
		})
		if err != nil {
			return err
		}
		if from < len(sel.slots) { // a block was sealed meanwhile, or came or went
			r.pins.drop()
			seen = r.pin(p)
		}
	}
	return nil
}

// pin takes the sealed blocks of p that are in range and returns the count of
// changes to them.
func (r *reader) pin(p *partition) int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	r.pins.take(p, primary, r.store.grid, r.start, r.end)
	return p.changes
}

// fill folds the slots from the given one on and returns how many it did: it
// stops when the sealed blocks are not those that were seen any more.
func (r *reader) fill(p *partition, sel *selected, from, seen int) (int, error) {
	at := r.index(r.start) + 1
	for k, n := range sel.slots[from:] {
		if err := r.ctx.Err(); err != nil {
			return k, err
		}
		if err := r.loadSealed(n); err != nil {
			return k, err
		}
		if !r.loadOpen(p, n, seen) {
			return k, nil
		}
		first := at
		if sel.groups != nil {
			first += int(sel.groups[from+k]) * r.steps
		}
		values := r.values[first : first+len(r.row)]
		for i, v := range r.row {
			if v == v {
				values[i] = r.Agg.fold(values[i], v)
			}
		}
	}
	return len(sel.slots) - from, nil
}

// loadSealed puts what is sealed of slot n into row.
func (r *reader) loadSealed(n uint32) error {
	g := r.store.grid
	fillNaN(r.row)
	for _, a := range r.pins.arenas {
		src := a.blockOf(n, 0, &r.scratch.inline)
		if src == nil {
			continue
		}
		r.blocks++
		r.pins.at = a
		if _, err := block.Decode(r.scratch.row[:], src); err != nil {
			return err
		}
		from, to := g.overlap(a.number, r.start, r.end)
		copy(r.row[(g.stamp(a.number, from)-r.start)/g.step-1:], r.scratch.row[from:to])
	}
	return nil
}

// loadOpen adds to row what the head has of slot n, and fills zeros in. It
// returns false when the sealed blocks are not those that were seen: what is in
// the row may then be the head's no more.
func (r *reader) loadOpen(p *partition, n uint32, seen int) bool {
	g := r.store.grid
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.changes != seen {
		return false
	}
	for _, b := range p.open {
		from, to := g.overlap(b.number, r.start, r.end)
		for pos := from; pos < to; {
			m, end := b.run(pos, to)
			if m.arena != nil && !m.load(&r.mini, n) {
				pos = end
			}
			for ; pos < end; pos++ {
				var v float64
				if m.arena != nil {
					v = r.mini.row[pos-m.from]
				} else if v = b.columns[pos].at(n); p.flags[n]&flagAmount != 0 {
					v /= g.secs
				}
				if v == v {
					r.row[(g.stamp(b.number, pos)-r.start)/g.step-1] = v
				}
			}
		}
	}
	for i, v := range r.row {
		if v != v && p.reported(r.store.sources, n, r.start+int64(i+1)*g.step) {
			r.row[i] = 0
		}
	}
	return true
}
