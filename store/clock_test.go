package store_test

import (
	"errors"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/norm"
	"pulse/store/tags"
)

// leap is how far the clock goes wrong: about a year, and a multiple of what
// the ring of presences holds at ten seconds.
const leap = 96 * 8 * 4096 * 10 * sec

// Rates and counters do not wait for the time to catch up after a clock that
// was ahead has been set right.
func TestRatesAfterAClockThatWasAhead(t *testing.T) {
	f := newFleet(t, "a")
	counter := series(t, f.s, start, "name", "total", "atlas.dstype", "counter")
	rate := f.refs["a"][1]
	src := f.s.Source("a", start)
	report := func(at int64, v float64) {
		if r := send(f.s, src, at, point{rate, at, v}, point{counter, at, at2total(at)}); r.Stored != 2 {
			t.Errorf("at +%d s: %+v", (at-start)/sec, r)
		}
	}
	report(start+10*sec, 1)
	report(start+leap, 2)
	for i := int64(2); i < 6; i++ {
		report(start+i*10*sec, 3)
	}
	q := store.Scan{Query: named("rate"), Start: start, End: start + 50*sec}
	if got := one(t, f.s, q); !same(got, []float64{1, 3, 3, 3, 3}) {
		t.Errorf("rate %v", got)
	}
	q.Query = named("total")
	if got := one(t, f.s, q); !same(got, []float64{nan, nan, 5, 5, 5}) {
		t.Errorf("counter %v", got)
	}
}

// at2total is a total that grows by 5 per second.
func at2total(at int64) float64 { return float64((at - start) / sec * 5) }

// A step waits for sources whose reports came while the clock was ahead.
func TestSourcesAfterAClockThatWasAhead(t *testing.T) {
	f := newFleet(t, "a", "b")
	at := start
	for range 6 {
		at += 10 * sec
		f.send("a", at, at, 3, 1)
		f.send("b", at, at, 3, 1)
	}
	for i := range int64(10) {
		ahead := at + leap + i*10*sec
		f.send("a", ahead, ahead, 3, 1)
		f.send("b", ahead, ahead, 3, 1)
		f.s.Advance(ahead)
	}
	for range 3 {
		at += 10 * sec
		f.send("a", at, at, 3, 1)
		f.send("b", at, at, 3, 1)
		f.s.Advance(at)
		f.check(t, at, 2, 2)
		if !f.s.Present(f.s.Source("a", at), norm.Sum, at) {
			t.Errorf("a is absent at +%d s", (at-start)/sec)
		}
	}
	at += 10 * sec
	f.check(t, at, 0, 2, "a", "b")
	for _, x := range f.s.SourceStats() {
		if x.LastTime != at-10*sec || x.LastArrival != at-10*sec {
			t.Errorf("%+v, want the time before +%d s", x, (at-start)/sec)
		}
	}
}

// New series are admitted, and old ones go, after a clock that was ahead.
func TestSeriesAfterAClockThatWasAhead(t *testing.T) {
	const step, blockMs = 1000, block.Size * 1000
	s := open(t, store.Options{Step: step, Retention: 2 * blockMs, NewSeriesRate: 1, NewSeriesBurst: 1})
	series(t, s, start, "name", "m", "id", "old")
	s.Advance(start + leap)
	series(t, s, start+leap, "name", "m", "id", "ahead")
	now := start + 10*sec
	late := tags.Of("name", "m", "id", "late")
	if _, err := s.Resolve(store.Hash{1, 1}, late, now); !errors.Is(err, store.ErrLimit) {
		t.Errorf("error %v: going back gives no tokens", err)
	}
	resolve(t, s, now+sec, late)
	for range 4 * block.Size {
		now += sec
		s.Advance(now)
	}
	if left := s.Values("id", match.True, "", 0); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
