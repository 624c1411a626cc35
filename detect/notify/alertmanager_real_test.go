package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/bench/testkit"
	"pulse/detect/secret"
)

// realClock is the clock of the machine.
type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// TestRealAlertmanager sends alerts to Alertmanager itself, where one is installed:
// they arrive, are one alert from beginning to end, and its webhooks have the form
// that ours have.
func TestRealAlertmanager(t *testing.T) {
	theirs := make(chan []byte, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		theirs <- body
	}))
	defer receiver.Close()
	base := testkit.Alertmanager(t, "0s", receiver.URL)

	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := New(Options{DB: db, Clock: realClock{}, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Link: "http://pulse.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Receiver{Name: "am", Kind: KindAlertmanager, URL: secret.NewURL(base)}.validate()
	if err != nil {
		t.Fatal(err)
	}
	n := fire()
	n.StartsAt = time.Now().Add(-time.Minute).UnixMilli()
	n.EvaluatedAt = n.StartsAt
	tell := func(n Notification) {
		t.Helper()
		body, err := n.bounded()
		if err != nil {
			t.Fatal(err)
		}
		b := s.newBundle("am", n.ID, n.Type, n.Incident, body)
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			a := s.deliver(t.Context(), &r, b)
			if a.verdict == accepted {
				return
			}
			if a.status != 0 || time.Now().After(deadline) { // it may not listen yet
				t.Fatalf("%+v", a)
			}
		}
	}
	next := func(status string) hook {
		t.Helper()
		for {
			select {
			case body := <-theirs:
				var got hook
				if err := json.Unmarshal(body, &got); err != nil {
					t.Fatal(err)
				}
				if got.Status == status {
					sameForm(t, body, s, n)
					return got
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("no webhook of status %s", status)
			}
		}
	}
	tell(n)
	begun := next("firing")
	tell(n) // as it is sent again while it fires: nothing new
	over := n
	over.ID, over.Type, over.Status, over.EndsAt = "0a1b-resolved", TypeResolved, "resolved", time.Now().UnixMilli()
	tell(over)
	ended := next("resolved")
	if len(begun.Alerts) != 1 || len(ended.Alerts) != 1 || begun.Alerts[0].Fingerprint != ended.Alerts[0].Fingerprint {
		t.Fatalf("begins with %+v, ends with %+v", begun.Alerts, ended.Alerts)
	}
	got := begun.Alerts[0]
	if got.Labels["alertname"] != "sps-drop" || got.Labels["nf_app"] != "api_v2" || got.Labels["type"] != "alert" || got.Annotations["summary"] != n.Annotations["summary"] || got.GeneratorURL != n.Graph {
		t.Errorf("got %+v", got)
	}
	start, err := time.Parse(time.RFC3339, got.StartsAt)
	if err != nil || start.UnixMilli() != n.StartsAt {
		t.Errorf("begins at %s, want %d", got.StartsAt, n.StartsAt)
	}
}

// sameForm holds the form of Alertmanager's webhook against ours.
func sameForm(t *testing.T, theirs []byte, s *Service, n Notification) {
	t.Helper()
	body, err := n.bounded()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := alertmanagerWebhook(&Receiver{Name: "am"}, s.newBundle("am", n.ID, n.Type, n.Incident, body))
	if err != nil {
		t.Fatal(err)
	}
	var a, b map[string]any
	if err := json.Unmarshal(theirs, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(ours, &b); err != nil {
		t.Fatal(err)
	}
	alertOf := func(m map[string]any) map[string]any { return m["alerts"].([]any)[0].(map[string]any) }
	for _, pair := range [][2]map[string]any{{a, b}, {alertOf(a), alertOf(b)}} {
		for key, value := range pair[0] {
			if reflect.TypeOf(pair[1][key]) != reflect.TypeOf(value) {
				t.Errorf("Alertmanager has %q: %v, ours is %v", key, value, pair[1][key])
			}
		}
	}
	var extra []string
	for key := range alertOf(b) {
		if _, known := alertOf(a)[key]; !known {
			extra = append(extra, key)
		}
	}
	if !slices.Equal(extra, []string{"pulse"}) {
		t.Errorf("ours has %v more", extra)
	}
}
