package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pulse/bench/gen"
)

const (
	perNode  = 500 // series of one node, which are one request
	apps     = 10
	clusters = 100
)

// tag is a key and a value; none has a character that any protocol escapes.
type tag struct{ key, value string }

// series is what one node publishes under one name and id, in the words of each
// server.
type series struct {
	dstype string // of Atlas; only Pulse is told
	tags   []tag  // sorted by key, name first

	json  []byte // what is its own in a publish body, up to the timestamp
	line  []byte // of the Influx line protocol, up to the value
	proto []byte // labels of a remote write TimeSeries
}

// fleet is nodes of applications with their series and all of their values. It
// follows from a seed, and nothing in it changes.
type fleet struct {
	steps  int
	series []series
	values [][]float64 // by step and series; NaN: nothing is sent
}

// newFleet draws the series in the mix of gen.Classes. n is a multiple of
// perNode, the step in milliseconds.
func newFleet(seed uint64, n, steps int, step int64) *fleet {
	f := &fleet{steps: steps, series: make([]series, n), values: make([][]float64, steps)}
	for k := range f.values {
		f.values[k] = make([]float64, n)
	}
	var deck []gen.Class
	for _, c := range gen.Classes() {
		deck = append(deck, slices.Repeat([]gen.Class{c}, c.Weight)...)
	}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				c := deck[(i*67)%len(deck)] // 67 and the deck's length share no divisor
				f.series[i] = newSeries(c, i)
				for k, v := range c.Series(seed<<32+uint64(i), steps, step) {
					f.values[k][i] = v
				}
			}
		})
	}
	wg.Wait()
	return f
}

func newSeries(c gen.Class, i int) series {
	node, endpoint := i/perNode, i%perNode
	s := series{dstype: c.Dstype, tags: append([]tag{{"name", "app." + c.Name}}, nodeTags(node)...)}
	s.tags = append(s.tags, tag{"endpoint", fmt.Sprintf("endpoint-%03d", endpoint/4)}, tag{"id", strconv.Itoa(endpoint)})
	slices.SortFunc(s.tags[1:], func(a, b tag) int { return strings.Compare(a.key, b.key) })
	s.json, s.line, s.proto = appendMetric(nil, &s), appendLine(nil, &s), appendLabels(nil, &s)
	return s
}

// nodeTags are common to all series of a node.
func nodeTags(node int) []tag {
	return []tag{
		{"nf.app", fmt.Sprintf("app-%02d", node%apps)},
		{"nf.cluster", fmt.Sprintf("app-%02d-main-%02d", node%apps, node%clusters/apps)},
		{"nf.node", fmt.Sprintf("i-%05d", node)},
		{"nf.region", []string{"us-east-1", "us-west-2", "eu-west-1", "sa-east-1"}[node/apps%4]},
		{"nf.stack", "prod"},
	}
}

func (f *fleet) nodes() int { return len(f.series) / perNode }

// get returns the value of a tag of series i.
func (f *fleet) get(i int, key string) string {
	for _, t := range f.series[i].tags {
		if t.key == key {
			return t.value
		}
	}
	return ""
}

// sent returns how many datapoints node sends in step k.
func (f *fleet) sent(node, k int) (n int) {
	for _, v := range f.values[k][node*perNode : (node+1)*perNode] {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}
