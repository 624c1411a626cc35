package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pulse/detect"
	"pulse/web"
)

// alerting makes a rule whose alerts fire for two regions.
func (r *rig) alerting() {
	r.t.Helper()
	rule := `{"expr":"name,sps,:eq,:sum,(,region,),:by,10,:lt","severity":"page","owner":"team-a","labels":{"team":"playback"},"annotations":{"summary":"{{.Tags.region}} is low"}}`
	if a := r.call("PUT", "/api/v1/rules/sps-low", rule, "Content-Type: application/json"); a.status != 200 {
		r.t.Fatal(a)
	}
	for range 3 {
		r.move(500 * time.Millisecond)
		for _, region := range []string{"eu", "us"} {
			r.publish(point(r.now(), 1, "sum", "sps", "region", region))
		}
		r.move(500 * time.Millisecond)
	}
	r.move(2 * time.Second)
}

// silence stores a silence of an hour in the engine.
func (r *rig) silence(matchers string) string {
	r.t.Helper()
	s, err := detect.ParseSilence(fmt.Appendf(nil, `{"matchers":%q,"endsAt":"now+1h","author":"ann","comment":"upgrade","endWhenNormalFor":"10m"}`, matchers), r.now())
	if err != nil {
		r.t.Fatal(err)
	}
	if s, err = r.detect.PutSilence(s, r.now()); err != nil {
		r.t.Fatal(err)
	}
	return s.ID
}

func TestSilencesShown(t *testing.T) {
	r := newRig(t, settings{})
	if a := r.get("/api/v1/silences"); string(a.body) != "[]\n" {
		t.Errorf("none: %s", a)
	}
	r.alerting()
	id := r.silence(`region="eu",team=~"play.*"`)
	want := `{"id":"` + id + `","state":"active","matchers":[{"key":"region","op":"=","value":"eu"},{"key":"team","op":"=~","value":"play.*"}],` +
		`"startsAt":"2026-01-01T00:00:05.000Z","endsAt":"2026-01-01T01:00:05.000Z","author":"ann","comment":"upgrade","endWhenNormalFor":"10m","updatedAt":"2026-01-01T00:00:05.000Z","held":0}`
	if a := r.get("/api/v1/silences/" + id); string(a.body) != want+"\n" {
		t.Errorf("got %s, want %s", a.body, want)
	}
	for query, n := range map[string]int{"": 1, "?state=active": 1, "?state=pending": 0, "?state=expired": 0} {
		if list := decode[[]struct{ ID string }](t, r.get("/api/v1/silences"+query)); len(list) != n {
			t.Errorf("%s: %v", query, list)
		}
	}
	wantError(t, "state", r.call("GET", "/api/v1/silences?state=x", nil), 400, "must be pending, active or expired")
	wantError(t, "unknown", r.call("GET", "/api/v1/silences/x", nil), 404, "no silence has the id x")
	type alert struct {
		State      string
		SilencedBy []string
		Tags       map[string]string
	}
	for _, a := range decode[[]alert](t, r.get("/api/v1/alerts?state=firing")) {
		if by := strings.Join(a.SilencedBy, " "); a.State != "firing" || (by == id) != (a.Tags["region"] == "eu") {
			t.Errorf("got %+v", a)
		}
	}
	if s := decode[struct {
		Limits map[string]struct{ Limit, Used int64 }
	}](t, r.get("/api/v1/status")); s.Limits["silences"].Used != 1 || s.Limits["silences"].Limit != 10_000 {
		t.Errorf("limit %+v", s.Limits["silences"])
	}
	r.move(time.Hour)
	if a := r.get("/api/v1/silences?state=expired"); !strings.Contains(string(a.body), `"state":"expired"`) {
		t.Errorf("got %s", a)
	}
}

func TestPreviewShown(t *testing.T) {
	r := newRig(t, settings{})
	r.alerting()
	type half struct {
		Since string
		Count int
		Rules []struct {
			Rule  string
			Count int
		}
		Alerts []struct {
			Incident, Rule, State, Severity, StartsAt string
			EndsAt                                    *string
			Tags                                      map[string]string
		}
	}
	preview := func(body string) map[string]half {
		t.Helper()
		a := r.call("POST", "/api/v1/silences/preview", body, "Content-Type: application/json")
		if a.status != 200 {
			t.Fatal(a)
		}
		return decode[map[string]half](t, a)
	}
	got := preview(`{"matchers":[{"key":"region","op":"=","value":"eu"}]}`)["now"]
	if got.Count != 1 || len(got.Alerts) != 1 || got.Alerts[0].Tags["region"] != "eu" || got.Alerts[0].State != "firing" || got.Alerts[0].EndsAt != nil || got.Rules[0].Rule != "sps-low" {
		t.Errorf("got %+v", got)
	}
	if a := r.call("DELETE", "/api/v1/rules/sps-low", nil); a.status != 204 {
		t.Fatal(a)
	}
	both := preview(`{"matchers":["team=playback"],"since":"1h"}`)
	past := both["past"]
	if both["now"].Count != 0 || past.Count != 2 || past.Rules[0].Count != 2 || past.Alerts[0].EndsAt == nil || past.Since == "" {
		t.Errorf("got %+v", both)
	}
	for body, want := range map[string]string{
		`{"matchers":[]}`:                       "matchers is empty",
		`{"matchers":["team!=x"]}`:              "without any label",
		`{"matchers":["team"]}`:                 "want =, !=, =~ or !~",
		`{"matchers":["team=x"],"since":"99w"}`: "since is",
	} {
		wantError(t, body, r.call("POST", "/api/v1/silences/preview", body, "Content-Type: application/json"), 400, want)
	}
}

const jsonBody = "Content-Type: application/json"

// TestSilencesChange: silences are made, changed and ended, and hold back.
func TestSilencesChange(t *testing.T) {
	r := newRig(t, settings{})
	type view struct {
		ID, State, StartsAt, EndsAt, EndedBy, Comment string
		Held                                          int
	}
	ask := func(method, path, body string, status int) view {
		t.Helper()
		a := r.call(method, path, body, jsonBody)
		if a.status != status {
			t.Fatalf("%s %s: %s, want %d", method, path, a, status)
		}
		if status != 200 {
			return view{}
		}
		return decode[view](t, a)
	}
	first := ask("POST", "/api/v1/silences", `{"matchers":[{"key":"region","op":"=","value":"eu"}],"endsAt":"2026-01-01T02:00:00Z","author":"ann","comment":"upgrade"}`, 200)
	if first.State != "active" || first.StartsAt != "2026-01-01T00:00:00.000Z" || first.ID == "" {
		t.Errorf("made %+v", first)
	}
	longer := `{"id":"` + first.ID + `","matchers":["region=eu"],"startsAt":"2026-01-01T00:00:00Z","endsAt":"now+3h","author":"ann","comment":"longer"}`
	for method, path := range map[string]string{"POST": "/api/v1/silences", "PUT": "/api/v1/silences/" + first.ID} {
		if got := ask(method, path, longer, 200); got.ID != first.ID || got.EndsAt != "2026-01-01T03:00:00.000Z" || got.Comment != "longer" {
			t.Errorf("%s: changed to %+v", method, got)
		}
	}
	r.alerting()
	if got := ask("GET", "/api/v1/silences/"+first.ID, "", 200); got.Held != 1 {
		t.Errorf("held back %d, want 1", got.Held)
	}
	other := ask("PUT", "/api/v1/silences/"+first.ID, `{"matchers":["region=us"],"endsAt":"now+3h","author":"ann","comment":"the other"}`, 200)
	if got := ask("GET", "/api/v1/silences/"+first.ID, "", 200); other.ID == first.ID || got.State != "expired" || got.EndedBy != "replaced" {
		t.Errorf("of %+v became %+v", first, got)
	}
	if a := r.call("DELETE", "/api/v1/silences/"+other.ID, nil); a.status != 204 || len(a.body) != 0 {
		t.Errorf("delete: %s", a)
	}
	if got := ask("GET", "/api/v1/silences/"+other.ID, "", 200); got.State != "expired" || got.EndedBy != "ended by hand" {
		t.Errorf("ended: %+v", got)
	}
	if a := r.call("DELETE", "/api/v1/silences/"+other.ID, nil); a.status != 204 {
		t.Errorf("delete again: %s", a)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"DELETE", "/api/v1/silences/x", "", 404, "unknown silence"},
		{"PUT", "/api/v1/silences/x", longer, 400, "id in the body"},
		{"PUT", "/api/v1/silences/x", `{"matchers":["a=b"],"endsAt":"now+3h","author":"ann","comment":"c"}`, 404, "unknown silence"},
		{"POST", "/api/v1/silences", `{"matchers":["a=b"],"endsAt":"now+3h","author":"ann"}`, 400, "comment is missing"},
		{"POST", "/api/v1/silences", `{"matchers":["a!=b"],"endsAt":"now+3h","author":"ann","comment":"c"}`, 400, "without any label"},
		{"POST", "/api/v1/silences", `{"matchers":["a=b"],"endsAt":"2025-01-01T00:00:00Z","author":"ann","comment":"c"}`, 400, "endsAt"},
		{"POST", "/api/v1/silences", `{"matchers":["a=b"],"endsAt":"now+3h","author":"ann","comment":"c","for":"1h"}`, 400, `key \"for\" is unknown`},
	} {
		wantError(t, c.method+" "+c.path+" "+c.body, r.call(c.method, c.path, c.body, jsonBody), c.status, c.want)
	}
	wantError(t, "a page of another site", r.call("POST", "/api/v1/silences", longer, jsonBody, "Origin: http://evil.example"), 403, "cross-site")
}

// TestSilenceEndedByToken: who ended a silence is known by the name of the token.
func TestSilenceEndedByToken(t *testing.T) {
	keys := newKeyring(t, "query", "admin")
	r := newRig(t, settings{web: web.Options{Tokens: keys.set.Load}})
	body := `{"matchers":["a=b"],"endsAt":"now+3h","author":"ann","comment":"c"}`
	if a := r.call("POST", "/api/v1/silences", body, jsonBody, keys.bearer("query")); a.status != 403 {
		t.Errorf("with the scope query: %s", a)
	}
	id := decode[struct{ ID string }](t, r.call("POST", "/api/v1/silences", body, jsonBody, keys.bearer("admin"))).ID
	if a := r.call("DELETE", "/api/v2/silence/"+id, nil, keys.bearer("admin")); a.status != 200 {
		t.Error(a)
	}
	if a := r.call("GET", "/api/v1/silences/"+id, nil, keys.bearer("query")); !strings.Contains(string(a.body), `"endedBy":"ended by admin"`) {
		t.Errorf("got %s", a)
	}
}
