package asl

import (
	"maps"
	"slices"
	"strings"
)

// known maps what people write out of habit to the word that does it.
var known = map[string]string{
	"average": "avg", "mean": "avg", "stdev": "stddev", "stdvar": "stddev", "group-by": "by", "groupby": "by", "group": "by",
	"equals": "eq", "equal": "eq", "regex": "re", "regexp": "re", "match": "re", "where": "cq", "plus": "add", "minus": "sub",
	"multiply": "mul", "times": "mul", "divide": "div", "percent": "pct", "top": "topk", "bottom": "bottomk", "shift": "offset",
	"delta": "derivative", "deriv": "derivative", "moving-average": "rolling-mean", "rolling-avg": "rolling-mean", "quantile": "percentiles",
	"percentile": "percentiles", "alias": "legend", "label": "legend", "colour": "color", "rate": "per-step", "not-in": "not", "ne": "not",
	"clamp": "clamp-max", "if": "filter", "holt-winters": "des", "log": "sqrt",
}

// nearest returns the word that a name was probably meant to be, "" when none
// is near.
func (in *Interpreter) nearest(name string) string {
	lower := strings.ToLower(name)
	if in.words[lower] != nil {
		return lower
	}
	if w := known[lower]; in.words[w] != nil {
		return w
	}
	return closest(lower, slices.Sorted(maps.Keys(in.words)))
}

// closest returns the candidate that few enough changes of letters make of text,
// "" when there is none.
func closest(text string, candidates []string) string {
	if len(text) > 64 {
		return ""
	}
	best, least := "", 1+min(2, len(text)/3)
	for _, c := range candidates {
		if d := distance(text, c, least); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the letters to change, insert, remove or swap with their
// neighbour to make b of a. It may stop counting at limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
