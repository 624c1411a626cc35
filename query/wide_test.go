package query_test

import (
	"context"
	"fmt"
	"testing"

	"pulse/query"
	"pulse/store/tags"
)

const (
	wideLines = 10_000
	wideSteps = 600
)

// BenchmarkWide is a query over many lines, of which few are shown.
func BenchmarkWide(b *testing.B) {
	st := open(b)
	values := make([]float64, wideSteps)
	for i := range wideLines {
		for j := range values {
			values[j] = float64((i*7919 + j*104729) % 1000)
		}
		load(b, st, 60_000, tags.Of("name", "x", "node", fmt.Sprintf("n%05d", i), "atlas.dstype", "gauge"), values...)
	}
	e := query.New(st, query.Options{Limits: query.Limits{MemoryBytes: 1 << 30}})
	const by = "name,x,:eq,(,node,),:by"
	for _, words := range []string{
		"1,:limit", "max,5,:topk", "max,5,:topk-others-sum", ":stat-max,998,:gt,:filter,5,:limit", ":dup,998,:gt,:filter,5,:limit",
		"100,:mul,max,5,:topk", ":abs,:neg,max,5,:topk", "node,n,:as,max,5,:topk", "3,:rolling-sum,max,5,:topk", "$node,:legend,max,5,:topk", ":max",
	} {
		b.Run(words, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := e.Eval(context.Background(), query.Request{Program: by + "," + words, End: wideSteps * 60_000, Step: 60_000})
				if err != nil {
					b.Fatal(err)
				}
				if len(r.Lines) == 0 {
					b.Fatal("no lines")
				}
			}
		})
	}
}
