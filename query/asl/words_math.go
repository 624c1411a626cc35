package asl

import (
	"fmt"
	"math"
	"strings"
	"time"

	"pulse/query/expr"
	"pulse/store/match"
)

// MathWords returns the words that compute with lines value by value or fold
// them.
func MathWords() Vocabulary {
	return Join(groupingWords(), sourceWords(), unaryWords(), binaryWords(), foldWords(),
		percentileWords(), distinctWords(), rewriteWords(), angleWords())
}

func groupingWords() Vocabulary {
	return Vocabulary{
		mapWord("as", "TimeSeries original:String replacement:String -- TimeSeries",
			"Renames a tag key of the result, also for groupings and joins that follow.",
			[]string{"name,sps,:eq,(,nf.cluster,),:by,nf.cluster,c"},
			[]func(any) bool{IsString, IsString},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return &expr.As{Expr: o.t, From: args[0].(string), To: args[1].(string)}, nil
			}),
		mapWord("by", "TimeSeries keys:List -- TimeSeries",
			"Groups an expression. One that is grouped already is folded further, by the aggregate it ends with or "+
				"a sum, and the keys must be among its own. Else the grouping goes to every aggregate inside.",
			[]string{"name,sps,:eq,:avg,(,nf.cluster,)", "name,sps,:eq,(,a,b,),:by,:max,(,b,)", "42,(,a,)",
				"ERROR:name,sps,:eq,(,a,b,),:by,:max,(,c,)"},
			[]func(any) bool{IsStringList},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return expr.By(o.t, listArg(args[0]))
			}),
	}
}

func sourceWords() Vocabulary {
	return Vocabulary{
		{
			Name: "const", Signature: "Double -- TimeSeries",
			Doc:      "A line with one value. A number alone means the same.",
			Examples: []string{"42", "NaN", "ERROR:a"},
			Match:    Args(IsDouble),
			Run: func(c *Context) error {
				c.Push(&expr.Const{Value: c.PopDouble()})
				return nil
			},
		},
		sourceWord("pi", "The number π as a line.", &expr.Const{Value: math.Pi}),
		commonGroupWord(),
		sourceWord("random", "Noise between 0 and 1 that depends on the time only.", &expr.Random{}),
		{
			Name: "srandom", Signature: "seed:Int -- TimeSeries",
			Doc:      "Noise between 0 and 1 that depends on the time and the seed.",
			Examples: []string{"42", "ERROR:a"},
			Match:    Args(IsInt),
			Run: func(c *Context) error {
				c.Push(&expr.Random{Seed: int32(c.PopInt()), Seeded: true})
				return nil
			},
		},
		{
			Name: "time", Signature: "mode:String -- TimeSeries",
			Doc: "The time of each value in UTC as a number. Modes: " + strings.Join(expr.TimeModes(), ", ") +
				", or the name of a Java ChronoField. The last five are fractions since 1970.",
			Examples: []string{"hourOfDay", "HOUR_OF_DAY", "ERROR:unknown"},
			Match:    Args(IsString),
			Run: func(c *Context) error {
				t, err := expr.NewTime(c.PopString())
				return c.pushResult(t, err)
			},
		},
		{
			Name: "time-span", Signature: "s:String e:String -- TimeSeries",
			Doc: "1 between two times and 0 elsewhere. Times are those of the graph's parameters; `gs` and `ge` are " +
				"the graph's start and end, `s` and `e` those of the span itself. The zone is the variable `tz`.",
			Examples: []string{"e-30m,ge", "2014-02-20T13:00,s+30m", "ERROR:tz,nowhere,:set,e-30m,ge"},
			Match:    Args(IsString, IsString),
			Run: func(c *Context) error {
				zone, err := c.zone()
				if err != nil {
					return err
				}
				e, s := c.PopString(), c.PopString()
				c.Push(expr.NewTimeSpan(s, e, zone))
				return nil
			},
		},
	}
}

func commonGroupWord() Word {
	return Word{
		Name: "cg", Signature: "Expr keys:List -- Expr",
		Doc: "Adds keys to every grouping of an expression, also below others and after words of style: an " +
			"aggregate becomes grouped, a grouping gets the keys it lacks.",
		Examples: []string{"name,sps,:eq,(,nf.region,)", "name,bar,:eq,(,nf.node,),:by,(,nf.region,)", "name,a,:eq,:avg,x,:legend,(,b,)"},
		Match:    Args(isOperand, IsStringList),
		Run: func(c *Context) error {
			keys := listArg(c.Pop())
			o := c.popOperand()
			t, err := expr.CommonBy(o.t, keys)
			return c.pushResult(t, err, o)
		},
	}
}

func sourceWord(name, doc string, t expr.TimeSeries) Word {
	return Word{
		Name: name, Signature: " -- TimeSeries", Doc: doc, Examples: []string{""}, Match: Any,
		Run: func(c *Context) error {
			c.Push(t)
			return nil
		},
	}
}

// zone returns the time zone of the variable tz, UTC when it is not set.
func (c *Context) zone() (*time.Location, error) {
	switch v := c.Vars["tz"].(type) {
	case *time.Location:
		return v, nil
	case string:
		if v == "UTC" || v == "Z" {
			return time.UTC, nil
		}
		if zone, err := time.LoadLocation(v); err == nil && v != "" && v != "Local" {
			return zone, nil
		}
		if t, err := time.Parse("Z07:00", v); err == nil {
			return t.Location(), nil
		}
		return nil, errArgument("Unknown time-zone ID: %s", v)
	}
	return time.UTC, nil
}

func unaryWords() Vocabulary {
	docs := map[string]string{
		"abs":  "Absolute value.",
		"neg":  "Negated value.",
		"sin":  "Sine of an angle in radians.",
		"sqrt": "Square root.",
		"per-step": "Turns a rate per second into an amount per step of the graph: " +
			"the value times the step's seconds.",
	}
	var v Vocabulary
	for _, bound := range []string{"clamp-min", "clamp-max"} {
		upper := bound == "clamp-max"
		what := map[bool]string{false: "below", true: "above"}[upper]
		v = append(v, mapWord(bound, "TimeSeries Double -- TimeSeries",
			"Values "+what+" the bound become the bound.", []string{"name,sps,:eq,:sum,200e3", "5,1"},
			[]func(any) bool{IsDouble},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return expr.NewClamp(o.t, upper, doubleArg(args[0])), nil
			}))
	}
	for _, op := range expr.UnaryOps() {
		v = append(v, mapWord(op, "TimeSeries -- TimeSeries", docs[op], []string{"0", "64", "-64", "name,sps,:eq"}, nil,
			func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) { return expr.NewUnary(op, o.t) }))
	}
	return v
}

func binaryWords() Vocabulary {
	docs := map[string]string{
		"add":  "a + b, where a missing value counts as zero unless both are missing.",
		"sub":  "a - b, where a missing value counts as zero unless both are missing.",
		"mul":  "a * b.",
		"div":  "a / b, where 0 / 0 is 0 and any other division by zero is no data.",
		"pow":  "a to the power of b.",
		"gt":   "1 where a > b, else 0, also where a value is missing.",
		"ge":   "1 where a >= b, else 0, also where a value is missing.",
		"lt":   "1 where a < b, else 0, also where a value is missing.",
		"le":   "1 where a <= b, else 0, also where a value is missing.",
		"fadd": "a + b in plain floating point: a missing value makes the result missing. See also `:add`.",
		"fsub": "a - b in plain floating point: a missing value makes the result missing. See also `:sub`.",
		"fmul": "a * b in plain floating point.",
		"fdiv": "a / b in plain floating point: 1 / 0 is infinite and 0 / 0 is no data. See also `:div`.",
		"and":  "1 where both values are true, else 0. Zero and missing values are false.",
		"or":   "1 where one of the values is true, else 0. Zero and missing values are false.",
	}
	const join = " If both sides are grouped, one grouping must be part of the other; lines join where the " +
		"values of the shared keys agree."
	var v Vocabulary
	for _, op := range expr.BinaryOps() {
		v = append(v, Word{
			Name: op, Signature: "a:TimeSeries b:TimeSeries -- TimeSeries", Doc: docs[op] + join,
			Examples: []string{"name,sps,:eq,42", "1,2", "name,a,:eq,:sum,name,b,:eq,:max,(,name,),:by",
				"ERROR:name,a,:eq,(,x,),:by,name,b,:eq,(,y,),:by"},
			Match: Args(isOperand, isOperand),
			Run: func(c *Context) error {
				r, l := c.popOperand(), c.popOperand()
				t, err := expr.NewBinary(op, l.t, r.t)
				return c.pushResult(t, err, l, r)
			},
		})
	}
	return v
}

func foldWords() Vocabulary {
	var v Vocabulary
	for _, agg := range []expr.Agg{expr.AggSum, expr.AggCount, expr.AggMin, expr.AggMax} {
		doc := "Folds the lines of a grouped expression into one by " + agg.Name() + ", ignoring missing values. " +
			"A plain aggregate is one line already and stays as it is."
		if agg == expr.AggCount {
			doc = "Number of lines of an expression that have a value."
		}
		v = append(v, mapWord(agg.Name(), "TimeSeries -- TimeSeries", doc,
			[]string{"name,sps,:eq,:sum", "name,sps,:eq,:max,(,nf.cluster,),:by"}, nil,
			func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) {
				return expr.NewMathAggregate(agg, o.t), nil
			}))
	}
	return v
}

func percentileWords() Vocabulary {
	isData := func(item any) bool {
		_, data := item.(expr.DataExpr)
		_, all := item.(*expr.All)
		return !all && (data || IsQuery(item))
	}
	estimate := func(c *Context, wants []float64) error {
		d, _ := c.PopTimeSeries().(expr.DataExpr)
		t, err := expr.NewPercentiles(d, wants)
		return c.pushResult(t, err)
	}
	return Vocabulary{
		{
			Name: "percentiles", Signature: "Data percentiles:List -- TimeSeries",
			Doc: "Estimates percentiles of a percentile timer or distribution summary from its buckets: one line " +
				"per wanted percentile, told apart by the tag `percentile`.",
			Examples: []string{"name,requestLatency,:eq,(,25,50,90,)", "name,latency,:eq,(,app,),:by,(,99.9,)",
				"ERROR:name,latency,:eq,(,-1,)", "ERROR:name,latency,:eq,:all,(,50,)"},
			Match: Args(isData, isDoubleList),
			Run: func(c *Context) error {
				wants, _ := asDoubleList(c.Pop())
				return estimate(c, wants)
			},
		},
		{
			Name: "median", Signature: "Data -- TimeSeries", Doc: "Shorthand for `(,50,),:percentiles`.",
			Examples: []string{"name,requestLatency,:eq"}, Match: Args(isData),
			Run: func(c *Context) error { return estimate(c, []float64{50}) },
		},
		{
			Name: "sample-count", Signature: "Query min:Double max:Double -- TimeSeries",
			Doc: "Estimates the rate of values recorded between two bounds from percentile buckets. For timers " +
				"the bounds are seconds.",
			Examples: []string{"name,latency,:eq,0,5", "ERROR:name,latency,:eq,5,5", "ERROR:name,latency,:eq,-5,5"},
			Match:    Args(IsQuery, IsDouble, IsDouble),
			Run: func(c *Context) error {
				most, least := c.PopDouble(), c.PopDouble()
				t, err := expr.NewSampleCount(c.PopQuery(), least, most, true)
				return c.pushResult(t, err)
			},
		},
		{
			Name: "sample-count", Signature: "Query -- TimeSeries",
			Doc:      "Rate of all values recorded, counted from percentile buckets.",
			Examples: []string{"name,latency,:eq"}, Match: Args(IsQuery),
			Run: func(c *Context) error {
				t, err := expr.NewSampleCount(c.PopQuery(), 0, math.Inf(1), false)
				return c.pushResult(t, err)
			},
		},
	}
}

func distinctWords() Vocabulary {
	isCountable := func(item any) bool {
		t, ok := AsTimeSeries(item)
		if ok {
			_, err := expr.NewApproxDistinct(t)
			ok = err == nil
		}
		return ok
	}
	return Vocabulary{
		{
			Name: "approx-distinct", Signature: "Data -- TimeSeries", Unstable: true,
			Doc: "Estimates the number of distinct values recorded in each step from the registers of a distinct counter.",
			Examples: []string{"name,users,:eq", "name,users,:eq,(,app,),:by", "name,users,:eq,3,:rolling-max",
				"ERROR:name,users,:eq,:all"},
			Match: Args(isCountable),
			Run: func(c *Context) error {
				t, err := expr.NewApproxDistinct(c.PopTimeSeries())
				return c.pushResult(t, err)
			},
		},
		{
			Name: "approx-distinct-cumulative", Signature: "Data -- TimeSeries", Unstable: true,
			Doc:      "Like `:approx-distinct`, over everything since the start of the graph.",
			Examples: []string{"name,users,:eq", "name,users,:eq,(,app,),:by"},
			Match:    Args(isCountable),
			Run: func(c *Context) error {
				t, err := expr.NewApproxDistinctCumulative(c.popOperand().base())
				return c.pushResult(t, err)
			},
		},
	}
}

func rewriteWords() Vocabulary {
	overAny := func(name, doc string, build func(base expr.Expr) (*expr.Rewrite, error)) Word {
		return mapWord(name, "TimeSeries -- TimeSeries", doc,
			[]string{"name,sps,:eq", "name,sps,:eq,(,nf.cluster,),:by", "name,sps,:eq,1h,:offset"}, nil,
			func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) { return rewritten(build(o.base())) })
	}
	overQuery := func(name, doc string, build func(q match.Query) (*expr.Rewrite, error)) Word {
		return Word{
			Name: name, Signature: "Query -- TimeSeries", Doc: doc,
			Examples: []string{"name,playback.startLatency,:eq", "ERROR:1"}, Match: Args(IsQuery),
			Run: func(c *Context) error {
				t, err := rewritten(build(c.PopQuery()))
				return c.pushResult(t, err)
			},
		}
	}
	return Vocabulary{
		overAny("avg", "Average: the sum divided by the count.", expr.NewAvg),
		overAny("stddev", "Standard deviation over the lines of an expression.", expr.NewStddev),
		overAny("pct", "Each line's share of the sum of all lines, in percent.", expr.NewPct),
		overQuery("dist-avg", "Average of what a timer or distribution summary recorded.", expr.NewDistAvg),
		overQuery("dist-max", "Largest value a timer or distribution summary recorded.", expr.NewDistMax),
		overQuery("dist-stddev", "Standard deviation of what a timer or distribution summary recorded.", expr.NewDistStddev),
		{
			Name: "named-rewrite", Signature: "original:Expr rewritten:TimeSeries name:String -- TimeSeries",
			Doc: "Gives an expression a short form: it is written as the original and the word `name`, and " +
				"evaluated as the rewritten expression.",
			Examples: []string{"name,sps,:eq,:dup,:sum,sum"},
			Match: func(stack []any) bool {
				return Args(isOperand, IsTimeSeries, IsString)(stack) || Args(isStyled, isStyled, IsString)(stack)
			},
			Run: func(c *Context) error {
				name, rewritten, o := c.PopString(), c.popOperand(), c.popOperand()
				return c.pushResult(expr.NewNamedRewrite(name, o.base(), rewritten.t), nil, o)
			},
		},
	}
}

// rewritten keeps a nil rewrite from becoming an expression that is not nil.
func rewritten(r *expr.Rewrite, err error) (expr.TimeSeries, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// angleWords are built from sine and division, whose rules for missing values
// they have.
func angleWords() Vocabulary {
	quotient := func(l, r expr.TimeSeries) (expr.TimeSeries, error) { return expr.NewBinary("div", l, r) }
	sine := func(t expr.TimeSeries) expr.TimeSeries {
		s, _ := expr.NewUnary("sin", t)
		return s
	}
	cosine := func(t expr.TimeSeries) expr.TimeSeries {
		shifted, _ := expr.NewBinary("sub", &expr.Const{Value: math.Pi / 2}, t)
		return sine(shifted)
	}
	one := &expr.Const{Value: 1}
	word := func(name, what string, f func(t expr.TimeSeries) (expr.TimeSeries, error)) Word {
		return mapWord(name, "TimeSeries -- TimeSeries", fmt.Sprintf("%s of an angle in radians.", what),
			[]string{"0", "name,angle,:eq"}, nil,
			func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) { return f(o.t) })
	}
	return Vocabulary{
		word("cos", "Cosine", func(t expr.TimeSeries) (expr.TimeSeries, error) { return cosine(t), nil }),
		word("tan", "Tangent", func(t expr.TimeSeries) (expr.TimeSeries, error) { return quotient(sine(t), cosine(t)) }),
		word("cot", "Cotangent", func(t expr.TimeSeries) (expr.TimeSeries, error) { return quotient(cosine(t), sine(t)) }),
		word("sec", "Secant", func(t expr.TimeSeries) (expr.TimeSeries, error) { return quotient(one, cosine(t)) }),
		word("csc", "Cosecant", func(t expr.TimeSeries) (expr.TimeSeries, error) { return quotient(one, sine(t)) }),
	}
}
