package gen

// Want is what a detector should do about an event.
type Want uint8

const (
	Page    Want = iota // somebody must know
	Silence             // nobody's emergency
	Either              // not judged
)

// Event is something that happens to a Stream. Unlike an Incident alone it may
// begin within a step, of which it then changes a part, come and go slowly, and
// says what is expected of a detector.
type Event struct {
	Incident
	Class string // what it is reported as: the name of the kind, or what happened to a region
	Want  Want
	Ramp  int64 // ms after Start until Depth is reached
	Fade  int64 // ms before the end in which it goes back
	Trial bool  // not one of those that detectors are held to
}

// over returns the factor on the rate in (from, to].
func (e *Event) over(from, to int64) float64 {
	switch e.Kind {
	case Drop, Dip, Leak:
		return max(0, 1-e.Depth*e.weight(from, to))
	case Shift, Spike:
		return max(0, 1+e.Depth*e.weight(from, to))
	}
	return 1
}

// weight is how far the event has come in (from, to], from 0 to 1.
func (e *Event) weight(from, to int64) float64 {
	if e.Ramp == 0 && e.Fade == 0 {
		begin, end := max(from, e.Start), to
		if e.Duration > 0 {
			end = min(to, e.Start+e.Duration)
		}
		return float64(max(0, end-begin)) / float64(to-from)
	}
	const parts = 8
	sum := 0.0
	for k := range int64(parts) {
		sum += e.weightAt(from + (to-from)*(2*k+1)/(2*parts))
	}
	return sum / parts
}

func (e *Event) weightAt(t int64) float64 {
	if t <= e.Start || e.Duration > 0 && t > e.Start+e.Duration {
		return 0
	}
	w := 1.0
	if e.Ramp > 0 {
		w = min(w, float64(t-e.Start)/float64(e.Ramp))
	}
	if e.Fade > 0 && e.Duration > 0 {
		w = min(w, float64(e.Start+e.Duration-t)/float64(e.Fade))
	}
	return w
}

// apply calls do for each of n steps after start that the event touches: its
// number from 0 and its stamp.
func (e *Event) apply(start, step int64, n int, do func(i int, t int64)) {
	first := max(0, (e.Start-start)/step)
	for i := int(first); i < n; i++ {
		t := start + int64(i+1)*step
		if e.Duration > 0 && t-step >= e.Start+e.Duration {
			return
		}
		if t > e.Start {
			do(i, t)
		}
	}
}

// Whole returns the beginning of the first step that e covers whole, in which a
// detector's delay begins to count.
func (s *Stream) Whole(e *Event) int64 {
	lag := int64(0)
	for _, src := range s.sources {
		lag = max(lag, src.lag())
	}
	return (e.Start + lag + s.Step - 1) / s.Step * s.Step
}
