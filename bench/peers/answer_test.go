package main

import (
	"math"
	"testing"
)

var nan = math.NaN()

// TestAnswersRead gives each reader an answer of two lines over three steps.
func TestAnswersRead(t *testing.T) {
	want := answer{"app-01": {1.5, nan, 2}, "app-02": {nan, nan, 3}}
	for name, c := range map[string]struct {
		read func(body []byte, start, step int64, n int, key func(get func(tag string) string) string) (answer, error)
		body string
	}{
		"graph": {readGraph, `{"start":1000,"step":500,"legend":["a","b"],"metrics":[{"nf.app":"app-01"},{"nf.app":"app-02"}],
			"values":[[1.5,"NaN"],["NaN","NaN"],[2.0,3]]}`},
		"matrix": {readMatrix, `{"status":"success","data":{"resultType":"matrix","result":[
			{"metric":{"nf_app":"app-01"},"values":[[1,"1.5"],[2,"2"]]},{"metric":{"nf_app":"app-02"},"values":[[2.000,"3"]]}]}}`},
	} {
		q := question{by: []string{"nf.app"}}
		got, err := c.read([]byte(c.body), 1000, 500, 3, q.key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text := want.differs(got); text != "" {
			t.Errorf("%s: %s", name, text)
		}
		if _, err := c.read([]byte(c.body), 1500, 500, 3, q.key); err == nil {
			t.Errorf("%s: a value outside of the range passed", name)
		}
		if _, err := c.read([]byte(`{"status":"error","step":1}`), 1000, 500, 3, q.key); err == nil {
			t.Errorf("%s: an error passed for an answer", name)
		}
	}
}

// TestWrongAnswersAreSeen changes one thing of an answer after the other.
func TestWrongAnswersAreSeen(t *testing.T) {
	want := answer{"a": {1, 2, nan}, "b": {3, nan, 4e9}}
	for name, got := range map[string]answer{
		"a line less":       {"a": {1, 2, nan}},
		"a line more":       {"a": {1, 2, nan}, "b": {3, nan, 4e9}, "c": {1, 1, 1}},
		"another line":      {"a": {1, 2, nan}, "c": {3, nan, 4e9}},
		"another value":     {"a": {1, 2, nan}, "b": {3, nan, 4e9 + 40}},
		"a value less":      {"a": {1, nan, nan}, "b": {3, nan, 4e9}},
		"a value too many":  {"a": {1, 2, 0}, "b": {3, nan, 4e9}},
		"a value elsewhere": {"a": {2, 1, nan}, "b": {3, nan, 4e9}},
	} {
		if want.differs(got) == "" {
			t.Errorf("%s was not seen", name)
		}
	}
	if text := want.differs(answer{"a": {1, 2, nan}, "b": {3, nan, 4e9 + 1}}); text != "" {
		t.Errorf("within the tolerance: %s", text)
	}
}

// TestWhatIsRight compares the expected answers with plain loops over the values.
func TestWhatIsRight(t *testing.T) {
	f := newFleet(3, 20*perNode, 30, 1000)
	const from, n = 7, 11
	groups := f.sums(func(int) bool { return true }, "nf.app")(from, n)
	few := f.sums(func(i int) bool { return i < 2*perNode })(from, n)[""]
	if len(groups) != apps {
		t.Fatalf("%d groups, want %d", len(groups), apps)
	}
	for k := range n {
		total, pair, sum := 0.0, 0.0, 0.0
		for i, v := range f.values[from+k] {
			if math.IsNaN(v) {
				continue
			}
			total += v
			if i < 2*perNode {
				pair += v
			}
		}
		for _, line := range groups {
			sum += line[k]
		}
		if math.Abs(sum-total) > 1e-12*total || pair != few[k] {
			t.Errorf("step %d: groups %v, want %v; some %v, want %v", k, sum, total, few[k], pair)
		}
	}
	checkTop(t, f, "nf.stack", "prod", from, n)
	checkTop(t, f, "nf.app", "app-03", from, n)
}

// checkTop: no series that is left out has a value above the least one kept.
func checkTop(t *testing.T, f *fleet, key, value string, from, n int) {
	t.Helper()
	kept := f.topOfRange(key, value, from, n)
	least := math.Inf(1)
	for _, line := range kept {
		most := 0.0
		for _, v := range line {
			if v > most {
				most = v
			}
		}
		least = min(least, most)
	}
	steps := f.topOfSteps(key, value, from, n)
	for k := range n {
		above, count, smallest := 0, 0, math.Inf(1)
		for _, line := range steps {
			if !math.IsNaN(line[k]) {
				count++
				smallest = min(smallest, line[k])
			}
		}
		for i, v := range f.values[from+k] {
			if f.get(i, key) != value || f.get(i, "name") == mostlyAbsent {
				continue
			}
			if v > least && kept[f.name(i)] == nil {
				t.Errorf("step %d: series %s has %v and is not among the top ones", k, f.name(i), v)
			}
			if v > smallest {
				above++
			}
		}
		if count != top || above >= top {
			t.Errorf("step %d: %d values, and %d above the smallest of them", k, count, above)
		}
	}
	if len(kept) != top {
		t.Errorf("%d series, want %d", len(kept), top)
	}
}
