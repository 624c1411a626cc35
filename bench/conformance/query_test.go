package conformance

import (
	"pulse/query/asl"
	"pulse/store/match"
)

// queryCase reads the query of a case.
func queryCase(c *testCase, expect any) (match.Query, error) {
	var g language
	if err := c.read(nil, &g, expect); err != nil {
		return nil, err
	}
	return g.query(c.Expr)
}

// matching runs one of the three ways to match tags.
func matching[V any](c *testCase, holds func(q match.Query, tags map[string]V) bool) error {
	var given struct {
		language
		Tags map[string]V
	}
	var expect struct{ Result bool }
	if err := c.read(nil, &given, &expect); err != nil {
		return err
	}
	q, err := given.query(c.Expr)
	if err != nil {
		return err
	}
	return equal(holds(q, given.Tags), expect.Result)
}

func matches(c *testCase) error {
	return matching(c, func(q match.Query, tags map[string]string) bool { return q.Matches(lookup(tags)) })
}

func couldMatch(c *testCase) error {
	return matching(c, func(q match.Query, tags map[string]string) bool { return q.CouldMatch(lookup(tags)) })
}

func matchesAny(c *testCase) error {
	return matching(c, func(q match.Query, tags map[string][]string) bool {
		return q.MatchesAny(func(key string) []string { return tags[key] })
	})
}

func lookup(tags map[string]string) func(string) (string, bool) {
	return func(key string) (string, bool) {
		v, ok := tags[key]
		return v, ok
	}
}

func canonicalQuery(c *testCase) error {
	var expect struct{ Text string }
	q, err := queryCase(c, &expect)
	if err != nil {
		return err
	}
	return equal(q.String(), expect.Text)
}

func queryLabel(c *testCase) error {
	var expect struct{ Label string }
	q, err := queryCase(c, &expect)
	if err != nil {
		return err
	}
	return equal(q.Label(), expect.Label)
}

// literalWords build conjunctions, disjunctions and negations as they are
// written, where the words of the language leave out constants.
func literalWords() asl.Vocabulary {
	two := asl.Args(asl.IsQuery, asl.IsQuery)
	return asl.Vocabulary{
		{Name: "and", Match: two, Run: func(c *asl.Context) error {
			r, l := c.PopQuery(), c.PopQuery()
			c.Push(&match.And{L: l, R: r})
			return nil
		}},
		{Name: "or", Match: two, Run: func(c *asl.Context) error {
			r, l := c.PopQuery(), c.PopQuery()
			c.Push(&match.Or{L: l, R: r})
			return nil
		}},
		{Name: "not", Match: asl.Args(asl.IsQuery), Run: func(c *asl.Context) error {
			c.Push(&match.Not{Q: c.PopQuery()})
			return nil
		}},
	}
}

func simplify(c *testCase) error {
	var given struct{ IgnoreMode, SimplifyOnBuild bool }
	var expect struct{ Query string }
	if err := c.read(nil, &given, &expect); err != nil {
		return err
	}
	words := asl.All()
	if !given.SimplifyOnBuild {
		words = asl.Join(literalWords(), words)
	}
	q, err := asl.New(words, asl.Limits{}).ParseQuery(c.Expr)
	if err != nil {
		return err
	}
	return equal(match.Simplify(q, given.IgnoreMode).String(), expect.Query)
}

func texts(qs []match.Query) []string {
	out := []string{}
	for _, q := range qs {
		out = append(out, q.String())
	}
	return out
}

func clauses(c *testCase, form func(match.Query) ([]match.Query, error)) error {
	var expect struct {
		failure
		List []string
	}
	q, err := queryCase(c, &expect)
	if err != nil {
		return err
	}
	got, err := form(q)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return same(texts(got), expect.List)
}

func cnfList(c *testCase) error { return clauses(c, match.CNF) }

func dnfList(c *testCase) error { return clauses(c, match.DNF) }

// expandIn splits lists of five values, unless a case says otherwise.
func expandIn(c *testCase) error {
	given := struct{ Limit int }{5}
	var expect struct{ List []string }
	if err := c.read(nil, &given, &expect); err != nil {
		return err
	}
	q, err := asl.New(asl.All(), asl.Limits{}).ParseQuery(c.Expr)
	if err != nil {
		return err
	}
	got, err := match.ExpandIn(q, given.Limit)
	if err != nil {
		return err
	}
	return same(texts(got), expect.List)
}

func exactKeys(c *testCase) error {
	var expect struct{ Keys []string }
	q, err := queryCase(c, &expect)
	if err != nil {
		return err
	}
	var got []string
	for _, t := range match.ExactTags(q) {
		got = append(got, t.Key)
	}
	return same(got, expect.Keys)
}
