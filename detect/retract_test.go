package detect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// phone is what takes the messages of a real outbox.
type phone struct {
	mu    sync.Mutex
	calls []string
	fails bool // it answers 503
}

func (p *phone) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var n struct {
		Type, Rule string
		Tags       map[string]string
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, strings.TrimPrefix(n.Type, "alert.")+" "+n.Rule+" "+n.Tags["region"]+" "+strings.TrimPrefix(req.URL.Path, "/"))
	status := 200
	if p.fails {
		status = 503
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil))}, nil
}

// outRig is a rig with a real outbox that runs, and receivers that are called.
type outRig struct {
	*rig
	phone *phone
	end   func()
}

// withOutbox runs f with such a rig inside a synctest bubble.
func withOutbox(t *testing.T, receivers string, f func(r *outRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &outRig{rig: newRig(t, second), phone: &phone{}}
		r.open()
		for _, name := range strings.Fields(receivers) {
			if err := r.svc.PutReceiver(notify.Receiver{Name: name, URL: secret.NewURL("http://127.0.0.1:1/" + name)}); err != nil {
				t.Fatal(err)
			}
		}
		f(r)
		r.end()
	})
}

// open starts outbox and engine over the database.
func (r *outRig) open() {
	r.t.Helper()
	svc, err := notify.New(notify.Options{
		DB: r.db, Clock: r.rig.clock, Transport: r.phone, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: zerolog.Nop(),
		Rand: func() float64 { return 0 },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	r.end = func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}
	r.svc = svc
	r.start()
}

// again restarts both.
func (r *outRig) again() {
	r.t.Helper()
	if err := r.engine.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.end()
	r.newStore()
	r.open()
}

// lives feeds values from one second to another and lets the outbox do its work at each.
func (r *outRig) lives(from, to int64, values map[string]float64) {
	r.t.Helper()
	for s := from; s <= to; s++ {
		r.at(s*second - 100)
		for region, v := range values {
			r.send("n-"+region, p(v, "name", "sps", "region", region))
		}
		r.to(s*second + 500)
		r.settle()
		synctest.Wait()
	}
}

// wantCalls compares the messages since the last call.
func (r *outRig) wantCalls(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.phone.mu.Lock()
	got := r.phone.calls
	r.phone.calls = nil
	r.phone.mu.Unlock()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Fatalf("at %d s: called %q, want %q", (r.now()-epoch)/1000, got, want)
	}
}

// slowWarn lets warnings wait for company, and pages go at once.
const slowWarn = `[{"matchers":["severity=warn"],"receiver":"chat","group_by":["region"],"group_wait":"10s"},{"receiver":"oncall"}]`

// TestTakenBack: an alert whose group still waits when a cause of it begins, or a silence
// that means it, is taken back and held back; it is told when that ends, and only then.
func TestTakenBack(t *testing.T) {
	for _, restart := range []string{"", "held", "released"} {
		withOutbox(t, "chat oncall", func(r *outRig) {
			again := func(when string) {
				if restart == when {
					r.again()
				}
			}
			r.put(warnRule)
			r.put(pageRule)
			r.routes(`[]`, over)
			r.routes(slowWarn)
			r.to(0)
			r.lives(1, 4, map[string]float64{"eu": 7, "us": 7})
			r.wantCalls()
			r.lives(5, 7, map[string]float64{"eu": 1, "us": 7}) // the cause, seconds later
			r.wantCalls("firing page eu oncall")
			if text := r.timelineOf("warn", "eu", "inhibited"); !strings.HasPrefix(text, "chat is not told: its group still waited, and it is inhibited by over, as alert ") {
				t.Errorf("timeline: %q", text)
			}
			for _, a := range r.alerts("firing") {
				if a.Rule == "warn" && (a.Tags["region"] == "eu") != (len(a.InhibitedBy) == 1 && len(a.Receivers) == 0) {
					t.Errorf("%v is inhibited by %v and told to %v", a.Tags, a.InhibitedBy, a.Receivers)
				}
			}
			if n := r.engine.Stats().Inhibited; n != 1 {
				t.Errorf("%d counted as inhibited", n)
			}
			again("held")
			r.lives(8, 20, map[string]float64{"eu": 1, "us": 7})
			r.wantCalls("firing warn us chat")
			r.lives(21, 28, map[string]float64{"eu": 7, "us": 7}) // the cause ends, the rest goes on
			r.wantCalls("resolved page eu oncall")
			again("released")
			r.lives(29, 40, map[string]float64{"eu": 7, "us": 7})
			r.wantCalls("firing warn eu chat")
		})
	}
}

// TestTakenBackBySilence: so does a silence; what ends meanwhile nobody hears of.
func TestTakenBackBySilence(t *testing.T) {
	withOutbox(t, "chat oncall", func(r *outRig) {
		r.put(warnRule)
		r.routes(slowWarn)
		r.to(0)
		r.lives(1, 4, map[string]float64{"eu": 7, "us": 7, "ap": 7})
		s := r.silence(`{region=~"eu|us"}`, "")
		r.lives(5, 9, map[string]float64{"eu": 7, "us": 20, "ap": 7})
		if got, _ := r.engine.Silence(s.ID); got.Seen.Held != 2 {
			t.Errorf("the silence has held back %d", got.Seen.Held)
		}
		r.lives(10, 20, map[string]float64{"eu": 7, "us": 20, "ap": 7})
		r.wantCalls("firing warn ap chat")
		if text := r.timelineOf("warn", "us", "silenced"); !strings.Contains(text, "nobody is told of its end") {
			t.Errorf("timeline: %q", text)
		}
		if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
			t.Fatal(err)
		}
		r.lives(21, 33, map[string]float64{"eu": 7, "us": 20, "ap": 7})
		r.wantCalls("firing warn eu chat")
		r.silence(`{region="eu"}`, "") // too late
		r.lives(34, 400, map[string]float64{"eu": 20, "us": 20, "ap": 7})
		r.wantCalls("resolved warn eu chat")
	})
}

// TestRoutesNoted: the timeline says by which routes an alert goes to whom.
func TestRoutesNoted(t *testing.T) {
	r := newRig(t, second)
	r.put(warnRule)
	r.routes(`[{"matchers":["severity=warn"],"receiver":"chat","group_by":["region"],"group_wait":"10s","continue":true},{"receivers":[],"routes":[{"receiver":"log"}]}]`)
	r.to(0)
	r.feed(1, 4, map[string]float64{"eu": 7})
	if text := r.timelineOf("warn", "eu", "routed"); text != "chat by routes[0], waits 10 s for its group; log by routes[1].routes[0]" {
		t.Errorf("timeline: %q", text)
	}
}

// TestTakenBackAndDatabaseFails: what cannot be taken back is told, once.
func TestTakenBackAndDatabaseFails(t *testing.T) {
	withOutbox(t, "chat oncall", func(r *outRig) {
		r.put(warnRule)
		r.put(pageRule)
		r.routes(`[]`, over)
		r.routes(slowWarn)
		r.to(0)
		r.lives(1, 4, map[string]float64{"eu": 7})
		r.engine.UseDB(brokenDB(t))
		r.lives(5, 8, map[string]float64{"eu": 1})
		r.wantCalls()
		r.engine.UseDB(r.db)
		r.lives(9, 40, map[string]float64{"eu": 1})
		r.wantCalls("firing page eu oncall") // the database was back before the group was told
		r.lives(41, 60, map[string]float64{"eu": 20})
		r.wantCalls("resolved page eu oncall")
	})
}
