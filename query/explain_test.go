package query_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pulse/query"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/step"
	"pulse/store/tags"
)

// The figures of what a query cost are those that can be counted in the data:
// 12 series of x on 3 nodes with 60 values each, one of which ends early, and 2 of y.
func TestExplainFigures(t *testing.T) {
	st := open(t)
	values := make([]float64, 60)
	for i := range values {
		values[i] = float64(i)
	}
	for i := range 12 {
		kept := values
		if i == 11 {
			kept = values[:10]
		}
		load(t, st, minute, tags.Of("name", "x", "id", fmt.Sprint(i), "node", fmt.Sprint(i%3), "atlas.dstype", "gauge"), kept...)
	}
	for i := range 2 {
		load(t, st, minute, tags.Of("name", "y", "id", fmt.Sprint(i)), values...)
	}
	f := func(program string, stepMs int64, want query.Explain) {
		t.Helper()
		r, err := query.New(st, query.Options{Clock: clock.NewManual(time.UnixMilli(0))}).Eval(
			context.Background(), query.Request{Program: program, End: hour, Step: stepMs})
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		if r.Explain != want {
			t.Errorf("%s by %d ms:\n got %+v\nwant %+v", program, stepMs, r.Explain, want)
		}
	}
	// want has the series read, and the lines fetched and shown, at n steps each.
	want := func(input, fetched, shown, n int64) query.Explain {
		return query.Explain{InputLines: input, InputDatapoints: input * 60, IntermediateLines: fetched, IntermediateDatapoints: fetched * n, GraphLines: shown, GraphDatapoints: shown * n}
	}
	const m, by = minute, "name,x,:eq,(,node,),:by"
	f("name,x,:eq,id,3,:eq,:and,:sum", m, want(1, 1, 1, 60))
	f("name,x,:eq,:sum", m, want(12, 1, 1, 60))
	f("name,x,:eq,:all", m, want(12, 12, 12, 60))
	f(by, m, want(12, 3, 3, 60))
	f("name,x,:eq,(,id,),:by", m, want(12, 12, 12, 60))
	f(":true,(,node,),:by", m, want(12, 3, 3, 60)) // y has no node
	f("name,x,:eq,:sum,name,y,:eq,:sum,:add", m, want(14, 2, 1, 60))
	f("name,x,:eq,:sum,name,x,:eq,:max,:add", m, want(24, 2, 1, 60)) // read twice
	f("name,x,:eq,:sum,name,x,:eq,:sum,:add", m, want(12, 1, 1, 60)) // read once
	f("name,x,:eq,:avg", m, want(24, 2, 1, 60))
	f(by+",:sum", m, want(12, 3, 1, 60))
	f(by+",name,x,:eq,:sum,:div", m, want(24, 4, 3, 60))
	f(by+",:dup", m, want(12, 3, 6, 60))
	f("42", m, want(0, 0, 1, 60))
	f("name,x,:eq,:sum,42,:mul", m, want(12, 1, 1, 60))
	// The lines that are dropped after they were fetched are not of the graph.
	f(by+",max,2,:topk", m, want(12, 3, 2, 60))
	f(by+",max,2,:topk-others-sum", m, want(12, 3, 3, 60))
	f(by+",2,:limit", m, want(12, 3, 2, 60))
	f(by+",:max,1e9,:gt", m, want(12, 3, 1, 60))
	f(by+",:stat-max,1e9,:gt,:filter", m, want(12, 3, 0, 60))
	// A coarser step reads the same, and has fewer values of what it read.
	f("name,x,:eq,:sum", 10*m, want(12, 1, 1, 6))
	f(by, 10*m, want(12, 3, 3, 6))
	f(by+",:cf-max", 10*m, want(12, 3, 3, 6))
	f("name,x,:eq,:max", 20*m, want(12, 1, 1, 3))
	f("name,x,:eq,:max,:cf-sum", 20*m, want(12, 1, 1, 3))
	f("name,x,:eq,:max,name,y,:eq,:sum,:add", 60*m, want(14, 2, 1, 1))
	// What is shifted is read besides.
	f("name,x,:eq,:sum,10m,:offset", m, want(12, 1, 1, 60))
	f("name,x,:eq,:sum,(,0h,10m,20m,),:offset", m, want(36, 3, 3, 60))
	f("name,x,:eq,:sum,:dup,10m,:offset,:sub", m, want(24, 2, 1, 60))
	f("name,x,:eq,:sum,90s,:offset", m, want(12, 1, 1, 60))
	// Nothing is read where nothing matches, also where a line says so.
	f("name,none,:eq,:sum", m, want(0, 0, 1, 60))
	f("name,none,:eq,(,node,),:by", m, want(0, 0, 0, 60))
	f("name,none,:eq,:sum,name,y,:eq,:sum,:add", m, want(2, 1, 1, 60))
	f("name,y,:eq,(,node,),:by", m, want(0, 0, 0, 60))
}

// Of what the primary tier does not have any more, the coarser steps are counted,
// and where a mean needs how many values there were, these too.
func TestExplainOverTheTierBorder(t *testing.T) {
	st, err := store.New(store.Options{Tiers: []store.Tier{{Step: 10 * second, Retention: 20 * minute}, {Step: minute, Retention: 10 * hour}}})
	if err != nil {
		t.Fatal(err)
	}
	begin := step.Floor(1_700_000_000_000, 20*hour)
	var refs []store.Ref
	for i := range 7 {
		ts := tags.Of("name", "x", "id", fmt.Sprint(i), "node", fmt.Sprint(i%2), "atlas.dstype", []string{"sum", "gauge"}[i/4])
		ref, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, begin)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	now := begin
	for now < begin+4*hour {
		now += 10 * second
		b := store.Batch{Arrival: now}
		for i, ref := range refs {
			if i != 3 || now < begin+hour { // of which only the coarser tier has something
				b.Add(ref, now, float64(i))
			}
		}
		st.Append(&b, now)
		st.Advance(now)
	}
	for range 100 {
		st.Advance(now)
	}
	from := st.Tiers()[0].From
	if from < begin+90*minute || from%minute != 0 {
		t.Fatalf("the primary tier goes back to %d", from-begin)
	}
	f := func(program string, start, end, stepMs int64, series, input, fetched int64) {
		t.Helper()
		n := (end - start) / stepMs
		want := query.Explain{InputLines: series, InputDatapoints: input, IntermediateLines: fetched, IntermediateDatapoints: fetched * n, GraphLines: fetched, GraphDatapoints: fetched * n}
		if got := ask(t, st, program, start, end, stepMs).Explain; got != want {
			t.Errorf("%s (%d, %d] by %d:\n got %+v\nwant %+v", program, start-begin, end-begin, stepMs, got, want)
		}
	}
	const sums, gauges = "name,x,:eq,atlas.dstype,sum,:eq,:and", "name,x,:eq,atlas.dstype,gauge,:eq,:and"
	fine := func(from, to int64) int64 { return (to - from) / (10 * second) }
	coarse := func(from, to int64) int64 { return (to - from) / minute }
	f(sums+",:sum", from, now, minute, 3, 3*fine(from, now), 1)
	f(gauges+",:sum", from, now, minute, 3, 3*fine(from, now), 1)
	// One that is read there is not read here any more.
	start, early := from-30*minute, begin+30*minute
	f(sums+",:sum", start, now, minute, 3, 3*coarse(start, from)+3*fine(from, now), 1)
	f(sums+",:sum", early, now, minute, 4, 4*coarse(early, from)+3*fine(from, now), 1)
	f(sums+",(,node,),:by", early, now, minute, 4, 4*coarse(early, from)+3*fine(from, now), 2)
	f(sums+",:sum", early, early+hour, 5*minute, 4, 4*60, 1)
	f(gauges+",:sum", start, now, minute, 3, 2*3*coarse(start, from)+3*fine(from, now), 1)
	f(gauges+",:max", start, now, minute, 3, 3*coarse(start, from)+3*fine(from, now), 1)
	f(gauges+",(,id,),:by", start, now, 5*minute, 3, 2*3*coarse(start, start+step.Ceil(from-start, 5*minute))+3*fine(start+step.Ceil(from-start, 5*minute), now), 3)
	// Steps that are finer than the coarser tier's.
	f(sums+",:sum", start, now, 10*second, 3, 3*coarse(start, from)+3*fine(from, now), 1)
}

// What comes from the cache was read before: the figures do not tell.
func TestExplainOfCachedScans(t *testing.T) {
	const series, steps = 600, 400
	var figures [2]map[string][2]query.Explain
	for i, cache := range []int64{0, 32 << 20} {
		st, err := store.New(store.Options{Step: minute, NewSeriesRate: -1, Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		b, now := store.Batch{}, int64(0)
		refs := make([]store.Ref, series)
		for k := range refs {
			ts := tags.Of("name", "x", "id", fmt.Sprint(k), "node", fmt.Sprint(k%5), "atlas.dstype", "gauge")
			if refs[k], err = st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, now); err != nil {
				t.Fatal(err)
			}
		}
		for range steps {
			now += minute
			b.Reset()
			b.Arrival = now
			for k, ref := range refs {
				b.Add(ref, now, float64(k))
			}
			st.Append(&b, now)
			st.Advance(now)
		}
		for range 100 {
			st.Advance(now)
		}
		figures[i] = map[string][2]query.Explain{}
		for _, program := range []string{"name,x,:eq,:sum", "name,x,:eq,(,node,),:by", "name,x,:eq,(,node,),:by,max,2,:topk", "name,x,:eq,:avg", "name,x,:eq,:sum,10m,:offset"} {
			for _, stepMs := range []int64{minute, 10 * minute} {
				first := ask(t, st, program, 0, steps*minute, stepMs).Explain
				figures[i][fmt.Sprintf("%s by %d", program, stepMs)] = [2]query.Explain{first, ask(t, st, program, 0, steps*minute, stepMs).Explain}
			}
		}
		if hits := st.Stats().Cache.Hits; (hits > 0) != (cache > 0) {
			t.Fatalf("%d block times came from a cache of %d bytes", hits, cache)
		}
	}
	for what, want := range figures[0] {
		if want[0] != want[1] || want[0].InputDatapoints == 0 {
			t.Errorf("%s: without a cache %+v, then %+v", what, want[0], want[1])
		}
		if got := figures[1][what]; got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
		}
	}
}

// lapse is a clock that stands but for one look at it, before which time passes.
type lapse struct {
	*clock.Manual
	at, looks atomic.Int64
	by        time.Duration
}

func (l *lapse) Now() time.Time {
	if l.looks.Add(1) == l.at.Load() {
		l.Manual.Advance(l.by)
	}
	return l.Manual.Now()
}

// The time of fetching is what passes while data is fetched, not what evaluating takes.
func TestExplainTime(t *testing.T) {
	st := open(t)
	for i := range 50 {
		load(t, st, minute, tags.Of("name", "x", "id", fmt.Sprint(i)), 1, 2, 3)
	}
	// during counts the looks before which a lapse is one of fetching, and all looks.
	during := func(program string) (fetching, all int) {
		for n := int64(1); ; n++ {
			c := &lapse{Manual: clock.NewManual(time.UnixMilli(0)), by: 1234567 * time.Microsecond}
			c.at.Store(n)
			r, err := query.New(st, query.Options{Clock: c}).Eval(context.Background(), query.Request{Program: program, End: hour, Step: minute})
			if err != nil {
				t.Fatal(err)
			}
			if n > c.looks.Load() {
				return fetching, int(n) - 1
			}
			switch r.Explain.DataFetchMs {
			case 0:
			case 1234:
				fetching++
			default:
				t.Fatalf("%s: %d ms, want 0 or 1234", program, r.Explain.DataFetchMs)
			}
		}
	}
	const data = "name,x,:eq,(,id,),:by"
	none, _ := during("42")
	plain, all := during(data)
	more, allOfMore := during(data + ",:abs,:neg,:abs,5,:rolling-max,:sqrt")
	twice, _ := during(data + ",:dup,:max,:swap,name,x,:eq,:max,(,id,),:by,:max,:add")
	if none > 1 || plain <= none || twice <= plain {
		t.Errorf("a lapse is fetching before %d looks without data, %d with, %d with twice the data", none, plain, twice)
	}
	if more != plain || allOfMore <= all {
		t.Errorf("with more to evaluate a lapse is fetching before %d of %d looks, without %d of %d", more, allOfMore, plain, all)
	}
}
