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
		if got := p.Sources(now); len(got) != 1 || got[0].Key != want {
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
	for _, s := range p.Sources(now) {
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
		sum.Repeated += c.Repeated
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

// TestSourcesAreBounded sends under ever new names: the newest are kept and so
// is the one that goes on, and what the others did is still in the sum.
func TestSourcesAreBounded(t *testing.T) {
	p := ingest.New(newStore(t, store.Options{MaxSources: 500}), ingest.Options{})
	const n = 4000
	for i := range n {
		p.Publish(nil, ingest.From{Peer: fmt.Sprint("peer-", i)}, now)
		if i%100 == 0 {
			p.Publish(nil, here, now)
		}
	}
	sources, stats := p.Sources(now), p.Stats()
	if len(sources) != 500 {
		t.Errorf("%d sources are kept, want 500", len(sources))
	}
	sum := stats.Forgotten.Requests
	for _, s := range sources {
		sum += s.Counts.Requests
	}
	if stats.Total.Requests != n+n/100 || sum != stats.Total.Requests {
		t.Errorf("%d requests, %d of sources", stats.Total.Requests, sum)
	}
	i := slices.IndexFunc(sources, func(s ingest.SourceCounts) bool { return s.Key == here.Peer })
	if i < 0 || sources[i].Counts.Requests != n/100 {
		t.Errorf("the steady source was lost")
	}
	if !slices.ContainsFunc(sources, func(s ingest.SourceCounts) bool { return s.Key == fmt.Sprint("peer-", n-1) }) {
		t.Error("the newest source was lost")
	}
}

// TestSourcesOfOneOwner lets some peers and tokens make up a name for every
// request: those who do not keep their places, in the pipeline and in the store.
func TestSourcesOfOneOwner(t *testing.T) {
	const most, steady = 300, 60
	st := newStore(t, store.Options{MaxSources: most})
	p := ingest.New(st, ingest.Options{})
	quiet := func(i int) ingest.From { return ingest.From{Peer: fmt.Sprint("10.0.1.", i), Header: "one"} }
	body := []byte("[" + gaugeBody("aa", now, 1) + "]")
	send := func(from ingest.From, at int64) {
		if a := p.Publish([]byte(strings.ReplaceAll(string(body), fmt.Sprint(now), fmt.Sprint(at))), from, at); a.Status != 200 {
			t.Fatalf("%+v: %+v", from, a)
		}
	}
	for i := range steady {
		send(quiet(i), now)
	}
	rotators := []ingest.From{{Peer: "10.0.0.1"}, {Peer: "10.0.0.2", Token: "ci"}}
	peer6 := func(i int) ingest.From { return ingest.From{Peer: fmt.Sprintf("2001:db8::%x", i+1)} }
	for i := range 3000 {
		at := now + int64(i)
		for _, from := range rotators {
			from.Header = fmt.Sprint("name-", i)
			send(from, at)
		}
		send(peer6(i), at)
	}
	for i := range steady {
		send(quiet(i), now+4000)
	}
	owned := map[string]int{}
	var sum ingest.Counts
	for _, s := range p.Sources(now + 4000) {
		owner, _, _ := strings.Cut(s.Key, " ")
		if strings.HasPrefix(owner, "2001:db8:") {
			owner = "v6"
		}
		owned[owner]++
		sum.Accepted += s.Counts.Accepted
		if strings.HasPrefix(owner, "10.0.1.") && s.Counts.Requests != 2 {
			t.Errorf("%s: %d requests, want 2", s.Key, s.Counts.Requests)
		}
	}
	for _, owner := range []string{"10.0.0.1", "token:ci", "v6"} {
		if n := owned[owner]; n < 40 || n > 130 {
			t.Errorf("%s has %d of %d places", owner, n, most)
		}
		delete(owned, owner)
	}
	if len(owned) != steady {
		t.Errorf("%d steady senders are left, want %d", len(owned), steady)
	}
	if total := p.Stats().Total; sum.Accepted != total.Accepted || total.Accepted != 9000+2*steady {
		t.Errorf("sources have accepted %d, in all %d", sum.Accepted, total.Accepted)
	}
	if stats := st.Stats(); stats.SourcesRefused != 0 || stats.Sources > most {
		t.Errorf("the store has refused %d reports and knows %d senders", stats.SourcesRefused, stats.Sources)
	}

	// Names that nobody uses any more make room for new ones.
	later := now + 30*60_000
	for i := range 100 {
		send(ingest.From{Peer: "10.0.0.9", Header: fmt.Sprint(i)}, later)
	}
	if n := len(p.Sources(later)); n > most {
		t.Errorf("%d sources, at most %d", n, most)
	}
	names := 0
	for _, s := range p.Sources(later) {
		if strings.HasPrefix(s.Key, "10.0.0.9 source=") {
			names++
		}
	}
	if names != 100 {
		t.Errorf("%d of 100 new names have a place of their own", names)
	}
}

// TestRate: points per second over the recent reports, whatever their distance.
func TestRate(t *testing.T) {
	f := func(name string, every, reports, points, silent int64, want float64) {
		t.Helper()
		p := newPipeline(t, ingest.Options{})
		var list []string
		for i := range points {
			list = append(list, gaugeBody(fmt.Sprint("series-", i), 111, 1))
		}
		at := now
		for i := range reports {
			at = now + i*every
			p.Publish([]byte(strings.ReplaceAll("["+strings.Join(list, ",")+"]", "111", fmt.Sprint(at))), here, at)
		}
		at += silent
		got := p.Sources(at)[0].Rate
		if got < want*0.99 || got > want*1.01+0.001 {
			t.Errorf("%s: %v points per second, want %v", name, got, want)
		}
	}
	f("once", 10_000, 1, 5, 60_000, 0)
	f("a step", 10_000, 20, 5, 10_000, 0.5)
	f("a step, at once", 10_000, 20, 5, 1, 0.5)
	f("a minute", 60_000, 20, 30, 10_000, 0.5)
	f("often", 100, 3000, 2, 0, 20)
	f("silent for ten intervals", 10_000, 20, 5, 100_000, 40.0/160) // eight reports of five in 160 s
	f("silent for long", 10_000, 20, 5, 24*3600_000, 0)
}

// TestClashes: two reporters with equal tags under rate are told so, others not.
func TestClashes(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	rate := func(name string, at int64, v float64) string {
		return fmt.Sprintf(`{"tags":{"name":"%s"},"timestamp":%d,"value":%v}`, name, at, v)
	}
	for i := range int64(12) {
		at := now + i*10_000
		send := func(peer string, body string) {
			if a := p.Publish([]byte(body), ingest.From{Peer: peer}, at); a.Status != 200 {
				t.Fatalf("%s: %+v", peer, a)
			}
		}
		send("first", `[`+rate("shared", at, 100)+`]`)
		send("second", `[`+rate("shared", at, 200)+`,`+rate("own", at, 1)+`]`)
		send("gauges", `[`+gaugeBody("level", at, 5)+`,`+gaugeBody("level", at, 4)+`]`)
		send("retries", `[`+rate("retried", at, 1)+`]`)
		if i == 5 {
			send("retries", `[`+rate("retried", at, 1)+`]`)
		}
	}
	for _, s := range p.Sources(now + 12*10_000) {
		if s.Clashes != (s.Key == "second") {
			t.Errorf("%s: clashes is %v, %d of %d superseded, %d of them repeated", s.Key, s.Clashes, s.Counts.Superseded, s.Counts.Accepted, s.Counts.Repeated)
		}
	}
}

// TestReasonsHaveFixes: every reason says what to do, in a sentence.
func TestReasonsHaveFixes(t *testing.T) {
	for _, r := range ingest.Reasons() {
		if fix := r.Fix(); len(fix) < 20 || !strings.HasSuffix(fix, ".") {
			t.Errorf("%s: %q", r, fix)
		}
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
