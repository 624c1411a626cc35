package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/tags"
)

// checkAccounts holds the books of a pipeline and its store against each other.
// Datapoints without a value, which never reach the store, are the difference.
func checkAccounts(t *testing.T, p *ingest.Pipeline, st *store.Store, at int64, answered ingest.Counts) {
	t.Helper()
	balanced := func(name string, c *ingest.Counts) {
		t.Helper()
		if c.Accepted != c.Stored+c.Superseded+c.Late || c.Repeated+c.NoData > c.Superseded {
			t.Errorf("%s does not balance: %+v", name, c)
		}
	}
	stats, kept := p.Stats(), map[string]store.Result{}
	for _, s := range st.SourceStats() {
		kept[s.Key] = s.Total
	}
	balanced("total", &stats.Total)
	sum := stats.Forgotten
	for _, s := range p.Sources(at) {
		c := s.Counts
		balanced(s.Key, &c)
		sum = add(sum, c)
		got := store.Result{Stored: int(c.Stored), Superseded: int(c.Superseded - c.NoData), Repeated: int(c.Repeated), Late: int(c.Late)}
		if got != kept[s.Key] {
			t.Errorf("%s: counted %+v, the store has %+v", s.Key, got, kept[s.Key])
		}
		delete(kept, s.Key)
	}
	if len(kept) > 0 {
		t.Errorf("only the store knows %v", kept)
	}
	if sum != stats.Total {
		t.Errorf("sources add up to %+v, in all %+v", sum, stats.Total)
	}
	total := st.Stats().Total
	if got := (store.Result{Stored: int(sum.Stored), Superseded: int(sum.Superseded - sum.NoData), Repeated: int(sum.Repeated), Late: int(sum.Late)}); got != total {
		t.Errorf("counted %+v, the store %+v", got, total)
	}
	sum.NoData, sum.Repeated, sum.Unreadable, sum.Turned = 0, 0, 0, 0 // no answer tells these
	if sum != answered {
		t.Errorf("counted %+v, answered %+v", sum, answered)
	}
}

func add(a, b ingest.Counts) ingest.Counts {
	a.Requests += b.Requests
	a.Unreadable += b.Unreadable
	a.Turned += b.Turned
	a.Again += b.Again
	a.Accepted += b.Accepted
	a.Stored += b.Stored
	a.Superseded += b.Superseded
	a.Repeated += b.Repeated
	a.Late += b.Late
	a.NoData += b.NoData
	for i, n := range b.Rejected {
		a.Rejected[i] += n
	}
	return a
}

// account takes an answer into what was answered. Rejections are not told by
// reason, so they are counted under the first.
func account(to *ingest.Counts, a ingest.Answer) {
	to.Requests++
	if a.Repeated {
		to.Again++
		return
	}
	to.Accepted += int64(a.Accepted)
	to.Stored += int64(a.Stored)
	to.Superseded += int64(a.Superseded)
	to.Late += int64(a.Late)
	to.Rejected[0] += int64(a.ErrorCount)
}

// TestAccounts sends at random, good and bad, by several senders at once, with
// and without keys, to a store that refuses now and then.
func TestAccounts(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			st := newStore(t, store.Options{MaxSeries: 150, NewSeriesBurst: 200, NewSeriesRate: 5})
			p := ingest.New(st, ingest.Options{Limits: ingest.Limits{Keys: 40, KeyBytes: 20_000, Points: 30}})
			lost := struct { // applied, and no answer told
				sync.Mutex
				store.Result
			}{}
			p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
				switch rand.IntN(12) {
				case 0:
					return store.Result{}, store.ErrFull
				case 1:
					return store.Result{}, store.ErrUnavailable
				case 2:
					res, _ := next(b, at)
					lost.Lock()
					lost.Stored, lost.Superseded, lost.Late = lost.Stored+res.Stored, lost.Superseded+res.Superseded, lost.Late+res.Late
					lost.Unlock()
					return res, store.ErrUncertain
				case 3:
					return store.Result{}, store.ErrUncertain
				}
				return next(b, at)
			})
			answers := make([]ingest.Counts, 4)
			var wg sync.WaitGroup
			for c := range answers {
				rnd := rand.New(rand.NewPCG(seed, uint64(c)))
				wg.Go(func() {
					for i := range int64(300) {
						send := anything(p, rnd, now+i*500)
						account(&answers[c], send())
						if rnd.IntN(4) == 0 {
							account(&answers[c], send())
						}
					}
				})
			}
			wg.Wait()
			var answered ingest.Counts
			for _, c := range answers {
				answered = add(answered, c)
			}
			answered.Stored, answered.Superseded, answered.Late = answered.Stored+int64(lost.Stored), answered.Superseded+int64(lost.Superseded), answered.Late+int64(lost.Late)
			answered.Accepted += int64(lost.Stored + lost.Superseded + lost.Late)
			at := now + 150_000
			st.Advance(at)
			total := p.Stats().Total
			if total.Turned == 0 || total.Again == 0 || total.NoData == 0 || total.Repeated == 0 || total.Unreadable == 0 || len(total.RejectedBy()) < 4 {
				t.Errorf("the test tests too little: %+v", total)
			}
			for i, n := range total.Rejected {
				if i > 0 {
					answered.Rejected[i], answered.Rejected[0] = n, answered.Rejected[0]-n
				}
			}
			checkAccounts(t, p, st, at, answered)
		})
	}
}

// anything makes up a request of any kind, to be sent once or more often.
func anything(p *ingest.Pipeline, rnd *rand.Rand, at int64) func() ingest.Answer {
	from := ingest.From{Peer: fmt.Sprint("10.0.0.", rnd.IntN(3))}
	if rnd.IntN(3) == 0 {
		from.Header = fmt.Sprint("h", rnd.IntN(3))
	}
	if rnd.IntN(3) == 0 {
		from.Key = fmt.Sprint("key-", rnd.IntN(30))
	}
	name := func() string { return fmt.Sprint("series-", rnd.IntN(60)) }
	var list []string
	for range 1 + rnd.IntN(8) {
		when := at - rnd.Int64N(80_000) + 12_000
		value := []string{"1", "5.5", `"NaN"`, "-1", "null"}[rnd.IntN(5)]
		dstype := []string{"", `,"atlas.dstype":"gauge"`, `,"atlas.dstype":"sum"`, `,"atlas.dstype":"counter"`}[rnd.IntN(4)]
		list = append(list, fmt.Sprintf(`{"tags":{"name":"%s"%s%s},"timestamp":%d,"value":%s}`, name(), dstype, []string{"", "", "", `,"x":"y"`}[rnd.IntN(4)], when, value))
	}
	one, value := name(), float64(rnd.IntN(4)-1)
	update := fmt.Appendf(nil, `[4,"name","%s","k","v",1,0,1,0,%d,2,0,1,2,3,10,2]`, one, rnd.IntN(3))
	body := []byte("[" + strings.Join(list, ",") + "]")
	if rnd.IntN(20) == 0 {
		body = body[:len(body)/2]
	}
	switch rnd.IntN(6) {
	case 0:
		return func() ingest.Answer { return p.Count(one, tags.Of("region", "eu"), value, from, at) }
	case 1:
		return func() ingest.Answer { return p.Gauge(one, nil, value, from, at) }
	case 2:
		return func() ingest.Answer { return p.Update(update, from, at) }
	}
	return func() ingest.Answer { return p.Publish(body, from, at) }
}
