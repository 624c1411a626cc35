package asl

import "pulse/query/expr"

// StatefulWords returns the words whose result depends on earlier values.
// Windows are counted in datapoints of the graph's step.
func StatefulWords() Vocabulary {
	const window = " The window counts datapoints, including the current one, not time."
	v := Vocabulary{
		windowWord("delay", "The value n datapoints ago."),
		windowWord("rolling-count", "How many of the last n values were true."+window),
		windowWord("rolling-min", "Smallest of the last n values."+window),
		windowWord("rolling-max", "Largest of the last n values."+window),
		mapWord("rolling-mean", "TimeSeries n:Int minNumValues:Int -- TimeSeries",
			"Mean of the last n values if at least so many of them are present."+window,
			[]string{"name,sps,:eq,:sum,5,3", "ERROR:name,sps,:eq,5,6"},
			[]func(any) bool{IsInt, IsInt},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return stateful("rolling-mean", o, intArg(args[0]), intArg(args[1]))
			}),
		windowWord("rolling-sum", "Sum of the last n values."+window),
		smoothingWord("des", "Double exponential smoothing: the level the values before lead one to expect. "+
			"It depends on where the graph starts; `:sdes` hardly does."),
		smoothingWord("sdes", "Sliding double exponential smoothing: two smoothers take turns, so that values "+
			"older than two training windows are forgotten."),
		mapWord("trend", "TimeSeries window:Duration -- TimeSeries",
			"Moving average over a window of time, in which missing values count as zero.",
			[]string{"name,sps,:eq,:sum,5m", "42,PT1H"},
			[]func(any) bool{IsDuration},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return stateful("trend", o, float64(durationArg(args[0])))
			}),
		plainWord("integral", "Running sum since the start of the graph."),
		plainWord("derivative", "Difference to the value before."),
		plainWord("cumulative-max", "Largest value since the start of the graph."),
	}
	for _, p := range []struct {
		name        string
		alpha, beta float64
	}{{"simple", 0.1, 0.5}, {"fast", 0.1, 0.02}, {"slower", 0.05, 0.03}, {"slow", 0.03, 0.04}} {
		for _, op := range []string{"des", "sdes"} {
			name := op + "-" + p.name
			v = append(v, mapWord(name, "TimeSeries -- TimeSeries",
				"Shorthand for `10,"+expr.FormatDouble(p.alpha)+","+expr.FormatDouble(p.beta)+",:"+op+"`.",
				[]string{"42", "name,sps,:eq,:sum"}, nil,
				func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) {
					return rewritten(expr.NewSmoothing(name, op, o.base(), 10, p.alpha, p.beta))
				}))
		}
	}
	return append(v, epicSignalWord())
}

func stateful(name string, o operand, args ...float64) (expr.TimeSeries, error) {
	s, err := expr.NewStateful(name, o.t, args...)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func plainWord(name, doc string) Word {
	return mapWord(name, "TimeSeries -- TimeSeries", doc, []string{"1", "name,sps,:eq,(,app,),:by"}, nil,
		func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) { return stateful(name, o) })
}

func windowWord(name, doc string) Word {
	return mapWord(name, "TimeSeries n:Int -- TimeSeries", doc,
		[]string{"name,sps,:eq,:sum,5", ":random,0.4,:gt,5", "ERROR:name,sps,:eq,0", "ERROR:name,sps,:eq,86401"},
		[]func(any) bool{IsInt},
		func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
			return stateful(name, o, intArg(args[0]))
		})
}

func smoothingWord(name, doc string) Word {
	return mapWord(name, "TimeSeries training:Int alpha:Double beta:Double -- TimeSeries", doc,
		[]string{"name,requestsPerSecond,:eq,:sum,5,0.1,0.5", "ERROR:name,sps,:eq,-5,0.1,0.5"},
		[]func(any) bool{IsInt, IsDouble, IsDouble},
		func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
			return stateful(name, o, intArg(args[0]), doubleArg(args[1]), doubleArg(args[2]))
		})
}

// epic is the four bounds around a smoothed line and the signal that the line
// is beyond two of them.
type epic struct {
	line   expr.TimeSeries
	signal expr.TimeSeries
	bounds []bound
}

type bound struct {
	name string
	t    expr.TimeSeries
}

func epicArgs() []func(any) bool {
	return []func(any) bool{IsTimeSeries, IsInt, IsDouble, IsDouble, IsDouble, IsDouble, IsTimeSeries}
}

// popEpic takes the seven items of the epic words, and leaves them in variables
// with what it makes of them.
func (c *Context) popEpic() (*epic, error) {
	for i, name := range []string{"line", "trainingSize", "alpha", "beta", "maxPercent", "minPercent", "noise"} {
		c.Vars[name] = c.Stack[len(c.Stack)-len(epicArgs())+i]
	}
	noise, minPercent, maxPercent := c.PopTimeSeries(), c.PopDouble(), c.PopDouble()
	beta, alpha, training := c.PopDouble(), c.PopDouble(), c.PopInt()
	line := c.PopTimeSeries()
	pred, err := expr.NewStateful("des", line, float64(training), alpha, beta)
	if err != nil {
		return nil, errArgument("%v", err)
	}
	c.Vars["pred"] = expr.TimeSeries(pred)
	op := func(name string, l, r expr.TimeSeries) (t expr.TimeSeries) {
		if err == nil {
			t, err = expr.NewBinary(name, l, r)
		}
		return t
	}
	number := func(v float64) expr.TimeSeries { return &expr.Const{Value: v} }
	e := &epic{line: line, bounds: []bound{
		{"minPredNoiseBound", op("sub", pred, noise)},
		{"minPredPercentBound", op("fmul", pred, number(1-minPercent))},
		{"maxPredNoiseBound", op("add", pred, noise)},
		{"maxPredPercentBound", op("fmul", pred, number(2-(1-maxPercent)))},
	}}
	low := op("and", op("lt", line, e.bounds[0].t), op("lt", line, e.bounds[1].t))
	high := op("and", op("gt", line, e.bounds[2].t), op("gt", line, e.bounds[3].t))
	e.signal = op("or", low, high)
	if err != nil {
		return nil, errArgument("%v", err)
	}
	for _, b := range e.bounds {
		c.Vars[b.name] = b.t
	}
	return e, nil
}

const epicSignature = "line:TimeSeries trainingSize:Int alpha:Double beta:Double maxPercent:Double minPercent:Double noise:TimeSeries -- "

func epicSignalWord() Word {
	return Word{
		Name: "des-epic-signal", Signature: epicSignature + "TimeSeries",
		Doc: "1 where a line leaves the band around its smoothed value both by the noise and by the percentage. " +
			"Sets the variables minPredNoiseBound, minPredPercentBound, maxPredNoiseBound, maxPredPercentBound and pred, " +
			"the smoothed value, and those named as its arguments.",
		Examples: []string{"name,sps,:eq,:sum,10,0.1,0.5,0.2,0.2,4",
			"ERROR:name,sps,:eq,(,a,),:by,10,0.1,0.5,0.2,0.2,name,sps,:eq,(,b,),:by"},
		Match: Args(epicArgs()...),
		Run: func(c *Context) error {
			e, err := c.popEpic()
			if err != nil {
				return err
			}
			c.Push(e.signal)
			return nil
		},
	}
}
