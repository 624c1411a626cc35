package conformance

import (
	"pulse/query/expr"
	"pulse/store/tags"
)

func settings(c *testCase) error {
	var g language
	var expect struct {
		failure
		Settings map[string]string
	}
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	s, err := g.style(c.Expr)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	if len(s.Settings) == 0 && len(expect.Settings) == 0 {
		return nil
	}
	return equal(s.Settings, expect.Settings)
}

func legend(c *testCase) error {
	var input struct {
		Expr, Label string
		Tags        map[string]string
	}
	var given struct {
		language
		Tags map[string]string
	}
	var expect struct{ Legend string }
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	s, err := given.style(input.Expr)
	if err != nil {
		return err
	}
	vars := tags.FromMap(given.Tags)
	if input.Tags != nil {
		vars = tags.FromMap(input.Tags)
	}
	return equal(s.Legend(input.Label, vars), expect.Legend)
}

// legendRewrite applies commands to a legend whose variables are replaced.
func legendRewrite(c *testCase) error {
	var input struct{ Legend, Commands string }
	var given struct{ Tags map[string]string }
	var expect struct{ Legend string }
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	vars := tags.FromMap(given.Tags)
	text := expr.Substitute(input.Legend, vars.Get)
	return equal(expr.RewriteLegend(text, input.Commands, vars), expect.Legend)
}

func substitute(c *testCase) error {
	var input string
	var given struct{ Variables map[string]string }
	var expect struct{ Text string }
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	return equal(expr.Substitute(input, lookup(given.Variables)), expect.Text)
}

func perOffset(c *testCase) error {
	var g language
	var expect struct{ List []string }
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	styles, err := g.styles(c.Expr)
	if err != nil {
		return err
	}
	var got []string
	for _, s := range styles {
		copies, err := s.PerOffset()
		if err != nil {
			return err
		}
		for _, copy := range copies {
			got = append(got, copy.String())
		}
	}
	return same(got, expect.List)
}

// simpleLegend compares proposed legends; null stands for none.
func simpleLegend(c *testCase) error {
	var g language
	var expect struct{ Legends []*string }
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	styles, err := g.styles(c.Expr)
	if err != nil {
		return err
	}
	var copies []*expr.Style
	for _, s := range styles {
		list, err := s.PerOffset()
		if err != nil {
			return err
		}
		copies = append(copies, list...)
	}
	want := make([]string, len(expect.Legends))
	for i, l := range expect.Legends {
		if l != nil {
			want[i] = *l
		}
	}
	return same(expr.SimpleLegends(copies), want)
}

func parseColor(c *testCase) error {
	var input string
	var expect struct {
		failure
		Argb []uint8
	}
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	got, err := expr.ParseColor(input)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal([]uint8{got.A, got.R, got.G, got.B}, expect.Argb)
}
