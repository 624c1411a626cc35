package algo

import "math"

// repeats tells a frozen value: the same again and again on a stream that varies.
// How often a value repeats the one before it, and how often a repeat repeats
// again, is learned from the stream itself; a run of repeats is frozen when it is
// less likely than frozenChance and twice as long as any that was normal before.
// Zero is no frozen value: a stream with nothing to count repeats it rightly.
type repeats struct {
	last    float64
	run     int32   // repeats in a row
	longest float32 // normal run before, fading
	first   float32 // chance that a value repeats the one before, which was no repeat
	again   float32 // the same where that was a repeat
}

const (
	repeatLeast  = 4     // of a run that is frozen
	repeatKnown  = 200   // values before a run can be frozen
	frozenChance = -16.0 // its logarithm
	firstRate    = 0.001
	againRate    = 0.01
	firstMin     = 0.01 // least chances that are believed
	againMin     = 0.05
	longestKept  = 0.9999
	runTaught    = 10 // repeats of one run that teach
)

// see takes a value and reports whether it is frozen. least is the shortest run
// that counts, most the longest; a longer one has become normal.
func (r *repeats) see(v float64, least, most int32, known bool) bool {
	r.longest = float32(float64(r.longest) * longestKept)
	if v != r.last {
		r.end(least, most)
		r.last = v
		return false
	}
	if r.run < maxSteps {
		r.run++
	}
	switch {
	case r.run == 1:
		r.first += float32(firstRate * (1 - float64(r.first)))
	case r.run <= runTaught:
		r.again += float32(againRate * (1 - float64(r.again)))
	}
	return known && r.frozen(least, most)
}

func (r *repeats) frozen(least, most int32) bool {
	n := float64(r.run)
	if v := r.last; v == 0 || r.run < max(least, repeatLeast) || r.run > most || n < 2*float64(r.longest)+2 {
		return false
	}
	first, again := max(float64(r.first), firstMin), max(float64(r.again), againMin)
	return math.Log(first)+float64((n-1)*math.Log(max(first, again))) < frozenChance
}

// end takes the run before a new value as normal, one that was frozen in part.
func (r *repeats) end(least, most int32) {
	if r.run == 0 {
		r.first -= float32(firstRate * float64(r.first))
		return
	}
	r.again -= float32(againRate * float64(r.again))
	if n := float32(r.run); n > r.longest {
		if r.frozen(least, most) {
			n = (n + r.longest) / 2 // a stream that freezes again and again is like that
		}
		r.longest = n
	}
	r.run = 0
}

func (r *repeats) append(dst []byte) []byte {
	dst = appendCount(appendFloat64(dst, r.last), r.run)
	for _, f := range [...]float32{r.longest, r.first, r.again} {
		dst = appendFloat32(dst, f)
	}
	return dst
}

func (r *repeats) restore(from *reader) {
	r.last, r.run = from.float64(), from.count(maxSteps)
	r.longest, r.first, r.again = from.float32(), from.float32(), from.float32()
}
