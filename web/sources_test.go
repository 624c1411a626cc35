package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSourcesSayWhatToDo: rates, refusals with their fix, and two reporters that
// send the same series.
func TestSourcesSayWhatToDo(t *testing.T) {
	r := newRig(t, settings{})
	for range 12 {
		r.move(5 * time.Second)
		now := r.now()
		for _, node := range []string{"first", "second"} {
			points := []string{point(now, 100, "rate", "shared")}
			for i := range 9 {
				points = append(points, point(now, 1, "gauge", fmt.Sprint(node, i)))
			}
			points = append(points, point(now-3_600_000, 1, "gauge", "old"), point(now, 1, "gauge", "bad name"))
			if a := r.call("POST", "/api/v1/publish", metrics(points...), "X-Pulse-Source: "+node); a.status != 202 {
				t.Fatalf("%s: %s", node, a)
			}
		}
	}
	r.move(5 * time.Second)
	type source struct {
		Source                             string
		Rate                               float64
		IntervalMs                         int64
		LastTime, LastSeen                 time.Time
		Accepted, Stored, Superseded, Late int64
		Rejected                           map[string]struct {
			Points int64
			Fix    string
		}
		Hint      string
		Protocols []string
		Silent    bool
		Recent    []struct{ T, Accepted int64 }
	}
	list := decode[[]source](t, r.get("/api/v1/sources"))
	if len(list) != 2 {
		t.Fatalf("%d sources: %+v", len(list), list)
	}
	for _, s := range list {
		if s.Rate != 2 || s.IntervalMs != 5000 || s.LastTime.UnixMilli() != r.now()-5000 || !s.LastSeen.Equal(s.LastTime) || s.Accepted != 120 || s.Accepted != s.Stored+s.Superseded+s.Late {
			t.Errorf("%+v", s)
		}
		if old, bad := s.Rejected["too-old"], s.Rejected["invalid-value-characters"]; len(s.Rejected) != 2 || old.Points != 12 || !strings.Contains(old.Fix, "--max-age") || bad.Points != 12 || !strings.Contains(bad.Fix, "characters") {
			t.Errorf("%s: rejected %+v", s.Source, s.Rejected)
		}
		if len(s.Protocols) != 1 || s.Protocols[0] != "publish" || s.Silent || len(s.Recent) != 9 || s.Recent[8].T != r.now()-5000 || s.Recent[8].Accepted != 10 {
			t.Errorf("%+v", s)
		}
		if second := strings.HasSuffix(s.Source, "second"); (s.Hint != "") != second || second && !strings.Contains(s.Hint, "nf.node") {
			t.Errorf("%s: hint %q", s.Source, s.Hint)
		}
	}
	r.call("POST", "/api/v1/publish", `{"metrics":[`, "X-Pulse-Source: cut")
	for _, s := range decode[[]struct {
		Source, Sample string
		Unreadable     *struct {
			Requests int64
			Fix      string
		}
	}](t, r.get("/api/v1/sources")) {
		if cut := strings.HasSuffix(s.Source, "cut"); (s.Unreadable != nil) != cut || cut && (s.Unreadable.Requests != 1 || !strings.Contains(s.Unreadable.Fix, "complete") || !strings.Contains(s.Sample, "unreadable")) {
			t.Errorf("%s: %+v %s", s.Source, s.Unreadable, s.Sample)
		}
	}
	r.call("POST", "/c/line", "1", "X-Pulse-Source: first")
	r.move(61 * time.Second)
	r.call("POST", "/api/v4/update", "[1, \"name\", 1, 0, 0, 0, 1]", "X-Pulse-Source: first")
	for _, s := range decode[[]source](t, r.get("/api/v1/sources")) {
		first := strings.HasSuffix(s.Source, "first")
		if s.Silent == first || first && strings.Join(s.Protocols, " ") != "publish update line" {
			t.Errorf("after a minute: %+v", s)
		}
	}
}
