package expr

import (
	"errors"
	"strings"
	"time"

	"pulse/query/when"
	"pulse/store/match"
)

// TimeSpan is 1 from Start to End, both included, and 0 elsewhere. The texts
// are read anew for each window: gs and ge mean its start and end. In an
// aligned window they, and now, mean each step by itself, so that a stream and
// its history agree.
type TimeSpan struct {
	noInputs
	ungrouped
	Start, End string
	Zone       *time.Location
}

// NewTimeSpan returns the line of a span. What its times mean, and what is wrong
// with them, is found when a window is evaluated.
func NewTimeSpan(start, end string, zone *time.Location) *TimeSpan {
	return &TimeSpan{Start: start, End: end, Zone: zone}
}

func (s *TimeSpan) String() string {
	return match.Escape(s.Start) + "," + match.Escape(s.End) + ",:time-span"
}

func (s *TimeSpan) withInputs([]TimeSeries) (TimeSeries, error) { return s, nil }
func (s *TimeSpan) identity() string                            { return s.String() + "@" + s.Zone.String() }
func (s *TimeSpan) kernel() kernel                              { return &timeSpanKernel{span: s} }

// Range returns the instants of the span in Unix ms for a window.
func (s *TimeSpan) Range(w Window) (start, end int64, err error) {
	sref, eref := reference(s.Start), reference(s.End)
	switch {
	case sref == "e" && eref == "s":
		return 0, 0, errors.New("start and end time are relative to each other")
	case sref == "s":
		return 0, 0, errors.New("start time is relative to itself")
	case eref == "e":
		return 0, 0, errors.New("end time is relative to itself")
	}
	refs := when.Refs{"gs": w.Start, "ge": w.End, "now": w.Now}
	parse := func(text string) (t int64) {
		if err == nil {
			t, err = when.ParseTime(text, refs, s.Zone)
		}
		return t
	}
	if sref == "e" {
		end = parse(s.End)
		refs["e"] = end
		start = parse(s.Start)
	} else {
		start = parse(s.Start)
		refs["s"] = start
		end = parse(s.End)
	}
	if err != nil {
		return 0, 0, err
	}
	if start > end {
		return 0, 0, errRequire("start must be <= end")
	}
	return start, end, nil
}

// reference returns the name a relative time refers to.
func reference(text string) string {
	if !when.IsRelative(text) {
		return ""
	}
	return text[:strings.IndexAny(text, "+-")]
}

type timeSpanKernel struct {
	span *TimeSpan
	generated
}

func (k *timeSpanKernel) shape(in []*result, out *result) error {
	k.name = k.span.Start + " to " + k.span.End
	return k.generated.shape(in, out)
}

func (k *timeSpanKernel) run(w Window, _ []*result, out *result) error {
	var start, end int64
	var err error
	dst := out.lines[0].Values
	for i := range dst {
		t := w.Start + int64(i)*w.Step
		if w.Aligned {
			start, end, err = k.span.Range(Window{Start: t, End: t + w.Step, Step: w.Step, Now: t})
		} else if i == 0 {
			start, end, err = k.span.Range(w)
		}
		if err != nil {
			return err
		}
		dst[i] = BoolValue(start <= t && t <= end)
	}
	return nil
}
