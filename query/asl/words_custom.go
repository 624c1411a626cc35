package asl

import (
	"pulse/query/expr"
)

// Custom is the part of the vocabulary that an operator configures.
type Custom struct {
	Averages []Average
	Words    []CustomWord
}

// Average is a word for an average over something other than series, such as
// the servers that are up.
type Average struct {
	Name string
	// Base is a query for the series of the denominator.
	Base string
	// Keys are the tags those series have: conditions and groupings on other
	// keys do not apply to them.
	Keys []string
}

// CustomWord is a word that stands for a program.
type CustomWord struct {
	Name, Body string
	Examples   []string
}

// DefaultCustom returns the averages that are there unless configured
// otherwise.
func DefaultCustom() Custom {
	keys := []string{"nf.account", "nf.app", "nf.ami", "nf.asg", "nf.cluster", "nf.stack", "nf.zone", "nf.region", "nf.node", "nf.ns", "nf.vmtype"}
	return Custom{Averages: []Average{
		{Name: "node-avg", Base: "name,poller.asg.instance,:eq", Keys: keys},
		{Name: "eureka-avg", Base: "name,discovery.status,:eq,state,UP,:eq,:and", Keys: keys},
	}}
}

// CustomWords returns the configured words. It fails when a base is no query.
func CustomWords(custom Custom) (Vocabulary, error) {
	queries := New(Join(Standard(), QueryWords()), Limits{})
	var v Vocabulary
	for _, w := range custom.Words {
		v = append(v, Macro(w.Name, w.Body, w.Examples...))
	}
	for _, a := range custom.Averages {
		base, err := queries.ParseQuery(a.Base)
		if err != nil {
			return nil, errArgument("custom average %s: %v", a.Name, err)
		}
		v = append(v, averageWord(&expr.CustomAverage{Name: a.Name, Base: base, Keys: a.Keys}))
	}
	return v, nil
}

func averageWord(a *expr.CustomAverage) Word {
	return Word{
		Name: a.Name, Signature: "Query -- TimeSeries",
		Doc:      "Sum of the query divided by the sum of `" + a.Base.String() + "`.",
		Examples: []string{"name,sps,:eq", "name,sps,:eq,nf.app,www,:eq,:and", "ERROR:1"},
		Match:    Args(IsQuery),
		Run: func(c *Context) error {
			t, err := rewritten(a.New(c.PopQuery()))
			return c.pushResult(t, err)
		},
	}
}

// All returns every word of the language, with the default custom words.
func All() Vocabulary {
	v, err := AllWith(DefaultCustom())
	if err != nil {
		panic("BUG: default custom words: " + err.Error())
	}
	return v
}

// AllWith returns every word of the language with other custom words.
func AllWith(custom Custom) (Vocabulary, error) {
	words, err := CustomWords(custom)
	if err != nil {
		return nil, err
	}
	return Join(Standard(), QueryWords(), DataWords(), MathWords(), StatefulWords(), FilterWords(), StyleWords(), words), nil
}
