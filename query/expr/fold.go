package expr

// PerSeries reports whether d consolidates every series before it aggregates
// them: where the order matters, such as in a sum of maxima over time, which the
// maximum of the sums would understate. As in Atlas, it is then the series that
// come first. Averages and sums of sums, minima of minima and maxima of maxima
// are aggregated at the primary step.
func PerSeries(d DataExpr) bool {
	agg := AggSum
	switch x := d.(type) {
	case *All:
		return false
	case *Aggregate:
		agg = x.Agg
	case *GroupBy:
		agg = x.Aggregate.Agg
	}
	switch agg {
	case AggMin:
		return d.CF() != CFMin
	case AggMax:
		return d.CF() != CFMax
	}
	return d.CF() == CFMin || d.CF() == CFMax
}

// FoldSeries aggregates whole series, one per line, as d says, and gives the
// result the tags, labels and order of d. Series are folded in the order given.
func FoldSeries(d DataExpr, series []Line) []Line {
	var keys []string
	var agg Agg
	switch x := d.(type) {
	case *All:
		out := make([]Line, len(series))
		for i, l := range series {
			out[i] = Line{Tags: l.Tags, Label: DefaultLabel(d, l.Tags), Values: l.Values, Gauge: l.Gauge}
		}
		sortLines(d, out)
		return out
	case *Aggregate:
		agg = x.Agg
	case *GroupBy:
		agg, keys = x.Aggregate.Agg, x.keys
	}
	index := map[string]int{}
	var out []Line
	for _, l := range series {
		key, ok := KeyString(keys, l.Tags)
		if !ok {
			continue
		}
		i, seen := index[key]
		if !seen {
			i = len(out)
			index[key] = i
			t := ResultTags(d, l.Tags)
			out = append(out, Line{Tags: t, Label: DefaultLabel(d, t), Values: appendNaN(nil, len(l.Values)), Gauge: true})
		}
		out[i].Gauge = out[i].Gauge && l.Gauge
		foldValues(agg, out[i].Values, l.Values)
	}
	sortLines(d, out)
	return out
}
