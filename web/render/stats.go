package render

import (
	"strconv"

	"pulse/query"
	"pulse/query/expr"
)

// AppendStats appends the graph format `stats.json`: the statistics of each
// line over the range instead of its values. The end is the stamp after the last
// value.
func AppendStats(dst []byte, g *query.Result) []byte {
	dst = append(dst, `{"start":`...)
	dst = strconv.AppendInt(dst, g.Start+g.Step, 10)
	dst = append(dst, `,"end":`...)
	dst = strconv.AppendInt(dst, g.End+g.Step, 10)
	dst = append(dst, `,"step":`...)
	dst = strconv.AppendInt(dst, g.Step, 10)
	dst = appendHeads(append(dst, ','), g)
	dst = append(dst, `,"stats":[`...)
	for i := range g.Lines {
		dst = appendSummary(comma(dst, i), g.Lines[i].Values)
	}
	dst = append(dst, `],"notices":`...)
	return append(AppendStrings(dst, g.Notices), '}')
}

// appendHeads appends what says which line is which.
func appendHeads(dst []byte, g *query.Result) []byte {
	dst = append(dst, `"legend":[`...)
	for i := range g.Lines {
		dst = AppendString(comma(dst, i), g.Lines[i].Legend)
	}
	dst = append(dst, `],"metrics":[`...)
	for i := range g.Lines {
		dst = AppendTags(comma(dst, i), g.Lines[i].Tags)
	}
	return append(dst, ']')
}

func appendSummary(dst []byte, values []float64) []byte {
	stats := expr.SummaryStats(values)
	for i, name := range []string{"count", "avg", "total", "max", "min", "last"} {
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		v, _ := stats.Get(name)
		if name == "count" {
			dst = strconv.AppendInt(dst, int64(v), 10)
		} else {
			dst = AppendQuotedNumber(dst, v)
		}
	}
	return append(dst, '}')
}
