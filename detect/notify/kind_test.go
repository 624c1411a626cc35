package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"pulse/bench/testkit"
	"pulse/detect/secret"
	"pulse/store/clock"
)

// began is when the alerts of these tests begin.
const began = 1_767_225_600_000

// server plays the other side of every request.
type server struct {
	status int
	header http.Header
	answer string
	reqs   []*http.Request
	bodies [][]byte
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.reqs, s.bodies = append(s.reqs, req), append(s.bodies, body)
	header := s.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: s.status, Header: header, Body: io.NopCloser(strings.NewReader(s.answer))}, nil
}

// service returns a service whose requests go to the server, at a fixed time.
func service(t *testing.T, o Options) (*Service, *server) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	other := &server{status: 200}
	o.DB, o.Clock, o.Transport, o.Resolver, o.Link = db, clock.NewManual(time.UnixMilli(began+60_000)), other, hosts, "https://pulse.example.com"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, other
}

const pagerKey = "canaryrouting0123456789abcdefghi"

// receivers has one receiver of each kind and format, by the name of its golden files.
func receivers() map[string]Receiver {
	key := secret.New("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")
	no := false
	return map[string]Receiver{
		"webhook":              {Kind: KindWebhook, URL: secret.NewURL("https://hook.example/in?token=canary-query"), Secret: key},
		"webhook-alertmanager": {Kind: KindWebhook, Format: formatAlertmanager, URL: secret.NewURL("https://hook.example/in"), Username: "pulse", Password: secret.New("canary-password")},
		"alertmanager":         {Kind: KindAlertmanager, URL: secret.NewURL("http://am.example:9093/prefix/")},
		"pagerduty":            {Kind: KindPagerDuty, RoutingKey: secret.New(pagerKey)},
		"opsgenie": {Kind: KindOpsgenie, APIKey: secret.New("canary-api-key"), Responders: []Responder{{Type: "team", Name: "playback"}},
			URL: secret.NewURL("https://api.eu.opsgenie.com/v2/alerts")},
		"slack": {Kind: KindSlack, URL: secret.NewURL("https://hooks.slack.com/services/T0/B0/canary-path")},
		"teams": {Kind: KindTeams, URL: secret.NewURL("https://flows.example/canary-path?sig=canary-query")},
		"email": {Kind: KindEmail, To: Addresses{"On call <oncall@example.com>", "Zoë <zoe@example.com>"}, From: "Pulse <pulse@mail.example>",
			Smarthost: "mail.example:587", Username: "pulse", Password: secret.New("canary-password")},
		"email-plain": {Kind: KindEmail, To: Addresses{"oncall@example.com"}, From: "pulse@mail.example", Smarthost: "mail.example:25", StartTLS: &no,
			Subject: "{{.Status}} {{.Rule}}", Text: "{{range .Alerts}}{{.Labels.region}} since {{.StartsAt | tz \"Europe/Paris\" | date \"15:04\"}}\n{{end}}"},
	}
}

func fire() Notification {
	return Notification{ID: "0a1b-firing", Incident: "0a1b", Type: TypeFiring, Status: "firing", Rule: "sps-drop", Severity: "page", Owner: "default",
		Labels: map[string]string{"team": "playback"}, Tags: map[string]string{"region": "eu", "nf.app": "api_v2"},
		Annotations: map[string]string{"summary": "eu: 412.5 starts/s, expected 980.1", "description": "Less than half <of> what is usual & rising", "runbook": "https://wiki.example/sps?a=1&b=2"},
		Value:       412.5, Expected: 980.1, Lower: 900.2, Upper: 1060, Score: 0.998, Cause: "drop", Detector: json.RawMessage(`{"kind":"auto"}`),
		StartsAt: began, EvaluatedAt: began, DataAgeMs: 310, Completeness: 1,
		Contributors: []Contributor{{map[string]string{"device": "tv"}, -540, 0.95}}, Link: "https://pulse.example.com/alerts/0a1b", Graph: "https://pulse.example.com/?alert=0a1b&q=a,b"}
}

func ending() Notification {
	n := fire()
	n.ID, n.Type, n.Status, n.EndsAt = "0a1b-resolved", TypeResolved, "resolved", began+45_000
	return n
}

func missing() Notification {
	n := fire()
	n.ID, n.Incident, n.Type, n.Status, n.Cause, n.Severity, n.Annotations, n.Contributors = "0c1d-nodata", "0c1d", TypeNoData, "nodata", "missing", "warn", nil, nil
	n.Value, n.Absence = math.NaN(), true
	n.unknown()
	return n
}

// huge is an alert whose every text is too long, in runes of several bytes.
func huge() Notification {
	n := fire()
	long := strings.Repeat("größer als erlaubt 😀 ", 400)
	n.Rule, n.Incident = strings.Repeat("r", 200), strings.Repeat("incident ", 100)
	n.Annotations = map[string]string{"summary": long, "description": long + "<&>", "other": strings.Repeat("<", 3000)}
	for i := range 40 {
		n.Tags[fmt.Sprintf("tag.%02d", i)] = strings.Repeat("v", 120)
	}
	for range 5 {
		n.Contributors = append(n.Contributors, Contributor{map[string]string{"device": strings.Repeat("d", 120)}, -1, 0.1})
	}
	return n
}

// cases are the bundles of the golden files.
func cases(t *testing.T, s *Service) map[string]*bundle {
	t.Helper()
	of := func(n Notification) *bundle {
		body, err := n.bounded()
		if err != nil {
			t.Fatal(err)
		}
		return s.newBundle("oncall", n.ID, n.Type, n.Incident, body)
	}
	test := Notification{ID: "test-oncall-1", Type: TypeTest, Status: "test", Severity: "info", Annotations: map[string]string{"summary": "a test of receiver oncall"},
		StartsAt: began, EvaluatedAt: began, Completeness: 1, Link: "https://pulse.example.com/receivers", Graph: "https://pulse.example.com"}
	_, summary := s.newSummary(summed{[]string{"1", "2"}, []string{"sps-drop", "errors"}, 2}, began)
	group := of(fire())
	group.Key, group.Labels, group.Truncated = `{}:{team="playback"}`, map[string]string{"team": "playback"}, 3
	if err := group.read(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		n := fire()
		n.Incident, n.Tags = fmt.Sprint("g", i), map[string]string{"region": fmt.Sprint("r", i)}
		group.Alerts = append(group.Alerts, n)
	}
	group.Alerts = append(group.Alerts, ending())
	return map[string]*bundle{
		"firing": of(fire()), "resolved": of(ending()), "nodata": of(missing()), "test": of(test), "truncated": of(huge()), "group": group,
		"summary": s.newBundle("oncall", "summary-1", TypeSummary, "", summary),
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if testkit.Rewriting() {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, got, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s\nwant\n%s", path, got, want)
	}
}

// TestGolden holds the request of every kind for every type against its file.
func TestGolden(t *testing.T) {
	for name, r := range receivers() {
		t.Run(name, func(t *testing.T) {
			s, other := service(t, Options{})
			r.Name = "oncall"
			r, err := r.validate()
			if err != nil {
				t.Fatal(err)
			}
			for what, b := range cases(t, s) {
				if r.Kind == KindEmail {
					if err := b.read(); err != nil {
						t.Fatal(err)
					}
					message, err := emailMessage(&r, b)
					if err != nil {
						t.Fatal(err)
					}
					golden(t, filepath.Join(name, what+".eml"), bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")))
					continue
				}
				other.status, other.answer, other.reqs, other.bodies = 200, "ok", nil, nil
				if a := s.deliver(t.Context(), &r, b); a.verdict != accepted || len(other.reqs) != 1 {
					t.Fatalf("%s: %+v, %d requests", what, a, len(other.reqs))
				}
				golden(t, filepath.Join(name, what+".txt"), dump(t, other.reqs[0], other.bodies[0]))
			}
		})
	}
}

// TestLinks: what people read leads to the alert's page first, and to its graph too; and
// nowhere when it is not known where pages are.
func TestLinks(t *testing.T) {
	const page, graph = "https://pulse.example.com/alerts/0a1b", "https://pulse.example.com/?alert=0a1b"
	for name, r := range receivers() {
		if name == "email-plain" { // its template has no link
			continue
		}
		s, other := service(t, Options{})
		r.Name = "oncall"
		r, err := r.validate()
		if err != nil {
			t.Fatal(err)
		}
		text := func(n Notification, link string) string {
			t.Helper()
			body, err := n.bounded()
			if err != nil {
				t.Fatal(err)
			}
			s.o.Link = link
			b := s.newBundle("oncall", n.ID, n.Type, n.Incident, body)
			if r.Kind != KindEmail {
				other.status, other.answer, other.bodies = 200, "ok", nil
				s.deliver(t.Context(), &r, b)
				return string(other.bodies[0])
			}
			if err := b.read(); err != nil {
				t.Fatal(err)
			}
			message, err := emailMessage(&r, b)
			if err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(string(message), "=3D", "=")
		}
		told := text(fire(), "https://pulse.example.com")
		first, second := strings.Index(told, page), strings.Index(told, graph)
		if first < 0 || second < 0 || second < first && r.Kind != KindAlertmanager && r.Format == "" {
			t.Errorf("%s: the page is at %d, the graph at %d of %s", name, first, second, told)
		}
		nowhere := fire()
		nowhere.Link, nowhere.Graph, nowhere.Annotations = "", "", nil
		if told := text(nowhere, ""); strings.Contains(told, "://pulse.example.com") || strings.Contains(told, "Graph") || strings.Contains(told, "What happened") {
			t.Errorf("%s: links in %s", name, told)
		}
		older := fire() // as it was stored before there were links to pages
		older.Link = ""
		if told := text(older, "https://pulse.example.com"); strings.Contains(told, page) || !strings.Contains(told, graph) {
			t.Errorf("%s: %s", name, told)
		}
	}
}

// dump writes a request as a person reads it.
func dump(t *testing.T, req *http.Request, body []byte) []byte {
	t.Helper()
	var w bytes.Buffer
	fmt.Fprintf(&w, "%s %s\n", req.Method, req.URL)
	for _, key := range slices.Sorted(maps.Keys(req.Header)) {
		fmt.Fprintf(&w, "%s: %s\n", key, strings.Join(req.Header[key], ", "))
	}
	w.WriteByte('\n')
	if err := json.Indent(&w, body, "", " "); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	w.WriteByte('\n')
	return w.Bytes()
}

// sent returns the bodies of one kind for every case, decoded.
func sent(t *testing.T, name string, check func(t *testing.T, what string, raw []byte, m map[string]any)) {
	t.Helper()
	s, other := service(t, Options{})
	r := receivers()[name]
	r.Name = "oncall"
	r, err := r.validate()
	if err != nil {
		t.Fatal(err)
	}
	all := cases(t, s)
	crowd := all["group"]
	big := *crowd
	big.Alerts = nil
	for i := range 60 {
		n := huge()
		n.Incident = fmt.Sprint("i", i)
		big.Alerts = append(big.Alerts, n)
	}
	all["crowd"] = &big
	for _, most := range []int{0, 1000} {
		if r.Kind != KindWebhook && most > 0 {
			r.MaxAlerts = most
		}
		for what, b := range all {
			other.status, other.answer, other.bodies = 200, "ok", nil
			if a := s.deliver(t.Context(), &r, b); a.verdict != accepted || len(other.bodies) != 1 {
				t.Fatalf("%s: %+v", what, a)
			}
			var m map[string]any
			if other.bodies[0][0] == '{' {
				if err := json.Unmarshal(other.bodies[0], &m); err != nil {
					t.Fatal(err)
				}
			}
			if !utf8.Valid(other.bodies[0]) || bytes.Contains(other.bodies[0], []byte(`\ufffd`)) {
				t.Errorf("%s: a rune is cut: %.300s", what, other.bodies[0])
			}
			check(t, what, other.bodies[0], m)
		}
	}
}

// within fails when the text at a path of keys is missing or longer than n runes.
func atMost(t *testing.T, what string, m any, n int, path ...string) string {
	t.Helper()
	for _, key := range path {
		obj, _ := m.(map[string]any)
		m = obj[key]
	}
	text, ok := m.(string)
	if count := utf8.RuneCountInString(text); !ok || count > n || count == 0 {
		t.Errorf("%s: %v has %d runes, want 1 to %d: %.80q", what, path, count, n, text)
	}
	return text
}

func TestPagerDutyLimits(t *testing.T) {
	sent(t, "pagerduty", func(t *testing.T, what string, raw []byte, m map[string]any) {
		if len(raw) > 512_000 || len(m["routing_key"].(string)) != 32 {
			t.Errorf("%s: %d bytes", what, len(raw))
		}
		atMost(t, what, m, 255, "dedup_key")
		if action := m["event_action"]; what == "resolved" != (action == "resolve") || action != "resolve" && action != "trigger" {
			t.Errorf("%s: action %v", what, action)
		} else if action == "trigger" {
			atMost(t, what, m, 1024, "payload", "summary")
			atMost(t, what, m, 1024, "payload", "source")
			if severity := atMost(t, what, m, 8, "payload", "severity"); !slices.Contains([]string{"critical", "error", "warning", "info"}, severity) {
				t.Errorf("%s: severity %s", what, severity)
			}
		}
	})
}

func TestOpsgenieLimits(t *testing.T) {
	sent(t, "opsgenie", func(t *testing.T, what string, raw []byte, m map[string]any) {
		if what == "resolved" {
			return
		}
		atMost(t, what, m, 130, "message")
		atMost(t, what, m, 512, "alias")
		atMost(t, what, m, 15_000, "description")
		if tags, _ := m["tags"].([]any); len(tags) > 20 {
			t.Errorf("%s: %d tags", what, len(tags))
		} else {
			for _, tag := range tags {
				atMost(t, what, tag, 50)
			}
		}
		total := 0
		details, _ := m["details"].(map[string]any)
		for key, value := range details {
			total += utf8.RuneCountInString(key + value.(string))
		}
		if total > 8000 {
			t.Errorf("%s: %d characters of details", what, total)
		}
	})
}

func TestSlackLimits(t *testing.T) {
	sent(t, "slack", func(t *testing.T, what string, raw []byte, m map[string]any) {
		atMost(t, what, m, 4000, "text")
		blocks := 0
		attachments, _ := m["attachments"].([]any)
		for _, a := range attachments {
			list := a.(map[string]any)["blocks"].([]any)
			blocks += len(list)
			for _, b := range list {
				block := b.(map[string]any)
				if block["text"] != nil {
					atMost(t, what, block, 3000, "text", "text")
				}
				fields, _ := block["fields"].([]any)
				if len(fields) > 10 {
					t.Errorf("%s: %d fields", what, len(fields))
				}
				for _, f := range fields {
					atMost(t, what, f, 2000, "text")
				}
			}
		}
		if blocks > 50 || len(raw) > 150_000 {
			t.Errorf("%s: %d blocks, %d bytes", what, blocks, len(raw))
		}
	})
}

func TestTeamsLimits(t *testing.T) {
	sent(t, "teams", func(t *testing.T, what string, raw []byte, m map[string]any) {
		if len(raw) > 28_000 {
			t.Errorf("%s: %d bytes", what, len(raw))
		}
		if what == "crowd" && !bytes.Contains(raw, []byte("more")) {
			t.Errorf("%s: nothing says that there is more: %.300s", what, raw)
		}
	})
}

// TestAlertmanagerPost holds what Alertmanager checks: names of labels, and times.
func TestAlertmanagerPost(t *testing.T) {
	labels := map[string]string{}
	sent(t, "alertmanager", func(t *testing.T, what string, raw []byte, _ map[string]any) {
		var list []postedAlert
		if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
			t.Fatalf("%s: %v", what, err)
		}
		for _, a := range list {
			start, err1 := time.Parse(time.RFC3339, a.StartsAt)
			end, err2 := time.Parse(time.RFC3339, a.EndsAt)
			if err1 != nil || err2 != nil || end.Before(start) || a.Labels["alertname"] == "" {
				t.Errorf("%s: %+v", what, a)
			}
			for name, value := range a.Labels {
				if strings.ContainsAny(name, ".-~^") || value == "" {
					t.Errorf("%s: label %q=%q", what, name, value)
				}
			}
		}
		until, _ := time.Parse(time.RFC3339, list[0].EndsAt)
		if now := time.UnixMilli(began + 60_000); what == "firing" && !until.Equal(now.Add(4*time.Minute)) || what == "resolved" && !until.Equal(now.Add(-15*time.Second)) {
			t.Errorf("%s ends at %v", what, until)
		}
		if what == "firing" || what == "resolved" {
			labels[what] = fmt.Sprint(list[0].Labels)
		}
	})
	if labels["firing"] != labels["resolved"] {
		t.Errorf("another alert for Alertmanager: %v", labels)
	}
}

// The end of an incident of missing data is that incident for Alertmanager, and none of
// the alert of the same group.
func TestEndOfMissingData(t *testing.T) {
	begun, alert := missing(), fire()
	over := begun
	over.Type, over.Status, over.EndsAt = TypeResolved, "resolved", began+1
	alert.Severity = begun.Severity
	if over.set().String() != begun.set().String() || alert.set().String() == begun.set().String() {
		t.Errorf("begins as %v, ends as %v, the alert is %v", begun.set(), over.set(), alert.set())
	}
}

// TestAnswers holds how each kind reads what the other side says.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		kind, what string
		status     int
		answer     string
		want       verdict
		says       string
	}{
		{"webhook", "firing", 204, "", accepted, ""},
		{"webhook", "firing", 410, "", gone, ""},
		{"alertmanager", "firing", 200, "", accepted, ""},
		{"alertmanager", "firing", 400, "inside", refused, ""},
		{"alertmanager", "firing", 500, "", retry, ""},
		{"pagerduty", "firing", 202, `{"status":"success","message":"Event processed","dedup_key":"x"}`, accepted, ""},
		{"pagerduty", "firing", 400, `{"status":"invalid event","message":"inside","errors":["inside"]}`, hopeless, "calls the event invalid"},
		{"pagerduty", "firing", 429, "", retry, "takes no more"},
		{"pagerduty", "resolved", 500, "", retry, ""},
		{"opsgenie", "firing", 202, `{"result":"Request will be processed","requestId":"x"}`, accepted, ""},
		{"opsgenie", "resolved", 202, "", accepted, ""},
		{"opsgenie", "resolved", 404, "", accepted, ""},
		{"opsgenie", "firing", 404, "", refused, ""},
		{"opsgenie", "firing", 422, `{"message":"inside"}`, hopeless, "not valid"},
		{"opsgenie", "firing", 401, "", refused, "does not know the api_key"},
		{"opsgenie", "firing", 429, "", retry, "for now"},
		{"slack", "firing", 200, "ok", accepted, ""},
		{"slack", "firing", 200, `{"ok":true}`, accepted, ""},
		{"slack", "firing", 200, "<html>inside", retry, "not Slack's ok"},
		{"slack", "firing", 200, `{"ok":false,"error":"inside"}`, retry, "not Slack's ok"},
		{"slack", "firing", 400, "invalid_payload", refused, "invalid_payload"},
		{"slack", "firing", 404, "no_service", refused, "no_service"},
		{"slack", "firing", 403, "inside", refused, ""},
		{"slack", "firing", 410, "channel_is_archived", gone, "channel_is_archived"},
		{"slack", "firing", 429, "inside", retry, ""},
		{"teams", "firing", 202, "", accepted, ""},
		{"teams", "firing", 200, "1", accepted, ""},
		{"teams", "firing", 200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", retry, "delivery failed"},
		{"teams", "firing", 413, "", refused, ""},
	} {
		s, other := service(t, Options{})
		r := receivers()[c.kind]
		r.Name = "oncall"
		r, err := r.validate()
		if err != nil {
			t.Fatal(err)
		}
		other.status, other.answer = c.status, c.answer
		a := s.deliver(t.Context(), &r, cases(t, s)[c.what])
		if a.verdict != c.want || a.status != c.status || !strings.Contains(a.err, c.says) || c.says == "" && a.err != "" || strings.Contains(a.err, "inside") {
			t.Errorf("%s, %s, %d %q: %+v, want verdict %d and %q", c.kind, c.what, c.status, c.answer, a, c.want, c.says)
		}
	}
}

// Too many events: PagerDuty is left alone for a minute, or as long as it says.
func TestPagerDutyRests(t *testing.T) {
	s, other := service(t, Options{})
	r := receivers()["pagerduty"]
	r.Name = "oncall"
	r, _ = r.validate()
	for header, want := range map[string]time.Duration{"": time.Minute, "5": time.Minute, "300": 5 * time.Minute} {
		other.status, other.header = 429, http.Header{"Retry-After": {header}}
		if a := s.deliver(t.Context(), &r, cases(t, s)["firing"]); a.pause != want {
			t.Errorf("Retry-After %q: %v, want %v", header, a.pause, want)
		}
	}
}

// The own webhook sends what is stored, byte for byte, and reads nothing of it.
func TestWebhookSendsTheStoredBytes(t *testing.T) {
	s, other := service(t, Options{})
	r := receivers()["webhook"]
	r.Name = "oncall"
	r, _ = r.validate()
	stored := []byte(`{"type" : "alert.firing", "of another version": [}`)
	b := s.newBundle("oncall", "x", TypeFiring, "i", stored)
	if a := s.deliver(context.Background(), &r, b); a.verdict != accepted || !bytes.Equal(other.bodies[0], stored) || b.Alerts != nil {
		t.Errorf("%+v, sent %q", a, other.bodies)
	}
}
