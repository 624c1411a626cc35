package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPagesOfAlerts: pages follow each other by the header Link and hold every alert
// once, those that ended among them.
func TestPagesOfAlerts(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("low", `{"expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`)
	for i := range int64(8) {
		t0 := epoch + (i+1)*step
		r.move(time.Duration(t0-r.now()) * time.Millisecond)
		for n := range int64(7) {
			v := 10.0
			if n < 3 && i > 4 { // these have ended
				v = 100
			}
			r.publish(point(t0, v, "gauge", "sps", "node", fmt.Sprint("n", n)))
		}
		r.detect.Advance(r.now())
	}
	for range 3 {
		r.move(step * time.Millisecond)
	}
	ids := func(a answer) (out []string) {
		for _, x := range decode[[]struct{ Incident, State string }](t, a) {
			out = append(out, x.State+" "+x.Incident)
		}
		return out
	}
	for state, n := range map[string]int{"": 7, "firing": 4, "resolved": 3} {
		all := ids(r.get("/api/v1/alerts?state=" + state))
		if len(all) != n {
			t.Fatalf("%d %s alerts, want %d", len(all), state, n)
		}
		for limit := 1; limit <= n+1; limit++ {
			var got []string
			next := fmt.Sprintf("/api/v1/alerts?limit=%d&state=%s", limit, state)
			for next != "" {
				a := r.get(next)
				page := ids(a)
				if len(page) == 0 || len(page) > limit {
					t.Fatalf("a page of %d, at most %d", len(page), limit)
				}
				got = append(got, page...)
				link := a.header.Get("Link")
				next, _ = strings.CutSuffix(link, `>; rel="next"`)
				next = strings.TrimPrefix(next, "<")
				if want := len(got) < n; want != (link != "") || len(got) > n {
					t.Fatalf("limit %d of %s: after %d of %d the link is %q", limit, state, len(got), n, link)
				}
			}
			if !slices.Equal(got, all) {
				t.Errorf("limit %d of %s: got %q, want %q", limit, state, got, all)
			}
		}
	}
}

// TestAlertsChosen: alerts are chosen by states, labels and text, on all of their pages.
func TestAlertsChosen(t *testing.T) {
	r := newRig(t, settings{})
	r.alerting()
	r.silence(`region="eu"`)
	count := func(query string) int {
		return len(decode[[]struct{ Incident string }](t, r.get("/api/v1/alerts?"+query)))
	}
	for query, n := range map[string]int{
		"state=firing,pending": 2, "state=resolved,nodata": 0,
		"match=region%3Deu": 1, `match=region%3D~"e.|x",rule%3Dsps-low`: 1, "match=owner!%3Dteam-a": 0, "match=type%3Dalert&limit=1": 1,
		"text=SPS-L": 2, "text=region%3Dus": 1, "text=us+is+low": 1, "text=Team%3Dplay": 2, "text=nothing": 0, "text=&match=": 2,
		"state=firing&match=team%3Dplayback&text=eu": 1,
	} {
		if got := count(query); got != n {
			t.Errorf("%s: %d alerts, want %d", query, got, n)
		}
	}
	a := r.get("/api/v1/alerts?limit=1&state=firing,pending&match=owner%3Dteam-a&text=low")
	next, _, _ := strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "</api/v1/alerts?"), ">")
	if got := count(next); got != 1 || !strings.Contains(next, "text=low") {
		t.Errorf("the next page is %q: %d alerts", next, got)
	}
	if b := r.get("/api/v1/alerts?" + next); b.header.Get("Link") != "" || string(a.body) == string(b.body) {
		t.Errorf("after %s comes %s", a, b)
	}
	wantError(t, "state", r.call("GET", "/api/v1/alerts?state=firing,x", nil), 400, `state is \"x\"`)
	wantError(t, "match", r.call("GET", "/api/v1/alerts?match=%3Dx", nil), 400, "matcher")
	wantError(t, "text", r.call("GET", "/api/v1/alerts?text="+strings.Repeat("x", 1025), nil), 400, "at most 1024")
}

// TestAlertDeliveries: an alert says who was told of it, who not, and each attempt.
func TestAlertDeliveries(t *testing.T) {
	r := newRig(t, settings{})
	receiver := r.call("PUT", "/api/v1/receivers/chat", `{"kind":"webhook","url":"http://127.0.0.1:1/"}`, "Content-Type: application/json")
	if receiver.status != 200 {
		t.Fatal(receiver)
	}
	r.silence(`region="eu"`)
	r.alerting()
	type alert struct {
		Incident          string
		Tags              map[string]string
		Receivers, Untold []string
		Attempts          []struct{ Receiver, Outcome string }
		Standing          []struct{ Receiver, Why, Type string }
	}
	for _, a := range decode[[]alert](t, r.get("/api/v1/alerts?state=firing")) {
		told, held := strings.Join(a.Receivers, " "), strings.Join(a.Untold, " ")
		one := decode[alert](t, r.get("/api/v1/alerts/"+a.Incident))
		switch a.Tags["region"] {
		case "eu":
			if told != "" || held != "chat" || len(one.Standing) != 0 {
				t.Errorf("silenced: %+v", one)
			}
		case "us":
			if told != "chat" || held != "" || len(one.Standing) != 1 || one.Standing[0].Receiver != "chat" || one.Standing[0].Type != "alert.firing" {
				t.Errorf("told: %+v", one)
			}
		}
	}
}
