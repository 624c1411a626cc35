package route

import (
	"cmp"
	"slices"

	"pulse/detect/label"
)

// Near is a route that does not take an alert, and what it and the routes around it want
// of the alert that it does not have.
type Near struct {
	Path  string
	Wants label.Matchers
}

// Nearest returns up to n routes that do not take an alert with these labels, those that
// lack least first.
func (c *Config) Nearest(set label.Set, n int) []Near {
	var out []Near
	near(c.Routes, set, nil, nil, func(x Near) { out = append(out, x) })
	slices.SortStableFunc(out, func(a, b Near) int { return cmp.Compare(len(a.Wants), len(b.Wants)) })
	return out[:min(n, len(out))]
}

func near(routes []Route, set label.Set, at path, wants label.Matchers, f func(Near)) {
	for i := range routes {
		r := &routes[i]
		here := append(slices.Clone(at), node{i, r})
		lacks := slices.Clone(wants)
		for _, m := range r.Matchers {
			if !m.Matches(set) {
				lacks = append(lacks, m)
			}
		}
		if len(lacks) > 0 {
			f(Near{here.String(), lacks})
		}
		near(r.Routes, set, here, lacks, f)
	}
}
