package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// question is a query that somebody on call asks.
type question struct {
	name string
	by   []string  // tags that tell the lines apart
	text [3]string // by language
	want [3]func(from, n int) answer
}

// key names a line by its tags.
func (q *question) key(get func(tag string) string) string {
	values := make([]string, len(q.by))
	for i, k := range q.by {
		values[i] = get(k)
	}
	return strings.Join(values, " ")
}

const top = 5

// mostlyAbsent names series that are left out of the top ones: to ASL a line
// without any value is the largest, and no peer shares that view.
const mostlyAbsent = "app.short-lived"

// questions returns what is asked of a fleet. What is right follows from the
// fleet's own values.
func questions(f *fleet) []question {
	one := f.steady()
	node, id := f.get(one, "nf.node"), f.get(one, "id")
	all := func(int) bool { return true }
	few := min(1000/perNode, f.nodes())
	sum := func(name, pick, match string, in func(i int) bool, by ...string) question {
		grouped, without := pick+",:sum", "sum("+match+")"
		if len(by) > 0 {
			grouped += ",(," + strings.Join(by, ",") + ",),:by"
			without = "sum by (" + label(by[0]) + ") (" + match + ")"
		}
		want := f.sums(in, by...)
		return question{name, by, [3]string{grouped, without, without}, [3]func(int, int) answer{want, want, want}}
	}
	const aslAll, promAll = "nf.stack,prod,:eq", `{nf_stack="prod"}`
	regex := fmt.Sprintf("i-0000[0-%d]", few-1)
	list := []question{
		sum("sum", aslAll, promAll, all),
		sum(fmt.Sprintf("sum by %d groups", min(apps, f.nodes())), aslAll, promAll, all, "nf.app"),
		sum(fmt.Sprintf("sum by %d groups", min(clusters, f.nodes())), aslAll, promAll, all, "nf.cluster"),
		f.top("top 5 of all", "nf.stack", "prod"),
		f.top("top 5 of an app", "nf.app", "app-03"),
		sum(fmt.Sprintf("sum of %d by regex", few*perNode), "nf.node,"+regex+",:re", `{nf_node=~"`+regex+`"}`, func(i int) bool { return i < few*perNode }),
		sum("one series", "nf.node,"+node+",:eq,id,"+id+",:eq,:and", `{nf_node="`+node+`",id="`+id+`"}`, func(i int) bool { return i == one }),
	}
	for l := metricsQL; l <= promQL; l++ { // no sum around one series
		text := &list[len(list)-1].text[l]
		*text = strings.TrimSuffix(strings.TrimPrefix(*text, "sum("), ")")
	}
	return list
}

// steady returns a series in the middle of the fleet that always has a value.
func (f *fleet) steady() int {
	for i := len(f.series) / 2; ; i++ {
		if f.get(i, "name") == "app.counter" {
			return i
		}
	}
}

// sums returns the sums of those series by the tags, over any range.
func (f *fleet) sums(in func(i int) bool, by ...string) func(from, n int) answer {
	q := question{by: by}
	steps := answer{}
	for i := range f.series {
		if !in(i) {
			continue
		}
		line := steps.line(q.key(func(k string) string { return f.get(i, k) }), f.steps)
		for k := range line {
			if v := f.values[k][i]; !math.IsNaN(v) {
				if math.IsNaN(line[k]) {
					line[k] = 0
				}
				line[k] += v
			}
		}
	}
	return func(from, n int) answer {
		out := answer{}
		for key, line := range steps {
			out[key] = line[from : from+n]
		}
		return out
	}
}

// name is the key of series i in an answer of the top ones.
func (f *fleet) name(i int) string { return f.get(i, "nf.node") + " " + f.get(i, "id") }

// top is the question for the series with a tag whose values are largest.
func (f *fleet) top(name, key, value string) question {
	prom := fmt.Sprintf(`(%d, {%s="%s",__name__!="%s"})`, top, label(key), value, metricName(mostlyAbsent))
	ofRange := func(from, n int) answer { return f.topOfRange(key, value, from, n) }
	ofSteps := func(from, n int) answer { return f.topOfSteps(key, value, from, n) }
	return question{name, []string{"nf.node", "id"}, [3]string{
		fmt.Sprintf("%s,%s,:eq,name,%s,:eq,:not,:and,:sum,(,nf.node,id,),:by,max,%d,:topk", key, value, mostlyAbsent, top),
		"topk_max" + prom, "topk" + prom,
	}, [3]func(int, int) answer{ofRange, ofRange, ofSteps}}
}

// topOfRange returns the series with a tag whose largest values in the range are
// largest.
func (f *fleet) topOfRange(key, value string, from, n int) answer {
	most := make([]float64, len(f.series))
	for k := from; k < from+n; k++ {
		for i, v := range f.values[k] {
			if v > most[i] {
				most[i] = v
			}
		}
	}
	out := answer{}
	for _, i := range f.largest(most, key, value) {
		line := out.line(f.name(i), n)
		for k := range line {
			line[k] = f.values[from+k][i]
		}
	}
	return out
}

// topOfSteps returns the largest values of each step, as topk of PromQL does.
func (f *fleet) topOfSteps(key, value string, from, n int) answer {
	out := answer{}
	for k := range n {
		for _, i := range f.largest(f.values[from+k], key, value) {
			out.line(f.name(i), n)[k] = f.values[from+k][i]
		}
	}
	return out
}

// largest returns the series with a tag that have the top values, one by series.
func (f *fleet) largest(values []float64, key, value string) []int {
	var out []int
	for i, v := range values {
		if math.IsNaN(v) || len(out) == top && v <= values[out[top-1]] || f.get(i, key) != value || f.get(i, "name") == mostlyAbsent {
			continue
		}
		at, _ := slices.BinarySearchFunc(out, v, func(j int, v float64) int {
			if values[j] >= v {
				return -1
			}
			return 1
		})
		if out = slices.Insert(out, at, i); len(out) > top {
			out = out[:top]
		}
	}
	return out
}
