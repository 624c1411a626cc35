package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pulse/store"
	"pulse/store/disk"
	"pulse/store/norm"
	"pulse/store/step"
)

// The kinds of series that a reporter sends, and what their names are.
var dstypes = []string{"gauge", "sum", "counter", "rate"}

// expected is what one series must answer: the steps of everything that was
// acknowledged, worked out from the reports alone.
type expected struct {
	dstype string
	state  norm.State
	values map[int64]float64 // by step; sums per second, counters per second
}

// take adds a report that was acknowledged.
func (x *expected) take(t int64, v float64) {
	p := norm.Params{Step: killStep}
	at := step.Ceil(t, killStep)
	old, known := x.values[at]
	switch x.dstype {
	case "gauge":
		if !known || v > old {
			x.values[at] = v
		}
		return
	case "sum":
		x.values[at] = old + v
		return
	}
	var e norm.Emit
	if x.dstype == "rate" {
		e, _ = x.state.Rate(p, t, v)
	} else {
		e, _ = x.state.Counter(p, t, v)
	}
	v, at = e.FirstValue, e.First
	for range e.N {
		if v == v {
			x.values[at] = v
			if x.dstype == "counter" {
				x.values[at] = v / (killStep / 1000.0)
			}
		}
		v, at = e.Value, at+killStep
	}
}

// reporter is an application that sends each report until it is acknowledged.
// With a key every report counts once, also when the server was killed between
// its record and the answer; without one it sends no sums, whose repetition
// would count twice.
type reporter struct {
	name   string
	keyed  bool
	target *atomic.Pointer[string]
	http   *http.Client
	random *rand.Rand
	last   int64
	total  float64
	sent   int
	acked  int
	series map[string]*expected
}

func newReporter(i int, seed uint64, target *atomic.Pointer[string], client *http.Client) *reporter {
	r := &reporter{name: fmt.Sprintf("node-%d", i), keyed: i%2 == 0, target: target, http: client,
		random: rand.New(rand.NewPCG(seed, uint64(i))), series: map[string]*expected{}}
	for _, d := range dstypes {
		if d != "sum" || r.keyed {
			r.series[d] = &expected{dstype: d, values: map[int64]float64{}}
		}
	}
	return r
}

// report sends one report of all series and returns when it is acknowledged, or
// with what is wrong.
func (r *reporter) report() error {
	t := time.Now().UnixMilli()
	for ; t <= r.last; t = time.Now().UnixMilli() { // a time of its own for each
		time.Sleep(200 * time.Microsecond)
	}
	r.last = t
	r.total += float64(r.random.IntN(50))
	values := map[string]float64{"gauge": float64(r.random.IntN(1000)) / 10, "sum": float64(r.random.IntN(100)), "counter": r.total, "rate": r.random.Float64() * 100}
	var metrics []metric
	for _, d := range dstypes {
		if r.series[d] != nil {
			metrics = append(metrics, metric{map[string]string{"name": "kept." + d, "atlas.dstype": d}, t, values[d]})
		}
	}
	body, err := json.Marshal(map[string]any{"tags": map[string]string{"nf.app": "kept", "nf.node": r.name}, "metrics": metrics})
	if err != nil {
		return err
	}
	r.sent++
	for deadline := time.Now().Add(killWait); ; {
		status, answer, err := r.post(string(body))
		switch {
		case err == nil && status == http.StatusOK:
			r.acked++
			for _, m := range metrics {
				r.series[m.Tags["atlas.dstype"]].take(t, m.Value)
			}
			return nil
		case err == nil && status != http.StatusServiceUnavailable && status != http.StatusInsufficientStorage && status != http.StatusConflict:
			return fmt.Errorf("%s report %d: status %d %s", r.name, r.sent, status, answer)
		case time.Now().After(deadline):
			return fmt.Errorf("%s report %d: not acknowledged, last status %d %s, %v", r.name, r.sent, status, answer, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (r *reporter) post(body string) (status int, answer string, err error) {
	target := r.target.Load()
	if target == nil {
		return 0, "", fmt.Errorf("there is no server")
	}
	req, err := http.NewRequest(http.MethodPost, *target+"/api/v1/publish", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if r.keyed {
		req.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", r.name, r.sent))
	}
	res, err := r.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// keeper is servers on one data folder, one after the other, and who reports.
type keeper struct {
	t         *testing.T
	random    *rand.Rand
	data      string
	mode      string
	since     int64
	victim    *victim
	target    atomic.Pointer[string]
	http      http.Client
	reporters []*reporter
}

func newKeeper(t *testing.T, mode string, seed uint64) *keeper {
	k := &keeper{t: t, random: rand.New(rand.NewPCG(seed, 9)), data: t.TempDir(), mode: mode, since: step.Floor(time.Now().UnixMilli(), killStep)}
	k.http.Timeout = killWait
	for i := range 6 {
		k.reporters = append(k.reporters, newReporter(i, seed, &k.target, &k.http))
	}
	t.Cleanup(func() {
		if k.victim != nil {
			k.victim.kill()
		}
	})
	return k
}

// start starts a server; some are killed before they serve, while they read
// what the folder has.
func (k *keeper) start() {
	k.t.Helper()
	for range k.random.IntN(3) {
		v := k.run()
		time.Sleep(time.Duration(k.random.IntN(60)) * time.Millisecond)
		v.kill()
	}
	k.victim = k.run()
	select {
	case <-k.victim.served:
	case <-k.victim.ended:
		k.t.Fatalf("the server ended:\n%s", k.victim.said())
	case <-time.After(killWait):
		k.t.Fatalf("the server does not serve:\n%s", k.victim.said())
	}
	k.target.Store(&k.victim.url)
}

func (k *keeper) run() *victim {
	v, err := startVictim(k.data, "--durability", k.mode, "--tiers", "100ms:30m,1s:2h", "--snapshot-every", "200ms", "--max-age", "60s")
	if err != nil {
		k.t.Fatal(err)
	}
	return v
}

// round lets everybody report for a while, ends the server in between, and
// starts it again.
func (k *keeper) round() {
	k.t.Helper()
	until := time.Now().Add(time.Duration(100+k.random.IntN(900)) * time.Millisecond)
	var work sync.WaitGroup
	errs := make([]error, len(k.reporters))
	stop := make(chan struct{})
	for i, r := range k.reporters {
		work.Go(func() {
			for errs[i] == nil {
				select {
				case <-stop:
					return
				default:
					errs[i] = r.report()
				}
			}
		})
	}
	time.Sleep(time.Until(until))
	if k.random.IntN(8) == 0 { // an orderly end now and then
		_ = k.victim.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-k.victim.ended:
		case <-time.After(killWait):
			k.t.Errorf("the server does not end:\n%s", k.victim.said())
		}
	}
	k.victim.kill()
	k.target.Store(nil)
	close(stop)
	k.start()
	work.Wait()
	for _, err := range errs {
		if err != nil {
			k.t.Fatalf("%v\n%s", err, k.victim.said())
		}
	}
}

const maxChecked = 1400 // steps asked for at once

// check compares every value of every series since the given time with what was
// acknowledged.
func (k *keeper) check(since int64) (checked int) {
	k.t.Helper()
	end := step.Ceil(time.Now().UnixMilli(), killStep) + killStep
	for start := since; start < end; start += maxChecked * killStep {
		for _, d := range dstypes {
			checked += k.compare(d, start, min(end, start+maxChecked*killStep))
		}
	}
	return checked
}

func (k *keeper) compare(dstype string, start, end int64) (checked int) {
	k.t.Helper()
	q := url.Values{"q": {"name,kept." + dstype + ",:eq,:sum,(,nf.node,),:by"}, "format": {"json"}, "step": {"100ms"}, "s": {fmt.Sprint(start)}, "e": {fmt.Sprint(end)}}
	res, err := k.http.Get(*k.target.Load() + "/api/v1/graph?" + q.Encode())
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Start   int64
		Step    int64
		Metrics []map[string]string
		Values  [][]any
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
		k.t.Fatalf("%s: status %d, %v", q.Get("q"), res.StatusCode, err)
	}
	column := map[string]int{}
	for i, m := range answer.Metrics {
		column[m["nf.node"]] = i
	}
	for _, r := range k.reporters {
		x := r.series[dstype]
		if x == nil {
			continue
		}
		at, answered := column[r.name]
		for t := start + killStep; t <= end; t += killStep {
			got := math.NaN()
			if i := int((t - answer.Start) / answer.Step); answered && i >= 0 && i < len(answer.Values) {
				got = numberOf(answer.Values[i][at])
			}
			want, known := x.values[t]
			if !known {
				want = math.NaN()
			}
			if got != want && (got == got || want == want) {
				k.t.Errorf("%s of %s at %d (%d steps after the beginning): %v, acknowledged %v", dstype, r.name, t, (t-k.since)/killStep, got, want)
			} else if known {
				checked++
			}
		}
	}
	return checked
}

// numberOf reads a value of an answer, in which no data is a text.
func numberOf(v any) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return math.NaN()
}

// sound reads everything in the data folder of a server that was killed.
func (k *keeper) sound() {
	k.t.Helper()
	files, err := disk.Dir(k.data)
	if err != nil {
		k.t.Fatal(err)
	}
	err = store.Check(files, func(f store.Finding) {
		if f.Bad {
			k.t.Errorf("%s: %s", f.File, f.Text)
		}
	})
	if err != nil {
		k.t.Error(err)
	}
}

// TestValuesSurviveKills: whatever was acknowledged is there after the server was
// killed, to the last bit and once, for every kind of series.
func TestValuesSurviveKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds, seed := fromEnv(t, "PULSE_KILL_ROUNDS", 5), fromEnv(t, "PULSE_SEED", uint64(time.Now().UnixNano()%1_000_000))
	for _, mode := range []string{"sync", "interval"} {
		t.Run(mode, func(t *testing.T) {
			t.Logf("PULSE_SEED=%d", seed)
			k := newKeeper(t, mode, seed)
			k.start()
			for round := range rounds {
				k.round()
				k.check(max(k.since, time.Now().UnixMilli()-20_000) / killStep * killStep)
				if t.Failed() {
					t.Fatalf("in round %d:\n%s", round+1, k.victim.said())
				}
			}
			checked, acked := k.check(k.since), 0
			for _, r := range k.reporters {
				acked += r.acked
			}
			t.Logf("%d rounds, %d requests acknowledged, %d values compared", rounds, acked, checked)
			if checked == 0 {
				t.Error("nothing was compared")
			}
			k.victim.kill()
			k.sound()
		})
	}
}
