package detect

import (
	"math"

	"pulse/detect/alert"
	"pulse/store/tags"
)

// MaxTracePoints bounds the points of a Trace.
const MaxTracePoints = 2_000

// Trace is how one group was judged in a back-test, drawn with few enough points to be
// seen: each stands for a stretch of equal length, by the step of it that scored highest,
// the first of several. The columns are of one length; stretches without a step are left out.
type Trace struct {
	Tags  tags.Tags
	Every int64   // ms of a stretch
	Times []int64 // ends of the stretches, Unix ms
	// Of the step that stands for the stretch; NaN where there is none.
	Value, Expected, Lower, Upper, Score []float64
	Out                                  []bool        // some step of the stretch was out
	Phase                                []alert.Phase // the worst of the alert
}

// newTrace has room for (start, end] in at most points stretches, each of whole steps.
func newTrace(start, end, step int64, points int) *Trace {
	steps := (end - start + step - 1) / step
	every := (steps + int64(points) - 1) / int64(points) * step
	return &Trace{Every: max(every, step)}
}

// add takes the step at, after those before, of a trace that begins at start.
func (x *Trace) add(start, at int64, g *group, phase alert.Phase) {
	stretch := start + (at-start+x.Every-1)/x.Every*x.Every
	n := len(x.Times) - 1
	if n < 0 || x.Times[n] != stretch {
		x.Times = append(x.Times, stretch)
		x.Value, x.Expected = append(x.Value, math.NaN()), append(x.Expected, math.NaN())
		x.Lower, x.Upper = append(x.Lower, math.NaN()), append(x.Upper, math.NaN())
		x.Score, x.Out, x.Phase = append(x.Score, math.NaN()), append(x.Out, false), append(x.Phase, alert.Inactive)
		n++
	}
	v := &g.verdict
	x.Out[n] = x.Out[n] || v.Out && !math.IsNaN(g.value)
	x.Phase[n] = max(x.Phase[n], phase)
	if !math.IsNaN(g.value) && (math.IsNaN(x.Value[n]) || v.Score > x.Score[n] || math.IsNaN(x.Score[n])) {
		x.Value[n], x.Expected[n], x.Lower[n], x.Upper[n], x.Score[n] = g.value, v.Expected, v.Lower, v.Upper, v.Score
	}
}
