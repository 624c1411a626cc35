package ingest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/tags"
)

func TestSourceKeys(t *testing.T) {
	metric := func(set string) string {
		return fmt.Sprintf(`{"tags":{"name":"cpu"%s},"timestamp":%d,"value":1}`, set, now)
	}
	f := func(body string, from ingest.From, want string) {
		t.Helper()
		st := newStore(t, store.Options{})
		p := ingest.New(st, ingest.Options{})
		p.Publish([]byte(body), from, now)
		if got := p.Stats().Sources; len(got) != 1 || got[0].Key != want {
			t.Errorf("counted as %+v, want %q", got, want)
		}
		if got := st.SourceStats(); len(got) != 1 || got[0].Key != want {
			t.Errorf("stored as %+v, want %q", got, want)
		}
	}
	plain := `[` + metric("") + `]`
	f(plain, here, "10.0.0.1")
	f(plain, ingest.From{Peer: "::1", Header: "blue"}, "::1 source=blue")
	f(plain, ingest.From{Peer: "10.0.0.1", Token: "ci"}, "token:ci")
	f(plain, ingest.From{Peer: "10.0.0.1", Header: "a b=c%\n\xFFü"}, "10.0.0.1 source=a%20b%3Dc%25%0A%FF%C3%BC")
	f(plain, ingest.From{Peer: "10.0.0.1", Header: strings.Repeat("x", 5000)}, "10.0.0.1 source="+strings.Repeat("x", 118))
	f(`{"tags":{"nf.app":"www","nf.node":"i-1"},"metrics":[`+metric(`,"nf.app":"other"`)+`]}`, here, "10.0.0.1 app=www node=i-1")
	f(`{"metrics":[`+metric("")+`],"tags":{"nf.app":"www"}}`, here, "10.0.0.1 app=www")
	f(`[`+metric(`,"nf.app":"www","nf.node":"i-2"`)+`,`+metric(`,"nf.node":"i-3"`)+`]`, here, "10.0.0.1 app=www node=i-2")
}

// TestCounts sends good, late, repeated, useless and bad datapoints and checks
// the totals, each source's, and their sum.
func TestCounts(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	sent := map[string]int{}
	send := func(peer string, n int, a ingest.Answer) {
		t.Helper()
		checkSum(t, a, n)
		sent[peer] += n
	}
	for i := range 50 {
		at := now + int64(i)*3000
		peer := fmt.Sprintf("10.0.0.%d", i%3)
		from := ingest.From{Peer: peer}
		send(peer, 4, p.Publish([]byte(`[`+gaugeBody("aa", at, 5)+`,`+gaugeBody("aa", at, 4)+`,`+gaugeBody("a", at, 4)+`,`+
			fmt.Sprintf(`{"tags":{"name":"rate"},"timestamp":%d,"value":%d}`, at-int64(i%7)*9000, i)+`]`), from, at))
		send(peer, 2, p.Update([]byte(`[3,"name","count","x",1,0,1,0,5,1,0,2,0,"NaN"]`), from, at))
		send(peer, 1, p.Count("one", tags.Of("nf.app", ""), 1, from, at))
		send(peer, 0, p.Publish([]byte(`{`), from, at))
	}
	stats := p.Stats()
	var sum ingest.Counts
	perPeer := map[string]int64{}
	for _, s := range stats.Sources {
		c := s.Counts
		if c.Accepted != c.Stored+c.Superseded+c.Late {
			t.Errorf("%s: accepted %d = stored %d + superseded %d + late %d", s.Key, c.Accepted, c.Stored, c.Superseded, c.Late)
		}
		var rejected int64
		for i, n := range c.Rejected {
			rejected += n
			sum.Rejected[i] += n
		}
		perPeer[strings.Fields(s.Key)[0]] += c.Accepted + rejected
		sum.Requests += c.Requests
		sum.Unreadable += c.Unreadable
		sum.Accepted += c.Accepted
		sum.Stored += c.Stored
		sum.Superseded += c.Superseded
		sum.Late += c.Late
		sum.NoData += c.NoData
		if s.First < now || s.Last < s.First || s.Sample == "" {
			t.Errorf("%+v", s)
		}
	}
	if sum != stats.Total {
		t.Errorf("sources add up to %+v, total is %+v", sum, stats.Total)
	}
	if sum.Requests != 200 || sum.Unreadable != 50 || sum.Superseded == 0 || sum.Stored == 0 {
		t.Errorf("%+v", sum)
	}
	for peer, n := range sent {
		if perPeer[peer] != int64(n) {
			t.Errorf("%s: %d counted, %d sent", peer, perPeer[peer], n)
		}
	}
	byReason := stats.Total.RejectedBy()
	if byReason["value-too-short"] < 100 || byReason["too-old"] != 0 {
		t.Errorf("%v", byReason)
	}
}

// TestSourceCountsAreBounded sends under ever new names: the newest are kept and
// so is the one that goes on.
func TestSourceCountsAreBounded(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	const n = 40_000
	for i := range n {
		p.Publish(nil, ingest.From{Peer: fmt.Sprint("peer-", i)}, now)
		if i%1000 == 0 {
			p.Publish(nil, here, now)
		}
	}
	stats := p.Stats()
	if len(stats.Sources) > 2*8192 {
		t.Errorf("%d sources are kept", len(stats.Sources))
	}
	if stats.Total.Requests != n+n/1000 {
		t.Errorf("%d requests", stats.Total.Requests)
	}
	i := slices.IndexFunc(stats.Sources, func(s ingest.SourceCounts) bool { return s.Key == here.Peer })
	if i < 0 || stats.Sources[i].Counts.Requests != n/1000 {
		t.Errorf("the steady source was lost")
	}
	if !slices.ContainsFunc(stats.Sources, func(s ingest.SourceCounts) bool { return s.Key == fmt.Sprint("peer-", n-1) }) {
		t.Error("the newest source was lost")
	}
}

// TestConcurrently publishes from many goroutines, new series and known ones.
func TestConcurrently(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				var sb strings.Builder
				for k := range 10 {
					sb.WriteString("," + gaugeBody(fmt.Sprint("series-", (i+k)%40), now, float64(g)))
				}
				body := []byte("[" + sb.String()[1:] + "]")
				a := p.Publish(body, ingest.From{Peer: fmt.Sprint(g)}, now)
				for j := range body {
					body[j] = '#'
				}
				if a.Status != 200 {
					t.Errorf("%+v", a)
				}
				p.Stats()
			}
		})
	}
	wg.Wait()
	if got := stored(t, st, now); len(got) != 40 {
		t.Errorf("%d series, want 40", len(got))
	}
	if n := p.Stats().Total.Accepted; n != 8000 {
		t.Errorf("%d accepted, want 8000", n)
	}
}
