package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// answer is the lines of a query by their key, a value for each step of the
// range; NaN: none.
type answer map[string][]float64

// line returns the line of a key, at first without values.
func (a answer) line(key string, n int) []float64 {
	if a[key] == nil {
		a[key] = make([]float64, n)
		for i := range a[key] {
			a[key][i] = math.NaN()
		}
	}
	return a[key]
}

// put sets the value stamped t of a line that begins at start.
func put(line []float64, start, step, t int64, v float64) error {
	i := (t - start) / step
	if (t-start)%step != 0 || i < 0 || i >= int64(len(line)) {
		return fmt.Errorf("a value stamped %d, which is not in the range from %d on", t, start)
	}
	line[i] = v
	return nil
}

// readGraph reads what Pulse answers with format=json.
func readGraph(body []byte, start, step int64, n int, key func(get func(tag string) string) string) (answer, error) {
	var g struct {
		Start, Step int64
		Metrics     []map[string]string
		Values      [][]any
	}
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, err
	}
	if g.Step != step {
		return nil, fmt.Errorf("step %d ms, want %d", g.Step, step)
	}
	a := answer{}
	for column, tags := range g.Metrics {
		line := a.line(key(func(k string) string { return tags[k] }), n)
		for row, values := range g.Values {
			v, ok := values[column].(float64)
			if !ok {
				continue // "NaN"
			}
			if err := put(line, start, step, g.Start+int64(row)*step, v); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// readMatrix reads what Prometheus and VictoriaMetrics answer.
func readMatrix(body []byte, start, step int64, n int, key func(get func(tag string) string) string) (answer, error) {
	var m struct {
		Status string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	if m.Status != "success" {
		return nil, fmt.Errorf("status %q", m.Status)
	}
	a := answer{}
	for _, r := range m.Data.Result {
		line := a.line(key(func(k string) string { return r.Metric[label(k)] }), n)
		for _, point := range r.Values {
			seconds, isNumber := point[0].(float64)
			text, isText := point[1].(string)
			v, err := strconv.ParseFloat(text, 64)
			if !isNumber || !isText || err != nil {
				return nil, fmt.Errorf("point %v is no time and text of a number", point)
			}
			if err := put(line, start, step, int64(math.Round(seconds*1000)), v); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// tolerance is relative: one server keeps about twelve digits, and sums depend on
// the order.
const tolerance = 1e-9

// differs says what is wrong with got; "": nothing.
func (want answer) differs(got answer) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d lines, want %d", len(got), len(want))
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		line, ok := got[key]
		if !ok {
			return fmt.Sprintf("no line %q", key)
		}
		for i, w := range want[key] {
			if g := line[i]; math.IsNaN(g) != math.IsNaN(w) || math.Abs(g-w) > tolerance*math.Abs(w) {
				return fmt.Sprintf("line %q has %v at step %d of the range, want %v", key, g, i, w)
			}
		}
	}
	return ""
}
