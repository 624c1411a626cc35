package expr

import (
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	"pulse/store/match"
)

// SimpleLegends proposes a short legend for each style: the values by which
// its queries differ from those of the others, or the keys it is grouped by.
// A legend that was set stays; "" means that the default label is to be kept.
// Styles are taken as they are, so PerOffset comes first.
func SimpleLegends(styles []*Style) []string {
	pairs := make([]map[string]string, len(styles))
	var common map[string]string
	for i, s := range styles {
		pairs[i] = queryPairs(displayed(s.Expr))
		if len(pairs[i]) == 0 {
			continue
		}
		if common == nil {
			common = maps.Clone(pairs[i])
		} else {
			common = intersection(common, pairs[i])
		}
	}
	out := make([]string, len(styles))
	for i, s := range styles {
		if legend, ok := s.Settings["legend"]; ok {
			out[i] = legend
			continue
		}
		if len(pairs[i]) == 0 {
			continue
		}
		use := map[string]string{}
		for k, v := range pairs[i] {
			if w, shared := common[k]; !shared || v != w {
				use[k] = v
			}
		}
		if len(use) == 0 {
			use = common
		}
		out[i] = simpleLegend(s, use)
	}
	return out
}

func simpleLegend(s *Style, pairs map[string]string) string {
	var text string
	if keys := s.Expr.Keys(); len(keys) > 0 {
		vars := make([]string, len(keys))
		for i, k := range keys {
			vars[i] = "$(" + k + ")"
		}
		text = strings.Join(vars, " ")
	} else if name, ok := pairs["name"]; ok {
		text = name
	} else {
		var values []string
		for _, k := range slices.Sorted(maps.Keys(pairs)) {
			values = append(values, pairs[k])
		}
		text = strings.Join(values, " ")
	}
	if s.OffsetMs() != 0 {
		text += " (offset=$(atlas.offset))"
	}
	return text
}

// displayed is t with every rewrite replaced by what it is written over.
func displayed(t TimeSeries) TimeSeries {
	out, err := transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		if r, ok := x.(*Rewrite); ok {
			return displayed(asTimeSeries(r.Base)), true, nil
		}
		return nil, false, nil
	})
	if err != nil {
		return t
	}
	return out
}

// queryPairs returns the pairs that the queries of all of t's data share.
func queryPairs(t TimeSeries) map[string]string {
	var out map[string]string
	for i, q := range Queries(t) {
		p := map[string]string{}
		collectPairs(q, p)
		if i == 0 {
			out = p
		} else {
			out = intersection(out, p)
		}
	}
	return out
}

func intersection(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range a {
		if w, ok := b[k]; ok && v == w {
			out[k] = v
		}
	}
	return out
}

// collectPairs adds the key and the value of every clause that has one of each.
func collectPairs(q match.Query, into map[string]string) {
	switch x := q.(type) {
	case *match.And:
		collectPairs(x.L, into)
		collectPairs(x.R, into)
	case *match.Equal:
		into[x.Key] = x.Value
	case *match.Compare:
		into[x.Key] = x.Value
	case *match.Regex:
		if text, ok := plainPattern(x.Pattern); ok {
			into[x.Key] = text
		}
	case *match.Not:
		if _, single := x.Q.(match.Leaf); !single {
			return
		}
		inner := map[string]string{}
		collectPairs(x.Q, inner)
		for k, v := range inner {
			into[k] = "!" + v
		}
	}
}

// plainPattern returns the text that a pattern looks for, at the start or
// anywhere, when it is no more than that.
func plainPattern(pattern string) (string, bool) {
	re, err := syntax.Parse(strings.TrimPrefix(pattern, ".*"), syntax.Perl)
	if err != nil || re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(re.Rune), true
}
