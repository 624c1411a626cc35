package store

import (
	"slices"
	"sync"
)

// SourceID names a sender. 0 is nobody: its points are stored, but their
// series have no source to be expected or silent.
type SourceID uint32

// source is one sender: when it reports, how much, and what became of it.
type source struct {
	key    string
	logged bool // the log says, or a snapshot, which number it has; under Store.applying

	// Presence is kept twice: within has the steps that hold a time it sent,
	// in which a dropped zero of a sum is a zero; behind has the last steps
	// that ended at or before such a time, for rates and counters, whose value
	// is not known before. Both are the same when times are multiples of the
	// step.
	within, behind presence

	mu       sync.Mutex
	seen     int64                    // when it was last looked up or heard of
	lastTime int64                    // newest time it sent, inside the age limits
	arrival  int64                    // of its newest batch
	steps    [reportedSteps]stepCount // distinct reported steps, ascending
	n        int                      // valid in steps
	first    int64                    // the first step it reported, perhaps only the rest of it
	interval int64                    // usual distance of its reports; at least one step
	total    Result

	lastWithin, lastBehind int64 // newest steps of the presences
}

// stepCount is a step and the number of points a source sent for it.
type stepCount struct {
	step int64
	n    int
}

// sent is what a batch contained of times from the end of a step to just
// before the end of the next.
type sent struct {
	end      int64 // of the step
	complete int   // points that complete it: rates and counters, and sums and gauges at its end
	next     int   // points that belong to the next step: other sums and gauges
	at, past bool  // some point is at the end; some is past it
}

const (
	usualReports  = 5 // reports that decide what is usual
	reportedSteps = usualReports + 3
	silentMs      = 60_000 // a source is given up after this, 3 intervals or 3 steps, whichever is longest
)

// report takes what one batch contained; newest is its newest time, and limit
// the newest that is accepted.
func (s *source) report(g grid, list []sent, newest, limit, arrival, now int64, r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastTime > limit {
		s.rewind(g.floor(now) - g.step)
	}
	s.seen = now
	s.arrival = max(s.arrival, arrival)
	s.total.add(r)
	jitter := s.n > 1 && s.interval == g.step && newest-s.lastTime < g.step*3/2
	s.lastTime = max(s.lastTime, newest)
	for _, x := range list {
		if x.complete+x.next == 0 {
			continue // every point was late after all
		}
		mark(g, &s.behind, &s.lastBehind, x.end, jitter)
		if x.at {
			mark(g, &s.within, &s.lastWithin, x.end, jitter)
		}
		if x.past {
			mark(g, &s.within, &s.lastWithin, x.end+g.step, jitter)
		}
		s.count(stepCount{x.end, x.complete})
		s.count(stepCount{x.end + g.step, x.next})
	}
	s.interval = s.usualInterval(g)
}

// rewind moves what was reported while the clock was ahead back to the given
// step, so that what is usual is still known.
func (s *source) rewind(newest int64) {
	s.lastTime, s.arrival, s.lastWithin, s.lastBehind = newest, 0, newest, newest
	if s.n > 0 {
		ahead := s.steps[s.n-1].step - newest
		s.first -= ahead
		for i := range s.n {
			s.steps[i].step -= ahead
		}
	}
}

// mark sets a step in a presence, of which last is the newest one. A source
// that reports every step, and lost no report, is present in a step that it
// jumped over by jitter.
func mark(g grid, p *presence, last *int64, step int64, jitter bool) {
	p.set(step / g.step)
	if step <= *last {
		return
	}
	if jitter && step == *last+2*g.step {
		p.set(step/g.step - 1)
	}
	*last = step
}

// count adds c to the reported steps.
func (s *source) count(c stepCount) {
	if c.n == 0 {
		return
	}
	if s.n == 0 {
		s.first = c.step
	}
	i := s.n
	for i > 0 && s.steps[i-1].step > c.step {
		i--
	}
	if i > 0 && s.steps[i-1].step == c.step {
		s.steps[i-1].n += c.n
		return
	}
	if s.n == reportedSteps {
		if i == 0 {
			return // older than all that matter
		}
		copy(s.steps[:], s.steps[1:i])
		i--
	} else {
		copy(s.steps[i+1:], s.steps[i:s.n])
		s.n++
	}
	s.steps[i] = c
}

// usualInterval returns the median distance of the last five reports; the shortest one
// while there are fewer, since a report that was lost makes a distance long.
func (s *source) usualInterval(g grid) int64 {
	var d [usualReports]int64
	n := 0
	for i := s.n - 1; i > 0 && n < usualReports; i-- {
		d[n] = s.steps[i].step - s.steps[i-1].step
		n++
	}
	if n == 0 {
		return g.step
	}
	slices.Sort(d[:n])
	usual := 0
	if n == usualReports {
		usual = n / 2
	}
	return max(g.step, d[usual])
}

// standing is how a source stands towards one step.
type standing struct {
	expected, reported bool
	lastTime, arrival  int64
	interval           int64
}

// at returns how the source stands towards step t. It is expected when its
// last reported step before t plus its interval is not after t, until it has
// been silent for so long that it is given up, and when it has begun to report t,
// whether that was due or not. It has reported t when it sent
// a later time, or for t as many points as in the fewest of its last five
// reported steps before, without the first of all.
func (s *source) at(g grid, t int64) standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := standing{lastTime: s.lastTime, arrival: s.arrival, interval: s.interval}
	before, count := s.n, 0
	for before > 0 && s.steps[before-1].step >= t {
		before--
		if s.steps[before].step == t {
			count = s.steps[before].n
		}
	}
	if before == 0 {
		// Nothing before t is known: the source is new, or far ahead of t.
		st.reported = s.lastTime > t
		st.expected = st.reported && s.n == reportedSteps
		return st
	}
	last := s.steps[before-1].step
	silent := t - max(last, min(s.lastTime, t))
	st.expected = count > 0 || last+s.interval <= t && silent <= max(3*s.interval, 3*g.step, silentMs)
	st.reported = s.lastTime > t || count > 0 && count >= s.fewest(before)
	return st
}

// fewest returns the smallest count of the last five steps before index end, of
// which the first it ever reported does not count beside others.
func (s *source) fewest(end int) int {
	n := s.steps[end-1].n
	for _, c := range s.steps[max(0, end-usualReports) : end-1] {
		if c.step != s.first {
			n = min(n, c.n)
		}
	}
	return n
}
