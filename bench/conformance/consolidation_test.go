package conformance

import (
	"cmp"
	"math"

	"pulse/query/expr"
	"pulse/store/step"
)

// resampling is the input, given and expect of the cases that change the step
// of one series.
type resampling struct {
	Input struct {
		Function               string
		Multiple               int
		Step, OldStep, NewStep int64
		Start                  int64
	}
	Given struct {
		Dstype      string
		Start, Step int64
		Values      []number
	}
	Expect struct {
		failure
		tolerance
		Start, Step *int64
		Values      []number
	}
}

func (r *resampling) read(c *testCase) (f expr.CF, gauge bool, err error) {
	if err = c.read(&r.Input, &r.Given, &r.Expect); err != nil {
		return 0, false, err
	}
	if r.Input.Function != "" {
		f, err = expr.ParseCF(r.Input.Function)
	}
	return f, r.Given.Dstype == "gauge", err
}

func consolidate(c *testCase) error {
	var r resampling
	f, gauge, err := r.read(c)
	if err != nil {
		return err
	}
	got := expr.Consolidate(nil, floats(r.Given.Values), f, r.Input.Multiple, gauge)
	return r.Expect.values(got, floats(r.Expect.Values))
}

func consolidateAligned(c *testCase) error {
	var r resampling
	f, gauge, err := r.read(c)
	if err != nil {
		return err
	}
	start, got, err := expr.ConsolidateAligned(floats(r.Given.Values), r.Given.Start, r.Given.Step, r.Input.NewStep, f, gauge)
	if r.Expect.wanted() || err != nil {
		return r.Expect.check(err)
	}
	errs := []error{r.Expect.values(got, floats(r.Expect.Values))}
	if r.Expect.Start != nil {
		errs = append(errs, equal(start, *r.Expect.Start))
	}
	if r.Expect.Step != nil {
		errs = append(errs, equal(r.Input.NewStep, *r.Expect.Step))
	}
	return all(errs...)
}

func expandStep(c *testCase) error {
	var r resampling
	if _, _, err := r.read(c); err != nil {
		return err
	}
	multiple := r.Input.Multiple
	if r.Input.NewStep != 0 {
		old := cmp.Or(r.Given.Step, r.Input.OldStep, r.Input.Step)
		if err := expr.StepMismatch(old, r.Input.NewStep); err != nil || r.Expect.wanted() {
			return r.Expect.check(err)
		}
		multiple = int(old / r.Input.NewStep)
	}
	values := expr.ExpandStep(nil, floats(r.Given.Values), multiple)
	if r.Expect.Start == nil {
		return r.Expect.values(values, floats(r.Expect.Values))
	}
	first, err := step.FirstPrimary(r.Given.Start, r.Given.Step, int64(multiple))
	if err != nil {
		return err
	}
	// The expectation may be of a range: values before its start are left out,
	// and behind the last one there are none.
	skip := (*r.Expect.Start - first) / (r.Given.Step / int64(multiple))
	if skip < 0 || skip > int64(len(values)) {
		return equal(first, *r.Expect.Start)
	}
	values = values[skip:]
	for len(values) < len(r.Expect.Values) {
		values = append(values, math.NaN())
	}
	return r.Expect.values(values, floats(r.Expect.Values))
}

func stepMismatch(c *testCase) error {
	var r resampling
	if _, _, err := r.read(c); err != nil {
		return err
	}
	return r.Expect.check(expr.StepMismatch(r.Input.OldStep, r.Input.NewStep))
}
