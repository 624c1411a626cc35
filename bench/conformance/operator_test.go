package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pulse/query/expr"
	"pulse/store/norm"
)

// sequence feeds values one by one: to the operator of a stateful word, or to
// a chain of normalizers.
func sequence(c *testCase) error {
	var word string
	if json.Unmarshal(c.Input, &word) != nil {
		return normalizers(c)
	}
	var given struct {
		Values           []number
		Args             []number
		ResetBeforeIndex []int
	}
	var expect struct {
		tolerance
		Values []number
	}
	if err := c.read(&word, &given, &expect); err != nil {
		return err
	}
	a, err := expr.NewAlgorithm(word, floats(given.Args)...)
	if err != nil {
		return err
	}
	var got []float64
	for i, v := range floats(given.Values) {
		if slices.Contains(given.ResetBeforeIndex, i) {
			a.Reset()
		}
		got = append(got, a.Next(v))
	}
	return expect.values(got, floats(expect.Values))
}

func construct(c *testCase) error {
	var word string
	var given struct{ Args []number }
	var expect failure
	if err := c.read(&word, &given, &expect); err != nil {
		return err
	}
	_, err := expr.NewAlgorithm(word, floats(given.Args)...)
	return expect.check(err)
}

// normalizer is a stage between reports and steps.
type normalizer interface {
	Update(t int64, v float64, emit func(t int64, v float64))
	Close(emit func(t int64, v float64))
}

// newNormalizer builds the stage with that name; a trailing number is the size
// of a dedup.
func newNormalizer(name string, step, heartbeat int64) (normalizer, error) {
	const open = 2 // steps that Atlas keeps open
	switch name {
	case "weighted":
		return &norm.Weighted{Params: norm.Params{Step: step, Heartbeat: heartbeat}}, nil
	case "rate":
		return &norm.RateFromCounter{}, nil
	case "rolling-sum":
		return norm.NewRolling(step, open, norm.Add), nil
	case "rolling-max":
		return norm.NewRolling(step, open, norm.Max), nil
	}
	if size, ok := strings.CutPrefix(name, "dedup-"); ok {
		n, err := strconv.Atoi(size)
		return norm.NewDedup(step, n), err
	}
	return nil, fmt.Errorf("harness: unknown function %q", name)
}

// emitted is one value that left the last stage.
type emitted struct {
	at int64
	v  float64
}

func (e *emitted) UnmarshalJSON(b []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	var v number
	if err := json.Unmarshal(pair[0], &e.at); err != nil {
		return err
	}
	err := v.UnmarshalJSON(pair[1])
	e.v = float64(v)
	return err
}

func normalizers(c *testCase) error {
	var updates []emitted
	var given struct {
		Function        string
		Step, Heartbeat int64
	}
	var expect struct {
		tolerance
		EmitsPerUpdate [][]emitted
		OnClose        []emitted
	}
	if err := c.read(&updates, &given, &expect); err != nil {
		return err
	}
	var stages []normalizer
	for name := range strings.SplitSeq(given.Function, "-then-") {
		n, err := newNormalizer(name, given.Step, given.Heartbeat)
		if err != nil {
			return err
		}
		stages = append(stages, n)
	}
	var got []emitted
	// into returns what hands a value to stage i, and behind the last collects it.
	var into func(i int) func(t int64, v float64)
	into = func(i int) func(t int64, v float64) {
		if i == len(stages) {
			return func(t int64, v float64) { got = append(got, emitted{t, v}) }
		}
		return func(t int64, v float64) { stages[i].Update(t, v, into(i+1)) }
	}
	for i, u := range updates {
		got = nil
		into(0)(u.at, u.v)
		if err := expect.emits(got, expect.EmitsPerUpdate[i]); err != nil {
			return fmt.Errorf("update %d: %w", i, err)
		}
	}
	got = nil
	for i, s := range stages {
		s.Close(into(i + 1))
	}
	if err := expect.emits(got, expect.OnClose); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

func (t tolerance) emits(got, want []emitted) error {
	ok := len(got) == len(want)
	for i := range want {
		ok = ok && got[i].at == want[i].at && t.near(got[i].v, want[i].v)
	}
	if ok {
		return nil
	}
	return fmt.Errorf("  got   %v\n  want  %v", got, want)
}

func stats(c *testCase) error {
	var name string
	var given struct{ Values []number }
	var expect struct {
		tolerance
		Count                      *int
		Min, Max, Last, Total, Avg *number
	}
	if err := c.read(&name, &given, &expect); err != nil {
		return err
	}
	s := expr.SummaryStats(floats(given.Values))
	var errs []error
	if expect.Count != nil {
		errs = append(errs, equal(s.Count, *expect.Count))
	}
	for _, x := range []struct {
		name string
		got  float64
		want *number
	}{{"min", s.Min, expect.Min}, {"max", s.Max, expect.Max}, {"last", s.Last, expect.Last}, {"total", s.Total, expect.Total}, {"avg", s.Avg, expect.Avg}} {
		if x.want == nil {
			continue
		}
		if err := expect.value(x.got, float64(*x.want)); err != nil {
			errs = append(errs, fmt.Errorf("%s:\n%w", x.name, err))
		}
	}
	return all(errs...)
}

func helper(c *testCase) error {
	var name string
	var given struct{ Args []json.RawMessage }
	var expect struct{ Result json.RawMessage }
	if err := c.read(&name, &given, &expect); err != nil {
		return err
	}
	args := make([]float64, 2)
	for i, text := range given.Args {
		var b bool
		var n number
		if json.Unmarshal(text, &b) == nil {
			n = number(expr.BoolValue(b))
		} else if err := n.UnmarshalJSON(text); err != nil {
			return err
		}
		args[i] = float64(n)
	}
	if f, ok := map[string]func(float64) bool{
		"isNearlyZero": expr.IsNearlyZero, "toBoolean": expr.Truth,
	}[name]; ok {
		return equal(fmt.Sprint(f(args[0])), string(expect.Result))
	}
	var want number
	if err := want.UnmarshalJSON(expect.Result); err != nil {
		return err
	}
	f, ok := map[string]func(a, b float64) float64{
		"addNaN": expr.AddNaN, "subtractNaN": expr.SubtractNaN, "maxNaN": expr.MaxNaN, "minNaN": expr.MinNaN,
		"toBooleanDouble": func(a, _ float64) float64 { return expr.BoolValue(expr.Truth(a)) },
	}[name]
	if !ok {
		return fmt.Errorf("harness: unknown helper %q", name)
	}
	return tolerance{}.value(f(args[0], args[1]), float64(want))
}
