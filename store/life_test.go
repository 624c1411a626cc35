package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/tags"
)

// settle calls Advance until nothing is left to be sealed.
func settle(t *testing.T, s *store.Store, now int64) {
	t.Helper()
	for range 1000 {
		s.Advance(now)
		if s.Stats().OpenBlocks == 0 {
			return
		}
	}
	t.Fatal("blocks stay open")
}

func TestExpiryAndReturn(t *testing.T) {
	const step, blockMs = 1000, block.Size * 1000
	s := open(t, store.Options{Step: step, Retention: 2 * blockMs})
	defer s.Hold().Release() // a request that knows the references all the time
	w := s.Watch(store.WatchSpec{Query: named("sps"), Agg: store.AggCount})
	gone := series(t, s, start, "name", "sps", "node", "gone", "atlas.dstype", "sum")
	stays := series(t, s, start, "name", "sps", "node", "stays", "atlas.dstype", "sum")
	src := s.Source("a", start)
	send(s, src, start+step, point{gone, start + step, 1}, point{stays, start + step, 1})
	end := start + 4*blockMs
	for now := start + 2*step; now <= end; now += step {
		send(s, src, now, point{stays, now, 1})
		s.Advance(now)
		live := s.Stats().Series
		if now < start+3*blockMs && live != 2 || now == end && live != 1 {
			t.Fatalf("%d series at +%d s", live, (now-start)/step)
		}
	}
	if v := s.Values("node", match.True, "", 0); len(v) != 1 || v[0].Value != "stays" {
		t.Errorf("values %v", v)
	}
	if got := one(t, s, store.Scan{Query: named("sps"), Start: start, End: start + 2*blockMs}); !same(got[:2], []float64{nan, nan}) {
		t.Errorf("expired steps read %v", got[:2])
	}
	blocks := s.Stats().Blocks
	if blocks > 3 {
		t.Errorf("%d blocks kept", blocks)
	}
	if got := w.Column(end, true, nil); !same(got, []float64{1}) {
		t.Errorf("column %v: a series that is gone is no zero", got)
	}

	// It comes back through its old reference, searchable and watched at once.
	if r := send(s, src, end, point{gone, end, 1}); r.Stored != 1 {
		t.Fatalf("%+v", r)
	}
	if got := w.Column(end, false, nil); !same(got, []float64{2}) {
		t.Errorf("column %v after the return", got)
	}
	if again := series(t, s, end, "name", "sps", "node", "gone", "atlas.dstype", "sum"); again != gone {
		t.Errorf("ref %d, was %d", again, gone)
	}
	got := one(t, s, store.Scan{Query: &match.Equal{Key: "node", Value: "gone"}, ZeroFill: true, Start: end - 2*step, End: end})
	if !same(got, []float64{nan, 1}) {
		t.Errorf("no zeros before the return: %v", got)
	}
}

// A clock that jumped forward and back leaves what was stored, and its steps
// can be written again.
func TestClockGoesBack(t *testing.T) {
	for _, step := range []int64{100, 10_000, 15_000, 60_000} {
		s := open(t, store.Options{Step: step})
		sum := series(t, s, start, "name", "amounts", "atlas.dstype", "sum")
		gauge := series(t, s, start, "name", "gauge", "atlas.dstype", "gauge")
		var points []point
		for id := range int64(300) {
			each := series(t, s, start, "name", "each", "id", fmt.Sprint(id), "atlas.dstype", "sum")
			points = append(points, point{each, start + 10*step, float64(id)})
		}
		for i := int64(1); i <= 10; i++ {
			sendAmounts(s, 0, start+i*step, point{sum, start + i*step, float64(i * 7)}, point{gauge, start + i*step, 0.1})
		}
		sendAmounts(s, 0, start+10*step, points...)
		settle(t, s, start+step*block.Size*5)
		now := start + 10*step
		if r := sendAmounts(s, 0, now, point{sum, now, 3}, point{gauge, now, 0.2}); r.Stored != 2 {
			t.Fatalf("%+v", r)
		}
		q := store.Scan{Query: named("amounts"), Start: now - step, End: now}
		secs := float64(step) / 1000
		if got, want := one(t, s, q)[0], (70+3)/secs; got != want {
			t.Errorf("step %d: amount reads %v, want %v", step, got, want)
		}
		for i := range points {
			points[i].v = 1
		}
		sendAmounts(s, 0, now, points...)
		q.Query, q.Agg = named("each"), store.AggAll
		for _, l := range scan(t, s, q) {
			id, _ := l.Tags.Get("id")
			n, _ := strconv.ParseFloat(id, 64)
			if l.Values[0] != (n+1)/secs {
				t.Errorf("step %d: %v and 1 read %v, want %v", step, n, l.Values[0], (n+1)/secs)
			}
		}
		q.Agg = store.AggSum
		q.Query = named("gauge")
		if got := one(t, s, q)[0]; got != 0.2 {
			t.Errorf("step %d: gauge reads %v", step, got)
		}
		settle(t, s, start+step*block.Size*5)
		if got := one(t, s, q)[0]; got != 0.2 {
			t.Errorf("step %d: gauge reads %v when sealed again", step, got)
		}
	}
}

// Nobody calls Advance and time leaps: the head stays small all the same.
func TestHeadIsBoundedWithoutAdvance(t *testing.T) {
	s := open(t, store.Options{Step: 100})
	ref := series(t, s, start, "name", "sps", "atlas.dstype", "sum")
	now := start
	for range 50 {
		now += 100 * block.Size
		send(s, 0, now, point{ref, now, 1})
	}
	if st := s.Stats(); st.OpenBlocks > 6 || st.Blocks < 44 {
		t.Errorf("%d open blocks, %d sealed", st.OpenBlocks, st.Blocks)
	}
	got := one(t, s, store.Scan{Query: named("sps"), Start: start, End: now})
	n := 0
	for _, v := range got {
		if v == 1 {
			n++
		}
	}
	if n != 50 {
		t.Errorf("%d values, want 50", n)
	}
}

// Sealing is spread: one Advance seals a few partitions only.
func TestSealingIsSpread(t *testing.T) {
	s := open(t, store.Options{Step: 1000})
	var points []point
	for i := range 1000 {
		points = append(points, point{series(t, s, start, "name", "m", "n", fmt.Sprint(i)), start + 1000, 1})
	}
	send(s, 0, start+1000, points...)
	now := start + 1000*block.Size*2
	open := s.Stats().OpenBlocks
	if open != 64 {
		t.Fatalf("%d open blocks, want one per partition", open)
	}
	s.Advance(now)
	if left := s.Stats().OpenBlocks; left != open-4 {
		t.Errorf("%d open after one call, was %d", left, open)
	}
	settle(t, s, now)
}

func wantLimit(t *testing.T, err error, what string) {
	t.Helper()
	var limit *store.LimitError
	if !errors.Is(err, store.ErrLimit) || !errors.As(err, &limit) || limit.What != what || !strings.Contains(err.Error(), "too many "+what) {
		t.Errorf("error %v, want a limit on %s", err, what)
	}
}

func TestLimits(t *testing.T) {
	resolve := func(s *store.Store, now int64, keysAndValues ...string) error {
		ts := tags.Of(keysAndValues...)
		_, err := s.Resolve(s.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, now)
		return err
	}
	want := func(err error, what string) { t.Helper(); wantLimit(t, err, what) }
	s := open(t, store.Options{MaxSeries: 2})
	for i := range 2 {
		if err := resolve(s, start, "name", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	want(resolve(s, start, "name", "2"), "series")
	if err := resolve(s, start, "name", "1"); err != nil {
		t.Errorf("a known series: %v", err)
	}
	if st := s.Stats(); st.Series != 2 || st.Refused != 1 || st.Pairs != 2 {
		t.Errorf("%+v", st)
	}

	s = open(t, store.Options{MaxValuesPerKey: 1})
	if err := resolve(s, start, "name", "a", "node", "1"); err != nil {
		t.Fatal(err)
	}
	want(resolve(s, start, "name", "a", "node", "2"), "values for tag key node")
	if st := s.Stats(); st.NewSeries != 1 {
		t.Errorf("%d of the burst are used by one series", st.NewSeries)
	}

	s = open(t, store.Options{NewSeriesRate: 10, NewSeriesBurst: 3})
	for i := range 3 {
		if err := resolve(s, start, "name", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	want(resolve(s, start, "name", "3"), "new series per second")
	want(resolve(s, start+99, "name", "3"), "new series per second")
	if err := resolve(s, start+100, "name", "3"); err != nil {
		t.Errorf("after 100 ms: %v", err)
	}
	want(resolve(s, start-1000, "name", "4"), "new series per second")
	used := func(burst, values int) {
		t.Helper()
		if st := s.Stats(); st.NewSeries != burst || st.Values != values {
			t.Errorf("%d of the burst are used and a key has %d values, want %d and %d", st.NewSeries, st.Values, burst, values)
		}
	}
	used(3, 4)
	s.Advance(start - 750)
	used(1, 4)
	s.Advance(start)
	used(0, 4)
}

func TestScanLimits(t *testing.T) {
	s := open(t, store.Options{})
	for i := range 5 {
		series(t, s, start, "name", "m", "n", fmt.Sprint(i))
	}
	scan := func(q store.Scan) error {
		q.Query, q.Start, q.End = match.True, start, start+100_000
		_, _, err := s.Scan(context.Background(), q)
		return err
	}
	wantLimit(t, scan(store.Scan{By: []string{"n"}, MaxLines: 4}), "lines")
	wantLimit(t, scan(store.Scan{Agg: store.AggAll, MaxLines: 4}), "lines")
	wantLimit(t, scan(store.Scan{MaxDatapoints: 49}), "datapoints")
	if err := scan(store.Scan{By: []string{"n"}, MaxLines: 5, MaxDatapoints: 50}); err != nil {
		t.Error(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []store.Options{
		{Step: 150}, {Step: 50}, {Step: 120_000}, {Retention: 1000}, {Retention: -1},
		{MaxPast: -1}, {MaxPast: 24 * 3600 * sec}, {MaxSeries: -1}, {MaxValuesPerKey: -1}, {MaxKeys: -1}, {MaxPairs: -1}, {Retention: 1200 * sec, MaxPast: 1300 * sec}, {MaxSources: -1},
		{NewSeriesBurst: -1}, {Step: -1},
	} {
		if _, err := store.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	s := open(t, store.Options{Step: 100})
	if o := s.Options(); o.MaxPast != 12_000 || o.MaxFuture != 100 || o.Retention != 48*3600*sec {
		t.Errorf("defaults %+v", o)
	}
}

func TestScanRefusesBadRanges(t *testing.T) {
	s := open(t, store.Options{})
	for _, q := range []store.Scan{
		{Start: 1, End: 10_000}, {Start: 0, End: 10_001}, {Start: 20_000, End: 10_000},
		{Agg: store.AggAll, By: []string{"name"}},
	} {
		q.Query = match.True
		if _, _, err := s.Scan(context.Background(), q); err == nil {
			t.Errorf("%+v was accepted", q)
		}
	}
}

func TestScanStopsWithContext(t *testing.T) {
	s := open(t, store.Options{})
	send(s, 0, start, point{series(t, s, start, "name", "m"), start, 1})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.Scan(ctx, store.Scan{Query: match.True, Start: start - 10*sec, End: start}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestLinesOfScan(t *testing.T) {
	s := open(t, store.Options{})
	now := start + 10*sec
	send(s, 0, now,
		point{series(t, s, now, "name", "m", "a", "2", "b", "1", "atlas.dstype", "gauge"), now, 1},
		point{series(t, s, now, "name", "m", "a", "1", "b", "2", "atlas.dstype", "sum"), now, 2},
		point{series(t, s, now, "name", "m", "a", "1", "b", "2", "c", "3", "atlas.dstype", "gauge"), now, 4},
		point{series(t, s, now, "name", "m", "a", "1", "atlas.dstype", "gauge"), now, 8},
	)
	lines := scan(t, s, store.Scan{Query: named("m"), By: []string{"b", "a"}, Start: start, End: now})
	text := ""
	for _, l := range lines {
		text += fmt.Sprintf("%s gauge=%v %v\n", l.Tags, l.Gauge, l.Values)
	}
	const want = "a=2,b=1 gauge=true [1]\na=1,b=2 gauge=false [6]\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	if lines := scan(t, s, store.Scan{Query: named("none"), Start: start, End: now}); len(lines) != 0 {
		t.Errorf("%v", lines)
	}
	all := scan(t, s, store.Scan{Query: &match.Has{Key: "c"}, Agg: store.AggAll, Start: start, End: now})
	if len(all) != 1 || all[0].Tags.String() != "a=1,atlas.dstype=gauge,b=2,c=3,name=m" || !all[0].Gauge {
		t.Errorf("%v", all)
	}
}

// Times around the epoch are times like any other.
func TestAroundTheEpoch(t *testing.T) {
	s := open(t, store.Options{Step: 1000})
	sum := series(t, s, 0, "name", "sum", "atlas.dstype", "sum")
	rate := series(t, s, 0, "name", "rate")
	for now := int64(-5000); now <= 5000; now += 1000 {
		if r := send(s, 0, now, point{sum, now - 500, 2}, point{rate, now, 3}); r.Stored != 2 {
			t.Fatalf("at %d: %+v", now, r)
		}
	}
	for name, want := range map[string]float64{"sum": 2, "rate": 3} {
		for i, v := range one(t, s, store.Scan{Query: named(name), Start: -6000, End: 5000}) {
			if v != want {
				t.Errorf("%s at step %d reads %v", name, i, v)
			}
		}
	}
}
