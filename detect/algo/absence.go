package algo

import "math"

// absence is out when a stream that had data has had none for a while. A stream
// that never had any is not absent. What value the data has does not matter.
//
// Absence is a fact, so the score is 1 while out and 0 otherwise.
type absence struct {
	after   int32 // steps
	had     bool
	missing int32 // steps in a row without data, at most after
}

const (
	absenceVersion      = 1
	defaultAbsenceMs    = 60_000
	defaultAbsenceSteps = 3
)

func readAbsence(p *params) func() Detector {
	def := max(defaultAbsenceSteps, int((defaultAbsenceMs+p.step-1)/p.step))
	after := int32(p.steps("after", def, 1, maxSteps))
	return func() Detector { return &absence{after: after} }
}

func (d *absence) Step(_ int64, v float64) Verdict {
	nan := math.NaN()
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan}
	switch {
	case !math.IsNaN(v):
		d.had, d.missing = true, 0
	case d.had:
		d.missing = min(d.missing+1, d.after)
	}
	if verdict.Out = d.missing >= d.after; verdict.Out {
		verdict.Score = 1
	}
	return verdict.because(CauseMissing)
}

// Peek judges with a copy.
func (d *absence) Peek(t int64, v float64) Verdict {
	c := *d
	return c.Step(t, v)
}

// Facts are how long the stream has been without data, and how long it may be.
func (d *absence) Facts(dst []Fact) []Fact {
	return append(dst, Fact{FactHold, float64(d.after)}, Fact{FactHeld, float64(d.missing)})
}

func (d *absence) AppendState(dst []byte) []byte {
	return appendCount(appendFlag(append(dst, absenceVersion), d.had), d.missing)
}

func (d *absence) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(absenceVersion)
	d.had, d.missing = r.flag(), r.count(d.after)
	if !d.had && d.missing > 0 {
		r.fail("%d steps are missing of a stream without data", d.missing)
	}
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}

func (d *absence) Reset() { d.had, d.missing = false, 0 }
