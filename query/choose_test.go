package query_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/query"
	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/tags"
)

// newCrowd fills a store with series of all kinds over sealed and open blocks: with
// gaps, with values that are alike, and some that have none at the end.
func newCrowd(t testing.TB, tiers []store.Tier) (*store.Store, int64) {
	const n, steps, stepMs = 700, 3*120 + 50, 10_000
	st, err := store.New(store.Options{Tiers: tiers})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	now := int64(1_700_000_400_000)
	type member struct {
		ref   store.Ref
		shape int
	}
	var all []member
	for i := range n {
		kv := []string{"name", "crowd", "id", fmt.Sprint(i), "pair", fmt.Sprint(i / 2), "half", fmt.Sprint(i % 2), "atlas.dstype", []string{"gauge", "sum", "gauge"}[i%3]}
		if i%5 > 0 {
			kv = append(kv, "zone", fmt.Sprint(i%350))
		}
		ts := tags.Of(kv...)
		ref, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, now)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, member{ref, r.IntN(7)})
	}
	for k := range steps {
		now += stepMs
		var b store.Batch
		for i, m := range all {
			v := float64(r.IntN(1000)) / 8
			switch m.shape {
			case 0:
				v = 0
			case 1:
				v = float64(i % 4)
			case 2:
				v = -v
			case 3:
				if v = math.Copysign(0, -1); k%3 == 0 {
					continue
				}
			case 4:
				if k > steps/2 {
					continue
				}
			case 5:
				v = r.NormFloat64() * 1e9
			}
			b.Add(m.ref, now, v)
		}
		st.Append(&b, now)
		st.Advance(now)
	}
	for range 64 {
		st.Advance(now)
	}
	return st, now
}

// chosen returns the lines of the TopK of a program.
func chosen(t testing.TB, e *query.Engine, program string, start, end, stepMs int64) []query.ResultLine {
	t.Helper()
	r, err := e.Eval(context.Background(), query.Request{Program: program, Start: start, End: end, Step: stepMs})
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return slices.DeleteFunc(r.Lines, func(l query.ResultLine) bool {
		_, ok := l.Style.Expr.(*expr.TopK)
		return !ok
	})
}

// Lines that are chosen one by one are those that are chosen of all lines together,
// which a program asks for by having another use of them.
func TestChoosing(t *testing.T) {
	tiers := map[string][]store.Tier{
		"one tier":  {{Step: 10_000, Retention: 48 * hour}},
		"two tiers": {{Step: 10_000, Retention: 20 * minute}, {Step: minute, Retention: 48 * hour}},
	}
	data := []string{
		":sum,(,id,),:by", ":sum,(,pair,half,),:by", ":max,(,pair,),:by", ":min,:cf-max,(,id,),:by", ":count,(,zone,),:by",
		":sum,:cf-sum,(,pair,),:by", ":sum,:cf-max,(,id,),:by", ":all", ":sum,(,id,),:by,5m,:offset",
	}
	stats := []string{"avg", "max", "min", "last", "count", "total"}
	for name, tiers := range tiers {
		st, now := newCrowd(t, tiers)
		e := query.New(st, query.Options{Limits: query.Limits{Lines: 10_000, MemoryBytes: 1 << 30}})
		r := rand.New(rand.NewPCG(7, 8))
		for i, d := range slices.Concat(data, data) {
			for _, word := range []string{":topk", ":bottomk", ":topk-others-sum", ":topk-others-avg", ":bottomk-others-min", ":bottomk-others-max"} {
				stepMs := []int64{10_000, 60_000}[i/len(data)%2]
				end := now/60_000*60_000 - 60_000*r.Int64N(20)
				start := end - 60_000*(1+r.Int64N(40))
				words := fmt.Sprintf("%s,%d,%s", stats[r.IntN(len(stats))], []int{1, 5, 60, 300}[r.IntN(4)], word)
				got := chosen(t, e, "name,crowd,:eq,"+d+","+words, start, end, stepMs)
				want := chosen(t, e, "name,crowd,:eq,"+d+",:dup,"+words, start, end, stepMs)
				if len(got) == 0 {
					t.Fatalf("%s: %s,%s: nothing", name, d, words)
				}
				sameLines(t, fmt.Sprintf("%s: %s,%s by %d", name, d, words, stepMs), got, want)
			}
		}
	}
}

func sameLines(t *testing.T, what string, got, want []query.ResultLine) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d lines, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Label != w.Label || g.Legend != w.Legend || !g.Tags.Equal(w.Tags) {
			t.Fatalf("%s: line %d is %s %s, want %s %s", what, i, g.Label, g.Tags, w.Label, w.Tags)
		}
		for k, v := range w.Values {
			if math.Float64bits(g.Values[k]) != math.Float64bits(v) && (v == v || g.Values[k] == g.Values[k]) {
				t.Fatalf("%s: %s at %d: %v, want %v", what, w.Label, k, g.Values[k], v)
			}
		}
	}
}

// Few lines of many need no room for all of them, and no more time than a query has.
func TestChoosingTakesLittleMemory(t *testing.T) {
	st, now := newCrowd(t, []store.Tier{{Step: 10_000, Retention: 48 * hour}})
	e := query.New(st, query.Options{Limits: query.Limits{MemoryBytes: 256 << 10}})
	ask := func(ctx context.Context, words string) (*query.Result, error) {
		return e.Eval(ctx, query.Request{Program: "name,crowd,:eq,:sum,(,id,),:by," + words, Start: now - 300*10_000, End: now, Step: 10_000})
	}
	for words, lines := range map[string]int{"max,3,:topk": 3, "max,3,:topk,100,:mul": 3, "min,3,:bottomk-others-sum": 4, "max,5,:topk,max,2,:topk": 2, "max,60,:topk": 60, "max,60,:topk,100,:mul": 60} {
		if r, err := ask(context.Background(), words); err != nil || len(r.Lines) != lines {
			t.Errorf("%s: %v, want %d lines", words, err, lines)
		}
	}
	for _, words := range []string{":dup,max,3,:topk", "max,300,:topk"} {
		if _, err := ask(context.Background(), words); !errors.Is(err, query.ErrLimit) {
			t.Errorf("%s: %v, want a limit", words, err)
		}
	}
	if _, err := ask(context.Background(), "most,3,:topk"); err == nil || !strings.Contains(err.Error(), "most") {
		t.Errorf("a statistic that there is not: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ask(ctx, "max,3,:topk"); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled query: %v", err)
	}
}

// interrupted is a context that calls f when it is asked for the n-th time whether it
// has ended, as happens again and again while series are read.
type interrupted struct {
	context.Context
	n int
	f func()
}

func (c *interrupted) Err() error {
	if c.n--; c.n == 0 {
		c.f()
	}
	return c.Context.Err()
}

// A line of the others is of the values that the chosen ones have in the same answer,
// also when points come while it is made.
func TestOthersAreOfOneReading(t *testing.T) {
	const n, stepMs = 300, 10_000
	begin := int64(1_700_000_400_000)
	between := 0 // how often points came between two lines of the second reading
	for at := 1; ; at++ {
		st, err := store.New(store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var refs []store.Ref
		for i := range n {
			ts := tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", "sum")
			ref, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, begin)
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
		}
		last := slices.Max(refs) // is read last, and chosen
		send := func() {
			var b store.Batch
			for _, ref := range refs {
				v := 1.0
				if ref == last {
					v = 100
				}
				b.Add(ref, begin, v)
			}
			st.Append(&b, begin)
		}
		send()
		came := false
		ctx := &interrupted{context.Background(), at, func() { came = true; send() }}
		parsed, err := asl.New(asl.All(), asl.Limits{}).ParseStyleWith("name,m,:eq,:sum,(,id,),:by,max,1,:topk-others-sum", asl.Options{})
		if err != nil {
			t.Fatal(err)
		}
		top := parsed[0].Expr.(*expr.TopK)
		f, err := query.Fetch(ctx, st, top.Expr.(expr.DataExpr), query.FetchRange{Start: begin - 30*stepMs, End: begin, Step: stepMs, Choose: top})
		if err != nil || !f.Chosen || len(f.Lines) != 2 {
			t.Fatal(err, f)
		}
		if !came {
			break
		}
		others, chosen := f.Lines[0].Values[29], f.Lines[1].Values[29]
		if others > n-1 && chosen != 200 {
			t.Fatalf("points came at look %d: the others, which are read before, have them with %v, the chosen one has %v", at, others, chosen)
		}
		if others > n-1 && others < 2*(n-1) {
			between++
		}
	}
	if between == 0 {
		t.Error("points never came while lines were read")
	}
}

// newManyAndFew fills a store with lines by cell: of "many" with 16 series each, of "few"
// with two.
func newManyAndFew(t testing.TB, lines, steps int, cache int64) (*store.Store, int64) {
	t.Helper()
	st, err := store.New(store.Options{Cache: cache, NewSeriesRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	now := int64(1_700_000_400_000)
	var b store.Batch
	for i := range lines * 18 {
		name := "many"
		if i%9 == 0 {
			name = "few"
		}
		ts := tags.Of("name", name, "id", fmt.Sprint(i), "cell", fmt.Sprint(i/9%lines), "atlas.dstype", "gauge")
		ref, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, now)
		if err != nil {
			t.Fatal(err)
		}
		b.Add(ref, 0, float64(i%101)/7)
	}
	for range steps {
		now += 10_000
		for i := range b.Times {
			b.Times[i] = now
		}
		st.Append(&b, now)
	}
	for range 128 {
		st.Advance(now + 600_000)
	}
	return st, now
}

// Lines of many series come from the store's cache, those of few are chosen one by
// one, and so are those that have no room together.
func TestChoosingFromTheCache(t *testing.T) {
	const lines, steps, stepMs = 300, 2*120 + 20, 10_000
	st, now := newManyAndFew(t, lines, steps, 32<<20)
	in := asl.New(asl.All(), asl.Limits{})
	fetch := func(name string, most int64, choosing bool) query.Fetched {
		t.Helper()
		parsed, err := in.ParseStyleWith("name,"+name+",:eq,:sum,(,cell,),:by,max,3,:topk", asl.Options{})
		if err != nil {
			t.Fatal(err)
		}
		top := parsed[0].Expr.(*expr.TopK)
		r := query.FetchRange{Start: now - (steps-5)*stepMs, End: now, Step: stepMs, MaxLines: most}
		if choosing {
			r.Choose = top
		}
		f, err := query.Fetch(context.Background(), st, top.Expr.(expr.DataExpr), r)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	fetch("many", 0, false)
	if f := fetch("many", 0, true); !f.Chosen || f.Stats.Cached == 0 || len(f.Lines) != 3 {
		t.Errorf("many series: chosen %v, %+v, %d lines", f.Chosen, f.Stats, len(f.Lines))
	}
	if f := fetch("many", lines-1, true); !f.Chosen || f.Stats.Cached > 0 || len(f.Lines) != 3 {
		t.Errorf("without room: chosen %v, %d lines", f.Chosen, len(f.Lines))
	}
	if f := fetch("few", 0, true); !f.Chosen || f.Stats.Cached > 0 || len(f.Lines) != 3 {
		t.Errorf("few series: chosen %v, %d lines", f.Chosen, len(f.Lines))
	}
	e := query.New(st, query.Options{Limits: query.Limits{Lines: 10_000}})
	for _, words := range []string{"max,3,:topk", "max,3,:topk-others-sum", "avg,60,:bottomk-others-max"} {
		for _, every := range []int64{stepMs, 6 * stepMs} {
			end := now / (6 * stepMs) * (6 * stepMs)
			program := "name,many,:eq,:sum,(,cell,),:by,"
			got := chosen(t, e, program+words, end-240*stepMs, end, every)
			sameLines(t, words, got, chosen(t, e, program+":dup,"+words, end-240*stepMs, end, every))
		}
	}
}

// What a query has room for does not depend on the cache: lines that are read at once for
// it leave room for what else is asked.
func TestChoosingLeavesRoom(t *testing.T) {
	const lines, steps, stepMs = 300, 2*120 + 20, 10_000
	answers := map[int64][]int{}
	for _, cache := range []int64{0, 32 << 20} {
		st, now := newManyAndFew(t, lines, steps, cache)
		for kib := 200; kib <= 2000; kib += 100 {
			e := query.New(st, query.Options{Limits: query.Limits{MemoryBytes: int64(kib) << 10}})
			program := "name,many,:eq,:sum,(,cell,),:by,max,3,:topk,name,few,:eq,:sum,(,id,),:by,max,200,:topk"
			_, err := e.Eval(context.Background(), query.Request{Program: program, Start: now - (steps-5)*stepMs, End: now, Step: stepMs})
			if err == nil {
				answers[cache] = append(answers[cache], kib)
			} else if !errors.Is(err, query.ErrLimit) {
				t.Fatal(err)
			}
		}
	}
	if without, with := answers[0], answers[32<<20]; len(without) == 0 || !slices.Equal(without, with) {
		t.Errorf("answered within %v KiB without a cache, within %v with one", without, with)
	}
}
