package web_test

import (
	"strings"
	"testing"
	"time"

	"pulse/detect"
)

// receivers puts receivers of these names.
func (r *rig) receivers(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if a := r.call("PUT", "/api/v1/receivers/"+name, `{"kind":"webhook","url":"http://127.0.0.1:1/"}`, jsonBody); a.status != 200 {
			r.t.Fatal(a)
		}
	}
}

// TestRoutingOverTheAPI: routes, inhibit rules and mutes are put, read, tried, exported
// and deleted, and refused where they name what is not there.
func TestRoutingOverTheAPI(t *testing.T) {
	r := newRig(t, settings{})
	ask := func(method, path, body string, status int) string {
		t.Helper()
		a := r.call(method, path, body, jsonBody)
		if a.status != status {
			t.Fatalf("%s %s: %s, want %d", method, path, a, status)
		}
		return strings.TrimSuffix(string(a.body), "\n")
	}
	is := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	r.receivers("oncall", "chat")
	is("no routes", ask("GET", "/api/v1/routes", "", 200), `{"routes":[]}`)
	is("no rules", ask("GET", "/api/v1/inhibit", "", 200), `[]`)
	is("no mutes", ask("GET", "/api/v1/mute", "", 200), `[]`)
	is("test without routes", ask("POST", "/api/v1/routes/test", `{"labels":{}}`, 200), `{"labels":{},"routed":false,"taken":[],"receivers":["chat","oncall"],"legs":[]}`)

	night := `{"name":"nights","timezone":"Europe/Berlin","intervals":[{"times":[{"start":"22:00","end":"06:00"}]}]}`
	is("mute", ask("PUT", "/api/v1/mute/nights", strings.Replace(night, `"name":"nights",`, "", 1), 200), night)
	is("mutes", ask("GET", "/api/v1/mute", "", 200), "["+night+"]")
	rule := `{"name":"over","source":[{"key":"severity","op":"=","value":"page"}],"target":[{"key":"severity","op":"=","value":"warn"}],"equal":["region"]}`
	is("inhibit", ask("PUT", "/api/v1/inhibit/over", `{"source":["severity=page"],"target":["severity=warn"],"equal":["region"]}`, 200), rule)
	is("inhibit rules", ask("GET", "/api/v1/inhibit", "", 200), "["+rule+"]")
	routes := `{"routes":[{"receivers":["oncall"],"matchers":[{"key":"severity","op":"=","value":"page"}]},{"receivers":["chat"],"group_by":["region"],"group_wait":"10s","mute":["nights"]}]}`
	put := ask("PUT", "/api/v1/routes", `{"routes":[{"matchers":["severity=page"],"receiver":"oncall"},{"receiver":"chat","mute":["nights"],"group_by":["region"],"group_wait":"10s"}]}`, 200)
	is("routes read", ask("GET", "/api/v1/routes", "", 200), put)
	is("put again", ask("PUT", "/api/v1/routes", put, 200), put)
	if !strings.Contains(put, `"group_wait":"10s"`) || len(put) < len(routes)/2 {
		t.Errorf("routes: %s", put)
	}
	is("test", ask("POST", "/api/v1/routes/test", `{"labels":{"severity":"warn","region":"eu"},"t":"2026-11-21T23:00:00+01:00"}`, 200),
		`{"labels":{"region":"eu","severity":"warn"},"routed":true,"taken":["routes[1]"],"receivers":[],"legs":[{"receiver":"chat","route":"routes[1]","groupKey":"{}:{region=\"eu\"}","groupLabels":{"region":"eu"},"groupWait":"10s","groupInterval":"5m","repeatInterval":"0s","mutedBy":["nights"]}]}`)

	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PUT", "/api/v1/routes", `{"routes":[{"receiver":"nobody"}]}`, 400, "routes[0]"},
		{"PUT", "/api/v1/routes", `{"routes":[{"receiver":"chat","mute":["days"]}]}`, 400, "days"},
		{"PUT", "/api/v1/routes", `[]`, 400, "want an object"},
		{"PUT", "/api/v1/routes", `{}`, 400, "routes is missing"},
		{"PUT", "/api/v1/routes", `{"routes":[],"mute":[]}`, 400, "mute"},
		{"PUT", "/api/v1/inhibit/other", rule, 400, "in the path"},
		{"PUT", "/api/v1/inhibit/over", `{"source":["severity=page"]}`, 400, "target"},
		{"PUT", "/api/v1/mute/nights", `{"intervals":[{"weekdays":["moonday"]}]}`, 400, "moonday"},
		{"GET", "/api/v1/inhibit/x", "", 404, "no inhibit rule has the name x"},
		{"GET", "/api/v1/mute/x", "", 404, "no mute has the name x"},
		{"DELETE", "/api/v1/inhibit/x", "", 404, `unknown inhibit rule \"x\"`},
		{"DELETE", "/api/v1/mute/x", "", 404, `unknown mute \"x\"`},
		{"DELETE", "/api/v1/mute/nights", "", 400, "nights"},
		{"DELETE", "/api/v1/receivers/chat", "", 409, "routes[1]"},
		{"POST", "/api/v1/routes/test", `{"labels":5}`, 400, "labels"},
		{"POST", "/api/v1/routes/test", `{"labels":{"a":1}}`, 400, "labels.a"},
		{"POST", "/api/v1/routes/test", `{"labels":{},"t":"soon"}`, 400, "t is"},
	} {
		wantError(t, c.method+" "+c.path+" "+c.body, r.call(c.method, c.path, c.body, jsonBody), c.status, c.want)
	}

	text := ask("GET", "/api/v1/export", "", 200)
	file, err := detect.ParseRulesYAML([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if routes, inhibit, mutes := file.Routing(); routes != 2 || inhibit != 1 || mutes != 1 {
		t.Errorf("exported %d routes, %d inhibit rules, %d mutes\n%s", routes, inhibit, mutes, text)
	}
	for _, f := range file.Check(1000) {
		t.Errorf("exported: %v", &f.Fault)
	}
	if s := decode[struct {
		Limits map[string]struct{ Limit, Used int }
	}](t, r.get("/api/v1/status")); s.Limits["routes"].Used != 2 || s.Limits["mutes"].Used != 1 || s.Limits["inhibitRules"].Used != 1 || s.Limits["routes"].Limit != 1000 {
		t.Errorf("limits %+v", s.Limits)
	}
	ask("DELETE", "/api/v1/routes", "", 204)
	ask("DELETE", "/api/v1/mute/nights", "", 204)
	ask("DELETE", "/api/v1/inhibit/over", "", 204)
	ask("DELETE", "/api/v1/receivers/chat", "", 204)
	is("no routes", ask("GET", "/api/v1/routes", "", 200), `{"routes":[]}`)
}

// TestHeldBackIsShown: what holds an alert back, and who was told, is part of it, in the
// own API and in Alertmanager's.
func TestHeldBackIsShown(t *testing.T) {
	r := newRig(t, settings{})
	r.receivers("oncall", "chat")
	for _, c := range [][2]string{
		{"/api/v1/mute/always", `{"intervals":[{}]}`},
		{"/api/v1/inhibit/west", `{"source":["region=us"],"target":["region=eu"]}`},
		{"/api/v1/routes", `{"routes":[{"receiver":"oncall","continue":true},{"receiver":"chat","mute":["always"]}]}`},
	} {
		if a := r.call("PUT", c[0], c[1], jsonBody); a.status != 200 {
			t.Fatal(a)
		}
	}
	r.alerting()
	type cause struct{ Name, Incident string }
	type shown struct {
		Incident           string
		Tags               map[string]string
		InhibitedBy        []cause
		MutedBy, Receivers []string
	}
	var eu, us shown
	for _, a := range decode[[]shown](t, r.get("/api/v1/alerts?state=firing")) {
		if a.Tags["region"] == "eu" {
			eu = a
		} else {
			us = a
		}
	}
	if len(eu.InhibitedBy) != 1 || eu.InhibitedBy[0] != (cause{"west", us.Incident}) || len(eu.Receivers) != 0 || strings.Join(eu.MutedBy, " ") != "always" {
		t.Errorf("eu: %+v", eu)
	}
	if us.InhibitedBy == nil || len(us.InhibitedBy) != 0 || strings.Join(us.Receivers, " ") != "oncall" || strings.Join(us.MutedBy, " ") != "always" {
		t.Errorf("us: %+v", us)
	}
	for query, want := range map[string]string{"": "eu us", "?inhibited=false": "us", "?muted=false": "", "?active=false": "eu", "?receiver=chat": "eu us"} {
		var got []string
		for _, region := range []string{"eu", "us"} {
			for _, a := range decode[[]amAlert](t, r.get("/api/v2/alerts"+query)) {
				if a.Labels["region"] != region {
					continue
				}
				got = append(got, region)
				if held := region == "eu"; (a.Status.State == "suppressed") != held || (len(a.Status.InhibitedBy) == 1 && len(a.Status.InhibitedBy[0]) == 16) != held || len(a.Status.MutedBy) != 1 {
					t.Errorf("%s: %+v", query, a)
				}
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %q, want %q", query, text, want)
		}
	}
	text := string(r.get("/api/v1/alerts/" + eu.Incident).body)
	for _, part := range []string{`"kind":"inhibited"`, "inhibited by west, as alert " + us.Incident + " fires", `"kind":"muted"`, "chat is not told: it is a time of the mute always"} {
		if !strings.Contains(text, part) {
			t.Errorf("the alert has no %s: %s", part, text)
		}
	}
	why := string(r.get("/api/v1/rules/sps-low/why?tags=region=eu").body)
	if !strings.Contains(why, `"reason":"inhibited"`) || !strings.Contains(why, "inhibit rule west while alert "+us.Incident) {
		t.Errorf("why: %s", why)
	}
	if a := r.call("DELETE", "/api/v1/inhibit/west", nil); a.status != 204 {
		t.Fatal(a)
	}
	r.move(time.Second)
	for _, a := range decode[[]shown](t, r.get("/api/v1/alerts?state=firing")) {
		if len(a.InhibitedBy) != 0 || strings.Join(a.Receivers, " ") != "oncall" {
			t.Errorf("without the rule: %+v", a)
		}
	}
}
