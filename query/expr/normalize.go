package expr

import (
	"strings"

	"pulse/store/match"
)

// Normalize returns the text in which styles that mean the same mostly agree:
// queries in normal form, legend variables as `$(x)`, statistics inside a
// filter as `:stat-max`, and no `:const` or `:line`. It fails when a query has
// too many clauses in normal form.
func Normalize(s *Style) (string, error) {
	t, err := mapQueries(s.Expr, match.Normalize)
	if err != nil {
		return "", err
	}
	t, err = foldStats(t)
	if err != nil {
		return "", err
	}
	s = s.WithExpr(t)
	if legend, ok := s.Settings["legend"]; ok {
		s = s.With("legend", Substitute(legend, func(name string) (string, bool) { return "$(" + name + ")", true }))
	}
	text := strings.ReplaceAll(s.String(), ",:const", "")
	return strings.ReplaceAll(text, ",:line", ""), nil
}

// Modernize returns the text of Normalize with the legacy list form of :offset
// written with the word: several shifts of one expression read it from the
// variable name.
func Modernize(s *Style, name string) (string, error) {
	offsets, err := s.offsets()
	if err != nil {
		return "", err
	}
	if len(offsets) == 0 {
		return Normalize(s)
	}
	text, err := Normalize(s.withoutOffsets())
	if err != nil {
		return "", err
	}
	source := text
	if len(offsets) > 1 {
		source = name + ",:get"
	}
	parts := make([]string, len(offsets))
	for i, ms := range offsets {
		parts[i] = source
		if ms != 0 {
			parts[i] += "," + FormatDuration(ms) + ",:offset"
		}
	}
	if len(offsets) > 1 {
		parts = append([]string{name, text, ":set"}, parts...)
	}
	return strings.Join(parts, ","), nil
}

// foldStats writes statistics of a filtered expression inside its condition in
// their short form. The result is for printing: it is not evaluated.
func foldStats(t TimeSeries) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		f, ok := x.(*Filter)
		if !ok {
			return nil, false, nil
		}
		filtered, err := foldStats(f.Expr)
		if err != nil {
			return nil, true, err
		}
		text := f.Expr.String()
		cond, err := transform(f.Cond, func(y TimeSeries) (TimeSeries, bool, error) {
			if inner, ok := y.(*Filter); ok { // a short form in it is about what it filters
				out, err := foldStats(inner)
				return out, true, err
			}
			s, ok := y.(*Stat)
			if !ok || s.Expr.String() != text {
				return nil, false, nil
			}
			if _, known := (Stats{}).Get(s.Stat); !known {
				return nil, false, nil
			}
			return &Stat{Expr: s.Expr, Stat: s.Stat, Short: true}, true, nil
		})
		return &Filter{Expr: filtered, Cond: cond}, true, err
	})
}

// StripKeys removes the clauses and groupings on the given keys from t.
func StripKeys(t TimeSeries, drop func(key string) bool) (TimeSeries, error) {
	t, err := mapQueries(t, func(q match.Query) (match.Query, error) { return match.WithoutKeys(q, drop), nil })
	if err != nil {
		return nil, err
	}
	return mapGroupings(t, func(keys []string) []string {
		var out []string
		for _, k := range keys {
			if !drop(k) {
				out = append(out, k)
			}
		}
		return out
	})
}

// StripFilters replaces every filter and selection of lines by what it selects
// from.
func StripFilters(t TimeSeries) (TimeSeries, error) {
	return transform(t, func(x TimeSeries) (TimeSeries, bool, error) {
		var inner TimeSeries
		switch y := x.(type) {
		case *Filter:
			inner = y.Expr
		case *TopK:
			inner = y.Expr
		case *Stat:
			inner = y.Expr
		default:
			return nil, false, nil
		}
		out, err := StripFilters(inner)
		return out, true, err
	})
}
