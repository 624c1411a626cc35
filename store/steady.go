package store

import (
	"slices"
	"time"
)

// steady is the time by which what is kept grows old. It is the store's, but for
// a time that is suddenly far ahead: such a clock may be wrong, and what was
// given up by it does not come back with the right one. It is believed once it
// has gone on for a while. Under Store.advancing.
type steady struct {
	known bool // now means something
	began bool // the time came from a clock, and not from a log
	now   int64
	given int64     // the time that the store was last told
	held  int64     // ms for which that has been ahead
	read  time.Time // when it was told, by the clock of the folder, if it has one
}

const (
	aheadMs   = 24 * 3600_000       // that the time may be ahead without a doubt
	absentMs  = 400 * 24 * 3600_000 // and after a start, when nobody ran meanwhile
	believeMs = 3600_000            // that it has to go on until it is believed
)

// tell takes note of the time and returns the one to go by.
func (t *steady) tell(now, elapsed, ahead int64) int64 {
	expected := t.now + elapsed
	switch other := now - (t.given + elapsed); {
	case !t.known || now-expected <= ahead:
		t.now, t.held = now, 0
	case t.held+elapsed >= believeMs && other <= aheadMs && other >= -aheadMs:
		t.now, t.held = now, 0
	case other <= aheadMs && other >= -aheadMs:
		t.now = expected
		t.held += elapsed
	default: // since now, or it jumped once more
		t.now, t.held = expected, 0
	}
	t.known, t.given = true, now
	return t.now
}

// settledTime returns the time by which values, series and senders grow old
// when the store is told that it is now. The caller holds s.advancing.
func (s *Store) settledTime(now int64) int64 {
	t := &s.steady
	elapsed := max(0, now-t.given) // without a clock the time itself, as far as it is believed
	if elapsed > aheadMs {
		elapsed = 0
	}
	ahead := int64(aheadMs)
	if !s.live() {
		return t.tell(now, elapsed, absentMs)
	}
	if !t.began {
		ahead = absentMs
		t.began = true
	}
	if s.folder != nil {
		read := s.folder.Clock.Now()
		if elapsed = 0; !t.read.IsZero() {
			elapsed = max(0, read.Sub(t.read).Milliseconds())
		}
		t.read = read
	}
	return t.tell(now, elapsed, ahead)
}

// startTime makes the newest values in the folder the time that is now. Primary
// ones behind a gap as long as no server rests came while the clock was ahead.
func (s *Store) startTime() {
	var ends []int64 // of primary blocks
	last := int64(dawn)
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		for _, a := range p.sealed[primary] {
			ends = append(ends, s.grid.end(a.number))
		}
		for _, b := range p.open {
			ends = append(ends, s.grid.end(b.number))
		}
		for k := range s.tiers {
			if n := len(p.sealed[k]); n > 0 {
				last = max(last, s.tiers[k].grid.end(p.sealed[k][n-1].number))
			}
		}
		p.mu.RUnlock()
	}
	if len(ends) > 0 {
		slices.Sort(ends)
		last = ends[0]
		for _, end := range ends {
			if end-last > absentMs {
				break
			}
			last = end
		}
	}
	if last > dawn {
		s.steady = steady{known: true, now: last, given: last}
	}
}
