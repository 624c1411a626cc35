package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

func TestFiringThenResolved(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("oncall")
		r.put("other")
		r.enqueue(firing("i1"))
		after(time.Second)
		n := resolved("i1")
		n.Notify = []string{"oncall", "oncall"}
		r.enqueue(n)
		after(time.Second)
		got := r.seen()
		if len(got) != 3 || got[2] != "resolved i1-resolved" || r.made()[2].host != "oncall.example.com" {
			t.Errorf("got %q", got)
		}
		var outcomes []string
		for _, a := range r.svc.Attempts("i1") {
			outcomes = append(outcomes, fmt.Sprint(a.Receiver, " ", a.Notification, " ", a.Number, " ", a.Outcome, " ", a.Status))
		}
		if len(outcomes) != 3 || outcomes[2] != "oncall i1-resolved 1 accepted 200" {
			t.Errorf("attempts %q", outcomes)
		}
		if s := r.svc.Stats(); s.Enqueued != 3 || s.Accepted != 3 || s.Receivers[0].Queued != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestBody(t *testing.T) {
	n := notify.Notification{
		ID: "id", Incident: "inc", Type: notify.TypeFiring, Status: "firing", Rule: "sps-drop", Severity: "page",
		Tags: map[string]string{"region": "eu"}, Value: 412.5, Expected: 980.1, Lower: 900.2, Upper: math.NaN(), Score: math.Inf(1), Cause: "drop",
		Detector: []byte(`{"kind":"double-exponential"}`), StartsAt: 1_700_000_000_010, EvaluatedAt: 1_700_000_000_000,
		DataAgeMs: 310, Completeness: 1, Link: "http://pulse/alerts/inc", Graph: "http://pulse/g?a=1&b=2",
		Contributors: []notify.Contributor{{Tags: map[string]string{"device": "tv"}, Delta: -540, Share: 0.95}},
		Notify:       []string{"x"},
	}
	got, err := n.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"alert.firing","id":"id","incident":"inc","status":"firing","rule":"sps-drop","severity":"page","labels":{},"annotations":{},` +
		`"tags":{"region":"eu"},"value":412.5,"expected":980.1,"lower":900.2,"upper":null,"score":null,"cause":"drop","detector":{"kind":"double-exponential"},` +
		`"startsAt":"2023-11-14T22:13:20.010Z","endsAt":null,"evaluatedAt":"2023-11-14T22:13:20.000Z","dataAgeMs":310,"completeness":1,` +
		`"contributors":[{"tags":{"device":"tv"},"delta":-540,"share":0.95}],"link":"http://pulse/alerts/inc","graph":"http://pulse/g?a=1\u0026b=2"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back notify.Notification
	if err := back.UnmarshalJSON(got); err != nil {
		t.Fatal(err)
	}
	again, _ := back.MarshalJSON()
	if !bytes.Equal(again, got) {
		t.Errorf("round trip %s", again)
	}
}

// verify is the receiver's side of Standard Webhooks, written from its
// description: it returns how many of the signatures fit the secret.
func verify(t *testing.T, c call, secret string) int {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	signed := bytes.Join([][]byte{[]byte(c.header.Get("webhook-id")), []byte(c.header.Get("webhook-timestamp")), c.body}, []byte("."))
	h := hmac.New(sha256.New, key)
	h.Write(signed)
	want := h.Sum(nil)
	fits := 0
	for _, part := range strings.Fields(c.header.Get("webhook-signature")) {
		version, text, _ := strings.Cut(part, ",")
		sum, err := base64.StdEncoding.DecodeString(text)
		if version != "v1" || err != nil {
			t.Errorf("signature part %q", part)
		}
		if hmac.Equal(sum, want) {
			fits++
		}
	}
	return fits
}

func TestSignature(t *testing.T) {
	secretA := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))
	secretB := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of 24 byt"))
	bubble(t, notify.Options{}, func(r *rig) {
		hook := notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/hook"), Secret: secret.New(secretA)}
		if err := r.svc.PutReceiver(hook); err != nil {
			t.Fatal(err)
		}
		r.answers(func(_ call, n int) (int, http.Header) { return []int{503, 200, 200, 200}[n-1], nil })
		r.enqueue(firing("i1"))
		after(10 * time.Second)
		hook.Secret, hook.PreviousSecret = secret.New(secretB), secret.New(secretA)
		if err := r.svc.PutReceiver(hook); err != nil {
			t.Fatal(err)
		}
		r.enqueue(resolved("i1"))
		after(time.Second)

		calls := r.made()
		if len(calls) != 3 {
			t.Fatalf("%d calls", len(calls))
		}
		for i, want := range []struct{ a, b int }{{1, 0}, {1, 0}, {1, 1}} {
			c := calls[i]
			if a, b := verify(t, c, secretA), verify(t, c, secretB); a != want.a || b != want.b {
				t.Errorf("call %d: %d and %d signatures fit, want %v", i, a, b, want)
			}
			if id := c.header.Get("webhook-id"); id != c.id || c.header.Get("Idempotency-Key") != id {
				t.Errorf("call %d: headers %v", i, c.header)
			}
			if ts := c.header.Get("webhook-timestamp"); ts != strconv.FormatInt(c.at.Unix(), 10) {
				t.Errorf("call %d: timestamp %s at %d", i, ts, c.at.Unix())
			}
		}
		if !bytes.Equal(calls[0].body, calls[1].body) || calls[0].id != calls[1].id {
			t.Error("a retry differs in body or key")
		}
		if log := r.logged(); strings.Contains(log, secretA[6:]) || strings.Contains(log, secretB[6:]) {
			t.Error("a secret is in the log")
		}
	})
}

func TestUnsignedWithoutSecret(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.enqueue(firing("i1"))
		after(time.Second)
		if h := r.made()[0].header; h.Get("webhook-signature") != "" || h.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h)
		}
	})
}

// gaps returns the seconds between calls.
func gaps(calls []call) []float64 {
	out := []float64{}
	for i := 1; i < len(calls); i++ {
		out = append(out, math.Round(calls[i].at.Sub(calls[i-1].at).Seconds()*10)/10)
	}
	return out
}

func TestRetrySchedule(t *testing.T) {
	for _, test := range []struct {
		random float64
		want   []float64
	}{
		{0.5, []float64{1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150}},
		{0.25, []float64{0.5, 1, 2, 4, 8, 16, 32, 64, 75, 75, 75}},
		{0.999999, []float64{2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}},
	} {
		for _, status := range []int{0, 503} {
			bubble(t, notify.Options{Rand: func() float64 { return test.random }}, func(r *rig) {
				r.put("a")
				r.answersStatus(status)
				r.enqueue(firing("i1"))
				after(24 * time.Minute)
				// An outcome is stored before the pause counts down, which takes a few ms.
				equal(t, fmt.Sprintf("random %v, status %d", test.random, status), gaps(r.made())[:11], test.want)
			})
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		status, attempts int // in an hour
		accepted, dead   int64
	}{
		{200, 1, 1, 0}, {202, 1, 1, 0}, {204, 1, 1, 0},
		{400, 2, 0, 1}, {401, 2, 0, 1}, {404, 2, 0, 1}, {422, 2, 0, 1}, {499, 2, 0, 1},
		{410, 1, 0, 0},
		{301, 31, 0, 0}, {307, 31, 0, 0},
		{408, 31, 0, 0}, {425, 31, 0, 0}, {429, 31, 0, 0},
		{500, 31, 0, 0}, {503, 31, 0, 0}, {599, 31, 0, 0}, {0, 31, 0, 0},
	} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("a")
			r.answersStatus(test.status)
			r.enqueue(firing("i1"))
			after(time.Hour)
			s := r.svc.Stats()
			if n := len(r.made()); n != test.attempts || s.Accepted != test.accepted || s.DeadLetters != test.dead {
				t.Errorf("status %d: %d attempts, accepted %d, dead %d; want %+v", test.status, n, s.Accepted, s.DeadLetters, test)
			}
			if dead, err := r.svc.DeadLetters("a", 10); err != nil || len(dead) != int(test.dead) {
				t.Errorf("status %d: dead letters %v, %v", test.status, dead, err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		header string
		want   float64
	}{
		{"", 1}, {"0", 1}, {"7", 7}, {" 120 ", 120}, {"3600", 3600}, {"3601", 3600}, {"99999999999999999999", 3600},
		{"-5", 1}, {"soon", 1}, {"1.5", 1}, {"date+90s", 90}, {"date+5h", 3600}, {"date-1h", 1},
	} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.put("a")
			header := test.header
			if d, ok := strings.CutPrefix(header, "date"); ok {
				d, _ := time.ParseDuration(d)
				header = time.Now().Add(d).UTC().Format(http.TimeFormat)
			}
			r.answers(func(_ call, n int) (int, http.Header) {
				if n > 1 {
					return 200, nil
				}
				return 429, http.Header{"Retry-After": {header}}
			})
			r.enqueue(firing("i1"))
			after(2 * time.Hour)
			equal(t, "Retry-After: "+test.header, gaps(r.made()), []float64{test.want})
		})
	}
}

func TestRetryAfterHoldsTheWholeReceiver(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answers(func(_ call, n int) (int, http.Header) {
			if n > 1 {
				return 200, nil
			}
			return 503, http.Header{"Retry-After": {"60"}}
		})
		r.enqueue(firing("i1"))
		after(time.Second)
		r.enqueue(firing("i2"))
		after(50 * time.Second)
		equal(t, "while asked to wait", r.seen(), []string{"firing i1-firing"})
		after(20 * time.Second)
		equal(t, "after", len(r.seen()), 3)
	})
}

func TestHungReceiverDelaysNobody(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("hung")
		r.put("fine")
		r.answers(func(c call, _ int) (int, http.Header) {
			if c.host == "hung.example.com" {
				return -1, nil
			}
			return 200, nil
		})
		for i := range 20 {
			r.enqueue(firing(fmt.Sprint("i", i)))
		}
		after(50 * time.Millisecond)
		fine, hung := 0, 0
		for _, c := range r.made() {
			if c.host == "fine.example.com" {
				fine++
			} else {
				hung++
			}
		}
		if fine != 20 || hung != 4 {
			t.Errorf("fine got %d of 20, hung has %d at once, want 4", fine, hung)
		}
		after(10 * time.Second)
		if a := r.svc.Attempts("i0"); a[len(a)-1].Error != "no answer within 10s" || a[len(a)-1].Status != 0 {
			t.Errorf("attempts %+v", a)
		}
	})
}

func TestRolledBackTransactionSendsNothing(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		undo := errors.New("undo")
		err := r.db.Update(func(tx *bbolt.Tx) error {
			if err := r.svc.Enqueue(tx, firing("i1")); err != nil {
				return err
			}
			return undo
		})
		if err != undo {
			t.Fatal(err)
		}
		after(time.Minute)
		if got := r.seen(); len(got) != 0 || r.svc.Stats().Enqueued != 0 {
			t.Errorf("sent %q", got)
		}
	})
}

func TestGoneDisables(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("gone")
		r.put("other")
		status := 410
		r.answers(func(c call, _ int) (int, http.Header) {
			if c.host == "gone.example.com" {
				return status, nil
			}
			return 200, nil
		})
		only := firing("i1")
		only.Notify = []string{"gone"}
		r.enqueue(only)
		after(time.Minute)
		list := r.svc.Receivers()
		if !list[0].Disabled || list[0].DisabledReason == "" || list[0].DisabledAt == 0 || list[1].Disabled {
			t.Fatalf("receivers %+v", list)
		}
		calls := r.made()
		if len(calls) != 2 || calls[1].host != "other.example.com" || !bytes.Contains(calls[1].body, []byte(`"receiver":"gone"`)) {
			t.Fatalf("the other receiver was not told: %q", r.seen())
		}
		only = firing("i2")
		only.Notify = []string{"gone"}
		r.enqueue(only)
		after(time.Hour)
		if len(r.made()) != 2 {
			t.Error("a disabled receiver was called")
		}

		r.stop()
		r.start()
		if !r.svc.Receivers()[0].Disabled {
			t.Error("a restart enables the receiver")
		}
		status = 200
		hook := r.svc.Receivers()[0]
		hook.Disabled = false
		if err := r.svc.PutReceiver(hook); err != nil {
			t.Fatal(err)
		}
		if now := r.svc.Receivers()[0]; now.Disabled || now.DisabledAt != 0 || now.DisabledReason != "" {
			t.Errorf("put again: %+v", now)
		}
		after(time.Minute)
		got := r.seen()[2:]
		if len(got) != 3 || r.svc.Receivers()[0].Disabled {
			t.Errorf("after it was put again: %q", got)
		}
		resolves := 0
		for _, c := range r.made()[2:] {
			if c.kind == notify.TypeResolved && c.host == "other.example.com" {
				resolves++
			}
		}
		if resolves != 1 {
			t.Errorf("the other receiver was not told of the end: %q", got)
		}
	})
}

func TestTest(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.answersStatus(418)
		got, err := r.svc.Test(context.Background(), "a")
		if err != nil || got.OK || got.Status != 418 || got.Error != "" {
			t.Errorf("got %+v, %v", got, err)
		}
		r.answersStatus(-1)
		if got, _ = r.svc.Test(context.Background(), "a"); got.Status != 0 || got.LatencyMs != 10_000 || got.Error == "" {
			t.Errorf("hung: %+v", got)
		}
		if _, err := r.svc.Test(context.Background(), "b"); !errors.Is(err, notify.ErrUnknownReceiver) {
			t.Errorf("unknown: %v", err)
		}
		after(time.Hour)
		if n := len(r.made()); n != 2 {
			t.Errorf("%d calls: a test is not retried", n)
		}
	})
}

func TestBadNotifications(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		for _, change := range []func(n *notify.Notification){
			func(n *notify.Notification) { n.ID = "" },
			func(n *notify.Notification) { n.ID = "a b" },
			func(n *notify.Notification) { n.ID = "a\r\nX: y" },
			func(n *notify.Notification) { n.ID = strings.Repeat("x", 256) },
			func(n *notify.Notification) { n.Incident = "" },
			func(n *notify.Notification) { n.Type = "alert.other" },
			func(n *notify.Notification) { n.Tags = map[string]string{"k": strings.Repeat("x", 70_000)} },
		} {
			n := firing("i1")
			change(&n)
			if err := r.db.Update(func(tx *bbolt.Tx) error { return r.svc.Enqueue(tx, n) }); err == nil {
				t.Errorf("accepted %+v", n)
			}
		}
		big := firing("i2")
		big.Annotations = map[string]string{"summary": strings.Repeat("x", 70_000)}
		unknown := firing("i3")
		unknown.Notify = []string{"nobody"}
		r.enqueue(big, unknown)
		after(time.Second)
		calls := r.made()
		if len(calls) != 1 || len(calls[0].body) > 64<<10 || !bytes.Contains(calls[0].body, []byte("truncated")) {
			t.Errorf("calls %q", r.seen())
		}
		if s := r.svc.Stats(); s.Unrouted != 1 || !strings.Contains(r.logged(), "unknown receiver") {
			t.Errorf("stats %+v", s)
		}
	})
}
