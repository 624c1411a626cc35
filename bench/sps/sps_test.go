package main

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pulse/bench/gen"
	"pulse/detect/algo"
)

const start = int64(1_704_067_200_000)

// quietStream is a stream of 3 weeks of learning and one judged, with events.
func quietStream(events ...gen.Event) *gen.Stream {
	return &gen.Stream{Name: "test", Level: 100, Step: minute, Start: start, Judged: start + 3*week, End: start + 4*week, Events: events}
}

// event happens after so many minutes of the judged week.
func event(k gen.Kind, after, minutes int64, depth float64) gen.Event {
	e := gen.Event{Incident: gen.Incident{Kind: k, Start: start + 3*week + after*minute, Duration: minutes * minute, Depth: depth}, Class: k.String()}
	if k.Benign() {
		e.Want = gen.Silence
	}
	return e
}

// pages are onsets so many minutes into the judged week, each for a minute.
func pages(after ...int64) []page {
	var out []page
	for _, m := range after {
		t := start + 3*week + m*minute
		out = append(out, page{t, t + minute, algo.CauseDrop})
	}
	return out
}

func TestWhatAPageIs(t *testing.T) {
	shift := event(gen.Shift, 100, 0, 0.2)
	back := event(gen.Shift, 100, 600, 0.2)
	late := event(gen.Drop, 100, 20, 0.5)
	late.Start += 20_000 // the first step that it covers whole begins 40 s later
	for _, c := range []struct {
		name          string
		event         gen.Event
		pages         []int64
		found         bool
		delay         int64 // s
		false, echoes int
	}{
		{"nothing", event(gen.Drop, 100, 20, 0.5), nil, false, 0, 0, 0},
		{"the first step", event(gen.Drop, 100, 20, 0.5), []int64{101}, true, 60, 0, 0},
		{"the last step", event(gen.Drop, 100, 20, 0.5), []int64{120}, true, 1200, 0, 0},
		{"too early", event(gen.Drop, 100, 20, 0.5), []int64{100}, false, 0, 1, 0},
		{"the way back", event(gen.Drop, 100, 20, 0.5), []int64{103, 121, 300}, true, 180, 0, 2},
		{"too late", event(gen.Drop, 100, 20, 0.5), []int64{121}, false, 0, 0, 1},
		{"much too late", event(gen.Drop, 100, 20, 0.5), []int64{301}, false, 0, 1, 0},
		{"twice", event(gen.Drop, 100, 20, 0.5), []int64{103, 110}, true, 180, 0, 0},
		{"a step of which a part is lost", late, []int64{101}, true, 0, 0, 0},
		{"after such a step", late, []int64{102}, true, 60, 0, 0},
		{"a shift that stays", shift, []int64{110}, true, 600, 0, 0},
		{"a shift seen late", shift, []int64{341}, false, 0, 0, 1},
		{"a shift seen the next day", shift, []int64{1541}, false, 0, 1, 0},
		{"a shift that goes", back, []int64{110, 701, 710}, true, 600, 0, 2},
		{"a page while it is shifted", back, []int64{110, 600}, true, 600, 1, 0},
		{"a dip", event(gen.Dip, 100, 2, 0.3), []int64{102}, true, 120, 1, 0},
		{"after a dip", event(gen.Dip, 100, 2, 0.3), []int64{110}, true, 600, 1, 0},
		{"long after a dip", event(gen.Dip, 100, 2, 0.3), []int64{120}, false, 0, 1, 0},
	} {
		s := quietStream(c.event)
		var o outcome
		o.judge(s, pages(c.pages...))
		f := o.fates[0]
		if f.found != c.found || f.delay != c.delay*1000 || len(o.false) != c.false || o.echoes != c.echoes {
			t.Errorf("%s: found %t after %d s, %d false, %d echoes; want %t, %d, %d, %d", c.name,
				f.found, f.delay/1000, len(o.false), o.echoes, c.found, c.delay, c.false, c.echoes)
		}
	}
}

func TestPagesOfLearningAreApart(t *testing.T) {
	var o outcome
	o.judge(quietStream(), []page{{t: start + hour}, {t: start + week + hour}, {t: start + 3*week}, {t: start + 3*week + minute}})
	if o.early != 2 || len(o.false) != 1 || o.learning != 2 || o.weeks != 1 || o.rate() != 1 {
		t.Errorf("%d early in %v weeks, %d false in %v", o.early, o.learning, len(o.false), o.weeks)
	}
}

func TestATrialIsNotHeldAgainst(t *testing.T) {
	e := event(gen.Restart, 100, 2, 0)
	e.Trial = true
	var o outcome
	o.judge(quietStream(e), pages(101))
	if len(o.false) != 0 || !o.fates[0].found || wanted(&o.fates[0]) {
		t.Errorf("%d false pages, paged %t", len(o.false), o.fates[0].found)
	}
}

// below is out while a value is below a limit, and scores likewise.
type below struct{ limit float64 }

func (d below) Step(_ int64, v float64) algo.Verdict {
	if v < d.limit {
		return algo.Verdict{Score: 1, Out: true, Cause: algo.CauseLimit}
	}
	return algo.Verdict{}
}
func (d below) Peek(t int64, v float64) algo.Verdict      { return d.Step(t, v) }
func (d below) Facts(dst []algo.Fact) []algo.Fact         { return dst }
func (d below) AppendState(dst []byte) []byte             { return dst }
func (d below) Restore(src []byte) (rest []byte, _ error) { return src, nil }
func (d below) Reset()                                    {}

func TestOnsetsAreWatched(t *testing.T) {
	s := quietStream()
	values := make([]float64, (s.End-s.Start)/s.Step)
	for i := range values {
		values[i] = 10
	}
	for _, i := range []int{50, 51, 52, 54, 500, len(values) - 1} {
		values[i] = 1
	}
	c := watch(s, values, below{5}, 0.999)
	at := func(i int64) int64 { return start + (i+1)*minute }
	want := []page{{at(50), at(53), algo.CauseLimit}, {at(54), at(55), algo.CauseLimit}, {at(500), at(501), algo.CauseLimit}, {s.End, s.End, algo.CauseLimit}}
	if len(c.onsets) != len(want) {
		t.Fatalf("%d onsets, want %d", len(c.onsets), len(want))
	}
	for i := range want {
		if c.onsets[i] != want[i] {
			t.Errorf("onset %d is %v, want %v", i, c.onsets[i], want[i])
		}
	}
	if len(c.scored) != 3 {
		t.Errorf("%d pages by score, want 3: those of one half-hour are one", len(c.scored))
	}
}

func TestSharesAndDelays(t *testing.T) {
	var o outcome
	for i := range int64(10) {
		f := fate{stream: quietStream(), event: event(gen.Drop, 100, 20, 0.2), found: i < 8, delay: i * minute}
		o.fates = append(o.fates, f)
	}
	s := o.share(depth(gen.Drop, 0.2))
	if s.of() != 0.8 || s.within(minute) != 0.2 || s.within(3*minute) != 0.4 || s.percentile(0.5) != 240 || s.percentile(1) != 420 {
		t.Errorf("%v found, %v within a minute, %v within three, median %v, longest %v", s.of(), s.within(minute), s.within(3*minute), s.percentile(0.5), s.percentile(1))
	}
	if none := o.share(depth(gen.Drop, 0.5)); !math.IsNaN(none.of()) || !math.IsNaN(none.percentile(0.5)) {
		t.Error("a share of nothing is a number")
	}
}

// The whole program on a few streams: what it prints is complete, the same for
// any number of workers, and every wanted event has exactly one row.
func TestTheTable(t *testing.T) {
	o := options{kinds: []string{"static"}, seeds: []uint64{1}, cpus: 1, verbose: true,
		streams: gen.StreamsOptions{Minute: 2, Families: 1, Fine: -1, Weeks: 1}}
	var one, two bytes.Buffer
	if err := run(&one, o); err != nil {
		t.Fatal(err)
	}
	o.cpus = 2
	if err := run(&two, o); err != nil {
		t.Fatal(err)
	}
	if one.String() != two.String() {
		t.Error("two workers print something else than one")
	}
	for _, text := range []string{"drop 100 %", "region lost, failover", "false pages per stream-week", "want >= 0.26"} {
		if !strings.Contains(one.String(), text) {
			t.Errorf("%q is missing in\n%s", text, one.String())
		}
	}
	for _, s := range gen.Streams(1, o.streams) {
		for _, e := range s.Events {
			f, rows := fate{stream: s, event: e}, 0
			for _, r := range append(incidents(), harmless()...) {
				if r.pick(&f) {
					rows++
				}
			}
			if want := map[bool]int{true: 0, false: 1}[e.Want == gen.Either]; rows != want {
				t.Errorf("%s of %v is in %d rows, want %d", e.Class, e.Depth, rows, want)
			}
		}
	}
}

func TestEveryTargetOfEveryKind(t *testing.T) {
	for _, kind := range []string{"static", "exponential", "double-exponential", "seasonal", "auto"} {
		if n := len(targets(kind)); n < 3 {
			t.Errorf("%s has %d targets", kind, n)
		}
	}
	if targets("signal") != nil && len(kindsOf("all")) > 5 {
		t.Error("kinds without targets are judged")
	}
}
