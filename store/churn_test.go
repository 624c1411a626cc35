package store_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/budget"
	"pulse/store/match"
	"pulse/store/tags"
)

// Series come and go while requests, scans and watches are under way: nobody
// ever sees the values of one series under the name of another. Every series
// holds its own number.
func TestConcurrentChurn(t *testing.T) {
	const step = 100
	o := store.Options{Step: step, Retention: 2 * block.Size * step, MaxSeries: 100_000, NewSeriesRate: -1, Memory: budget.New(0)}
	s := open(t, o)
	var now atomic.Int64
	now.Store(start)
	done := make(chan struct{})
	var wait sync.WaitGroup
	work := func(f func()) {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
					runtime.Gosched()
				}
			}
		})
	}
	senders := make([]churner, 2)
	for k := range senders {
		c := &senders[k]
		c.t, c.s, c.base = t, s, k*1_000_000_000
		work(func() { c.send(now.Load()); c.sent.Add(1) })
	}
	work(func() { checkNumbers(t, s, now.Load()) })
	work(func() { checkRows(t, s, now.Load()) })
	watch := s.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
	work(func() {
		at := now.Load() / step * step
		column := watch.Column(at, false, nil)
		for i, g := range watch.Groups()[:len(column)] {
			checkNumber(t, g.Tags, column[i])
		}
		if len(column) > 5000 {
			watch.Close()
			watch = s.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
		}
	})
	work(func() {
		w := s.Watch(store.WatchSpec{Query: named("m"), By: []string{"id"}, Agg: store.AggMax})
		for range 20 {
			at := now.Load() / step * step
			column := w.Column(at, true, nil)
			for i, g := range w.Groups()[:len(column)] {
				checkNumber(t, g.Tags, column[i])
			}
		}
		w.Close()
	})
	for range churnRounds() {
		s.Advance(now.Add(10_000))
		for k := range senders { // as many sends however busy the machine: one may have begun before
			for until := senders[k].sent.Load() + 2; senders[k].sent.Load() < until; {
				runtime.Gosched()
			}
		}
	}
	close(done)
	wait.Wait()
	watch.Close()
	for range 10 * block.Size {
		s.Advance(now.Add(5 * step))
	}
	st := s.Stats()
	met := 0
	for k := range senders {
		met += senders[k].met
	}
	if st.SeriesSeen != 0 || st.Slots == 0 || met < 3*st.Slots/2 {
		t.Errorf("%+v", st)
	}
	t.Logf("%d slots for %d new series in %d s of data", st.Slots, met, (now.Load()-start)/1000)
	if err := s.CheckMemory(); err != nil {
		t.Error(err)
	}
}

// churnRounds is how often 10 s of data pass.
func churnRounds() int {
	if testing.Short() || testkit.Race {
		return 60
	}
	return 200
}

// churner is a sender whose series change all the time.
type churner struct {
	t     *testing.T
	s     *store.Store
	base  int
	sent  atomic.Int64 // rounds
	met   int          // new series
	batch store.Batch
}

func (c *churner) send(now int64) {
	defer c.s.Hold().Release()
	c.batch.Reset()
	c.batch.Source, c.batch.Arrival = c.s.Source(fmt.Sprint("churner ", c.base), now), now
	var trail store.Trail
	var ids [20]int
	var hashes [20]store.Hash
	var refs [20]store.Ref
	for i := range ids {
		ids[i] = c.base + int(now/20_000)*20 + i
		if i%5 == 0 {
			ids[i] = c.base + int(now/400_000%5)*20 + i // these come back after they were given up
		}
		hashes[i] = c.s.HashTags(store.Hash{}, fmt.Appendf(nil, "raw %d", ids[i]))
	}
	together := now/10_000%2 == 0
	if together {
		c.s.FindAll(&trail, hashes[:], refs[:])
	}
	for i, id := range ids {
		ref, ok := refs[i], refs[i] != store.NoRef
		if !together {
			ref, ok = c.s.Follow(&trail, store.Hash{}, fmt.Appendf(nil, "raw %d", id))
		}
		if !ok {
			c.met++
			var err error
			ts := tags.Of("name", "m", "id", fmt.Sprint(id), "atlas.dstype", "gauge")
			if ref, err = c.s.Resolve(hashes[i], ts, now); err != nil {
				c.t.Error(err)
				return
			}
		}
		c.batch.Add(ref, now, float64(id))
	}
	c.s.Append(&c.batch, now)
}

func checkNumbers(t *testing.T, s *store.Store, now int64) {
	at := now / 100 * 100
	lines, _, err := s.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggAll, Start: at - 20_000, End: at})
	if err != nil {
		t.Error(err)
	}
	for _, l := range lines {
		for _, v := range l.Values {
			checkNumber(t, l.Tags, v)
		}
	}
}

// checkRows is checkNumbers of lines that are read some at a time.
func checkRows(t *testing.T, s *store.Store, now int64) {
	at := now / 100 * 100
	q := store.Scan{Query: match.True, By: []string{"id"}, Start: at - 20_000, End: at, MaxLines: 7}
	if now/10_000%2 == 0 {
		q.By, q.Agg = nil, store.AggAll
	}
	rows, err := s.Rows(context.Background(), q)
	if err != nil {
		t.Error(err)
		return
	}
	defer rows.Close()
	err = rows.Each(func(i int, values []float64) error {
		for _, v := range values {
			checkNumber(t, rows.Line(i).Tags, v)
		}
		if i > 0 && rows.Compare(i, i-1) != rows.Line(i).Tags.Compare(rows.Line(i-1).Tags) {
			t.Errorf("%s and %s are in no order", rows.Line(i).Tags, rows.Line(i-1).Tags)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// checkNumber checks that a value is the number of its series, or no data.
func checkNumber(t *testing.T, ts tags.Tags, v float64) {
	id, _ := ts.Get("id")
	if want, err := strconv.ParseFloat(id, 64); err != nil || v == v && v != want {
		t.Errorf("series %s reads %v", ts, v)
	}
}
