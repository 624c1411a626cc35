package query

import (
	"fmt"
	"time"

	"pulse/query/when"
	"pulse/store/step"
)

// Range is the time of a query as a caller writes it.
type Range struct {
	Start, End string // times, defaults e-3h and now
	Step       string // duration; "" means the primary step
	Width      int    // most values wanted per line; 0 means no wish
	Now        int64  // Unix ms
	Zone       *time.Location
}

// ResolveRange turns what was asked into what is answered: start and end on
// multiples of the step, start < end, and a step that is allowed, at least the
// one asked for, and coarse enough for the width and for maxPoints values per
// line. The result means (start, end].
func ResolveRange(r Range, primary int64, maxPoints int) (start, end, stepMs int64, err error) {
	if r.Zone == nil {
		r.Zone = time.UTC
	}
	if r.Start == "" {
		r.Start = "e-3h"
	}
	if r.End == "" {
		r.End = "now"
	}
	if start, end, err = when.ParseRange(r.Start, r.End, r.Now, r.Zone); err != nil {
		return 0, 0, 0, err
	}
	asked := primary
	if r.Step != "" {
		d, err := when.ParseDuration(r.Step)
		if err != nil {
			return 0, 0, 0, err
		}
		if d < time.Millisecond {
			return 0, 0, 0, fmt.Errorf("step must be positive: %s", r.Step)
		}
		asked = d.Milliseconds()
	}
	if stepMs, err = step.Round(primary, asked); err != nil {
		return 0, 0, 0, err
	}
	width := maxPoints
	if r.Width > 0 {
		width = min(width, r.Width)
	}
	stepMs = max(stepMs, step.Compute(primary, int64(width), start, end))
	start, end = step.Floor(start, stepMs), step.Floor(end, stepMs)
	if start == end {
		start -= stepMs
	}
	return start, end, stepMs, nil
}
