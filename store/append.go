package store

import (
	"fmt"
	"math"

	"pulse/store/norm"
)

// Append puts the points of b into their series. Points of one partition
// become visible together; the source's report counts after all of them are.
// It allocates nothing per point, and is safe for concurrent use with
// different batches.
func (s *Store) Append(b *Batch, now int64) Result {
	b.check()
	b.sort()
	return s.apply(b, now, 0)
}

// apply is Append of a sorted batch, the record with the given number, 0 for none. Partitions
// and sources that have taken it already leave their part of it.
func (s *Store) apply(b *Batch, now int64, lsn uint64) Result {
	b.links, b.revived, b.sent = b.links[:0], b.revived[:0], b.sent[:0]
	w := writer{
		store:  s,
		batch:  b,
		grid:   s.grid,
		now:    now,
		lsn:    lsn,
		rules:  &s.rules,
		oldest: now - s.rules.past,
		newest: now + s.rules.future,
	}
	w.oldestStep = s.grid.floor(w.oldest)
	from := uint32(0)
	for i, end := range b.ends {
		if end > from {
			w.write(&s.parts[i], i, b.order[from:end])
			from = end
		}
	}
	if len(b.revived) > 0 {
		s.revive(b.revived)
	}
	if len(b.links) > 0 {
		s.linkWatches(b.Source, b.links)
	}
	if src := s.sources.get(b.Source); src != nil && (lsn == 0 || lsn > s.sources.applied) {
		src.report(s.grid, b.sent, w.last, w.newest, b.Arrival, now, w.result)
	}
	s.stored.Add(int64(w.result.Stored))
	s.superseded.Add(int64(w.result.Superseded))
	s.repeated.Add(int64(w.result.Repeated))
	s.late.Add(int64(w.result.Late))
	return w.result
}

// writer applies one batch to one partition after the other.
type writer struct {
	store *Store
	batch *Batch
	grid  grid
	now   int64
	lsn   uint64 // of the record; 0: none
	rules *rules

	oldest, newest int64 // age limits of a point
	oldestStep     int64 // the first step that may change

	result Result
	last   int64 // newest time accepted, 0 for none
	sent   *sent // of the previous point's time

	// The column that was used last, while the lock is held.
	p      *partition
	at     int64 // its step; the smallest number: none
	block  *openBlock
	pos    int
	column column

	covered bool // see move
}

// outcome is what became of one point or step.
type outcome uint8

const (
	stored outcome = iota
	superseded
	late
)

// write applies the points with the given numbers, all of partition p.
func (w *writer) write(p *partition, part int, order []uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.takes(w.lsn) {
		return
	}
	w.p, w.at = p, math.MinInt64
	b := w.batch
	for _, i := range order {
		t, n := b.Times[i], b.Refs[i].slot()
		if int(n) >= len(p.slots) {
			panic(fmt.Sprintf("BUG: partition %d has no slot %d", part, n))
		}
		if t < w.oldest || t > w.newest || p.pairAt[n] == 0 {
			w.result.Late++
			continue
		}
		if w.sent == nil || t < w.sent.end || t >= w.sent.end+w.grid.step {
			w.sent = b.sentAfter(w.grid.floor(t))
		}
		step := w.sent.end
		kind := kindOf(p.flags[n])
		if kind >= norm.Gauge && step != t {
			step += w.grid.step
		}
		if p.slots[n].source != b.Source && b.Source != 0 && p.link(n, b.Source, step) {
			b.links = append(b.links, b.Refs[i])
		}
		switch w.point(kind, n, step, t, b.Values[i]) {
		case stored:
			w.result.Stored++
			if p.slots[n].last < step {
				p.slots[n].last = step
			}
			if p.flags[n]&(flagDead|flagIdle|flagFaded) != 0 {
				w.woken(n, b.Refs[i])
			}
		case superseded:
			w.result.Superseded++
			if kind < norm.Gauge {
				w.result.Repeated++
			}
		default:
			w.result.Late++
			continue
		}
		w.last = max(w.last, t)
		if step == w.sent.end {
			w.sent.complete++
		} else {
			w.sent.next++
		}
		w.sent.at = w.sent.at || t == w.sent.end
		w.sent.past = w.sent.past || t != w.sent.end
	}
}

// woken takes note that a series was written that rested, or was buried.
func (w *writer) woken(n uint32, ref Ref) {
	flags := &w.p.flags[n]
	if *flags&flagIdle != 0 {
		*flags &^= flagIdle
		w.store.wake(1)
	}
	if *flags&(flagDead|flagFaded) != 0 {
		w.batch.revived = append(w.batch.revived, ref)
	}
}

// point applies one point to slot n. step is the step that it completes.
func (w *writer) point(kind norm.Kind, n uint32, step, t int64, v float64) outcome {
	switch kind {
	case norm.Gauge:
		return w.merge(n, step, v, false)
	case norm.Sum:
		return w.merge(n, step, w.unit(n, v), true)
	}
	e, changed := w.update(kind, &w.p.states[w.p.slots[n].state], t, v)
	if !changed {
		return superseded
	}
	w.emit(n, &e)
	return stored
}

// update takes the point into the state of a rate or a counter, which begins
// anew when its last report came while the clock was ahead.
func (w *writer) update(kind norm.Kind, s *norm.State, t int64, v float64) (e norm.Emit, changed bool) {
	for {
		if kind == norm.Rate {
			e, changed = s.Rate(norm.Params{Step: w.grid.step, Heartbeat: w.rules.rate}, t, v)
		} else {
			e, changed = s.Counter(norm.Params{Step: w.grid.step, Heartbeat: w.rules.counter}, t, v)
		}
		if last, ok := s.Last(); changed || !ok || last <= w.newest {
			return e, changed
		}
		*s = norm.State{}
	}
}

// unit converts a value for a sum into the unit that the series keeps, which
// is that of its first point.
func (w *writer) unit(n uint32, v float64) float64 {
	flags := &w.p.flags[n]
	if *flags&flagUsed == 0 {
		*flags |= flagUsed
		if w.batch.Amount {
			*flags |= flagAmount
			w.toAmounts(n)
		}
	}
	switch keeps := *flags&flagAmount != 0; {
	case keeps == w.batch.Amount:
		return v
	case keeps:
		return v * w.grid.secs
	default:
		return v / w.grid.secs
	}
}

// toAmounts converts what an import put into the head before the first point of
// slot n said that the series is kept in amounts.
func (w *writer) toAmounts(n uint32) {
	for _, b := range w.p.open {
		for pos := range b.columns {
			if v := b.columns[pos].at(n); v == v && !b.sealing {
				w.p.touch(w.grid, b, pos)
				*w.p.cell(b, pos, n) = amount(v, w.grid.secs)
			}
		}
	}
}

// merge combines v with what the step holds: the sum, or the maximum.
func (w *writer) merge(n uint32, step int64, v float64, add bool) outcome {
	if v != v {
		return superseded
	}
	at := w.seek(n, step)
	if at == nil && w.covered {
		w.wrote(n, step)
		return stored
	}
	if at == nil {
		return late
	}
	switch old := *at; {
	case old != old:
		*at = v
		w.wrote(n, step)
		return stored
	case add:
		v += old
		if v == old || v != v {
			return superseded // the second: infinities of both signs
		}
	case !(v > old):
		return superseded
	}
	*at = v
	return stored
}

// emit writes the steps that a report completed, as far as they may change.
func (w *writer) emit(n uint32, e *norm.Emit) {
	step, v := e.First, e.FirstValue
	for range e.N {
		if v == v && step >= w.oldestStep {
			at := w.seek(n, step)
			if at != nil {
				*at = v
			}
			if at != nil || w.covered {
				w.wrote(n, step)
			}
		}
		step += w.grid.step
		v = e.Value
	}
}

// wrote notes that slot n has a value at the step.
func (w *writer) wrote(n uint32, step int64) {
	s := &w.p.slots[n]
	if s.first == 0 {
		s.first, s.last = step, step // until now it was when the series was thought of
		return
	}
	s.first, s.last = min(s.first, step), max(s.last, step)
}

// seek returns where slot n keeps its value of the step, nil when that can no
// longer be changed.
func (w *writer) seek(n uint32, step int64) *float64 {
	if step != w.at && !w.move(step) {
		return nil
	}
	if i := int(n / pieceSlots); i < len(w.column) && w.column[i].values != nil {
		return &w.column[i].values[n%pieceSlots]
	}
	at := w.p.cell(w.block, w.pos, n)
	w.column = w.block.columns[w.pos]
	return at
}

// move makes w.column the column of the step, and reports false when that can
// no longer be changed. w.covered then says whether that is because the step
// is sealed with all of this record in it, as happens while a log is replayed.
func (w *writer) move(step int64) bool {
	number, pos := w.grid.place(step)
	b := w.p.openBlock(number)
	if w.covered = b == nil && w.lsn != 0 && w.p.covers(number, w.lsn); w.covered {
		return false
	}
	if b == nil {
		b = w.store.open(w.p, number, w.now)
	}
	if b.sealing {
		return false
	}
	w.p.touch(w.grid, b, pos)
	w.at, w.block, w.pos, w.column = step, b, pos, b.columns[pos]
	return true
}

// covers reports whether the sealed block with the given number has everything
// up to the given record.
func (p *partition) covers(number int64, lsn uint64) bool {
	a := p.arena(number)
	return a != nil && lsn <= a.applied && a.check()
}
