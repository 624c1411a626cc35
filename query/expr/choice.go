package expr

import (
	"slices"

	"pulse/store/tags"
)

// Choice chooses lines as a TopK does, but from lines that come one after the other,
// of which it keeps no more than those it may choose. It is the twin of the TopK's
// own evaluation.
type Choice struct {
	heap    rankHeap
	compare func(a, b int) int
	stat    func(values []float64) float64
	values  map[int32][]float64 // of the lines in heap
}

// Choose returns a Choice of lines that have numbers. compare orders two lines by
// their places in the TopK's input. It fails for a statistic that there is not.
func (t *TopK) Choose(compare func(a, b int) int) (*Choice, error) {
	c := &Choice{compare: compare, stat: Statistic(t.Stat), values: map[int32][]float64{}}
	if c.stat == nil {
		return nil, errUnknownStat(t.Stat)
	}
	c.heap = rankHeap{k: t.K, bottom: t.Bottom, later: func(a, b int32) bool { return compare(int(a), int(b)) > 0 }}
	return c, nil
}

// Add takes a line, whose values it copies if it keeps them.
func (c *Choice) Add(line int, values []float64) {
	r := ranked{c.stat(values), int32(line)}
	var memory []float64
	if h := &c.heap; len(h.items) == h.k {
		if h.worse(r, h.items[0]) {
			return
		}
		memory = c.values[h.items[0].line]
		delete(c.values, h.items[0].line)
	}
	c.heap.add(r)
	c.values[r.line] = append(memory[:0], values...)
}

// Lines returns the lines that were chosen, in order.
func (c *Choice) Lines() []int {
	var lines []int
	for _, r := range c.heap.items {
		lines = append(lines, int(r.line))
	}
	slices.SortFunc(lines, c.compare)
	return lines
}

// Has reports whether a line is chosen.
func (c *Choice) Has(line int) bool {
	_, ok := c.values[int32(line)]
	return ok
}

// Renew replaces the values of a line that was chosen, as a later reading has them.
func (c *Choice) Renew(line int, values []float64) {
	c.values[int32(line)] = append(c.values[int32(line)][:0], values...)
}

// Values returns the values of a line that was chosen.
func (c *Choice) Values(line int) []float64 { return c.values[int32(line)] }

// Rest folds the lines that a TopK leaves out.
type Rest struct {
	top    *TopK
	agg    Agg
	values []float64
	counts []float64 // for the average
	gauge  bool
}

// Rest returns what folds lines of n values.
func (t *TopK) Rest(n int) *Rest {
	r := &Rest{top: t, values: appendNaN(nil, n), gauge: true}
	r.agg = map[string]Agg{"min": AggMin, "max": AggMax}[t.Others] // sum otherwise
	if t.Others == "avg" {
		r.counts = appendNaN(nil, n)
	}
	return r
}

// Add folds a line that was left out. Those of one data expression come in the order
// of their Place.
func (r *Rest) Add(values []float64, gauge bool) {
	r.gauge = r.gauge && gauge
	foldValues(r.agg, r.values, values)
	if r.counts != nil {
		foldValues(AggCount, r.counts, values)
	}
}

// Line returns the line of the others, t being the tags that they share.
func (r *Rest) Line(t tags.Tags) Line {
	for _, key := range r.top.Keys() {
		t = t.With(key, "--others--")
	}
	for i, n := range r.counts {
		r.values[i] /= n
	}
	return Line{Tags: t, Label: TagsLabel(t), Values: r.values, Gauge: r.gauge}
}
