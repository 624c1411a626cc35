package query_test

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"pulse/bench/gen"
	"pulse/query"
	"pulse/store"
	"pulse/store/tags"
)

// fleet is a store with the mix of gen.Classes, whose newest steps are in the head.
type fleet struct {
	st   *store.Store
	step int64
	now  int64
}

const fleetSteps = 186

// newFleet fills a store: 500 series per node, 10 applications, 100 clusters.
func newFleet(b *testing.B, n int) *fleet {
	const step = 3000
	st, err := store.New(store.Options{Step: step, NewSeriesRate: -1})
	if err != nil {
		b.Fatal(err)
	}
	var deck []gen.Class
	for _, c := range gen.Classes() {
		for range c.Weight {
			deck = append(deck, c)
		}
	}
	f := &fleet{st: st, step: step, now: 1_700_000_100_000 / step * step}
	values := make([][]float64, n)
	batch := store.Batch{}
	for i := range n {
		c := deck[i*67%len(deck)] // 67 and the deck's length share no divisor
		values[i] = c.Series(uint64(i), fleetSteps, step)
		node, id := i/500, i%500
		t := tags.Of("name", "app."+c.Name, "atlas.dstype", "gauge", "endpoint", fmt.Sprintf("endpoint-%03d", id/4), "id", strconv.Itoa(id),
			"nf.app", fmt.Sprintf("app-%02d", node%10), "nf.cluster", fmt.Sprintf("app-%02d-main-%02d", node%10, node%100/10),
			"nf.node", fmt.Sprintf("i-%05d", node), "nf.region", []string{"us-east-1", "us-west-2", "eu-west-1", "sa-east-1"}[node/10%4], "nf.stack", "prod")
		ref, err := st.Resolve(st.HashTags(store.Hash{}, t.AppendKey(nil)), t, f.now)
		if err != nil {
			b.Fatal(err)
		}
		batch.Add(ref, 0, 0)
	}
	refs := batch.Refs
	for k := range fleetSteps {
		f.now += step
		batch = store.Batch{Arrival: f.now}
		for i, ref := range refs {
			if v := values[i][k]; v == v {
				batch.Add(ref, f.now, v)
			}
		}
		st.Append(&batch, f.now)
		st.Advance(f.now)
	}
	for range 64 {
		st.Advance(f.now)
	}
	return f
}

// BenchmarkFleet asks 100,000 series over 180 steps what is asked on call.
func BenchmarkFleet(b *testing.B) {
	const n = 100_000
	f := newFleet(b, n)
	e := query.New(f.st, query.Options{Limits: query.Limits{DatapointsRead: 20_000_000}})
	for _, q := range []struct{ name, program string }{
		{"sum", "nf.stack,prod,:eq,:sum"},
		{"sum by 10", "nf.stack,prod,:eq,:sum,(,nf.app,),:by"},
		{"sum by 100", "nf.stack,prod,:eq,:sum,(,nf.cluster,),:by"},
		{"sum by 200", "nf.stack,prod,:eq,:sum,(,nf.node,),:by"},
		{"max", "nf.stack,prod,:eq,:max"},
		{"topk", "nf.stack,prod,:eq,name,app.short-lived,:eq,:not,:and,:sum,(,nf.node,id,),:by,max,5,:topk"},
		{"topk others", "nf.stack,prod,:eq,:sum,(,nf.node,id,),:by,max,5,:topk-others-sum"},
		{"topk of an app", "nf.app,app-03,:eq,:sum,(,nf.node,id,),:by,max,5,:topk"},
		{"regex", "nf.node,i-0000[0-1],:re,:sum"},
		{"one", "nf.node,i-00100,:eq,id,11,:eq,:and,:sum"},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				end := f.now - int64(i%6)*f.step
				r, err := e.Eval(context.Background(), query.Request{Program: q.program, Start: end - 180*f.step, End: end, Step: f.step})
				if err != nil {
					b.Fatal(err)
				}
				if len(r.Lines) == 0 {
					b.Fatal("no lines")
				}
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
