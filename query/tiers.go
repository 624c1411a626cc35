package query

import (
	"fmt"
	"slices"
	"time"

	"pulse/query/expr"
	"pulse/store"
	"pulse/store/step"
)

// segment is a part of a range that is read from one tier.
type segment struct {
	tier       int
	step       int64
	start, end int64 // (start, end]
}

// plan says which tier answers which part of (start, end], the newest part
// first: the finest tier that has it. Tiers are joined at the end of a step of
// the query if the coarser one goes that far, and else where the finer one
// begins; what they have of one step is then put together.
func plan(tiers []store.TierRange, start, end, stepMs int64) []segment {
	var parts []segment
	for k, t := range tiers {
		if k+1 == len(tiers) {
			parts = append(parts, segment{k, t.Step, min(max(start, t.From), end), end})
			break
		}
		if t.From <= start {
			parts = append(parts, segment{k, t.Step, start, end})
			break
		}
		if t.From >= end {
			continue
		}
		join := start + step.Ceil(t.From-start, stepMs)
		if join > tiers[k+1].To {
			join = t.From
		}
		if join < end {
			parts = append(parts, segment{k, t.Step, join, end})
			end = join
		}
	}
	return parts
}

// cells returns how many values of each series are read at once for a part.
func (s segment) cells() int64 {
	return (step.Ceil(s.end, s.step) - step.Floor(s.start, s.step)) / s.step
}

// divides reports whether each step of a query that begins at start is whole
// steps of the part's tier.
func (s segment) divides(start, stepMs int64) bool { return stepMs%s.step == 0 && start%s.step == 0 }

// StepsRead returns the most values of a line that are in memory at once while
// (start, end] is read at a step.
func StepsRead(st *store.Store, start, end, stepMs int64) int64 {
	if len(st.Options().Tiers) == 1 {
		return (end - start) / st.Step()
	}
	parts := plan(st.Tiers(), start, end, stepMs)
	if len(parts) == 1 && parts[0].tier == 0 {
		return parts[0].cells()
	}
	most := int64(0)
	for _, p := range parts {
		most = max(most, 2*p.cells()) // of two fields
	}
	return most + 2*(end-start)/stepMs
}

// reading is how an expression is answered from tiers: which lines are read,
// and what is done with their values.
type reading struct {
	data      expr.DataExpr
	perSeries bool // series are consolidated before they are aggregated
	scan      store.Scan
	low, high bool // values are folded by min, by max; neither: they are added
}

func newReading(d expr.DataExpr) reading {
	r := reading{data: d, perSeries: expr.PerSeries(d), scan: ScanOf(d)}
	if r.perSeries {
		r.scan.By, r.scan.Agg = nil, store.AggAll
	}
	switch r.scan.Agg {
	case store.AggAll:
		r.low, r.high = d.CF() == expr.CFMin, d.CF() == expr.CFMax
	case store.AggMin:
		r.low = true
	case store.AggMax:
		r.high = true
	}
	return r
}

// values returns the scan of a coarser tier for what is folded.
func (r *reading) values() store.Scan {
	scan := r.scan
	switch {
	case r.low:
		scan.Field = store.FieldMin
	case r.high:
		scan.Field = store.FieldMax
	case scan.Agg == store.AggCount:
		scan.Field, scan.Agg = store.FieldCount, store.AggSum
	}
	return scan
}

// counts returns the scan of a coarser tier for how many values there are: of
// the series of a group the most.
func (r *reading) counts() store.Scan {
	scan := r.scan
	scan.Field = store.FieldCount
	if scan.Agg != store.AggAll {
		scan.Agg = store.AggMax
	}
	return scan
}

// averaged reports whether the result depends on how many values there are, for
// lines of gauges read at a coarser step (repeat: than asked for).
func (r *reading) averaged(repeat bool) bool {
	return !r.low && !r.high && (r.data.CF() == expr.CFAvg || repeat && r.data.CF() == expr.CFSum)
}

// formula says in words what is computed where the answer is, or may be, not
// that of the primary values; "" when it is.
func (r *reading) formula(gauges bool) string {
	cf := r.data.CF()
	agg := expr.AggSum
	switch x := r.data.(type) {
	case *expr.All:
		return ""
	case *expr.Aggregate:
		agg = x.Agg
	case *expr.GroupBy:
		agg = x.Aggregate.Agg
	}
	name := fmt.Sprintf(":%s with %s", agg.Name(), cf.Name())
	switch {
	case r.perSeries:
		return name + " consolidates every series first"
	case agg == expr.AggSum && cf == expr.CFAvg && gauges:
		return name + " of gauges divides by the most values that one series has"
	case agg == expr.AggCount && cf == expr.CFAvg && gauges:
		return name + " of gauges divides by the most values that one series has"
	case agg == expr.AggCount:
		return name + " counts the values of every series"
	}
	return ""
}

// notices says what a reader of the lines has to know about the parts that came
// from coarser tiers. The steps of the query end stepMs apart, from start on.
func (r *reading) notices(parts []segment, start, stepMs int64, gauges bool) []string {
	var out []string
	for _, p := range parts {
		if p.tier == 0 || p.start == p.end {
			continue
		}
		kept := fmt.Sprintf("values up to %s are kept at a step of %s", instant(p.end), expr.FormatDuration(p.step))
		if !p.divides(start, stepMs) {
			out = append(out, fmt.Sprintf("%s and repeat over steps of %s", kept, expr.FormatDuration(stepMs)))
		}
		if text := r.formula(gauges); text != "" {
			out = append(out, kept+": "+text)
		}
	}
	return out
}

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }

// addNotices appends those that are not there yet.
func addNotices(to []string, more ...string) []string {
	for _, n := range more {
		if !slices.Contains(to, n) {
			to = append(to, n)
		}
	}
	return to
}
