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
