package detect

import "slices"

// maxHurried bounds how many stretches of a rule are remembered.
const maxHurried = 256

// hurried is stretches of steps of a rule, ascending, such as those that it closed
// before all of its sources had reported: points that came later were not judged. The
// newest are kept.
type hurried []span

// add notes step t, the newest, of a rule with steps of so many ms; once is enough.
func (h *hurried) add(t, step int64) {
	if n := len(*h); n > 0 {
		switch (*h)[n-1].end {
		case t - step:
			(*h)[n-1].end = t
			return
		case t:
			return
		}
	}
	if len(*h) == maxHurried {
		*h = slices.Delete(*h, 0, 1)
	}
	*h = append(*h, span{t - step, t})
}

// within returns the stretches that have steps in (start, end].
func (h hurried) within(start, end int64) (out []span) {
	for _, s := range h {
		if s.start < end && s.end > start {
			out = append(out, span{max(s.start, start), min(s.end, end)})
		}
	}
	return out
}
