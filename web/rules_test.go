package web_test

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse/web"
)

const asJSON = "Content-Type: application/json"

// putRule stores a rule that must be taken.
func (r *rig) putRule(id, body string) answer {
	r.t.Helper()
	a := r.call("PUT", "/api/v1/rules/"+id, body, asJSON)
	if a.status != 200 {
		r.t.Fatalf("put rule %s: %s", id, a)
	}
	return a
}

func TestRules(t *testing.T) {
	r := newRig(t, settings{})
	const body = `{"id":"sps-drop","owner":"playback","expr":"name,sps,:eq,:sum,(,region,),:by","step":"2s","grace":"1s","detector":{"kind":"static","below":10},
		"for":"30s","keep":"1m","no_data":"auto","absence_after":"1m","severity":"page","labels":{"team":"playback"},"annotations":{"summary":"{{.Tags.region}}"},"notify":["oncall"]}`
	if a := r.get("/api/v1/rules"); strings.TrimSpace(string(a.body)) != "[]" {
		t.Errorf("no rules: %s", a)
	}
	if a := r.call("PUT", "/api/v1/rules/sps-drop", body, asJSON); a.status != 400 || !strings.Contains(string(a.body), "notify[0] names") {
		t.Errorf("a rule for a receiver that there is not: %s", a)
	}
	if a := r.call("PUT", "/api/v1/receivers/oncall", `{"url":"http://127.0.0.1:1/"}`, asJSON); a.status != 200 {
		t.Fatal(a)
	}
	put := r.putRule("sps-drop", body)
	if a := r.call("DELETE", "/api/v1/receivers/oncall", nil); a.status != 409 {
		t.Errorf("delete a receiver that a rule names: %s", a)
	}
	got := r.get("/api/v1/rules/sps-drop")
	if string(got.body) != string(put.body) {
		t.Errorf("put answers %s, get %s", put, got)
	}
	var want, have map[string]any
	json.Unmarshal([]byte(body), &want)
	json.Unmarshal(got.body, &have)
	for k, v := range want {
		if fmt.Sprint(have[k]) != fmt.Sprint(v) {
			t.Errorf("%s: got %v, put %v", k, have[k], v)
		}
	}
	r.putRule("sps-drop", strings.TrimSpace(string(got.body))) // what is shown can be sent back
	r.putRule("by-path", `{"expr":"name,sps,:eq,:sum"}`)
	ids := []string{}
	for _, x := range decode[[]struct{ ID string }](t, r.get("/api/v1/rules")) {
		ids = append(ids, x.ID)
	}
	if !slices.Equal(ids, []string{"by-path", "sps-drop"}) {
		t.Errorf("rules: %v", ids)
	}
	for _, c := range []struct{ name, body, text string }{
		{"another id", `{"id":"other","expr":"name,sps,:eq"}`, "id"},
		{"no expression", `{}`, "expr"},
		{"an expression that does not run", `{"expr":":nope"}`, "nope"},
		{"a word without memory", `{"expr":"name,sps,:eq,:sum,:integral"}`, "integral"},
		{"unknown key", `{"expr":"name,sps,:eq","exprr":"x"}`, "exprr"},
		{"unknown detector", `{"expr":"name,sps,:eq","detector":{"kind":"oracle"}}`, "oracle"},
		{"unknown detector key", `{"expr":"name,sps,:eq","detector":{"kind":"static","below":1,"beloww":1}}`, "beloww"},
		{"step that is no multiple", `{"expr":"name,sps,:eq","step":"1500ms"}`, "step"},
		{"for", `{"expr":"name,sps,:eq","for":"-1s"}`, "for"},
		{"no_data", `{"expr":"name,sps,:eq","no_data":"maybe"}`, "no_data"},
		{"a template", `{"expr":"name,sps,:eq","annotations":{"summary":"{{.Nope"}}`, "summary"},
		{"half", `{"expr":`, ""},
		{"nothing", ``, ""},
		{"a list", `[]`, ""},
		{"two", `{"expr":"name,sps,:eq"}{}`, ""},
		{"a number for a text", `{"expr":5}`, "expr"},
		{"null", `null`, ""},
	} {
		wantError(t, c.name, r.call("PUT", "/api/v1/rules/sps-bad", c.body, asJSON), 400, c.text)
	}
	wantError(t, "an id with a blank", r.call("PUT", "/api/v1/rules/a%20b", `{"expr":"name,sps,:eq"}`, asJSON), 400, "id")
	wantError(t, "a long id", r.call("PUT", "/api/v1/rules/"+strings.Repeat("a", 1000), `{"expr":"name,sps,:eq"}`, asJSON), 400, "id")
	wantError(t, "none of the bad ones", r.call("GET", "/api/v1/rules/sps-bad", nil), 404, "sps-bad")
	if a := r.call("DELETE", "/api/v1/rules/sps-drop", nil); a.status != 204 || len(a.body) != 0 {
		t.Errorf("delete: %s", a)
	}
	wantError(t, "deleted", r.call("GET", "/api/v1/rules/sps-drop", nil), 404, "sps-drop")
	wantError(t, "deleted twice", r.call("DELETE", "/api/v1/rules/sps-drop", nil), 404, "sps-drop")
}

// TestReceivers: a secret goes in and never comes out, by any way.
func TestReceivers(t *testing.T) {
	r := newRig(t, settings{})
	if a := r.get("/api/v1/receivers"); strings.TrimSpace(string(a.body)) != "[]" {
		t.Errorf("without any: %s", a)
	}
	var got http.Header
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		got = q.Header.Clone()
		fmt.Fprint(w, "an answer that nobody sees")
	}))
	defer hook.Close()
	secret := base64.StdEncoding.EncodeToString([]byte("canary-of-24-bytes-and-more"))
	body := fmt.Sprintf(`{"name":"oncall","kind":"webhook","url":"%s/hook?token=canarytoken","secret":"whsec_%s"}`, hook.URL, secret)
	seen := []answer{
		r.call("PUT", "/api/v1/receivers/oncall", body, asJSON),
		r.call("GET", "/api/v1/receivers/oncall", nil),
		r.call("GET", "/api/v1/receivers", nil),
	}
	test := r.call("POST", "/api/v1/receivers/oncall/test", nil, asJSON)
	if x := decode[struct {
		OK     bool
		Status int
	}](t, test); !x.OK || x.Status != 200 {
		t.Errorf("test: %s", test)
	}
	if got.Get("Webhook-Signature") == "" || got.Get("Webhook-Id") == "" {
		t.Errorf("test sent %v", got)
	}
	seen = append(seen, test, r.call("GET", "/api/v1/status", nil), r.call("GET", "/metrics", nil))
	for _, a := range seen {
		if a.status != 200 {
			t.Errorf("got %s", a)
		}
	}
	// What is shown can be sent back, and the secret stays.
	again := r.call("PUT", "/api/v1/receivers/oncall", strings.TrimSpace(string(seen[1].body)), asJSON)
	if again.status != 200 {
		t.Errorf("put as shown: %s", again)
	}
	got = nil
	r.call("POST", "/api/v1/receivers/oncall/test", "{}", asJSON)
	if got.Get("Webhook-Signature") == "" {
		t.Errorf("the secret is lost: %v", got)
	}
	for _, c := range []struct{ name, target, body, text string }{
		{"another name", "/api/v1/receivers/a", `{"name":"b","kind":"webhook","url":"https://192.0.2.1/"}`, "name"},
		{"unknown key", "/api/v1/receivers/a", `{"kind":"webhook","url":"https://192.0.2.1/","urll":"x"}`, "urll"},
		{"unknown kind", "/api/v1/receivers/a", `{"kind":"pigeon","url":"https://192.0.2.1/"}`, "pigeon"},
		{"no URL", "/api/v1/receivers/a", `{"kind":"webhook"}`, "url"},
		{"a scheme", "/api/v1/receivers/a", `{"kind":"webhook","url":"file:///etc/passwd"}`, "url"},
		{"a private address", "/api/v1/receivers/a", `{"kind":"webhook","url":"http://10.0.0.1/"}`, "--egress-allow"},
		{"metadata", "/api/v1/receivers/a", `{"kind":"webhook","url":"http://169.254.169.254/"}`, ""},
		{"user info", "/api/v1/receivers/a", `{"kind":"webhook","url":"http://canaryuser:canarypass@127.0.0.1/"}`, ""},
		{"a bad secret", "/api/v1/receivers/a", `{"kind":"webhook","url":"` + hook.URL + `","secret":"canarysecret"}`, "secret"},
		{"a name with a slash", "/api/v1/receivers/a%2Fb", `{"kind":"webhook","url":"` + hook.URL + `"}`, ""},
		{"half", "/api/v1/receivers/a", `{`, ""},
		{"nothing", "/api/v1/receivers/a", ``, ""},
	} {
		a := r.call("PUT", c.target, c.body, asJSON)
		if a.status != 404 || !strings.Contains(c.target, "%2F") {
			wantError(t, c.name, a, 400, c.text)
		}
		seen = append(seen, a)
	}
	for _, a := range seen {
		for _, canary := range []string{secret, "canary"} {
			if strings.Contains(string(a.body), canary) {
				t.Errorf("%q is shown in %s", canary, a)
			}
		}
	}
	if text := r.log.String(); strings.Contains(text, "canary") || strings.Contains(text, secret) {
		t.Errorf("the log shows a secret: %s", text)
	}
	wantError(t, "test of none", r.call("POST", "/api/v1/receivers/none/test", nil, asJSON), 404, "receiver")
	if a := r.call("DELETE", "/api/v1/receivers/oncall", nil); a.status != 204 {
		t.Errorf("delete: %s", a)
	}
	wantError(t, "deleted", r.call("GET", "/api/v1/receivers/oncall", nil), 404, "oncall")
	wantError(t, "deleted twice", r.call("DELETE", "/api/v1/receivers/oncall", nil), 404, "receiver")
}

// TestAlertAndBand follows a rule from its first verdict to its band: an alert
// is listed while it lasts and afterwards, and the band has the same verdicts.
func TestAlertAndBand(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("low", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"severity":"page","labels":{"team":"a"}}`)
	values := []float64{100, 100, 20, 20, 100, 100, 100}
	var listed []string
	for i, v := range values {
		t0 := epoch + int64(i+1)*step
		r.move(time.Duration(t0-r.now()) * time.Millisecond)
		r.publish(point(t0, v, "gauge", "sps", "region", "eu"), point(t0, 100, "gauge", "sps", "region", "us"))
		r.detect.Advance(r.now())
		var now []string
		for _, a := range decode[[]struct {
			State string
			Tags  map[string]string
		}](t, r.get("/api/v1/alerts?state=firing")) {
			now = append(now, a.State+" "+a.Tags["region"])
		}
		listed = append(listed, strings.Join(now, ","))
	}
	for range 3 {
		r.move(step * time.Millisecond)
	}
	if !slices.Contains(listed, "firing eu") || slices.Contains(listed, "firing us") {
		t.Errorf("firing at each step: %q", listed)
	}
	all := r.get("/api/v1/alerts")
	list := decode[[]struct {
		Incident, State, Rule, Severity string
		Labels                          map[string]string
		StartsAt                        time.Time
		EndsAt                          *time.Time
	}](t, all)
	if len(list) != 1 || list[0].State != "resolved" || list[0].Rule != "low" || list[0].Severity != "page" || list[0].Labels["team"] != "a" ||
		list[0].StartsAt.UnixMilli() != epoch+3*step || list[0].EndsAt == nil {
		t.Fatalf("alerts: %s", all.body)
	}
	one := r.get("/api/v1/alerts/" + list[0].Incident)
	single := decode[struct {
		Incident string
		Timeline []struct {
			T            int64
			Kind, Detail string
		}
	}](t, one)
	if single.Incident != list[0].Incident || len(single.Timeline) == 0 {
		t.Errorf("alert: %s", one.body)
	}

	target := fmt.Sprintf("/api/v1/rules/low/band?s=%d&e=%d", epoch, epoch+int64(len(values))*step)
	wantError(t, "two groups in csv", r.call("GET", target+"&format=csv", nil), 400, "tags=")
	rows, err := csv.NewReader(strings.NewReader(string(r.get(target + "&format=csv&tags=region=eu").body))).ReadAll()
	if err != nil || len(rows) != len(values)+1 || strings.Join(rows[0], ",") != "timestamp,value,expected,lower,upper,anomaly_score,firing" {
		t.Fatalf("csv: %v %v", rows, err)
	}
	band := decode[struct {
		Groups []struct {
			Tags map[string]string
			Rows []struct {
				T      int64
				Value  *float64
				Score  *float64
				Firing bool
			}
		}
	}](t, r.get(target))
	if len(band.Groups) != 2 || band.Groups[0].Tags["region"] != "eu" || len(band.Groups[0].Rows) != len(values) {
		t.Fatalf("band: %+v", band)
	}
	for i, v := range values {
		row, j := rows[i+1], band.Groups[0].Rows[i]
		out := map[bool]string{true: "1", false: "0"}[v < 50]
		if row[0] != strconv.FormatInt(epoch+int64(i+1)*step, 10) || row[1] != fmt.Sprint(v) || row[6] != out {
			t.Errorf("csv row %d: %v, want value %v and firing %s", i, row, v, out)
		}
		if j.T != epoch+int64(i+1)*step || j.Value == nil || *j.Value != v || j.Firing != (v < 50) {
			t.Errorf("json row %d: %+v, want value %v", i, j, v)
		}
	}
}

// TestWhyOverHTTP: an alert says what it was decided on, a rule's groups where
// they stand, and a band what the detector knew.
func TestWhyOverHTTP(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("low", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50,"hold":"2s"},"for":"2s"}`)
	for i := range 12 {
		t0 := epoch + int64(i+1)*step
		r.move(time.Duration(t0-r.now()) * time.Millisecond)
		tv := 90.0
		if i > 6 {
			tv = 5
		}
		r.publish(point(t0, tv, "sum", "sps", "region", "eu", "device", "tv"), point(t0, 10, "sum", "sps", "region", "eu", "device", "web"), point(t0, 100, "sum", "sps", "region", "us", "device", "tv"))
		r.detect.Advance(r.now())
		r.move(0)
	}
	r.move(step * time.Millisecond)
	list := decode[[]struct{ Incident, State, Cause string }](t, r.get("/api/v1/alerts"))
	if len(list) != 1 || list[0].State != "firing" || list[0].Cause != "limit" {
		t.Fatalf("alerts: %+v", list)
	}
	type judged struct {
		T                int64
		Value, Lower     *float64
		Out              bool
		Cause            string
		Reported, Source int
		Facts            []*float64
	}
	got := r.get("/api/v1/alerts/" + list[0].Incident)
	a := decode[struct {
		Timeline []struct{ Kind, Detail string }
		Why      struct {
			Text      string
			Facts     []string
			Decisions []struct {
				judged
				Kind string
				For  *struct{ Needs, Passed int64 }
			}
			Steps     []judged
			Breakdown struct {
				Key    string
				Values []struct {
					Value string
					Share float64
				}
			}
		}
	}](t, got)
	w := a.Why
	if !strings.HasPrefix(w.Text, "15 is below the limit of 50 for ") || !strings.Contains(w.Text, "all of the change is device=tv") {
		t.Errorf("words: %q", w.Text)
	}
	if len(w.Decisions) != 2 || w.Decisions[0].Kind != "pending" || w.Decisions[1].Kind != "firing" || w.Decisions[1].For == nil || w.Decisions[1].For.Passed != 2000 ||
		len(w.Decisions[1].Facts) != len(w.Facts) || !slices.Contains(w.Facts, "hold") || w.Breakdown.Key != "device" || len(w.Breakdown.Values) != 1 || len(w.Steps) < 10 {
		t.Errorf("why: %s", got.body)
	}

	type groups struct {
		Rule   string
		Total  int
		More   bool
		Groups []struct {
			Tags     map[string]string
			State    string
			Incident string
			Value    *float64
			Expected *float64
			Hold     *struct{ Needs, Passed int64 }
			Facts    map[string]*float64
		}
	}
	g := decode[groups](t, r.get("/api/v1/rules/low/groups"))
	if g.Rule != "low" || g.Total != 2 || g.More || len(g.Groups) != 2 || g.Groups[0].State != "firing" || g.Groups[0].Incident != list[0].Incident ||
		g.Groups[0].Hold == nil || g.Groups[0].Hold.Passed != 2000 || g.Groups[0].Expected != nil || g.Groups[1].State != "inactive" {
		t.Errorf("groups: %+v", g)
	}
	if g := decode[groups](t, r.get("/api/v1/rules/low/groups?tags=region=us&limit=1")); len(g.Groups) != 1 || g.Groups[0].Tags["region"] != "us" {
		t.Errorf("group us: %+v", g)
	}
	wantError(t, "no rule", r.call("GET", "/api/v1/rules/none/groups", nil), 404, "none")

	band := decode[struct {
		Groups []struct {
			Facts []string
			Rows  []struct {
				Firing bool
				Cause  string
				Facts  []*float64
			}
		}
	}](t, r.get(fmt.Sprintf("/api/v1/rules/low/band?s=%d&e=%d&tags=region=eu&facts=1", epoch, r.now())))
	if len(band.Groups) != 1 {
		t.Fatalf("band: %+v", band)
	}
	held := slices.Index(band.Groups[0].Facts, "held")
	for _, row := range band.Groups[0].Rows {
		if held < 0 || len(row.Facts) <= held || row.Firing != (row.Cause == "limit") || row.Firing && *row.Facts[held] != 2 {
			t.Errorf("row %+v of %v", row, band.Groups[0].Facts)
		}
	}
}

// TestReload runs what the server was given, for a caller on this host.
func TestReload(t *testing.T) {
	times := 0
	r := newRig(t, settings{web: web.Options{Reload: func() error {
		if times++; times == 2 {
			return fmt.Errorf("file rules.yaml: bad")
		}
		return nil
	}}})
	if a := r.call("POST", "/-/reload", nil, asJSON); a.status != 200 || times != 1 {
		t.Errorf("reload: %s", a)
	}
	wantError(t, "reload that fails", r.call("POST", "/-/reload", nil, asJSON), 400, "rules.yaml")
	wantError(t, "reload of nothing", newRig(t, settings{}).call("POST", "/-/reload", nil, asJSON), 400, "--rules")
}

// TestRulesVersion: who has the rules is told that they are the same, until any differs in
// anything.
func TestRulesVersion(t *testing.T) {
	r := newRig(t, settings{})
	list := func(have string) (status int, tag string) {
		t.Helper()
		a := r.call("GET", "/api/v1/rules", nil, "If-None-Match: "+have)
		if a.status == 304 && len(a.body) > 0 {
			t.Errorf("304 with %s", a.body)
		}
		return a.status, a.header.Get("ETag")
	}
	put := func(id, summary string) {
		t.Helper()
		r.putRule(id, fmt.Sprintf(`{"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":5},"annotations":{"summary":%q}}`, summary))
	}
	_, none := list("")
	seen := map[string]string{"none": none}
	for _, change := range []struct {
		what string
		do   func()
	}{
		{"a rule", func() { put("a", "x") }}, {"another", func() { put("b", "x") }}, {"a text", func() { put("a", "y") }},
		{"one less", func() { r.call("DELETE", "/api/v1/rules/b", nil, asJSON) }},
	} {
		_, before := list("")
		for _, have := range []string{before, "W/" + before, `"x", ` + before} { // a proxy that compresses makes it weak
			if status, tag := list(have); status != 304 || tag != before {
				t.Errorf("before %s: status %d, version %s for those who have %s", change.what, status, tag, have)
			}
		}
		change.do()
		status, tag := list(before)
		if status != 200 || tag == "" {
			t.Errorf("%s: status %d, version %s", change.what, status, tag)
		}
		for what, other := range seen {
			if other == tag {
				t.Errorf("after %s the version is that of %s", change.what, what)
			}
		}
		seen[change.what] = tag
	}
	put("a", "x")
	if _, tag := list(""); tag != seen["a rule"] {
		t.Error("the same rules have another version")
	}
}
