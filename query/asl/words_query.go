package asl

import (
	"pulse/query/expr"
	"pulse/store/match"
)

// QueryWords returns the words that select series by their tags.
func QueryWords() Vocabulary {
	return Vocabulary{
		queryConst("true", match.True, "Query that matches every series."),
		queryConst("false", match.False, "Query that matches no series."),
		{
			Name:      "has",
			Signature: "k:String -- Query",
			Doc:       "Query that matches series that have the key: `status,:has`.",
			Examples:  []string{"a", "name", "ERROR:"},
			Match:     Args(IsString),
			Run: func(c *Context) error {
				c.Push(&match.Has{Key: c.PopString()})
				return nil
			},
		},
		keyValue("eq", "Query that matches series in which the key has exactly the value: `name,sps,:eq`.",
			func(k, v string) (match.Query, error) { return &match.Equal{Key: k, Value: v}, nil }),
		comparison("lt", match.Less, "less than"),
		comparison("le", match.LessEq, "less than or equal to"),
		comparison("gt", match.Greater, "greater than"),
		comparison("ge", match.GreaterEq, "greater than or equal to"),
		keyValue("re", "Query that matches series in which the value of the key matches a regular expression, "+
			"which is anchored at its start: `^` is put in front of the text, so in `a|b` it belongs to `a` alone. "+
			"Look-around, back references and inline flags are refused.",
			pattern(false)),
		keyValue("reic", "Like `:re`, ignoring case. It always reads every value of the key.", pattern(true)),
		keyValue("contains", "Query that matches series in which the value of the key contains the text.",
			func(k, v string) (match.Query, error) { return regex(match.Contains(k, v)) }),
		keyValue("starts", "Query that matches series in which the value of the key starts with the text.",
			func(k, v string) (match.Query, error) { return regex(match.Starts(k, v)) }),
		keyValue("ends", "Query that matches series in which the value of the key ends with the text.",
			func(k, v string) (match.Query, error) { return regex(match.Ends(k, v)) }),
		wordIn(),
		binaryQuery("and", match.NewAnd, "Query that matches if both queries match."),
		binaryQuery("or", match.NewOr, "Query that matches if one of the queries matches. "+
			"For several values of one key `:in` is the better choice."),
		{
			Name:      "not",
			Signature: "Query -- Query",
			Doc:       "Query that matches if the query does not; `k,v,:eq,:not` matches series that lack the key, too.",
			Examples:  []string{":false", ":true", "a,b,:eq", "ERROR:a"},
			Match:     Args(IsQuery),
			Run: func(c *Context) error {
				c.Push(match.NewNot(c.PopQuery()))
				return nil
			},
		},
		commonQueryWord(),
	}
}

func queryConst(name string, q match.Const, doc string) Word {
	return Word{
		Name: name, Signature: " -- Query", Doc: doc, Examples: []string{""}, Match: Any,
		Run: func(c *Context) error {
			c.Push(q)
			return nil
		},
	}
}

func keyValue(name, doc string, build func(k, v string) (match.Query, error)) Word {
	return Word{
		Name:      name,
		Signature: "k:String v:String -- Query",
		Doc:       doc,
		Examples:  []string{"a,b", "nf.node,silverlight-003e", "ERROR:name"},
		Match:     Args(IsString, IsString),
		Run: func(c *Context) error {
			v, k := c.PopString(), c.PopString()
			q, err := build(k, v)
			if err != nil {
				return errArgument("%v", err)
			}
			c.Push(q)
			return nil
		},
	}
}

func comparison(name string, op match.Op, text string) Word {
	return keyValue(name, "Query that matches series in which the value of the key is "+text+
		" the given one. Values are texts: 100 is less than 2.",
		func(k, v string) (match.Query, error) { return &match.Compare{Key: k, Op: op, Value: v}, nil })
}

func pattern(ignoreCase bool) func(k, v string) (match.Query, error) {
	return func(k, v string) (match.Query, error) { return regex(match.NewRegex(k, v, ignoreCase)) }
}

// regex keeps a nil pointer out of the interface.
func regex(q *match.Regex, err error) (match.Query, error) {
	if err != nil {
		return nil, err
	}
	return q, nil
}

func wordIn() Word {
	return Word{
		Name:      "in",
		Signature: "k:String vs:List -- Query",
		Doc: "Query that matches series in which the value of the key is in the list: `nf.app,(,foo,bar,),:in`. " +
			"A list of one is the same as `:eq`, an empty one as `:false`.",
		Examples: []string{"name,(,sps,)", "name,(,requestsPerSecond,sps,)", "name,(,)", "ERROR:name,sps"},
		Match:    Args(IsString, IsStringList),
		Run: func(c *Context) error {
			values, _ := AsStringList(c.Pop())
			c.Push(match.NewIn(c.PopString(), values))
			return nil
		},
	}
}

func binaryQuery(name string, build func(l, r match.Query) match.Query, doc string) Word {
	return Word{
		Name:      name,
		Signature: "Query Query -- Query",
		Doc:       doc,
		Examples:  []string{":false,:false", ":false,:true", ":true,:false", ":true,:true", "a,b,:eq,c,:has", "ERROR::true"},
		Match:     Args(IsQuery, IsQuery),
		Run: func(c *Context) error {
			r, l := c.PopQuery(), c.PopQuery()
			c.Push(build(l, r))
			return nil
		},
	}
}

func commonQueryWord() Word {
	return Word{
		Name: "cq", Signature: "Expr Query -- Expr",
		Doc:      "Restricts every query inside an expression to what another query selects as well.",
		Examples: []string{"name,a,:eq,name,b,:eq,:mul,nf.app,www,:eq", "42,nf.app,www,:eq", "a,nf.app,www,:eq", "ERROR:nf.app,www,:eq"},
		Match:    Args(IsAnything, IsQuery),
		Run: func(c *Context) error {
			q := c.PopQuery()
			item, ok := c.Stack[len(c.Stack)-1].(expr.Expr)
			if !ok {
				return nil
			}
			c.Drop(1)
			e, err := expr.CommonQuery(item, q)
			if err != nil {
				return errArgument("%v", err)
			}
			c.Push(e)
			return nil
		},
	}
}
