package store

import "pulse/store/norm"

// reported reports whether a source of slot n reported the step: the series is
// then silent about a zero, not absent. It is never so for a gauge or before
// the first value. The caller holds the lock.
func (p *partition) reported(t *sources, n uint32, step int64) bool {
	s, kind := &p.slots[n], kindOf(p.flags[n])
	if kind == norm.Gauge || s.first == 0 || step < s.first || p.flags[n]&flagDead != 0 {
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

// filled folds the values of one partition, zeros filled in, series by series.
// A series may have many sources to be asked, so the lock is held for one only.
func (r *reader) filled(p *partition, sel *selected) error {
	if r.row == nil {
		r.row = make([]float64, (r.end-r.start)/r.store.grid.step)
	}
	at := r.index(r.start) + 1
	for k, n := range sel.slots {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		p.mu.RLock()
		r.load(p, n)
		p.mu.RUnlock()
		first := at
		if sel.groups != nil {
			first += int(sel.groups[k]) * r.steps
		}
		values := r.values[first : first+len(r.row)]
		for i, v := range r.row {
			if v == v {
				values[i] = r.Agg.fold(values[i], v)
			}
		}
	}
	return nil
}

// load puts the values of slot n into row, zeros filled in. The caller holds
// the lock of p.
func (r *reader) load(p *partition, n uint32) {
	g := r.store.grid
	fillNaN(r.row)
	for _, a := range p.sealed {
		from, to := g.overlap(a.number, r.start, r.end)
		if from < to && a.word(n) != 0 {
			r.blocks++
			a.decode(&r.scratch, n)
			copy(r.row[(g.stamp(a.number, from)-r.start)/g.step-1:], r.scratch.row[from:to])
		}
	}
	for _, b := range p.open {
		from, to := g.overlap(b.number, r.start, r.end)
		for pos := from; pos < to; pos++ {
			if v := b.columns[pos].at(n); v == v {
				if p.flags[n]&flagAmount != 0 {
					v /= g.secs
				}
				r.row[(g.stamp(b.number, pos)-r.start)/g.step-1] = v
			}
		}
	}
	for i, v := range r.row {
		if v != v && p.reported(r.store.sources, n, r.start+int64(i+1)*g.step) {
			r.row[i] = 0
		}
	}
}
