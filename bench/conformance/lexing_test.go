package conformance

import (
	"pulse/query/asl"
	"pulse/store/match"
)

func tokenize(c *testCase) error {
	var input string
	var expect struct {
		failure
		Tokens []string
	}
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	tokens, err := asl.Tokenize(input)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	got := []string{}
	for _, t := range tokens {
		got = append(got, t.Text)
	}
	return same(got, expect.Tokens)
}

func stripComments(c *testCase) error {
	var input string
	var expect struct {
		failure
		Text string
	}
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	got, err := asl.StripComments(input)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(got, expect.Text)
}

func escapeRoundtrip(c *testCase) error {
	var input string
	var expect struct{ Escaped, Unescaped string }
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	escaped := asl.Escape(input)
	return all(equal(escaped, expect.Escaped), equal(asl.Unescape(escaped), expect.Unescaped))
}

func unescape(c *testCase) error {
	var input string
	var expect struct{ Text string }
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	return equal(asl.Unescape(input), expect.Text)
}

func queryValues(c *testCase) error {
	var g language
	var expect struct{ Values []string }
	if err := c.read(nil, &g, &expect); err != nil {
		return err
	}
	q, err := g.query(c.Expr)
	if err != nil {
		return err
	}
	var got []string
	match.Walk(q, func(leaf match.Query) {
		switch x := leaf.(type) {
		case *match.Equal:
			got = append(got, x.Value)
		case *match.In:
			got = append(got, x.Values...)
		case *match.Compare:
			got = append(got, x.Value)
		case *match.Regex:
			got = append(got, x.Pattern)
		}
	})
	return same(got, expect.Values)
}

func format(c *testCase) error {
	var input struct {
		Pattern string
		Args    []literal
	}
	var expect struct {
		failure
		Text string
	}
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	var args []string
	for _, a := range input.Args {
		args = append(args, string(a))
	}
	got, err := asl.Format(input.Pattern, args)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(got, expect.Text)
}
