package store_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/step"
)

var threeTiers = []store.Tier{
	{Step: 10 * sec, Retention: 2 * 24 * 3600 * sec},
	{Step: 60 * sec, Retention: 35 * 24 * 3600 * sec},
	{Step: 3600 * sec, Retention: 400 * 24 * 3600 * sec},
}

func imported(t *testing.T, s *store.Store, now int64, lines ...store.ImportLine) store.ImportResult {
	t.Helper()
	r, err := s.Import(&store.ImportBatch{Lines: lines}, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestImportRefuses(t *testing.T) {
	s := open(t, store.Options{Tiers: threeTiers})
	now := int64(start + 400*24*3600*sec + 7*sec)
	closed := step.Floor(now, 10*sec) - 10*sec
	ref := series(t, s, now, "name", "m")
	f := func(want string, every, at int64, v float64) {
		t.Helper()
		r := imported(t, s, now, store.ImportLine{}, store.ImportLine{Ref: ref, Step: every, Times: []int64{at, at}, Values: []float64{v, v}})
		switch {
		case want == "null" && (r.Accepted != 0 || r.Rejected != 0):
			t.Errorf("step %d, time %d: %+v", every, at, r)
		case want == "" && (r.Accepted != 2 || r.Rejected != 0):
			t.Errorf("step %d, time %d: %+v", every, at, r)
		case want != "" && want != "null" && (r.Accepted != 0 || r.Rejected != 2 || len(r.Errors) != 1 || r.Errors[0].Line != 1 || !strings.Contains(r.Errors[0].Reason, want)):
			t.Errorf("step %d, time %d: %+v, want %q", every, at, r, want)
		}
	}
	f("", 0, closed, 1)
	f("", 10*sec, closed-20*sec, 1)
	f("null", 0, closed, math.NaN())
	f("not closed yet", 0, closed+10*sec, 1)
	f("not closed yet", 3600*sec, step.Ceil(now, 3600*sec), 1)
	f("older than every tier", 3600*sec, step.Floor(now-400*24*3600*sec, 3600*sec), 1)
	f("older than every tier", 0, math.MinInt64, 1)
	f("not closed yet", 0, math.MaxInt64, 1)
	f(fmt.Sprintf("%d and %d are", closed-10*sec, closed), 0, closed-5*sec, 1)
	f("step 15000 ms is not a multiple of the primary step", 15*sec, closed, 1)
	f("not a multiple", -10*sec, closed, 1)
	f("longer than", 10*24*3600*sec, step.Floor(now, 10*24*3600*sec), 1)
	f("", 24*3600*sec, step.Floor(now, 24*3600*sec), 1)

	many := store.ImportLine{Ref: ref}
	var lines []store.ImportLine
	for range 100 {
		many.Times, many.Values = append(many.Times, now+1), append(many.Values, 1)
	}
	for range 100 {
		lines = append(lines, many)
	}
	if r := imported(t, s, now, lines...); r.Rejected != 10_000 || len(r.Errors) > 20 {
		t.Errorf("%d rejected, %d reasons", r.Rejected, len(r.Errors))
	}
}

// An import replaces what live points put into the head, in the unit that the
// series keeps, and live points go on from there.
func TestImportIntoTheHead(t *testing.T) {
	for _, kind := range []string{"gauge", "sum", "counter", "rate"} {
		for _, amounts := range []bool{false, true} {
			s := open(t, store.Options{Tiers: threeTiers})
			ref := series(t, s, start, "name", "m", "atlas.dstype", kind)
			now := int64(start)
			for i := range 10 {
				now += 10 * sec
				b := store.Batch{Arrival: now, Amount: amounts}
				b.Add(ref, now, float64(100*i))
				s.Append(&b, now)
			}
			at := now - 50*sec
			want := []float64{0.1, 7, -3.7, 1e300}
			line := store.ImportLine{Ref: ref}
			for i, v := range want {
				line.Times, line.Values = append(line.Times, at+int64(i)*10*sec), append(line.Values, v)
			}
			before := one(t, s, store.Scan{Query: named("m"), Start: start, End: now})
			for range 2 {
				if r := imported(t, s, now, line); r.Accepted != 4 {
					t.Fatalf("%+v", r)
				}
				got := one(t, s, store.Scan{Query: named("m"), Start: start, End: now})
				for i, v := range got {
					stamp := start + int64(i+1)*10*sec
					k := (stamp - at) / (10 * sec)
					expected := before[i]
					if stamp >= at && k < 4 {
						expected = want[k]
					}
					if v != expected && !(v != v && expected != expected) {
						t.Errorf("%s, amounts %v, step %d: %v, want %v", kind, amounts, i, v, expected)
					}
				}
			}
			settle(t, s, now+2*3600*sec)
			for i, v := range one(t, s, store.Scan{Query: named("m"), Start: at - 10*sec, End: at + 30*sec}) {
				if v != want[i] {
					t.Errorf("%s, amounts %v, sealed: %v, want %v", kind, amounts, v, want[i])
				}
			}
		}
	}
}

// A sum that was imported before its first point keeps what was imported,
// whatever unit the points come in.
func TestImportBeforeTheFirstPoint(t *testing.T) {
	for _, amounts := range []bool{false, true} {
		s := open(t, store.Options{Tiers: threeTiers})
		ref := series(t, s, start, "name", "m", "atlas.dstype", "sum")
		now := int64(start + 60*sec)
		imported(t, s, now, store.ImportLine{Ref: ref, Times: []int64{start + 10*sec, start + 20*sec}, Values: []float64{3.5, 0.3}})
		b := store.Batch{Arrival: now, Amount: amounts}
		b.Add(ref, start+20*sec, 7)
		s.Append(&b, now)
		want := []float64{3.5, 7.3}
		if amounts {
			want[1] = 1
		}
		if got := one(t, s, store.Scan{Query: named("m"), Start: start, End: start + 20*sec}); !near(got[0], want[0]) || !near(got[1], want[1]) {
			t.Errorf("amounts %v: %v, want %v", amounts, got, want)
		}
	}
}

// Where only a coarser tier is left, what a line has for one of its steps
// replaces the step together.
func TestImportIntoCoarseSteps(t *testing.T) {
	s := open(t, store.Options{Tiers: threeTiers})
	const day = 24 * 3600 * sec
	now := int64(start + 400*day)
	for range 3 {
		s.Advance(now)
	}
	ref := series(t, s, now, "name", "m", "atlas.dstype", "gauge")
	at := step.Floor(now-10*day, 3600*sec) // minutes are left
	want := func(tier int, end, every int64, fields ...float64) {
		t.Helper()
		for f, v := range fields {
			got := one(t, s, store.Scan{Query: named("m"), Tier: tier, Field: store.Field(f), Start: end - every, End: end})
			if len(got) != 1 || !near(got[0], v) {
				t.Errorf("tier %d field %d at %d: %v, want %v", tier, f, end, got, v)
			}
		}
	}
	put := func(every int64, times []int64, values ...float64) {
		t.Helper()
		for range 2 {
			if r := imported(t, s, now, store.ImportLine{Ref: ref, Step: every, Times: times, Values: values}); r.Accepted != len(times) {
				t.Fatalf("%+v", r)
			}
		}
	}
	put(0, []int64{at + 10*sec, at + 20*sec, at + 60*sec, at + 70*sec}, 4, 8, 6, 1)
	want(1, at+60*sec, 60*sec, 18, 3, 4, 8)
	want(1, at+120*sec, 60*sec, 1, 1, 1, 1)
	put(60*sec, []int64{at + 60*sec}, 5)
	want(1, at+60*sec, 60*sec, 30, 6, 5, 5)
	want(1, at+120*sec, 60*sec, 1, 1, 1, 1)
	put(3600*sec, []int64{at + 3600*sec}, 2)
	want(1, at+120*sec, 60*sec, 12, 6, 2, 2)
	for i := range int64(100) {
		s.Advance(now + i*sec)
	}
	want(2, at+3600*sec, 3600*sec, 720, 360, 2, 2)

	old := step.Floor(now-100*day, 3600*sec) // hours are left
	put(60*sec, []int64{old + 60*sec, old + 120*sec}, 3, 9)
	want(2, old+3600*sec, 3600*sec, 72, 12, 3, 9)
	put(2*3600*sec, []int64{step.Ceil(old+1, 2*3600*sec)}, 1.5)
	want(2, old+3600*sec, 3600*sec, 540, 360, 1.5, 1.5)

	// A value that reaches over the border of two tiers is in both.
	from := s.Tiers()[0].From
	border := step.Ceil(from+1, 3600*sec)
	put(3600*sec, []int64{border}, 7)
	want(0, border, 10*sec, 7)
	if from%(3600*sec) != 0 {
		want(1, from, 60*sec, 42, 6, 7, 7)
	}
}

// Series that nothing was left of, or only coarse steps, are as searchable and
// watched as what was imported says.
func TestImportBringsSeriesBack(t *testing.T) {
	s := open(t, store.Options{Tiers: []store.Tier{{Step: 10 * sec, Retention: 3600 * sec}, {Step: 60 * sec, Retention: 10 * 3600 * sec}}})
	now := int64(start)
	ref := series(t, s, now, "name", "m", "atlas.dstype", "sum")
	src := s.Source("a", now)
	send(s, src, now, point{ref, now, 1})
	w := s.Watch(store.WatchSpec{Query: named("m"), Agg: store.AggCount})
	watched := func() bool {
		at := step.Floor(now, 10*sec) - 30*sec
		send(s, src, now, point{series(t, s, now, "name", "other"), now, 1})
		v := w.Column(at, true, nil)
		return len(v) == 1 && v[0] == v[0]
	}
	pass := func(ms int64) {
		for end := now + ms; now < end; {
			now += 60 * sec
			send(s, src, now, point{series(t, s, now, "name", "other"), now, 1})
			s.Advance(now)
		}
		for range 100 {
			s.Advance(now)
		}
	}
	found := func() int { return len(s.Values("name", named("m"), "", 0)) }
	pass(1200 * sec)
	if found() != 1 {
		t.Fatal("not searchable")
	}
	pass(3 * 3600 * sec)
	if found() != 1 || watched() {
		t.Errorf("only coarse steps are left: searchable %d, watched %v", found(), watched())
	}
	if lines := scan(t, s, store.Scan{Query: named("m"), Agg: store.AggAll, Start: now - 600*sec - now%(10*sec), End: now - now%(10*sec)}); len(lines) != 0 {
		t.Errorf("a later range has %d lines", len(lines))
	}
	if lines := scan(t, s, store.Scan{Query: named("m"), Agg: store.AggAll, Tier: 1, Start: start - 600*sec, End: start + 600*sec}); len(lines) != 1 {
		t.Errorf("its own range has %d lines", len(lines))
	}
	at := step.Floor(now, 60*sec) - 2*3600*sec
	imported(t, s, now, store.ImportLine{Ref: ref, Step: 60 * sec, Times: []int64{at}, Values: []float64{1}})
	if found() != 1 || watched() {
		t.Errorf("an import of coarse steps: searchable %d, watched %v", found(), watched())
	}
	recent := step.Floor(now, 10*sec) - 30*sec
	imported(t, s, now, store.ImportLine{Ref: ref, Times: []int64{recent}, Values: []float64{4}})
	if v := w.Column(recent, false, nil); found() != 1 || !same(v, []float64{1}) {
		t.Errorf("an import of the head: searchable %d, column %v", found(), v)
	}
	pass(14 * 3600 * sec)
	if found() != 0 {
		t.Error("still searchable when nothing is left")
	}
	if got := s.Stats(); got.Series != 1 {
		t.Errorf("%+v", got)
	}
}

// Patches are read wherever blocks are, and series come and go below them.
func TestImportIntoSealedBlocks(t *testing.T) {
	s := open(t, store.Options{Tiers: threeTiers})
	var refs []store.Ref
	for i := range 40 {
		refs = append(refs, series(t, s, start, "name", "m", "id", fmt.Sprint(i), "atlas.dstype", "gauge"))
	}
	now := int64(start)
	for range 3 * block.Size {
		now += 10 * sec
		var points []point
		for i, ref := range refs {
			points = append(points, point{ref, now, float64(i)})
		}
		send(s, 0, now, points...)
		s.Advance(now)
	}
	settle(t, s, now+3600*sec)
	at := int64(start + 50*10*sec)
	for i := range refs {
		imported(t, s, now, store.ImportLine{Ref: refs[(i*7)%len(refs)], Times: []int64{at}, Values: []float64{1000}})
	}
	if s.Patches() == 0 {
		t.Fatal("nothing was patched")
	}
	for _, c := range []struct {
		agg  store.Agg
		want float64
	}{{store.AggSum, 40_000}, {store.AggCount, 40}, {store.AggMin, 1000}, {store.AggMax, 1000}} {
		for _, fill := range []bool{false, true} {
			q := store.Scan{Query: named("m"), Agg: c.agg, ZeroFill: fill, Start: at - 20*sec, End: at + 10*sec}
			got := one(t, s, q)
			if got[1] != c.want || c.agg == store.AggSum && (got[0] != 780 || got[2] != 780) {
				t.Errorf("agg %d fill %v: %v, want %v in the middle", c.agg, fill, got, c.want)
			}
		}
	}
	w := s.Watch(store.WatchSpec{Query: named("m"), Agg: store.AggSum})
	if got := w.Column(at, false, nil); !same(got, []float64{40_000}) {
		t.Errorf("column %v", got)
	}
	// The clock goes back: the block is opened again, patches and all.
	if r := send(s, 0, at+10*sec, point{refs[3], at + 10*sec, 5000}); r.Stored != 1 {
		t.Fatalf("%+v", r)
	}
	got := one(t, s, store.Scan{Query: named("m"), Start: at - 20*sec, End: at + 10*sec})
	if !same(got, []float64{780, 40_000, 780 - 3 + 5000}) {
		t.Errorf("opened again: %v", got)
	}
	if _, _, err := s.Scan(context.Background(), store.Scan{Query: match.True, Tier: 3, End: 10}); err == nil {
		t.Error("a tier that is not there was scanned")
	}
	if _, _, err := s.Scan(context.Background(), store.Scan{Query: match.True, Field: store.FieldMax, End: 10 * sec}); err == nil {
		t.Error("a field of the primary tier was scanned")
	}
}

// Later imports hold over earlier ones, however many series each had.
func TestImportOverImport(t *testing.T) {
	s := open(t, store.Options{Tiers: threeTiers})
	now := int64(start + 24*3600*sec)
	at := step.Floor(now, 10*sec) - 12*3600*sec
	var all []store.ImportLine
	for i := range 1000 {
		ref := series(t, s, now, "name", "m", "id", fmt.Sprint(i), "atlas.dstype", "gauge")
		all = append(all, store.ImportLine{Ref: ref, Times: []int64{at, at + 10*sec}, Values: []float64{1, 2}})
	}
	imported(t, s, now, all...)
	sum := []float64{1000, 2000}
	for i, l := range all {
		if i%3 == 0 {
			continue
		}
		l.Times, l.Values = l.Times[:1], []float64{float64(i)}
		imported(t, s, now, l)
		sum[0] += float64(i) - 1
	}
	q := store.Scan{Query: named("m"), Start: at - 10*sec, End: at + 10*sec}
	if got := one(t, s, q); !same(got, sum) {
		t.Errorf("%v, want %v", got, sum)
	}
	for i := range int64(10) {
		s.Advance(now + i*10*sec)
	}
	if got := one(t, s, q); !same(got, sum) || s.Patches() != 0 {
		t.Errorf("%v with %d patches, want %v", got, s.Patches(), sum)
	}
}
