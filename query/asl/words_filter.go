package asl

import "pulse/query/expr"

// FilterWords returns the words that choose among lines by looking at the
// whole range of the graph.
func FilterWords() Vocabulary {
	v := Vocabulary{
		mapWord("stat", "TimeSeries stat:String -- TimeSeries",
			"Replaces each line by one of its statistics over the range: avg, max, min, last, count or total.",
			[]string{"name,sps,:eq,:sum,avg", "name,sps,:eq,:sum,count"},
			[]func(any) bool{IsString},
			func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
				return &expr.Stat{Expr: o.t, Stat: args[0].(string)}, nil
			}),
	}
	for _, stat := range []string{"avg", "max", "min", "last", "count", "total"} {
		v = append(v, sourceWord("stat-"+stat,
			"Inside the condition of a filter: the `"+stat+"` of the line that is filtered.", &expr.StatRef{Stat: stat}))
	}
	v = append(v, Word{
		Name: "filter", Signature: "TimeSeries cond:TimeSeries -- TimeSeries",
		Doc: "Keeps the lines whose condition is true at any time. An ungrouped condition keeps all lines or none: " +
			"`:stat-max,30e3,:gt,:filter`.",
		Examples: []string{"name,sps,:eq,:sum,(,nf.cluster,),:by,:stat-max,30e3,:gt",
			"ERROR:name,x,:eq,:sum,name,x,:eq,:sum,(,node,),:by,1,:gt"},
		Match: Args(IsTimeSeries, IsTimeSeries),
		Run: func(c *Context) error {
			cond, t := c.PopTimeSeries(), c.PopTimeSeries()
			f, err := expr.NewFilter(t, cond)
			return c.pushResult(f, err)
		},
	})
	for _, stat := range []string{"min", "max", "avg"} {
		v = append(v, mapWord("stat-"+stat+"-mf", "TimeSeries -- TimeSeries", "Shorthand for `"+stat+",:stat`.",
			[]string{"42"}, nil,
			func(_ *Context, o operand, _ []any) (expr.TimeSeries, error) {
				return &expr.Stat{Expr: o.t, Stat: stat}, nil
			}))
	}
	for _, bottom := range []bool{true, false} {
		for _, others := range expr.TopKOthers() {
			v = append(v, topWord(bottom, others))
		}
	}
	return append(v, mapWord("consolidate", "TimeSeries function:String step:Duration -- TimeSeries",
		"Recomputes the line at a coarser step, rounded up to a multiple of the graph's, by avg, sum, min or max.",
		[]string{"name,sps,:eq,:sum,max,1h", "ERROR:name,sps,:eq,median,1h", "ERROR:name,sps,:eq,max,0s"},
		[]func(any) bool{IsString, IsDuration},
		func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
			f, err := expr.ParseCF(args[0].(string))
			if err != nil {
				return nil, err
			}
			return expr.NewConsolidated(o.t, f, durationArg(args[1]))
		}))
}

func topWord(bottom bool, others string) Word {
	name, size := "topk", "largest"
	if bottom {
		name, size = "bottomk", "smallest"
	}
	doc := "Keeps the k lines with the " + size + " statistic over the range."
	if others != "" {
		name += "-others-" + others
		doc += " The others become one line, their " + others + "."
	}
	return mapWord(name, "TimeSeries stat:String k:Int -- TimeSeries", doc,
		[]string{"name,sps,:eq,:sum,(,nf.cluster,),:by,max,5", "ERROR:name,sps,:eq,max,0"},
		[]func(any) bool{IsString, IsInt},
		func(_ *Context, o operand, args []any) (expr.TimeSeries, error) {
			return expr.NewTopK(o.t, bottom, others, args[0].(string), int(intArg(args[1])))
		})
}
