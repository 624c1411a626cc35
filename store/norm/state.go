package norm

import (
	"math"

	"pulse/store/step"
)

// Params is what all series of a store share, in milliseconds.
type Params struct {
	Step int64
	// Heartbeat is the longest time between two reports that are joined; after
	// a longer one the next report counts as a first. 0 means Heartbeat(Step).
	// It is never taken to be shorter than Step.
	Heartbeat int64
}

func (p Params) heartbeat() int64 {
	if p.Heartbeat == 0 {
		return Heartbeat(p.Step)
	}
	return max(p.Heartbeat, p.Step)
}

// apart reports whether two reports at last and t, of which t is later, are too
// far from each other to be joined, or farther than an int64 can say.
func (p Params) apart(last, t int64) bool { return uint64(t-last) > uint64(p.heartbeat()) }

// Emit is the values that one report completes: N consecutive steps, of which
// the first is stamped First and has FirstValue, and the Count = N-1 further
// ones have Value each. N is at most heartbeat/step + 1.
type Emit struct {
	N          int
	First      int64
	FirstValue float64
	Count      int64
	Value      float64
}

// State is what a rate or counter series carries from report to report: 32
// bytes without pointers. The zero value has seen nothing. A State serves one
// of Rate and Counter, never both, always with the same Params.Step, and is
// not safe for concurrent use.
type State struct {
	last  int64   // time of the last report
	carry float64 // of the step that last is inside: value·ms for a rate, amount for a counter
	prev  float64 // the last value
	off   int32   // from the last boundary at or before last, to last
	seen  bool    // a report was seen
	even  bool    // rate: carry is made of prev alone
}

// Last returns the time of the last report, and false when there was none.
func (s *State) Last() (int64, bool) { return s.last, s.seen }

// Rate takes a report of v per second at time t and returns the steps that it
// completes, in per-second values. It reports false, and does nothing, when t
// is not after the last report or v is NaN.
//
// A value is taken to have held since the last report, so that a step receives
// the time-weighted mean. A first report is taken to have held for one step,
// of which the part before the last step boundary is emitted at once. The
// arithmetic weighs by milliseconds and divides once: equal reports give
// exactly their value, however they fall on the steps.
func (s *State) Rate(p Params, t int64, v float64) (e Emit, changed bool) {
	if math.IsNaN(v) || s.seen && t <= s.last {
		return e, false
	}
	joined := s.seen && !p.apart(s.last, t)
	bound := s.floor(p.Step, t, joined)
	off := t - bound
	switch next := s.next(p.Step); {
	case !joined:
		e = Emit{N: 1, First: bound, FirstValue: v}
		if off > 0 {
			e.FirstValue = part(v, p.Step-off, p.Step)
		}
		s.restart(v, off)
	case bound < next:
		s.even = s.off == 0 || s.even && v == s.prev
		s.carry += v * float64(t-s.last)
	default:
		e = s.cross(p.Step, next, bound, v)
		s.restart(v, off)
	}
	s.last, s.prev, s.off, s.seen = t, v, int32(off), true
	return e, true
}

// next returns the end of the step that last is inside.
func (s *State) next(step int64) int64 { return s.last - int64(s.off) + step }

// floor returns the last boundary at or before t, which is not before the last
// report. When t is joined to that, it is most often in the same step or the
// one after, which spares a division.
func (s *State) floor(length, t int64, joined bool) int64 {
	if joined {
		switch next := s.next(length); {
		case t < next:
			return next - length
		case t < next+length:
			return next
		}
	}
	return step.Floor(t, length)
}

// stepsTo returns how many steps end after first, up to last.
func stepsTo(first, last, step int64) int64 {
	if first == last {
		return 0
	}
	return (last - first) / step
}

// cross emits the step that ends at next, to which v adds the time since the
// last report, and every further step up to bound.
func (s *State) cross(step, next, bound int64, v float64) Emit {
	e := Emit{First: next, FirstValue: v, Count: stepsTo(next, bound, step), Value: v}
	e.N = 1 + int(e.Count)
	if !s.even || v != s.prev {
		sum := s.carry + v*float64(next-s.last)
		e.FirstValue = sum / float64(step)
	}
	if next-s.last == step || math.Abs(e.FirstValue) > math.MaxFloat64 || math.IsNaN(e.FirstValue) {
		e.FirstValue = v // v covers all of the step, or its weighted sum overflowed
	}
	return e
}

// restart begins the carry of the step that t is inside, off after its start.
func (s *State) restart(v float64, off int64) {
	s.carry, s.even = 0, true
	if off > 0 {
		s.carry = v * float64(off)
	}
}

// Counter takes a report that the total stands at v at time t and returns the
// steps that it completes, in amounts: what the total grew by in each, spread
// evenly over the time since the last report. Aligned reports give exactly
// the difference of their totals. It reports false, and does nothing, when t
// is not after the last report or v is not finite.
//
// The first total contributes nothing. A total below the last one is a restart
// and contributes nothing for its interval: the steps read 0. After a gap
// longer than the heartbeat only the last step's share is emitted.
func (s *State) Counter(p Params, t int64, v float64) (e Emit, changed bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) || s.seen && t <= s.last {
		return e, false
	}
	joined := s.seen && !p.apart(s.last, t)
	bound := s.floor(p.Step, t, joined)
	if s.seen {
		e = s.grow(p, t, bound, v, joined)
	}
	s.last, s.prev, s.off, s.seen = t, v, int32(t-bound), true
	return e, true
}

// grow emits what the total grew by since the last report, to v at t, of which
// bound is the last boundary at or before it.
func (s *State) grow(p Params, t, bound int64, v float64, joined bool) Emit {
	growth, since := v-s.prev, t-s.last
	if growth < 0 || math.IsInf(growth, 0) {
		growth = 0
	}
	from, next, carry := s.last, s.next(p.Step), s.carry
	if !joined {
		growth = part(growth, p.Step, since)
		since, from, next, carry = p.Step, t-p.Step, bound, 0
	}
	if bound < next {
		s.carry = carry + growth
		return Emit{}
	}
	e := Emit{
		First:      next,
		FirstValue: carry + part(growth, next-from, since),
		Count:      stepsTo(next, bound, p.Step),
	}
	e.N = 1 + int(e.Count)
	if e.Count > 0 {
		e.Value = part(growth, p.Step, since)
	}
	s.carry = 0
	if t > bound {
		s.carry = part(growth, t-bound, since)
	}
	return e
}

// part returns of/whole of v, exact where doubles allow it: the product comes
// first unless it overflows.
func part(v float64, of, whole int64) float64 {
	if of == whole {
		return v
	}
	if p := v * float64(of); math.Abs(p) <= math.MaxFloat64 {
		return p / float64(whole)
	}
	return v * (float64(of) / float64(whole))
}
