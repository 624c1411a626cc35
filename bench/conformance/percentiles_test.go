package conformance

import (
	"encoding/json"
	"fmt"

	"pulse/query/expr"
)

func bucketIndex(c *testCase) error {
	var input integer
	var expect struct {
		Index             int
		TimerTag, DistTag string
		BucketUpperBound  integer
	}
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	got := expr.BucketIndex(int64(input))
	errs := []error{equal(got, expect.Index)}
	if expect.TimerTag != "" {
		errs = append(errs, equal(expr.BucketTag(got, true), expect.TimerTag))
	}
	if expect.DistTag != "" {
		errs = append(errs, equal(expr.BucketTag(got, false), expect.DistTag))
	}
	if expect.BucketUpperBound != 0 {
		errs = append(errs, equal(expr.BucketBounds()[got], int64(expect.BucketUpperBound)))
	}
	return all(errs...)
}

// bucketTable compares the bounds of the buckets: a list is all of them, or
// their beginning or end by the name of the field; a number is how many there
// are, or the last; an object has bounds by index.
func bucketTable(c *testCase) error {
	var expect map[string]json.RawMessage
	if err := c.read(new(any), new(any), &expect); err != nil {
		return err
	}
	bounds := expr.BucketBounds()
	var errs []error
	for name, text := range expect {
		errs = append(errs, tableField(name, text, bounds))
	}
	if len(expect) == 0 {
		return fmt.Errorf("harness: nothing expected of the table")
	}
	return all(errs...)
}

func tableField(name string, text json.RawMessage, bounds []int64) error {
	switch name {
	case "count", "length", "size":
		var n int
		if err := json.Unmarshal(text, &n); err != nil {
			return err
		}
		return equal(len(bounds), n)
	case "bounds", "upperBounds", "values", "buckets", "table", "first", "last", "head", "tail", "max":
	default:
		return fmt.Errorf("harness: unknown field %q of a table", name)
	}
	var list []integer
	if json.Unmarshal(text, &list) != nil {
		var byIndex map[int]integer
		if json.Unmarshal(text, &byIndex) == nil {
			var errs []error
			for i, want := range byIndex {
				errs = append(errs, equal(bounds[i], int64(want)))
			}
			return all(errs...)
		}
		var one integer
		if err := one.UnmarshalJSON(text); err != nil {
			return err
		}
		list = []integer{one}
	}
	want := make([]int64, len(list))
	for i, n := range list {
		want[i] = int64(n)
	}
	switch {
	case len(want) > len(bounds):
	case name == "first" || name == "head":
		bounds = bounds[:len(want)]
	case name == "last" || name == "tail" || name == "max":
		bounds = bounds[len(bounds)-len(want):]
	}
	return same(bounds, want)
}

func percentileTag(c *testCase) error {
	var input float64
	var expect struct{ Tag, Label string }
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	errs := []error{equal(expr.PercentileTag(input), expect.Tag)}
	if expect.Label != "" {
		errs = append(errs, equal(expr.PercentileLabel("name=test", input), expect.Label))
	}
	return all(errs...)
}
