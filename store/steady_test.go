package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/clock"
	"pulse/store/disk/faulty"
	"pulse/store/match"
)

const (
	hour = 3600 * sec
	day  = 24 * hour
	year = 365 * day
)

// aged is a store whose clock can go wrong: the time that it is told is ahead of the
// one that passes.
type aged struct {
	*archivist
	clk   *clock.Manual
	ahead int64
}

var agedOptions = store.Options{Step: archStep, NewSeriesRate: -1, Tiers: []store.Tier{
	{Step: archStep, Retention: 300 * archBlock}, {Step: 2 * archStep, Retention: 600 * archBlock},
}}

func newAged(t *testing.T, fs *faulty.FS, now, ahead int64) *aged {
	t.Helper()
	clk := clock.NewManual(time.UnixMilli(now + ahead))
	s, err := store.Open(agedOptions, store.Durable{FS: fs, Mode: store.Interval, Clock: clk, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replay(context.Background(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	a := &aged{&archivist{Store: s, t: t, o: agedOptions, fs: fs, now: now}, clk, ahead}
	for i := range 20 {
		a.refs = append(a.refs, resolve(t, s, now+ahead, archTags(i)))
	}
	a.source = s.Source("a", now+ahead)
	return a
}

// run lets time pass, with a report in every step.
func (a *aged) run(ms int64) {
	a.t.Helper()
	for end := a.now + ms; a.now < end; {
		a.now += archStep
		a.clk.Advance(archStep * time.Millisecond)
		b := store.Batch{Source: a.source, Arrival: a.now + a.ahead}
		for _, ref := range a.refs {
			b.Add(ref, b.Arrival, float64(a.now%977))
		}
		if r, err := a.Commit(&b, b.Arrival); err != nil || r.Stored != len(a.refs) {
			a.t.Fatalf("%+v, %v", r, err)
		}
		a.tick()
	}
}

func (a *aged) tick() {
	a.Advance(a.now + a.ahead)
	a.TendArchives()
}

// has returns how many primary and coarse steps of the first block times there
// are.
func (a *aged) has() (fine, coarse int) {
	a.t.Helper()
	for tier, n := range []*int{&fine, &coarse} {
		q := store.Scan{Query: match.True, Agg: store.AggCount, Tier: tier, Start: start, End: start + 6*archBlock}
		lines, _, err := a.Scan(context.Background(), q)
		if err != nil {
			a.t.Fatal(err)
		}
		for _, line := range lines {
			for _, v := range line.Values {
				if v > 0 {
					*n++
				}
			}
		}
	}
	return fine, coarse
}

// A clock that is suddenly years ahead takes nothing away, unless it goes on
// like that.
func TestClockThatJumpsAheadKeepsWhatThereIs(t *testing.T) {
	fs := faulty.New(1)
	a := newAged(t, fs, start, 0)
	defer a.Close()
	a.run(6 * archBlock)
	fine, coarse := a.has()
	files, sources := len(list(t, fs, archFolder)), a.Stats().Sources
	if fine != 6*block.Size || coarse == 0 || files < 5 {
		t.Fatalf("%d steps, %d coarse ones, %d files", fine, coarse, files)
	}
	same := func(when string) {
		t.Helper()
		if f, c := a.has(); f != fine || c < coarse {
			t.Errorf("%s: %d of %d steps, %d of %d coarse ones", when, f, fine, c, coarse)
		}
		if n := len(list(t, fs, archFolder)); n < files {
			t.Errorf("%s: %d files of %d", when, n, files)
		}
		if st := a.Stats(); st.Sources < sources || st.Series != len(a.refs) {
			t.Errorf("%s: %+v", when, st)
		}
	}
	a.ahead = 5 * year
	a.run(10 * archStep) // points by the new clock are taken
	same("ahead")
	a.ahead = 2 * day
	a.run(10 * archStep)
	same("another time ahead")
	a.ahead = 0
	a.run(archBlock)
	same("back")
	if r := a.Tiers(); r[0].From > start || r[1].To < start+4*archBlock {
		t.Errorf("tiers %+v", r)
	}

	a.ahead = 5 * year
	a.run(hour - 10*archStep)
	same("ahead for less than an hour")
	a.run(20 * archStep)
	if f, _ := a.has(); f != 0 {
		t.Errorf("%d steps are left after the time held for an hour", f)
	}
	if n := len(list(t, fs, archFolder)); n > 40 {
		t.Errorf("%d files are left", n)
	}
}

// What grew too old while no server ran goes at the start.
func TestStartAfterARest(t *testing.T) {
	fs := faulty.New(1)
	a := newAged(t, fs, start, 0)
	a.run(6 * archBlock)
	_ = a.Close()
	a = newAged(t, fs, start+7*day, 0)
	defer a.Close()
	for range 100 {
		a.tick()
	}
	if fine, _ := a.has(); fine != 0 || len(list(t, fs, archFolder)) != 0 {
		t.Errorf("%d steps and files %v are left a week later", fine, list(t, fs, archFolder))
	}
}

// A server that starts with a clock that is years ahead keeps what it finds,
// also when it did so before.
func TestStartWithAClockAhead(t *testing.T) {
	fs := faulty.New(1)
	a := newAged(t, fs, start, 0)
	a.run(6 * archBlock)
	fine, coarse := a.has()
	now := a.now
	for range 3 {
		_ = a.Close()
		a = newAged(t, fs, now, 5*year)
		a.run(10 * archStep)
		if err := a.Snapshot(context.Background()); err != nil {
			t.Fatal(err)
		}
		now = a.now
		if f, c := a.has(); f != fine || c < coarse {
			t.Fatalf("%d of %d steps, %d of %d coarse ones", f, fine, c, coarse)
		}
	}
	_ = a.Close()
	a = newAged(t, fs, now, 0)
	defer a.Close()
	a.run(archBlock)
	if f, c := a.has(); f != fine || c < coarse {
		t.Errorf("back: %d of %d steps, %d of %d coarse ones", f, fine, c, coarse)
	}
}
