package expr

import (
	"slices"

	"pulse/store/match"
)

// TopK keeps the K lines with the largest or smallest statistic over the
// window and may fold the others into one line, which comes first.
type TopK struct {
	Expr   TimeSeries
	Bottom bool
	Others string // "", min, max, sum or avg
	Stat   string
	K      int
}

// NewTopK returns the K lines of t that come first by stat. NaN counts as
// larger than every number; of equal lines the earlier stays.
func NewTopK(t TimeSeries, bottom bool, others, stat string, k int) (*TopK, error) {
	if k <= 0 {
		return nil, errRequire("k must be positive (%d <= 0)", k)
	}
	if !slices.Contains(TopKOthers(), others) {
		return nil, errRequire("unknown aggregate of others: %s", others)
	}
	return &TopK{Expr: t, Bottom: bottom, Others: others, Stat: stat, K: k}, nil
}

// TopKOthers returns what may be done with the lines that are left out.
func TopKOthers() []string { return []string{"", "min", "max", "sum", "avg"} }

func (t *TopK) word() string {
	name := ":topk"
	if t.Bottom {
		name = ":bottomk"
	}
	if t.Others != "" {
		name += "-others-" + t.Others
	}
	return match.Escape(t.Stat) + "," + integerText(float64(t.K)) + "," + name
}

func (t *TopK) String() string       { return operationText(t) }
func (t *TopK) Grouped() bool        { return t.Expr.Grouped() }
func (t *TopK) Keys() []string       { return t.Expr.Keys() }
func (t *TopK) inputs() []TimeSeries { return []TimeSeries{t.Expr} }
func (t *TopK) identity() string     { return t.word() }
func (t *TopK) withInputs(in []TimeSeries) (TimeSeries, error) {
	return &TopK{Expr: in[0], Bottom: t.Bottom, Others: t.Others, Stat: t.Stat, K: t.K}, nil
}
func (t *TopK) kernel() kernel { return &topKernel{expr: t} }

type topKernel struct{ expr *TopK }

func (k *topKernel) shape([]*result, *result) error { return nil }

func (k *topKernel) run(w Window, in []*result, out *result) error {
	lines := in[0].lines
	h := &rankHeap{k: k.expr.K, bottom: k.expr.Bottom}
	var rest []int32
	for i, l := range lines {
		v, ok := SummaryStats(l.Values).Get(k.expr.Stat)
		if !ok {
			return errUnknownStat(k.expr.Stat)
		}
		if left := h.add(ranked{v, int32(i)}); left >= 0 {
			rest = append(rest, left)
		}
	}
	chosen := make([]int, len(h.items))
	for i, r := range h.items {
		chosen[i] = int(r.line)
	}
	slices.Sort(chosen)
	selectLines(chosen, lines, out)
	if k.expr.Others != "" && len(rest) > 0 {
		slices.Sort(rest)
		out.lines = slices.Insert(out.lines, 0, k.others(w, lines, rest))
	}
	return nil
}

// others folds the lines left out. Its tags are what they share, with every
// key of the grouping set to --others--.
func (k *topKernel) others(w Window, lines []Line, rest []int32) Line {
	t := lines[rest[0]].Tags
	for _, i := range rest[1:] {
		t = sharedTags(t, lines[i].Tags)
	}
	for _, key := range k.expr.Keys() {
		t = t.With(key, "--others--")
	}
	l := Line{Tags: t, Label: TagsLabel(t), Values: make([]float64, w.Len()), Gauge: lines[rest[0]].Gauge}
	agg := map[string]Agg{"min": AggMin, "max": AggMax}[k.expr.Others] // sum otherwise
	foldLines(agg, l.Values, lines, rest)
	if k.expr.Others == "avg" {
		counts := make([]float64, w.Len())
		foldLines(AggCount, counts, lines, rest)
		for i, n := range counts {
			l.Values[i] /= n
		}
	}
	return l
}

// ranked is a line and the statistic it is ordered by.
type ranked struct {
	stat float64
	line int32
}

// rankHeap keeps the k best of what is added, the worst of them first.
type rankHeap struct {
	k      int
	bottom bool
	items  []ranked
}

// worse reports whether a would be dropped before b.
func (h *rankHeap) worse(a, b ranked) bool {
	c := compareTotal(a.stat, b.stat)
	if h.bottom {
		c = -c
	}
	return c < 0 || c == 0 && a.line > b.line
}

// add takes r and returns the line that has no place any more, or -1.
func (h *rankHeap) add(r ranked) int32 {
	if len(h.items) < h.k {
		h.items = append(h.items, r)
		for i := len(h.items) - 1; i > 0; {
			parent := (i - 1) / 2
			if !h.worse(h.items[i], h.items[parent]) {
				break
			}
			h.items[i], h.items[parent] = h.items[parent], h.items[i]
			i = parent
		}
		return -1
	}
	if h.worse(r, h.items[0]) {
		return r.line
	}
	out := h.items[0].line
	h.items[0] = r
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h.items); c++ {
			if h.worse(h.items[c], h.items[least]) {
				least = c
			}
		}
		if least == i {
			return out
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
}
