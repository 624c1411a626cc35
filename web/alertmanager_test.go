package web_test

import (
	"net/url"
	"strings"
	"testing"
)

// amAlert is an alert as Alertmanager's clients read it.
type amAlert struct {
	Labels, Annotations                                    map[string]string
	StartsAt, EndsAt, UpdatedAt, GeneratorURL, Fingerprint string
	Receivers                                              []struct{ Name string }
	Status                                                 struct {
		State                            string
		SilencedBy, InhibitedBy, MutedBy []string
	}
}

func TestAlertmanagerAlerts(t *testing.T) {
	r := newRig(t, settings{})
	for _, path := range []string{"alerts", "alerts/groups", "silences", "receivers"} {
		if a := r.get("/api/v2/" + path); string(a.body) != "[]\n" {
			t.Errorf("%s of nothing: %s", path, a)
		}
	}
	for _, name := range []string{"oncall", "chat"} {
		if a := r.call("PUT", "/api/v1/receivers/"+name, `{"kind":"webhook","url":"http://127.0.0.1:1/"}`, jsonBody); a.status != 200 {
			t.Fatal(a)
		}
	}
	r.alerting()
	id := r.silence(`region="eu"`)
	for query, want := range map[string]string{
		"":                                   "eu us",
		"?silenced=false":                    "us",
		"?active=false":                      "eu",
		"?active=false&silenced=false":       "",
		"?inhibited=false&unprocessed=false": "eu us",
		"?filter=" + url.QueryEscape(`region="eu"`):               "eu",
		"?filter=region%3Deu&filter=team%3Dother":                 "",
		"?filter=" + url.QueryEscape(`{region=~"u.*",owner!=""}`): "us",
		"?receiver=on.*": "eu us",
		"?receiver=on":   "",
	} {
		var got []string
		for _, a := range decode[[]amAlert](t, r.get("/api/v2/alerts"+query)) {
			got = append(got, a.Labels["region"])
			silenced := a.Labels["region"] == "eu"
			if (a.Status.State == "suppressed") != silenced || (len(a.Status.SilencedBy) == 1 && a.Status.SilencedBy[0] == id) != silenced || a.Status.InhibitedBy == nil || a.Status.MutedBy == nil {
				t.Errorf("%s: %+v", query, a)
			}
			if a.Labels["alertname"] != "sps-low" || a.Labels["severity"] != "page" || a.Labels["owner"] != "team-a" || a.Labels["type"] != "alert" || len(a.Fingerprint) != 16 ||
				!strings.HasPrefix(a.StartsAt, "2026-01-01T00:00:0") || a.EndsAt <= a.StartsAt || a.Annotations["summary"] != a.Labels["region"]+" is low" || !strings.HasPrefix(a.GeneratorURL, "http://pulse.test/?") {
				t.Errorf("%s: %+v", query, a)
			}
		}
		if len(got) == 2 && got[0] > got[1] {
			got[0], got[1] = got[1], got[0]
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %q, want %q", query, text, want)
		}
	}
	groups := decode[[]struct {
		Labels   map[string]string
		Receiver struct{ Name string }
		Alerts   []amAlert
	}](t, r.get("/api/v2/alerts/groups?silenced=false"))
	if len(groups) != 2 || groups[0].Receiver.Name != "chat" || groups[1].Receiver.Name != "oncall" || len(groups[0].Alerts) != 1 || groups[0].Labels["alertname"] != "sps-low" {
		t.Errorf("groups %+v", groups)
	}
	if a := r.get("/api/v2/receivers"); string(a.body) != `[{"name":"chat"},{"name":"oncall"}]`+"\n" {
		t.Errorf("receivers %s", a)
	}
	if a := r.get("/api/v2/status"); !strings.Contains(string(a.body), `"status":"disabled"`) || !strings.Contains(string(a.body), `"config":{"original":""}`) {
		t.Errorf("status %s", a)
	}
	wantError(t, "filter", r.call("GET", "/api/v2/alerts?filter=region", nil), 400, "parameter filter")
	wantError(t, "receiver", r.call("GET", "/api/v2/alerts?receiver=("+"", nil), 400, "regular expression")
	wantError(t, "post", r.call("POST", "/api/v2/alerts", "[]", jsonBody), 405, "only GET")
}

func TestAlertmanagerSilences(t *testing.T) {
	r := newRig(t, settings{})
	post := func(body string) answer { return r.call("POST", "/api/v2/silences", body, jsonBody) }
	all := `"startsAt":"2026-01-01T00:00:00.000Z","endsAt":"2026-01-01T02:00:00+00:00","createdBy":"ann","comment":"upgrade","annotations":{}`
	a := post(`{"matchers":[{"name":"a","value":"b","isRegex":false},{"name":"c","value":"d|e","isRegex":true,"isEqual":true},{"name":"f","value":"g","isRegex":false,"isEqual":false},{"name":"h","value":"i.*","isRegex":true,"isEqual":false}],` + all + `}`)
	id := decode[struct{ SilenceID string }](t, a).SilenceID
	if a.status != 200 || len(id) != 36 {
		t.Fatal(a)
	}
	want := `{"id":"` + id + `","status":{"state":"active"},"updatedAt":"2026-01-01T00:00:00.000Z","matchers":[` +
		`{"name":"a","value":"b","isRegex":false,"isEqual":true},{"name":"c","value":"d|e","isRegex":true,"isEqual":true},{"name":"f","value":"g","isRegex":false,"isEqual":false},{"name":"h","value":"i.*","isRegex":true,"isEqual":false}],` +
		`"startsAt":"2026-01-01T00:00:00.000Z","endsAt":"2026-01-01T02:00:00.000Z","createdBy":"ann","comment":"upgrade"}`
	if got := r.get("/api/v2/silence/" + id); string(got.body) != want+"\n" {
		t.Errorf("got %s, want %s", got.body, want)
	}
	for filter, n := range map[string]int{"": 1, "a=b": 1, "a=x": 0, `c="d|e"`: 1, "z=": 1} {
		if got := decode[[]any](t, r.get("/api/v2/silences?filter="+url.QueryEscape(filter))); len(got) != n {
			t.Errorf("filter %s: %v", filter, got)
		}
	}
	if got := post(strings.Replace(want, "02:00:00", "04:00:00", 1)); got.status != 200 || decode[struct{ SilenceID string }](t, got).SilenceID != id {
		t.Errorf("a longer end: %s", got)
	}
	for body, text := range map[string]string{
		`{"matchers":[],` + all + `}`:                                        "matchers is empty",
		`{"matchers":[{"name":"a","value":"(","isRegex":true}],` + all + `}`: "matchers[0]: ",
		`{"matchers":[{"name":"a","value":"b"}],"startsAt":"soon"}`:          `startsAt is \"soon\"`,
		`{"matchers":[{"name":"a","value":"b"}],"startsAt":"2026-01-01T00:00:00Z","endsAt":"2025-01-01T00:00:00Z","createdBy":"a","comment":"c"}`: "endsAt",
		`{"id":"x","matchers":[{"name":"a","value":"b"}],` + all + `}`:                                                                            "unknown silence",
		`[`: "silence: ",
	} {
		got, status := post(body), 400
		if text == "unknown silence" {
			status = 404
		}
		if got.status != status || !strings.HasPrefix(string(got.body), `"`) || !strings.Contains(string(got.body), text) {
			t.Errorf("%s: got %s, want %d and a text with %q", body, got, status, text)
		}
	}
	if got := r.call("DELETE", "/api/v2/silence/"+id, nil); got.status != 200 || len(got.body) != 0 {
		t.Errorf("delete: %s", got)
	}
	if got := r.get("/api/v2/silence/" + id); !strings.Contains(string(got.body), `"state":"expired"`) {
		t.Errorf("deleted: %s", got)
	}
	wantError(t, "unknown", r.call("DELETE", "/api/v2/silence/x", nil), 404, "unknown silence")
	wantError(t, "unknown", r.call("GET", "/api/v2/silence/x", nil), 404, "no silence has the id x")
}

// TestAlertmanagerProlongs: a silence that ends when its alerts are over still does so
// after a client that cannot say so has changed its end, or its matchers.
func TestAlertmanagerProlongs(t *testing.T) {
	r := newRig(t, settings{})
	id := r.silence(`region="eu"`)
	body := string(r.get("/api/v2/silence/" + id).body)
	for _, change := range [][2]string{{"T01:00:00", "T05:00:00"}, {`"value":"eu"`, `"value":"us"`}} {
		changed := strings.Replace(body, change[0], change[1], 1)
		if changed == body {
			t.Fatalf("no %s in %s", change[0], body)
		}
		a := r.call("POST", "/api/v2/silences", changed, jsonBody)
		got := r.get("/api/v1/silences/" + decode[struct{ SilenceID string }](t, a).SilenceID)
		if text := string(got.body); !strings.Contains(text, `"endWhenNormalFor":"10m"`) || !strings.Contains(text, strings.Trim(change[1], "T")) {
			t.Errorf("%s: %s", change[1], text)
		}
	}
}
