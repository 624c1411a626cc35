package store_test

import (
	"fmt"
	"slices"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/norm"
)

// fleet is a store at 10 s with some sources that each send a sum, a rate and
// a gauge.
type fleet struct {
	s    *store.Store
	w    *store.Watch
	refs map[string][]store.Ref
}

func newFleet(t *testing.T, names ...string) *fleet {
	t.Helper()
	f := &fleet{s: open(t, store.Options{}), refs: map[string][]store.Ref{}}
	for _, n := range names {
		f.refs[n] = []store.Ref{
			series(t, f.s, start, "name", "sps", "node", n, "atlas.dstype", "sum"),
			series(t, f.s, start, "name", "rate", "node", n),
			series(t, f.s, start, "name", "temp", "node", n, "atlas.dstype", "gauge"),
		}
	}
	f.w = f.s.Watch(store.WatchSpec{Query: match.True, By: []string{"name"}})
	return f
}

// send sends the first n of a source's series, stamped at, when it is now.
func (f *fleet) send(name string, at, now int64, n int, v float64) {
	var points []point
	for _, ref := range f.refs[name][:n] {
		points = append(points, point{ref, at, v})
	}
	send(f.s, f.s.Source(name, now), now, points...)
}

func (f *fleet) check(t *testing.T, at int64, reported, expected int, silent ...string) {
	t.Helper()
	c := f.w.Completeness(at, at)
	if c.Reported != reported || c.Expected != expected || !slices.Equal(c.Silent, silent) {
		t.Errorf("at +%d: %+v, want %d of %d, silent %v", at-start, c, reported, expected, silent)
	}
}

const sec = int64(1000)

func TestCompletenessOfAlignedSources(t *testing.T) {
	f := newFleet(t, "a", "b")
	for i := int64(1); i <= 6; i++ {
		at := start + i*10*sec
		f.send("a", at, at, 3, 1)
		f.send("b", at, at, 3, 1)
	}
	at := start + 70*sec
	f.check(t, at, 0, 2, "a", "b")
	f.send("a", at, at, 2, 1)
	f.check(t, at, 0, 2, "a", "b") // two of the usual three points
	f.send("a", at, at, 1, 1)
	f.check(t, at, 1, 2, "b")
	f.send("b", at+5*sec, at+5*sec, 1, 1) // later than t
	f.check(t, at, 2, 2)
	if c := f.w.Completeness(at, at); c.LastReport != at+5*sec {
		t.Errorf("last report %d", c.LastReport)
	}
}

// What a source sends first may be the rest of a step, so it is not what is usual.
func TestFirstStepIsNotUsual(t *testing.T) {
	f := newFleet(t, "a")
	at := start + 10*sec
	f.send("a", at, at, 1, 1)
	for range 4 {
		at += 10 * sec
		f.send("a", at, at, 3, 1)
	}
	at += 10 * sec
	f.send("a", at, at, 1, 1)
	f.check(t, at, 0, 1, "a")
	f.send("a", at, at, 2, 1)
	f.check(t, at, 1, 1)
}

// A rate at :07 completes the step that ended at :00 and is no report of the
// step that ends at :10.
func TestCompletenessOfRatesOffTheStep(t *testing.T) {
	f := newFleet(t, "a")
	rate := f.refs["a"][1]
	src := f.s.Source("a", start)
	for i := range int64(5) {
		at := start + i*10*sec + 7*sec
		send(f.s, src, at, point{rate, at, 100})
	}
	f.check(t, start+40*sec, 1, 1)
	f.check(t, start+50*sec, 0, 1, "a")
	at := start + 57*sec
	send(f.s, src, at, point{rate, at, 100})
	f.check(t, start+50*sec, 1, 1)
	if got := one(t, f.s, store.Scan{Query: named("rate"), Start: start + 40*sec, End: start + 50*sec}); got[0] != 100 {
		t.Errorf("the reported step reads %v", got)
	}
}

// A source that is due every minute is not missed at every step of ten seconds.
func TestCompletenessOfSlowSource(t *testing.T) {
	f := newFleet(t, "slow")
	for i := range int64(4) {
		at := start + i*60*sec
		f.send("slow", at, at, 1, 1)
	}
	last := start + 180*sec
	for d := int64(10); d < 60; d += 10 {
		f.check(t, last+d*sec, 0, 0)
	}
	f.check(t, last+60*sec, 0, 1, "slow")
	f.check(t, last+180*sec, 0, 1, "slow")
	f.check(t, last+190*sec, 0, 0) // given up after three of its intervals
}

func TestNewSourceIsNotExpectedBeforeItsFirstReport(t *testing.T) {
	f := newFleet(t, "a")
	at := start + 10*sec
	f.send("a", at, at, 3, 1)
	f.check(t, at, 0, 0)
	f.check(t, at+10*sec, 0, 1, "a")
}

// A source that sends in every step, and was silent in most of the first, is not taken
// for one that reports every other step.
func TestSilenceOfANewSource(t *testing.T) {
	f := newFleet(t, "a")
	for _, i := range []int64{1, 2, 4, 6} {
		at := start + i*10*sec
		f.send("a", at, at, 3, 1)
	}
	f.check(t, start+70*sec, 0, 1, "a")
}

// A source that has sent some of a step is waited for, also when it was not due.
func TestReportThatIsNotDue(t *testing.T) {
	f := newFleet(t, "slow")
	for i := range int64(6) {
		at := start + i*60*sec
		f.send("slow", at, at, 3, 1)
	}
	at := start + 330*sec
	f.check(t, at, 0, 0)
	f.send("slow", at, at, 1, 1)
	f.check(t, at, 0, 1, "slow")
	f.send("slow", at, at, 2, 1)
	f.check(t, at, 1, 1)
	at += 300 * sec // given up, and back
	f.check(t, at, 0, 0)
	f.send("slow", at, at, 1, 1)
	f.check(t, at, 0, 1, "slow")
}

// Two requests for one step do not make a source look faster than it is.
func TestIntervalOfSplitReports(t *testing.T) {
	f := newFleet(t, "a")
	for i := range int64(6) {
		at := start + i*60*sec
		f.send("a", at, at, 1, 1)
		f.send("a", at, at, 2, 1)
	}
	stats := f.s.SourceStats()
	if len(stats) != 1 || stats[0].Interval != 60*sec || stats[0].Key != "a" || stats[0].LastTime != start+300*sec {
		t.Errorf("%+v", stats)
	}
	if r := stats[0].Total; r.Stored+r.Superseded+r.Late != 18 {
		t.Errorf("total %+v, want 18 points", r)
	}
}

// column returns the values of the watch's groups by name.
func (f *fleet) column(at int64, fill bool) map[string]float64 {
	out := map[string]float64{}
	values := f.w.Column(at, fill, nil)
	for i, g := range f.w.Groups() {
		name, _ := g.Tags.Get("name")
		if values[i] == values[i] {
			out[name] = values[i]
		}
	}
	return out
}

func TestZeroGapOutage(t *testing.T) {
	f := newFleet(t, "a", "b")
	for i := int64(1); i <= 6; i++ {
		at := start + i*10*sec
		f.send("a", at, at, 3, 5)
		f.send("b", at, at, 3, 7)
	}
	want := func(at int64, fill bool, w map[string]float64) {
		t.Helper()
		if got := f.column(at, fill); fmt.Sprint(got) != fmt.Sprint(w) {
			t.Errorf("column +%d fill %v = %v, want %v", at-start, fill, got, w)
		}
		lines := scan(t, f.s, store.Scan{Query: match.True, By: []string{"name"}, Start: at - 10*sec, End: at, ZeroFill: fill})
		got := map[string]float64{}
		for _, l := range lines {
			if name, _ := l.Tags.Get("name"); l.Values[0] == l.Values[0] {
				got[name] = l.Values[0]
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(w) {
			t.Errorf("scan +%d fill %v = %v, want %v", at-start, fill, got, w)
		}
	}
	want(start+60*sec, true, map[string]float64{"sps": 12, "rate": 12, "temp": 12})

	// a drops its zeros and sends a gauge only; b is silent.
	at := start + 70*sec
	send(f.s, f.s.Source("a", at), at, point{f.refs["a"][2], at, 3})
	want(at, false, map[string]float64{"temp": 3})
	want(at, true, map[string]float64{"sps": 0, "rate": 0, "temp": 3})

	// Everybody is silent.
	want(at+10*sec, true, map[string]float64{})

	// Sealing changes nothing of the past.
	for range 200 {
		f.s.Advance(start + 3600*sec)
	}
	if f.s.Stats().OpenBlocks != 0 {
		t.Fatal("blocks are still open")
	}
	want(start+60*sec, true, map[string]float64{"sps": 12, "rate": 12, "temp": 12})
	want(at, true, map[string]float64{"sps": 0, "rate": 0, "temp": 3})
	want(at+10*sec, true, map[string]float64{})
}

// A series is no zero before it began, though its source reported.
func TestNoZeroBeforeTheFirstValue(t *testing.T) {
	f := newFleet(t, "a")
	for i := int64(1); i <= 4; i++ {
		at := start + i*10*sec
		f.send("a", at, at, 1, 5)
	}
	late := series(t, f.s, start+40*sec, "name", "sps", "node", "new", "atlas.dstype", "sum")
	at := start + 50*sec
	send(f.s, f.s.Source("a", at), at, point{f.refs["a"][0], at, 5}, point{late, at, 1})
	at += 10 * sec
	f.send("a", at, at, 1, 5)
	got := one(t, f.s, store.Scan{Query: named("sps"), Agg: store.AggCount, ZeroFill: true, Start: start, End: at})
	if !same(got, []float64{1, 1, 1, 1, 2, 2}) {
		t.Errorf("count = %v", got)
	}
}

// A source that was late by milliseconds around a step's end is present in the
// step that it jumped over, since nobody would call that a gap.
func TestPresenceBridgesJitter(t *testing.T) {
	f := newFleet(t, "a")
	src := f.s.Source("a", start)
	rate := f.refs["a"][1]
	for i, at := range []int64{0, 10_003, 20_001, 30_002, 39_998, 50_001} {
		send(f.s, src, start+at, point{rate, start + at, float64(i)})
	}
	for i := range int64(6) {
		if !f.s.Present(src, norm.Rate, start+i*10*sec) {
			t.Errorf("absent at +%d s", i*10)
		}
	}
	if f.s.Present(src, norm.Rate, start+60*sec) || f.s.Present(src, norm.Rate, start-10*sec) {
		t.Error("present where it never was")
	}
}

// A source at :07 that sends a gauge has been in the step that ends at :10, but
// its rates of that step are not known before :17. When it dies in between,
// the rate is no data and no drop; the sum of that step is complete.
func TestDyingSourceIsNoDrop(t *testing.T) {
	f := newFleet(t, "a")
	for i := range int64(6) {
		at := start + i*10*sec + 7*sec
		f.send("a", at, at, 3, 100)
	}
	last := start + 60*sec
	f.check(t, last-10*sec, 1, 1)
	f.check(t, last, 0, 1, "a")
	if got, want := f.column(last, true), map[string]float64{"sps": 100, "temp": 100}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("column %v, want %v", got, want)
	}
	// It was not dead after all, and had dropped the zeros of the last steps.
	at := last + 7*sec
	send(f.s, f.s.Source("a", at), at, point{f.refs["a"][2], at, 1})
	if got, want := f.column(last, true), map[string]float64{"sps": 100, "temp": 100, "rate": 0}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("column %v, want %v", got, want)
	}
	if got, want := f.column(last+10*sec, true), map[string]float64{"sps": 0, "temp": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("column %v, want %v", got, want)
	}
}

func TestGroupSources(t *testing.T) {
	f := newFleet(t, "a", "b")
	at := start + 10*sec
	f.send("a", at, at, 3, 5)
	f.send("b", at+2*sec, at+2*sec, 1, 5)
	for i, g := range f.w.Groups() {
		want := at
		if name, _ := g.Tags.Get("name"); name == "sps" {
			want += 2 * sec
		}
		if got := f.w.SourceLastTime(i); got != want {
			t.Errorf("%v: last time +%d, want +%d", g.Tags, got-start, want-start)
		}
		if got := f.w.SourceInterval(i); got != 10*sec {
			t.Errorf("%v: interval %d", g.Tags, got)
		}
		name, _ := g.Tags.Get("name")
		if got, found := f.s.SourceInterval(named(name)); got != 10*sec || !found {
			t.Errorf("%v: interval without a watch %d", g.Tags, got)
		}
	}
	if _, found := f.s.SourceInterval(named("nobody")); found {
		t.Error("series that nobody sends have an interval")
	}
}

func TestSourcesAreBounded(t *testing.T) {
	s := open(t, store.Options{MaxSources: 3, Retention: 3600 * sec})
	ref := series(t, s, start, "name", "sps", "atlas.dstype", "sum")
	w := s.Watch(store.WatchSpec{Query: named("sps")})
	for _, key := range []string{"a", "b", "c"} {
		id := s.Source(key, start)
		if id == 0 || id != s.Source(key, start) {
			t.Fatalf("source %s is %d", key, id)
		}
		send(s, id, start, point{ref, start, 1})
	}
	if id := s.Source("d", start); id != 0 {
		t.Errorf("a fourth source got %d", id)
	}
	if r := send(s, 0, start, point{ref, start, 1}); r.Stored != 1 {
		t.Errorf("a point of nobody: %+v", r)
	}
	now := start
	for range 120 { // b alone goes on for two hours
		now += 60 * sec
		send(s, s.Source("b", now), now, point{ref, now, 1})
		s.Advance(now)
	}
	if got := s.SourceStats(); len(got) != 1 || got[0].Key != "b" {
		t.Errorf("%+v after the retention, want b alone", got)
	}

	// d gets a number that was a's or c's, and nothing of what was theirs.
	now += 10 * sec
	other := series(t, s, now, "name", "other", "atlas.dstype", "sum")
	for range 10 {
		now += 10 * sec
		d := s.Source("d", now)
		if d == 0 {
			t.Fatal("no room for d")
		}
		send(s, d, now, point{other, now, 1})
	}
	if got := one(t, s, store.Scan{Query: named("sps"), ZeroFill: true, Start: now - 10*sec, End: now}); !same(got, []float64{nan}) {
		t.Errorf("sps = %v where only d reported", got)
	}
	if c := w.Completeness(now, now); c.Reported != 0 || slices.Contains(c.Silent, "d") {
		t.Errorf("%+v waits for d", c)
	}
}

// A watch waits for the sources of its members only, for as long as they are
// members, and again when they come back.
func TestWatchedSourcesFollowTheSeries(t *testing.T) {
	const blockMs = 120 * 1000
	s := open(t, store.Options{Step: sec, Retention: 2 * blockMs})
	defer s.Hold().Release()
	w := s.Watch(store.WatchSpec{Query: named("sps")})
	src := func(now int64) store.SourceID { return s.Source("a", now) }
	sps := series(t, s, start, "name", "sps", "atlas.dstype", "sum")
	other := series(t, s, start, "name", "other", "atlas.dstype", "sum")
	now := start
	send(s, src(now), now, point{sps, now, 1}, point{other, now, 1})
	expected := func(n int) {
		t.Helper()
		if c := w.Completeness(now+sec, now); c.Expected != n {
			t.Errorf("at +%d s: %+v, want %d expected", (now-start)/sec, c, n)
		}
	}
	expected(1)
	for range 4 * blockMs / sec {
		now += sec
		send(s, src(now), now, point{other, now, 1})
		s.Advance(now)
	}
	expected(0)
	send(s, src(now), now, point{sps, now, 1})
	expected(1)
	late := s.Watch(store.WatchSpec{Query: named("sps")})
	if c := late.Completeness(now+sec, now); c.Expected != 1 {
		t.Errorf("a watch from now on: %+v", c)
	}
}

// A report that was lost leaves a gap and no zero: nobody knows what was in it.
func TestLostReportIsNoZero(t *testing.T) {
	for _, off := range []int64{0, 3 * sec} {
		f := newFleet(t, "a")
		at := start + off
		for range 6 {
			at += 10 * sec
			f.send("a", at, at, 3, 5)
		}
		lost := f.s.Options().Step * ((at-1)/(10*sec) + 2)
		at += 20 * sec
		f.send("a", at, at, 3, 5)
		column := f.column(lost, true)
		if v, ok := column["sps"]; ok {
			t.Errorf("%d ms off the step: sps is %v where the report was lost", off, v)
		}
		got := one(t, f.s, store.Scan{Query: named("sps"), ZeroFill: true, Start: lost - 20*sec, End: lost + 10*sec})
		if !same(got, []float64{5, nan, 5}) {
			t.Errorf("%d ms off the step: sps reads %v", off, got)
		}
	}
}
