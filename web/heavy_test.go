package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulse/query"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/tags"
	"pulse/web"
)

// heavyQueries ask for much with few bytes. The store has 10,000 series of 600 steps.
func heavyQueries() map[string]string {
	q := func(program string, more ...string) string {
		return "/api/v1/graph?format=json&s=e-600s&q=" + url.QueryEscape(program) + strings.Join(more, "")
	}
	repeat := strings.Repeat
	patterns := make([]string, 100)
	for i := range patterns {
		patterns[i] = fmt.Sprintf("node,(.*a){%d}$,:re", i%10+1)
	}
	out := map[string]string{
		"depth of lists":           q(repeat("(,", 900) + "x" + repeat(",)", 900)),
		"depth of calls":           q("(,:dup,:call,),:dup,:call"),
		"a tower of calls":         q("(,a,),:call" + repeat(",:depth,:nlist,:call", 300)),
		"doubling by add":          q("name,load,:eq,:sum" + repeat(",:dup,:add", 400)),
		"doubling on the stack":    q("1" + repeat(",:2over", 500)),
		"doubling of lists":        q("(,a,b,)" + repeat(",:dup,2,:nlist", 400)),
		"doubling of text":         q("aaaaaaaaaaaaaaaa" + repeat(",(,:dup,),:call,:dup,2,:nlist,%s%s,:swap,:format", 30)),
		"doubling of queries":      "/api/v1/expr/normalize?q=" + url.QueryEscape("a,:has,b,:has,:or"+repeat(",:dup,:not,:or,:dup,:and", 40)),
		"a normal form":            "/api/v1/expr/normalize?q=" + url.QueryEscape("a0,:has,b0,:has,:or"+pairs(60)),
		"each of each":             q("(,1,2,3,4,5,6,7,8,9,10,),(,(,1,2,3,4,5,6,7,8,9,10,),(,(,1,2,3,4,5,6,7,8,9,10,),(,(,1,2,3,4,5,6,7,8,9,10,),(,:dup,),:each,),:each,),:each,),:each"),
		"steps of the debugger":    "/api/v1/expr/debug?q=" + url.QueryEscape("name,load,:eq,:sum"+repeat(",:dup,:abs", 450)),
		"steps as it is typed":     "/api/v1/expr/debug?typed=1&q=" + url.QueryEscape("name,load,:eq,:sum"+repeat(",:dup,:abs", 450)),
		"completion of a tower":    "/api/v1/expr/complete?q=" + url.QueryEscape("name,load,:eq,:sum"+repeat(",:dup,:add", 11)),
		"ten thousand lines":       q("name,load,:eq,(,node,),:by"),
		"ten thousand stacked":     q("name,load,:eq,(,node,),:by,:dup,:add,:des-fast,:sdes-fast,20,:rolling-max"),
		"long windows":             q("name,load,:eq,(,node,),:by,86400,:rolling-max"),
		"many long windows":        q("name,load,:eq,(,node,),:by" + repeat(",86400,:delay", 40)),
		"ten thousand percentiles": q("name,load,:eq,(,node,),:by,(,1,2,3,4,5,6,7,8,9,10,),:percentiles"),
		"ten thousand in topk":     q("name,load,:eq,(,node,),:by,max,9999,:topk"),
		"ten thousand shifts":      q("name,load,:eq,:sum,(" + repeat(",1s", 900) + ",),:offset"),
		"a thousand shifts":        q("name,load,:eq,(,node,),:by,max,5,:topk,(" + repeat(",1s", 300) + ",),:offset"),
		"all of all":               q("name,load,:eq,:all,:dup,:all"),
		"a long range":             q("name,load,:eq,:sum", "&s=epoch&step=1s"),
		"a long range, far":        q("name,load,:eq,:sum", "&s=e-100000w&w=100000000"),
		"a long range fetched":     "/api/v2/fetch?s=e-100000s&q=" + url.QueryEscape("name,load,:eq,(,node,),:by,:integral"),
		"a fetch of windows":       "/api/v2/fetch?s=e-100000s&q=" + url.QueryEscape(":random"+repeat(",86400,:delay", 300)),
		"tiny steps":               q("name,load,:eq,:sum", "&step=1ns&w=2000000"),
		"a hundred of values":      "/api/v1/tags/node?q=" + url.QueryEscape(patterns[0]+","+strings.Join(patterns[1:], ",:or,")+",:or"),
		"a hundred of a stream":    "/api/v1/stream?q=" + url.QueryEscape(patterns[0]+","+strings.Join(patterns[1:], ",:or,")+",:or"),
		"a heavy pattern":          q("node,(a*)*(a*)*(a*)*(a*)*b,:re,name,load,:eq,:and"),
		"a wide pattern":           q("node,((a{100}){100}){10},:re"),
		"a long pattern":           q("node," + repeat("(a|b)*", 170) + ",:re"),
		"a hundred patterns":       q(patterns[0] + "," + strings.Join(patterns[1:], ",:or,") + ",:or"),
		"a hundred in lower case":  q(strings.ReplaceAll(patterns[0]+","+strings.Join(patterns[1:], ",:or,")+",:or", ":re", ":reic")),
		"heavy legends":            q("name,load,:eq,(,node,),:by,max,1000,:topk,$node$node$node$node$node$node,:legend" + repeat(",(.*).*(.*),$1$2$1$2,:s", 20)),
		"a huge picture":           "/api/v1/graph?w=1000000&h=1000000&zoom=2&q=" + url.QueryEscape("name,load,:eq,(,node,),:by,max,1000,:topk"),
		"twenty thousand words":    q("(" + repeat(",1,:drop", 480) + ",),(" + repeat(",:dup,:drop", 200) + ",),:each"),
	}
	for _, word := range []string{"avg", "stddev", "pct", "max", "abs", "per-step"} {
		out["a tower of "+word] = q("name,load,:eq,(,node,),:by" + repeat(",:"+word, 900))
	}
	return out
}

// pairs is n disjunctions that are joined by :and.
func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",a%d,:has,b%d,:has,:or,:and", i, i)
	}
	return b.String()
}

// crowded is a rig with a series for each of n nodes, over 600 steps.
func crowded(t *testing.T, n int, o web.Options) *rig { return crowdedWith(t, n, settings{web: o}) }

// crowdedWith is a crowded rig with more settings.
func crowdedWith(t *testing.T, n int, s settings) *rig {
	s.store.NewSeriesRate = -1
	r := newRig(t, s)
	values, times := make([]float64, 600), make([]int64, 600)
	for i := range times {
		times[i], values[i] = epoch-int64(600-i)*step, float64(i%50)
	}
	for i := range n {
		ts := tags.Of("name", "load", "node", fmt.Sprintf("aaaaaaaaaaaaaaaaaaaaaaaa-%d", i), "percentile", fmt.Sprintf("T%04X", i%276))
		ref, err := r.store.Resolve(r.store.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Import(&store.ImportBatch{Lines: []store.ImportLine{{Ref: ref, Times: times, Values: values}}}, epoch); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 {
			r.store.Advance(epoch)
		}
	}
	return r
}

// However much is asked for, the answer comes soon, it is an answer or a refusal,
// and the server goes on answering others.
func TestHeavyQueries(t *testing.T) {
	if testing.Short() {
		t.Skip("asks for much")
	}
	const limit = 2 * time.Second
	r := crowded(t, 10_000, web.Options{QueryTimeout: limit})
	done := make(chan struct{})
	var worst time.Duration
	var now, at atomic.Pointer[string]
	var health sync.WaitGroup
	health.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			began := time.Now()
			if a := r.call("GET", "/ok", nil); a.status != 200 {
				t.Errorf("health: %s", a)
			}
			if took := time.Since(began); took > worst {
				worst = took
				at.Store(now.Load())
			}
		}
	})
	var most uint64
	for what, target := range heavyQueries() {
		began := time.Now()
		now.Store(&what)
		a := r.call("GET", target, nil)
		took := time.Since(began)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
		if a.status != 200 && a.status != 400 && a.status != 503 {
			t.Errorf("%s: %s", what, a)
		}
		if a.status == 503 && !strings.Contains(string(a.body), "query time limit exceeded: 2s") {
			t.Errorf("%s does not name the limit: %s", what, a)
		}
		if took > 2*limit {
			t.Errorf("%s took %v: %s", what, took, a)
		}
		if os.Getenv("PULSE_SHOW") != "" {
			text := a.String()
			fmt.Printf("%-26s %8.0f ms %s\n", what, took.Seconds()*1000, text[:min(len(text), 170)])
		}
	}
	close(done)
	health.Wait()
	t.Logf("health took at most %v, during %s; the heap %d MiB", worst, *at.Load(), most>>20)
	if worst > time.Second {
		t.Errorf("health took %v during %s", worst, *at.Load())
	}
}

// A heavy query ends soon after its client is gone, and leaves no memory behind.
func TestHeavyQueriesOfClientsThatGo(t *testing.T) {
	if testing.Short() {
		t.Skip("asks for much")
	}
	r := crowded(t, 10_000, web.Options{})
	running := func() int {
		return decode[struct {
			Limits map[string]struct{ Used int }
		}](t, r.get("/api/v1/status")).Limits["queries"].Used
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	targets := heavyQueries()
	for _, what := range []string{"a hundred patterns", "a hundred in lower case", "a hundred of values"} {
		ctx, cancel := context.WithCancel(context.Background())
		request, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.addr+targets[what], nil)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			a, err := r.client.Do(request)
			if err == nil {
				a.Body.Close()
			}
			ended <- err
		}()
		for until := time.Now().Add(patience); running() == 0; {
			if time.Now().After(until) {
				t.Fatalf("%s does not run", what)
			}
		}
		gone := time.Now()
		cancel()
		if err := <-ended; err == nil {
			t.Errorf("%s was answered before its client went", what)
		}
		for running() > 0 && time.Since(gone) < patience {
		}
		took := time.Since(gone)
		if took > time.Second {
			t.Errorf("%s ran on for %v", what, took)
		}
		if after := heap(); after > before+16<<20 {
			t.Errorf("%s left %d MiB, %d before", what, after>>20, before>>20)
		}
		t.Logf("%s ran on for %v", what, took)
	}
}

// Whatever works on an expression has the place of a query: beyond those places and
// the queue it is refused at once.
func TestExpressionsAreQueries(t *testing.T) {
	held := &heldClock{clock.NewManual(time.UnixMilli(epoch)), make(chan struct{})}
	r := newRig(t, settings{web: web.Options{Queries: 1, QueryQueue: 1}, query: query.Options{Clock: held}})
	answers := make(chan answer, 2)
	ask := func(target string) { answers <- r.call("GET", target, nil) }
	go ask("/api/v2/fetch?s=e-3s&q=1")
	for <-r.clock.asleep != 10*time.Second { // before its next heartbeat, it computes
	}
	go ask("/api/v1/expr/normalize?q=1")
	for <-r.clock.asleep != 2*time.Second { // it waits for a place
	}
	for _, target := range []string{
		"/api/v1/graph", "/api/v2/fetch", "/api/v1/stream", "/api/v1/tags", "/api/v1/tags/name", "/api/v1/expr", "/api/v1/expr/debug",
		"/api/v1/expr/normalize", "/api/v1/expr/rewrite", "/api/v1/expr/queries", "/api/v1/expr/strip", "/api/v1/expr/complete", "/api/v1/expr/words",
	} {
		for _, query := range []string{"?q=1,(", "?q=1&cq=:nope", "?q=1&typed=1"} {
			wantError(t, target+query, r.call("GET", target+query, nil), 503, "too many queries are waiting")
		}
	}
	close(held.hold)
	for range 2 {
		if a := <-answers; a.status != 200 {
			t.Errorf("%s", a)
		}
	}
}
