package store_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/budget"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/norm"
	"pulse/store/step"
	"pulse/store/tags"
)

var (
	seeds = flag.Uint64("seeds", 10, "how many seeds TestAgainstModel runs")
	first = flag.Uint64("first", 0, "the first of them")
)

// model is the plain twin of a store: maps from series to step to value.
type model struct {
	o      store.Options
	series map[store.Ref]*modelSeries
	total  store.Result
}

type modelSeries struct {
	tags   tags.Tags
	kind   norm.Kind
	state  norm.State
	used   bool
	amount bool
	values map[int64]float64 // in the unit that the series keeps
	first  int64
	links  map[store.SourceID]int64
}

func (m *model) secs() float64 { return float64(m.o.Step) / 1000 }

func (m *model) add(ref store.Ref, ts tags.Tags) {
	if m.series[ref] != nil {
		return
	}
	dstype, _ := ts.Get("atlas.dstype")
	m.series[ref] = &modelSeries{tags: ts, kind: norm.KindOf(dstype), values: map[int64]float64{}, links: map[store.SourceID]int64{}}
}

// forget drops the series that the store has given up, of which nothing may be
// left, and returns how many they are.
func (m *model) forget(t *testing.T, s *store.Store, now int64) (n int) {
	t.Helper()
	for ref, x := range m.series {
		if known, ok := s.Known(x.tags); ok {
			if known != ref {
				t.Fatalf("%s is %d, was %d", x.tags, known, ref)
			}
			continue
		}
		for at := range x.values {
			if at > now-m.o.Retention {
				t.Fatalf("%s was given up with a value %d ms old", x.tags, now-at)
			}
		}
		delete(m.series, ref)
		n++
	}
	return n
}

func (m *model) append(b *store.Batch, now int64) store.Result {
	var r store.Result
	for i, ref := range b.Refs {
		t, v := b.Times[i], b.Values[i]
		if t < now-m.o.MaxPast || t > now+m.o.MaxFuture {
			r.Late++
			continue
		}
		s := m.series[ref]
		at := step.Floor(t, m.o.Step)
		if s.kind == norm.Gauge || s.kind == norm.Sum {
			at = step.Ceil(t, m.o.Step)
		}
		if _, ok := s.links[b.Source]; !ok {
			s.links[b.Source] = at
			if len(s.links) == 1 && s.first == 0 {
				s.links[b.Source] = 0
			}
		}
		if m.point(s, at, t, v, b.Amount, now) {
			r.Stored++
		} else {
			r.Superseded++
			if s.kind == norm.Rate || s.kind == norm.Counter {
				r.Repeated++
			}
		}
	}
	m.total.Stored += r.Stored
	m.total.Superseded += r.Superseded
	m.total.Repeated += r.Repeated
	m.total.Late += r.Late
	return r
}

func (m *model) point(s *modelSeries, at, t int64, v float64, amount bool, now int64) bool {
	var e norm.Emit
	changed := false
	switch s.kind {
	case norm.Gauge:
		old, ok := s.values[at]
		return v == v && (!ok || v > old) && s.set(at, v)
	case norm.Sum:
		if !s.used {
			s.used, s.amount = true, amount
		}
		if s.amount && !amount {
			v *= m.secs()
		} else if !s.amount && amount {
			v /= m.secs()
		}
		old, ok := s.values[at]
		return v == v && (!ok || old+v != old && old+v == old+v) && s.set(at, old+v)
	case norm.Rate:
		e, changed = s.state.Rate(norm.Params{Step: m.o.Step, Heartbeat: m.o.RateHeartbeat}, t, v)
	case norm.Counter:
		s.amount = true
		e, changed = s.state.Counter(norm.Params{Step: m.o.Step, Heartbeat: m.o.CounterHeartbeat}, t, v)
	}
	for i := range int64(e.N) {
		value, at := e.Value, e.First+i*m.o.Step
		if i == 0 {
			value = e.FirstValue
		}
		if value == value && at >= step.Floor(now-m.o.MaxPast, m.o.Step) {
			s.set(at, value)
		}
	}
	return changed
}

func (s *modelSeries) set(at int64, v float64) bool {
	s.values[at] = v
	if s.first == 0 || at < s.first {
		s.first = at
	}
	return true
}

// read returns the value of a query at one step.
func (m *model) read(st *store.Store, s *modelSeries, at int64, zeroFill bool) float64 {
	v, ok := s.values[at]
	switch {
	case ok && s.amount:
		return v / m.secs()
	case ok:
		return v
	case zeroFill && s.kind != norm.Gauge && s.first != 0 && at >= s.first:
		for id, since := range s.links {
			if at >= since && st.Present(id, s.kind, at) {
				return 0
			}
		}
	}
	return math.NaN()
}

// scan answers like Store.Scan, without the lines that have no value at all.
func (m *model) scan(st *store.Store, q store.Scan) map[string][]float64 {
	refs := make([]store.Ref, 0, len(m.series))
	for ref := range m.series {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	out := map[string][]float64{}
	for _, ref := range refs {
		s := m.series[ref]
		key, ok := modelKey(s.tags, q)
		if !ok || !match.MatchesTags(q.Query, s.tags) {
			continue
		}
		for at := q.Start + m.o.Step; at <= q.End; at += m.o.Step {
			v := m.read(st, s, at, q.ZeroFill)
			if v != v {
				continue
			}
			if out[key] == nil {
				out[key] = slices.Repeat([]float64{math.NaN()}, int((q.End-q.Start)/m.o.Step))
			}
			acc := &out[key][(at-q.Start)/m.o.Step-1]
			*acc = modelFold(q.Agg, *acc, v)
		}
	}
	return out
}

func modelKey(ts tags.Tags, q store.Scan) (string, bool) {
	if q.Agg == store.AggAll {
		return ts.String(), true
	}
	var parts []string
	for _, k := range q.By {
		v, ok := ts.Get(k)
		if !ok {
			return "", false
		}
		parts = append(parts, k+"="+v)
	}
	return "(" + strings.Join(parts, " ") + ")", true
}

func modelFold(agg store.Agg, acc, v float64) float64 {
	if agg == store.AggCount {
		v = 1
	}
	switch {
	case acc != acc:
		return v
	case agg == store.AggSum || agg == store.AggCount:
		return acc + v
	case agg == store.AggMin:
		return min(acc, v)
	default:
		return max(acc, v)
	}
}

// keyed turns lines into the form of model.scan and checks their order.
func keyed(t *testing.T, q store.Scan, lines []store.Line) map[string][]float64 {
	t.Helper()
	out := map[string][]float64{}
	last := ""
	for i, line := range lines {
		key, _ := modelKey(line.Tags, q)
		if i > 0 && key <= last {
			t.Fatalf("line %q after %q", key, last)
		}
		last = key
		if slices.ContainsFunc(line.Values, func(v float64) bool { return v == v }) {
			out[key] = line.Values
		}
	}
	return out
}

var modelQueries = []match.Query{
	match.True, named("m0"), named("m1"),
	&match.And{L: named("m2"), R: &match.Has{Key: "node"}},
	&match.Not{Q: &match.Equal{Key: "node", Value: "i-1"}},
}

func randomScan(r *rand.Rand, o store.Options, oldest, now int64, fill bool) store.Scan {
	q := store.Scan{
		Query:    modelQueries[r.IntN(len(modelQueries))],
		Agg:      store.Agg(r.IntN(5)),
		ZeroFill: fill && r.IntN(3) == 0,
	}
	if q.Agg != store.AggAll {
		q.By = [][]string{nil, nil, {"node"}, {"name"}, {"name", "node"}}[r.IntN(5)]
	}
	q.Start = oldest + r.Int64N(now-oldest)/o.Step*o.Step
	q.End = q.Start + r.Int64N(min(now-q.Start+2*o.Step, 300*o.Step))/o.Step*o.Step
	return q
}

func compareScan(t *testing.T, m *model, s *store.Store, q store.Scan) {
	t.Helper()
	want := m.scan(s, q)
	for range 2 { // the second may come from the cache
		lines, _, err := s.Scan(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		got := keyed(t, q, lines)
		if len(got) != len(want) {
			t.Fatalf("%s by %v agg %d fill %v (%d, %d]: %d lines with data, want %d", q.Query, q.By, q.Agg, q.ZeroFill, q.Start, q.End, len(got), len(want))
		}
		for key, values := range want {
			if !same(got[key], values) {
				t.Fatalf("%s by %v agg %d fill %v (%d, %d] line %s:\n got %v\nwant %v", q.Query, q.By, q.Agg, q.ZeroFill, q.Start, q.End, key, got[key], values)
			}
		}
	}
}

// compareColumn checks that a watch shows what a scan of the step shows.
func compareColumn(t *testing.T, s *store.Store, w *store.Watch, spec store.WatchSpec, at int64, fill bool) {
	t.Helper()
	column := w.Column(at, fill, nil)
	got := map[string][]float64{}
	for i, g := range w.Groups() {
		if column[i] == column[i] {
			key, _ := modelKey(g.Tags, store.Scan{By: spec.By, Agg: spec.Agg})
			got[key] = []float64{column[i]}
		}
	}
	q := store.Scan{Query: spec.Query, By: spec.By, Agg: spec.Agg, Start: at - s.Step(), End: at, ZeroFill: fill}
	want := keyed(t, q, scan(t, s, q))
	if len(got) != len(want) {
		t.Fatalf("column %d fill %v of %s: %v, want %v", at, fill, spec.Query, got, want)
	}
	for key, v := range want {
		if !same(got[key], v) {
			t.Fatalf("column %d fill %v of %s, %s: %v, want %v", at, fill, spec.Query, key, got[key], v)
		}
	}
}

var modelTypes = []string{"rate", "counter", "gauge", "sum", ""}

func modelTags(r *rand.Rand) tags.Tags {
	m := map[string]string{"name": fmt.Sprintf("m%d", r.IntN(3)), "id": fmt.Sprint(r.IntN(20))}
	if r.IntN(3) > 0 {
		m["node"] = fmt.Sprintf("i-%d", r.IntN(3))
	}
	if d := modelTypes[r.IntN(len(modelTypes))]; d != "" {
		m["atlas.dstype"] = d
	}
	return tags.FromMap(m)
}

func modelValue(r *rand.Rand) float64 {
	switch r.IntN(12) {
	case 0:
		return math.NaN()
	case 1:
		return 0
	case 2:
		return r.NormFloat64() * 1e9
	case 3:
		return math.Inf(1 - r.IntN(2)*2)
	default:
		return float64(r.IntN(50))
	}
}

// TestAgainstModel sends random points in any order, with duplicates, and
// compares every kind of answer with the naive maps, over head and sealed
// blocks, while time passes and blocks are sealed and expire.
func TestAgainstModel(t *testing.T) { eachSeed(t, modelRound) }

// eachSeed runs a round for every seed that is asked for.
func eachSeed(t *testing.T, round func(t *testing.T, seed uint64)) {
	rounds := *seeds
	switch {
	case testkit.Race:
		rounds = min(rounds, 1) // there is one goroutine
	case testing.Short():
		rounds = min(rounds, 4)
	}
	for seed := *first; seed < *first+rounds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { round(t, seed) })
	}
}

func modelRound(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	o := store.Options{
		Step:            []int64{100, 1000, 10_000, 60_000}[r.IntN(4)],
		MaxValuesPerKey: 100,
		Memory:          budget.New(0),
	}
	// Zeros are compared only where no series is forgotten and comes back.
	fill := seed%2 == 0
	o.Retention = o.Step * block.Size * (2 + r.Int64N(4))
	if fill {
		o.Retention = o.Step * block.Size * 100
	}
	if r.IntN(2) == 0 {
		o.MaxPast = o.Step * r.Int64N(200)
	}
	if seed/2%2 == 0 {
		o.Cache = 1 << 20
	}
	s := open(t, o)
	s.CacheAll()
	switch seed % 3 { // sealed blocks in memory, in files that are read, or mapped
	case 1:
		if err := s.AttachArchives(faulty.New(seed), 0); err != nil {
			t.Fatal(err)
		}
	case 2:
		fs, _ := realFolder(t)
		if err := s.AttachArchives(fs, 0); err != nil {
			t.Fatal(err)
		}
	}
	o = s.Options()
	m := &model{o: o, series: map[store.Ref]*modelSeries{}}
	specs := []store.WatchSpec{
		{Query: match.True, Agg: store.AggAll},
		{Query: named("m1"), By: []string{"node"}, Agg: store.AggSum},
		{Query: modelQueries[4], Agg: store.AggCount},
	}
	watches := make([]*store.Watch, len(specs))
	now := start + r.Int64N(o.Step)
	oldest := step.Floor(now, o.Step) - 2*o.Step*block.Size
	var batch store.Batch
	forgotten := 0
	sealed := false
	for i := range 500 {
		if i%100 == 0 {
			for k := range watches {
				if watches[k] != nil && k != 1 {
					watches[k].Close()
				}
				if watches[k] == nil || k != 1 {
					watches[k] = s.Watch(specs[k])
				}
			}
		}
		randomBatch(t, r, s, m, &batch, now)
		if got, want := s.Append(&batch, now), m.append(&batch, now); got != want {
			t.Fatalf("append %d: %+v, want %+v", i, got, want)
		}
		switch r.IntN(10) {
		case 0:
			now += r.Int64N(o.Step * 100)
		case 1, 2, 3:
		default:
			now += r.Int64N(3 * o.Step)
		}
		if r.IntN(4) > 0 {
			s.Advance(now)
			forgotten += m.forget(t, s, now)
		}
		sealed = sealed || s.Stats().Blocks > 0
		if i%7 == 0 {
			from := max(oldest, step.Floor(now-o.Retention, o.Step)+o.Step*block.Size)
			compareScan(t, m, s, randomScan(r, o, from, now, fill))
			k := r.IntN(len(specs))
			at := step.Floor(now, o.Step) - o.Step*r.Int64N(block.Size)
			compareColumn(t, s, watches[k], specs[k], max(at, from+o.Step), fill && r.IntN(2) == 0)
		}
	}
	if got := s.Stats().Total; got != m.total {
		t.Errorf("totals %+v, want %+v", got, m.total)
	}
	if !sealed {
		t.Error("nothing was sealed")
	}
	if t.Logf("%d series were given up", forgotten); forgotten > 0 && fill {
		t.Error("series were given up before their time")
	}
	if err := s.CheckMemory(); err != nil {
		t.Error(err)
	}
}

// randomBatch fills b with points at random times around the age limits.
func randomBatch(t *testing.T, r *rand.Rand, s *store.Store, m *model, b *store.Batch, now int64) {
	t.Helper()
	b.Reset()
	b.Source = s.Source(fmt.Sprintf("source %d", r.IntN(3)), now)
	b.Arrival, b.Amount = now, r.IntN(2) == 0
	for range r.IntN(30) {
		ts := modelTags(r)
		ref := resolve(t, s, now, ts)
		m.add(ref, ts)
		at := now - r.Int64N(m.o.Step*3)
		switch r.IntN(8) {
		case 0:
			at = now - m.o.MaxPast - m.o.Step + r.Int64N(m.o.MaxPast+m.o.MaxFuture+2*m.o.Step)
		case 1:
			at = step.Floor(now, m.o.Step)
		}
		v := modelValue(r)
		b.Add(ref, at, v)
		if r.IntN(8) == 0 {
			b.Add(ref, at, v)
		}
	}
}
