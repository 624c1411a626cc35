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
	"pulse/store/match"
	"pulse/store/step"
	"pulse/store/tags"
)

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
)

// twin is a store with tiers whose primary values have mostly expired, and one
// that has them all.
type twin struct {
	tiered, full *store.Store
	begin, now   int64
	tiers        []store.Tier
}

// newTwin fills both with the same series: rates complete and with gaps,
// gauges complete and with gaps, some of which come and go.
func newTwin(t testing.TB) *twin {
	t.Helper()
	const day = 24 * hour
	w := &twin{tiers: []store.Tier{
		{Step: 10 * second, Retention: 20 * minute}, {Step: minute, Retention: 5 * hour}, {Step: 10 * minute, Retention: 30 * day},
	}}
	var err error
	if w.tiered, err = store.New(store.Options{Tiers: w.tiers}); err != nil {
		t.Fatal(err)
	}
	if w.full, err = store.New(store.Options{Retention: 60 * day}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	w.begin = step.Floor(1_700_000_000_000, 20*hour)
	w.now = w.begin
	type series struct {
		ts  tags.Tags
		gap int
		ref [2]store.Ref
	}
	var all []*series
	for i := range 24 {
		kind, name := "sum", "rates"
		if i%2 == 1 {
			kind, name = "gauge", "gauges"
		}
		s := &series{ts: tags.FromMap(map[string]string{
			"name": name, "id": fmt.Sprint(i), "node": fmt.Sprintf("i-%d", i%3), "full": fmt.Sprint(i%4 < 2), "atlas.dstype": kind,
		})}
		if i%4 >= 2 {
			s.gap = 2 + i%5
		}
		for k, st := range []*store.Store{w.tiered, w.full} {
			if s.ref[k], err = st.Resolve(st.HashTags(store.Hash{}, s.ts.AppendKey(nil)), s.ts, w.now); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, s)
	}
	var batches [2]store.Batch
	for n := 0; w.now < w.begin+30*hour+7*minute; n++ {
		w.now += 10 * second
		for k := range batches {
			batches[k].Reset()
		}
		for _, s := range all {
			if s.gap > 0 && (r.IntN(s.gap) == 0 || n/100%s.gap == 0) {
				continue
			}
			v := float64(r.IntN(10_000)) / 16
			for k := range batches {
				batches[k].Add(s.ref[k], w.now, v)
			}
		}
		w.tiered.Append(&batches[0], w.now)
		w.full.Append(&batches[1], w.now)
		if n%3 == 0 {
			w.tiered.Advance(w.now)
			w.full.Advance(w.now)
		}
	}
	for range 500 {
		w.tiered.Advance(w.now)
	}
	for i, rg := range w.tiered.Tiers()[:2] {
		if rg.From < w.begin+hour {
			t.Fatalf("tier %d still goes back to %d: %+v", i, rg.From-w.begin, w.tiered.Tiers())
		}
	}
	return w
}

func TestTiers(t *testing.T) {
	w := newTwin(t)
	t.Run("like the primary", w.answerLikePrimary)
	t.Run("recent", w.recentAnswers)
	t.Run("formulas", w.formulas)
	t.Run("shift", w.shift)
	t.Run("limits", w.limits)
	t.Run("nothing matches", w.nothingMatches)
}

func ask(t testing.TB, st *store.Store, program string, start, end, stepMs int64) *query.Result {
	t.Helper()
	r, err := query.New(st, query.Options{Limits: query.Limits{DatapointsPerLine: 1 << 20, DatapointsRead: 1 << 30, MemoryBytes: 1 << 30}}).Eval(
		context.Background(), query.Request{Program: program, Start: start, End: end, Step: stepMs})
	if err != nil {
		t.Fatalf("%s (%d, %d] by %d: %v", program, start, end, stepMs, err)
	}
	return r
}

func near(a, b float64) bool {
	return a == b || a != a && b != b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
}

// sameAnswer compares all lines of two results.
func sameAnswer(t *testing.T, what string, got, want *query.Result) {
	t.Helper()
	if len(got.Lines) != len(want.Lines) {
		t.Fatalf("%s: %d lines, want %d", what, len(got.Lines), len(want.Lines))
	}
	data := 0
	for i, l := range want.Lines {
		g := got.Lines[i]
		if g.Label != l.Label || !g.Tags.Equal(l.Tags) {
			t.Fatalf("%s: line %d is %s %s, want %s %s", what, i, g.Label, g.Tags, l.Label, l.Tags)
		}
		for k, v := range l.Values {
			if v == v {
				data++
			}
			if !near(g.Values[k], v) {
				t.Fatalf("%s: %s at %d: %v, want %v", what, l.Label, want.Start+int64(k+1)*want.Step, g.Values[k], v)
			}
		}
	}
	if data == 0 {
		t.Fatalf("%s: nothing to compare", what)
	}
}

var functions = []string{":cf-avg", ":cf-sum", ":cf-min", ":cf-max"}

// exact are the pairs of an aggregate and a consolidation whose answers do not
// depend on the tier, for a selection, grouped and not.
func exact(name string) []string {
	var out []string
	for _, by := range []string{"", ",(,node,),:by", ",(,id,),:by"} {
		for _, agg := range []string{":sum", ":count", ":min", ":max"} {
			for _, cf := range functions {
				if cf == ":cf-avg" && name == "gauges" && (agg == ":sum" || agg == ":count") && by != ",(,id,),:by" {
					continue // depends on in how many steps there is any value
				}
				out = append(out, "name,"+name+",:eq,"+agg+","+cf+by)
			}
		}
	}
	return append(out, "name,"+name+",:eq,:all", "name,"+name+",:eq,full,true,:eq,:and,:sum")
}

// answerLikePrimary asks both stores the same, over ranges that one
// tier or several answer.
func (w *twin) answerLikePrimary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, name := range []string{"rates", "gauges"} {
		for _, program := range exact(name) {
			for range 6 {
				every := []int64{10 * minute, 20 * minute, hour, 2 * hour}[r.IntN(4)]
				start := w.begin + r.Int64N(20*hour)
				end := start + hour + r.Int64N(w.now-start)
				start, end = step.Floor(start, every), min(step.Ceil(end, every), step.Floor(w.now, every))
				if r.IntN(3) == 0 {
					every, start = minute, max(start, step.Ceil(w.tiered.Tiers()[1].From, minute))
				}
				if start >= end {
					continue
				}
				want := ask(t, w.full, program, start, end, every)
				got := ask(t, w.tiered, program, start, end, every)
				sameAnswer(t, fmt.Sprintf("%s (%d, %d] by %d", program, start-w.begin, end-w.begin, every), got, want)
			}
		}
	}
}

// What primary steps are left is answered from them, to the last bit.
func (w *twin) recentAnswers(t *testing.T) {
	from := w.tiered.Tiers()[0].From
	for _, name := range []string{"rates", "gauges"} {
		for _, program := range exact(name) {
			for _, every := range []int64{10 * second, 30 * second, minute} {
				start, end := step.Ceil(from, minute), step.Floor(w.now, minute)
				got, want := ask(t, w.tiered, program, start, end, every), ask(t, w.full, program, start, end, every)
				for i, l := range want.Lines {
					for k, v := range l.Values {
						if math.Float64bits(got.Lines[i].Values[k]) != math.Float64bits(v) {
							t.Fatalf("%s: %v, want %v", program, got.Lines[i].Values[k], v)
						}
					}
				}
				if len(got.Notices) > 0 {
					t.Errorf("%s: notices %q", program, got.Notices)
				}
			}
		}
	}
}

// column returns what the selected series have at one primary step.
func (w *twin) column(t *testing.T, name string, start, end int64) []store.Line {
	t.Helper()
	lines, _, err := w.full.Scan(context.Background(), store.Scan{
		Query: &match.Equal{Key: "name", Value: name}, Agg: store.AggAll, Start: start, End: end})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// The formulas where tiers cannot know the answer, and what finer steps read,
// from the primary values.
func (w *twin) formulas(t *testing.T) {
	ranges := w.tiered.Tiers()
	from, to := ranges[1].From+hour, ranges[0].From-hour // of the minutes
	from, to = step.Ceil(from, hour), step.Floor(to, hour)
	if from >= to {
		t.Fatalf("no hour is left: %+v", ranges)
	}
	// cell returns sum, most values of one series, number of values, min and max
	// of the minute that ends at `at`; of one series when it is given.
	cell := func(name string, at int64, only int) (sum, most, count, low, high float64) {
		low, high = math.Inf(1), math.Inf(-1)
		for i, l := range w.column(t, name, at-minute, at) {
			n := 0.0
			for _, v := range l.Values {
				if v == v && (only < 0 || only == i) {
					sum, n, low, high = sum+v, n+1, min(low, v), max(high, v)
				}
			}
			count += n
			most = max(most, n)
		}
		return
	}
	check := func(program string, every int64, notice string, want func(at int64) float64) {
		t.Helper()
		r := ask(t, w.tiered, program, from, from+hour, every)
		for k, v := range r.Lines[0].Values {
			at := from + int64(k+1)*every
			if expected := want(at); !near(v, expected) {
				t.Fatalf("%s by %d at %d: %v, want %v", program, every, at-w.begin, v, expected)
			}
		}
		if text := strings.Join(r.Notices, "\n"); notice == "" && text != "" || !strings.Contains(text, notice) {
			t.Errorf("%s by %d: notices %q, want %q", program, every, r.Notices, notice)
		}
	}
	over := func(name string, at, every int64) (sum, most, count float64) {
		for m := at - every + minute; m <= at; m += minute {
			s, n, c, _, _ := cell(name, m, -1)
			sum, most, count = sum+s, most+n, count+c
		}
		return
	}
	const gauges, rates = "name,gauges,:eq", "name,rates,:eq"
	check(gauges+",:sum", 5*minute, "divides by the most values", func(at int64) float64 {
		sum, most, _ := over("gauges", at, 5*minute)
		return sum / most
	})
	check(gauges+",:count", 5*minute, "divides by the most values", func(at int64) float64 {
		_, most, count := over("gauges", at, 5*minute)
		return count / most
	})
	check(rates+",:count", 5*minute, "counts the values", func(at int64) float64 {
		_, _, count := over("rates", at, 5*minute)
		return count / 30
	})
	check(rates+",:sum", 5*minute, "", func(at int64) float64 {
		sum, _, _ := over("rates", at, 5*minute)
		return sum / 30
	})
	check(rates+",:sum,:cf-max", 5*minute, "consolidates every series first", func(at int64) float64 {
		total := 0.0
		for i := range w.column(t, "rates", at-minute, at) {
			high := math.Inf(-1)
			for m := at - 4*minute; m <= at; m += minute {
				_, _, _, _, h := cell("rates", m, i)
				high = max(high, h)
			}
			if !math.IsInf(high, -1) {
				total += high
			}
		}
		return total
	})

	// Ten seconds and half a minute, from values of a minute.
	minuteOf := func(at int64) int64 { return step.Ceil(at, minute) }
	const repeats = "repeat over steps of"
	check(rates+",:sum", 10*second, repeats, func(at int64) float64 {
		sum, _, _, _, _ := cell("rates", minuteOf(at), -1)
		return sum / 6
	})
	check(rates+",:sum,:cf-sum", 30*second, repeats, func(at int64) float64 {
		sum, _, _, _, _ := cell("rates", minuteOf(at), -1)
		return sum / 2
	})
	check(gauges+",:sum", 10*second, repeats, func(at int64) float64 {
		sum, most, _, _, _ := cell("gauges", minuteOf(at), -1)
		return sum / most
	})
	check(gauges+",:sum,:cf-sum", 30*second, repeats, func(at int64) float64 {
		sum, most, _, _, _ := cell("gauges", minuteOf(at), -1)
		return sum / most * 3
	})
	check(gauges+",:max", 10*second, repeats, func(at int64) float64 {
		_, _, _, _, high := cell("gauges", minuteOf(at), -1)
		return high
	})
	check(rates+",:min", 20*second, repeats, func(at int64) float64 {
		_, _, _, low, _ := cell("rates", minuteOf(at), -1)
		return low
	})
	check(rates+",:count", 10*second, repeats, func(at int64) float64 {
		_, _, count, _, _ := cell("rates", minuteOf(at), -1)
		return count / 6
	})
}

// A shift of data at the primary step reads what is older from minutes, and
// the boundary between tiers inside a range is where the finer one begins.
func (w *twin) shift(t *testing.T) {
	from := w.tiered.Tiers()[0].From
	end := step.Floor(w.now, 10*second)
	start := end - 20*minute
	shift := step.Floor(end-10*minute-from, minute)
	program := fmt.Sprintf("name,rates,:eq,:sum,%ds,:offset", shift/second)
	got := ask(t, w.tiered, program, start, end, 10*second)
	want := ask(t, w.full, program, start, end, 10*second)
	coarse := ask(t, w.full, program, step.Floor(start, minute), step.Ceil(end, minute), minute)
	fine, repeated := 0, 0
	for k, v := range got.Lines[0].Values {
		at := start + int64(k+1)*10*second
		if at-shift > from {
			fine++
			if math.Float64bits(v) != math.Float64bits(want.Lines[0].Values[k]) {
				t.Fatalf("at %d: %v, want %v", at, v, want.Lines[0].Values[k])
			}
			continue
		}
		repeated++
		if expected := coarse.Lines[0].Values[(step.Ceil(at, minute)-coarse.Start)/minute-1]; !near(v, expected) {
			t.Fatalf("at %d: %v, want the minute's %v", at, v, expected)
		}
	}
	if fine == 0 || repeated == 0 {
		t.Fatalf("%d fine steps, %d repeated; the range does not cross %d", fine, repeated, from)
	}
	if len(got.Notices) != 1 || !strings.Contains(got.Notices[0], "kept at a step of 1m and repeat over steps of 10s") {
		t.Errorf("notices %q", got.Notices)
	}
	// A shift that is no whole step of the tier.
	odd := ask(t, w.tiered, "name,rates,:eq,:sum,:cf-sum,3610s,:offset", step.Floor(start, minute), step.Floor(end, minute), minute)
	if !slices.ContainsFunc(odd.Lines[0].Values, func(v float64) bool { return v == v }) || len(odd.Notices) == 0 {
		t.Errorf("an odd shift reads %v, notices %q", odd.Lines[0].Values, odd.Notices)
	}
}

// Cells of all tiers count as what a query reads.
func (w *twin) limits(t *testing.T) {
	start, end := w.begin+10*hour, step.Floor(w.now, hour)
	r := ask(t, w.tiered, "name,rates,:eq,:sum", start, end, hour)
	read := r.Explain.InputDatapoints
	primary := (end - start) / (10 * second) * 12
	if read <= 0 || read >= primary/10 {
		t.Errorf("%d datapoints read, the primary would be %d", read, primary)
	}
	f := func(limit int64, ok bool) {
		t.Helper()
		e := query.New(w.tiered, query.Options{Limits: query.Limits{DatapointsRead: limit}})
		_, err := e.Eval(context.Background(), query.Request{Program: "name,rates,:eq,:sum", Start: start, End: end, Step: hour})
		if ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "too many datapoints") {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	f(read, true)
	f(read-1, false)
	f(1, false)
}

func (w *twin) nothingMatches(t *testing.T) {
	start, end := w.begin+10*hour, step.Floor(w.now, hour)
	r := ask(t, w.tiered, "name,none,:eq,:sum", start, end, hour)
	if len(r.Lines) != 1 || r.Lines[0].Label != "NO DATA" || len(r.Lines[0].Values) != int((end-start)/hour) {
		t.Errorf("%+v", r.Lines)
	}
	if r := ask(t, w.tiered, "name,none,:eq,(,id,),:by", start, end, hour); len(r.Lines) != 0 {
		t.Errorf("%+v", r.Lines)
	}
}

// TestFadedLines: lines that only the coarser tier has left are counted as
// those that are still there.
func TestFadedLines(t *testing.T) {
	st, err := store.New(store.Options{Tiers: []store.Tier{{Step: 10 * second, Retention: 20 * minute}, {Step: minute, Retention: 10 * hour}}})
	if err != nil {
		t.Fatal(err)
	}
	begin := step.Floor(1_700_000_000_000, 20*hour)
	now := begin
	var refs [100]store.Ref
	for i := range refs {
		ts := tags.FromMap(map[string]string{"name": "m", "id": fmt.Sprint(i)})
		if refs[i], err = st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, now); err != nil {
			t.Fatal(err)
		}
	}
	for now < begin+6*hour {
		now += 10 * second
		var b store.Batch
		for i, ref := range refs {
			if early := now < begin+hour; early == (i > 0) { // the first one comes when the others have gone
				b.Add(ref, now, 1)
			}
		}
		st.Append(&b, now)
		st.Advance(now)
	}
	list, err := asl.New(asl.All(), asl.Limits{}).ParseTimeSeries("name,m,:eq,(,id,),:by")
	if err != nil {
		t.Fatal(err)
	}
	ev, err := expr.NewEvaluator(list...)
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(most int64) (lines int, reserved int64, err error) {
		f, err := query.Fetch(context.Background(), st, ev.Data()[0], query.FetchRange{
			Start: begin, End: now, Step: minute, MaxLines: most, Reserve: func(n int64) error { reserved += n; return nil },
		})
		return len(f.Lines), reserved, err
	}
	if n, reserved, err := fetch(100); err != nil || n != 100 || reserved < 100*6*60*16 {
		t.Errorf("%d lines, %d bytes taken: %v", n, reserved, err)
	}
	var limit *store.LimitError
	if _, _, err := fetch(99); !errors.As(err, &limit) || limit.What != "lines" {
		t.Errorf("a line too many: %v", err)
	}
}
