package algo

import "math"

// frozen tells when the same value comes again and again on a stream that varies:
// the chance of a repeat is that of two equal draws from counts, or how often
// repeats came so far if that is more, and a run of repeats is as rare as that
// chance to the power of its length.
type frozen struct {
	last  float64
	run   int32   // repeats in a row
	usual float32 // share of values that repeat the one before, of runs that ended
	seen  int32
}

const (
	frozenMemory   = 1.0 / 5000
	frozenRepeats  = 3    // at least
	frozenEvidence = 18   // −log of the chance of a run that counts
	frozenFloor    = 2e-3 // chance of a repeat that is always believed
	frozenLearn    = 500  // values before runs count
)

// see takes a value whose standard deviation, in units that values are multiples
// of, is sd (0 when no unit is known), and reports whether it is frozen.
func (f *frozen) see(v, sd float64) bool {
	if v == f.last && f.seen > 0 {
		f.run++
	} else {
		f.end()
		f.last = v
	}
	if f.seen < frozenLearn || f.run < frozenRepeats {
		return false
	}
	chance := max(frozenFloor, 2*float64(f.usual))
	if sd > 0 {
		chance = max(chance, 1/math.Sqrt(1+4*math.Pi*sd*sd))
	}
	return chance < 1 && -math.Log(chance)*float64(f.run) > frozenEvidence
}

// end takes the run that ended into the usual share, long ones as if shorter.
func (f *frozen) end() {
	weight := max(frozenMemory, 1/float64(f.seen+1))
	keep := min(float64(f.run), 20)
	f.usual += float32(weight * (0 - float64(f.usual)))
	f.usual += float32(weight * keep * (1 - float64(f.usual)))
	f.usual = min(f.usual, 1)
	if f.seen < maxSteps {
		f.seen += 1 + min(f.run, 20)
	}
	f.run = 0
}
