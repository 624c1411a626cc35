package expr

import (
	"cmp"
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
	if len(lines) == 0 {
		selectLines(nil, lines, out)
		return nil
	}
	stat := Statistic(k.expr.Stat)
	if stat == nil {
		return errUnknownStat(k.expr.Stat)
	}
	h := &rankHeap{k: k.expr.K, bottom: k.expr.Bottom}
	var rest []int32
	for i, l := range lines {
		if left := h.add(ranked{stat(l.Values), int32(i)}); left >= 0 {
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
		slices.SortFunc(rest, func(a, b int32) int { return cmp.Or(cmp.Compare(lines[a].Place, lines[b].Place), cmp.Compare(a, b)) })
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
	r := k.expr.Rest(w.Len())
	for _, i := range rest {
		r.Add(lines[i].Values, lines[i].Gauge)
	}
	return r.Line(t)
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
	later  func(a, b int32) bool // of two lines that are equal otherwise; nil: the greater number
	items  []ranked
}

// worse reports whether a would be dropped before b.
func (h *rankHeap) worse(a, b ranked) bool {
	c := compareTotal(a.stat, b.stat)
	if h.bottom {
		c = -c
	}
	if c != 0 || h.later == nil {
		return c < 0 || c == 0 && a.line > b.line
	}
	return h.later(a.line, b.line)
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
