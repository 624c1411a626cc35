package main

import (
	"encoding/json"
	"errors"
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

// generation is the series that a reporter has for a while, by dstype. There are
// new ones all the time, so that every kill finds definitions which only the log
// has.
type generation struct {
	task   string
	until  int64 // Unix ms
	series map[string]*expected
}

// reporter is an application that sends each report until it is acknowledged.
// With a key every report counts once, also when the server was killed between
// its record and the answer; without one it sends no sums, whose repetition
// would count twice.
type reporter struct {
	name     string
	keyed    bool
	patience time.Duration // with a server that is not there or refuses
	target   *atomic.Pointer[string]
	http     *http.Client
	random   *rand.Rand
	last     int64
	total    float64
	sent     int
	past     []*generation // the last one is the present one
	unheard  repetition

	acked, refused atomic.Int64
	bare           atomic.Int64 // refusals that do not say when to come again
}

func newReporter(i int, seed uint64, target *atomic.Pointer[string], client *http.Client) *reporter {
	return &reporter{name: fmt.Sprintf("node-%d", i), keyed: i%2 == 0, patience: killWait, target: target, http: client,
		random: rand.New(rand.NewPCG(seed, uint64(i)))}
}

// generation returns the series of a report at t.
func (r *reporter) generation(t int64) *generation {
	if n := len(r.past); n > 0 && t < r.past[n-1].until {
		return r.past[n-1]
	}
	g := &generation{task: fmt.Sprintf("task-%d", len(r.past)), until: t + 250 + r.random.Int64N(500), series: map[string]*expected{}}
	for _, d := range dstypes {
		if d != "sum" || r.keyed {
			g.series[d] = &expected{dstype: d, values: map[int64]float64{}}
		}
	}
	r.past = append(r.past, g)
	return g
}

// repetition is an acknowledged report whose answer the reporter takes for lost: it
// sends it again after a while, with its key, and it may not count twice.
type repetition struct {
	body, key string // no key: there is none
	due       int64  // Unix ms
}

// errDropped is a report that was refused and not sent again.
var errDropped = errors.New("dropped")

// report sends one report of all series and returns when it is acknowledged, or
// with what is wrong. After stop was closed one that was only ever refused is
// dropped: nothing of it may be there.
func (r *reporter) report(stop <-chan struct{}) error {
	t := time.Now().UnixMilli()
	if u := r.unheard; u.key != "" && t >= u.due {
		r.unheard = repetition{}
		if err := r.send(u.body, u.key, nil); err != nil {
			return fmt.Errorf("again: %w", err)
		}
	}
	for ; t <= r.last; t = time.Now().UnixMilli() { // a time of its own for each
		time.Sleep(200 * time.Microsecond)
	}
	r.last = t
	r.total += float64(r.random.IntN(50))
	g := r.generation(t)
	values := map[string]float64{"gauge": float64(r.random.IntN(1000)) / 10, "sum": float64(r.random.IntN(100)), "counter": r.total, "rate": r.random.Float64() * 100}
	var metrics []metric
	for _, d := range dstypes {
		if g.series[d] != nil {
			metrics = append(metrics, metric{map[string]string{"name": "kept." + d, "atlas.dstype": d}, t, values[d]})
		}
	}
	body, err := json.Marshal(map[string]any{"tags": map[string]string{"nf.app": "kept", "nf.node": r.name, "nf.task": g.task}, "metrics": metrics})
	if err != nil {
		return err
	}
	r.sent++
	key := ""
	if r.keyed {
		key = fmt.Sprintf("%s-%d", r.name, r.sent)
	}
	if err := r.send(string(body), key, stop); err != nil {
		return err
	}
	for _, m := range metrics {
		g.series[m.Tags["atlas.dstype"]].take(t, m.Value)
	}
	r.acked.Add(1)
	if r.unheard.key == "" {
		r.unheard = repetition{string(body), key, t + r.random.Int64N(1500)}
	}
	return nil
}

// send sends a body until it is acknowledged; see report.
func (r *reporter) send(body, key string, stop <-chan struct{}) error {
	doubt := false
	for deadline := time.Now().Add(r.patience); ; {
		status, answer, err := r.post(body, key)
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err != nil || status == http.StatusConflict: // the one before it is under way
			doubt = true
		case status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage:
			r.refused.Add(1)
			if !doubt && closed(stop) {
				return errDropped
			}
		default:
			return fmt.Errorf("%s report %d: status %d %s", r.name, r.sent, status, answer)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s report %d: not acknowledged, last status %d %s, %v", r.name, r.sent, status, answer, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (r *reporter) post(body, key string) (status int, answer string, err error) {
	target := r.target.Load()
	if target == nil {
		return 0, "", fmt.Errorf("there is no server")
	}
	req, err := http.NewRequest(http.MethodPost, *target+"/api/v1/publish", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	if res.StatusCode >= 500 && res.Header.Get("Retry-After") == "" {
		r.bare.Add(1)
	}
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// keeper is servers on one data folder, one after the other, and who reports.
type keeper struct {
	t         *testing.T
	random    *rand.Rand
	data      string
	mode      string
	snapshots string // least time between two
	since     int64
	victim    *victim
	target    atomic.Pointer[string]
	http      http.Client
	reporters []*reporter
	wrong     int // values; the first are told
}

func newKeeper(t *testing.T, mode, data string, seed uint64) *keeper {
	k := &keeper{t: t, random: rand.New(rand.NewPCG(seed, 9)), data: data, mode: mode, snapshots: "200ms", since: step.Floor(time.Now().UnixMilli(), killStep)}
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
	for _, told := range []string{"damaged", "passed over", "have no series"} { // nobody has damaged anything
		if said := k.victim.said(); strings.Contains(said, told) {
			k.t.Errorf("the server found damage:\n%s", said)
		}
	}
}

func (k *keeper) run() *victim {
	v, err := startVictim(k.data, "--durability", k.mode, "--tiers", "100ms:30m,1s:2h", "--snapshot-every", k.snapshots, "--max-age", "60s", "--max-lines", "100000")
	if err != nil {
		k.t.Fatal(err)
	}
	return v
}

// load has everybody report until the function that it returns is called, which
// waits for all reports to be acknowledged, or dropped.
func (k *keeper) load() (stop func()) {
	var work sync.WaitGroup
	errs := make([]error, len(k.reporters))
	ending := make(chan struct{})
	for i, r := range k.reporters {
		work.Go(func() {
			for errs[i] == nil && !closed(ending) {
				if err := r.report(ending); err != errDropped {
					errs[i] = err
				}
			}
		})
	}
	return func() {
		k.t.Helper()
		close(ending)
		work.Wait()
		for _, err := range errs {
			if err != nil {
				k.t.Fatalf("%v\n%s", err, k.victim.said())
			}
		}
	}
}

// round lets everybody report for a while, ends the server in between, and
// starts it again.
func (k *keeper) round() {
	k.t.Helper()
	stop := k.load()
	time.Sleep(time.Duration(100+k.random.IntN(900)) * time.Millisecond)
	if k.random.IntN(8) == 0 { // an orderly end now and then
		_ = k.victim.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-k.victim.ended:
		case <-time.After(killWait):
			k.t.Errorf("the server does not end:\n%s", k.victim.said())
		}
	}
	k.kill()
	k.start()
	stop()
}

func (k *keeper) kill() {
	k.victim.kill()
	k.target.Store(nil)
}

// acked returns how many reports were acknowledged.
func (k *keeper) acked() (n int64) {
	for _, r := range k.reporters {
		n += r.acked.Load()
	}
	return n
}

const maxChecked = 200 // steps asked for at once, of all series: more are answered with a longer step

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
	q := url.Values{"q": {"name,kept." + dstype + ",:eq,:sum,(,nf.node,nf.task,),:by"}, "format": {"json"}, "step": {"100ms"}, "s": {fmt.Sprint(start)}, "e": {fmt.Sprint(end)}}
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
	if answer.Step != killStep {
		k.t.Fatalf("%s is answered with a step of %d ms", q.Get("q"), answer.Step)
	}
	column := map[string]int{}
	for i, m := range answer.Metrics {
		column[m["nf.node"]+m["nf.task"]] = i
	}
	for _, r := range k.reporters {
		for _, g := range r.past {
			x := g.series[dstype]
			if x == nil {
				continue
			}
			at, answered := column[r.name+g.task]
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
					k.wrong++
					if k.wrong <= 20 {
						k.t.Errorf("%s of %s %s at %d (%d steps after the beginning): %v, acknowledged %v", dstype, r.name, g.task, t, (t-k.since)/killStep, got, want)
					}
				} else if known {
					checked++
				}
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
			k := newKeeper(t, mode, t.TempDir(), seed)
			k.start()
			for round := range rounds {
				k.round()
				k.check(max(k.since, time.Now().UnixMilli()-20_000) / killStep * killStep)
				if t.Failed() {
					t.Fatalf("in round %d:\n%s", round+1, k.victim.said())
				}
			}
			checked := k.check(k.since)
			t.Logf("%d rounds, %d requests acknowledged, %d values compared", rounds, k.acked(), checked)
			if checked == 0 {
				t.Error("nothing was compared")
			}
			k.kill()
			k.sound()
		})
	}
}
