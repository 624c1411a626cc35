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
	"percentile": "percentiles", "alias": "legend", "label": "legend", "colour": "color",
	"clamp": "clamp-max", "if": "filter", "holt-winters": "des", "duplicate": "dup", "fmt": "format", "line-width": "lw",
	"greater-than": "gt", "gte": "ge", "less-than": "lt", "lte": "le", "asc": "order", "desc": "order",
}

// advice is for names behind which there is no one word.
var advice = map[string]string{
	"rate":     "a counter is a rate per second already; :per-step makes it the amount of a step",
	"increase": "a counter is a rate per second; :per-step makes it the amount of a step",
	"log":      "a logarithmic scale is a parameter of the graph: scale=log",
	"ne":       "a condition is turned round by :not: key,value,:eq,:not",
	"neq":      "a condition is turned round by :not: key,value,:eq,:not",
	"not-in":   "a condition is turned round by :not: key,(,a,b,),:in,:not",
}

// operators are the words for signs of other languages.
var operators = map[string]string{
	">": "gt", ">=": "ge", "<": "lt", "<=": "le", "=": "eq", "==": "eq", "+": "add", "-": "sub", "*": "mul", "/": "div",
	"^": "pow", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "=~": "re",
}

// unknown says what an unknown word was probably meant to be.
func (c *Context) unknown(name string) string {
	lower := strings.ToLower(name)
	fields := strings.Fields(name)
	switch {
	case name == "":
		return "a word has a name after its colon; a colon in a text is written \\u003a"
	case c.Vars[name] != nil:
		return "the variable is read by " + short(name) + ",:get"
	case advice[lower] != "":
		return advice[lower]
	case lower[0] == 'p' && len(lower) < 6 && IsDouble(lower[1:]):
		return ":percentiles takes a list: (," + lower[1:] + ",),:percentiles"
	case len(fields) > 1 && c.in.words[fields[0]] != nil:
		return "a comma is missing behind :" + fields[0]
	}
	if near := c.in.nearest(name); near != "" {
		return "did you mean :" + near + "?"
	}
	return "no word is called so; a text has no colon in front"
}

// mistyped names a mistake that a text shows, "" for none.
func (in *Interpreter) mistyped(s string) string {
	key, value, found := strings.Cut(s, ":")
	if found && key != "" && value != "" && !strings.ContainsAny(value, ":/") && !strings.ContainsAny(s, "; ") {
		return "a condition is written " + short(key+","+value) + ",:eq"
	}
	return in.notWord(s)
}

// notWord says how the word is written that a text was meant to be, "" when it was
// meant to be a text.
func (in *Interpreter) notWord(s string) string {
	before, after, found := strings.Cut(s, " :")
	switch {
	case operators[s] != "":
		return s + " is written :" + operators[s] + ", behind what it works on"
	case found && in.words[after] != nil:
		return "a comma is missing: " + short(before) + ",:" + after
	case strings.HasPrefix(s, ";") && in.words[s[1:]] != nil:
		return "a word begins with a colon: :" + s[1:]
	case strings.Contains(s, ";"):
		return "items are separated by commas"
	}
	return ""
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
