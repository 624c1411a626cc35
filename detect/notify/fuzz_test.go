package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pulse/detect/secret"
)

// FuzzReceiver reads receivers of any text: what is taken can be stored and read
// back as it was, and shows no secret.
func FuzzReceiver(f *testing.F) {
	for _, r := range receivers() {
		stored, err := encodeReceiver(r)
		if err != nil {
			f.Fatal(err)
		}
		var plain map[string]json.RawMessage
		if err := json.Unmarshal(stored, &plain); err != nil {
			f.Fatal(err)
		}
		var secrets map[string]json.RawMessage
		if err := json.Unmarshal(plain["secrets"], &secrets); err == nil {
			for key, value := range secrets {
				plain[key] = value
			}
		}
		delete(plain, "secrets")
		plain["name"] = []byte(`"a"`)
		text, _ := json.Marshal(plain)
		f.Add(text)
	}
	f.Add([]byte(`{"name":"a","kind":"email","to":"a@b, c@d","from":"x@y","smarthost":"[::1]:25","starttls":false}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := ParseReceiver(src)
		if err != nil {
			return
		}
		if r, err = r.validate(); err != nil {
			return
		}
		stored, err := encodeReceiver(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeReceiver(stored)
		if err != nil || !r.alike(back) {
			t.Fatalf("%s comes back as %+v, %v", stored, back, err)
		}
		shown := r.shown()
		if shown.URL.Reveal() != shown.URL.String() {
			t.Fatalf("what is shown knows more of the URL: %s", shown.URL.Reveal())
		}
		for _, s := range shown.settings() {
			if s.secret != nil && s.set && s.secret.Reveal() != secret.Mask {
				t.Fatalf("what is shown knows %s", s.key)
			}
		}
		if same := shown.keeping(r); !same.alike(r) {
			t.Fatalf("%+v written back is %+v", r, same)
		}
	})
}

// FuzzMessage renders notifications of any texts by every kind, within their limits.
func FuzzMessage(f *testing.F) {
	f.Add("rule", "summary", "key", "value", "https://wiki.example", uint8(3))
	f.Add("", "<!channel> & |", "a.b", "x_y*z", "javascript:alert(1)", uint8(0))
	f.Add("ü\r\nBcc: a@b", strings.Repeat("😀", 900), "\xff", "\x00", "http://[", uint8(200))
	f.Add(strings.Repeat("😀", 300), strings.Repeat("ü ", 400), "k", "v", "", uint8(1))
	f.Fuzz(func(t *testing.T, rule, summary, key, value, link string, times uint8) {
		n := fire()
		n.Rule, n.Graph = rule, link
		n.Annotations = map[string]string{"summary": summary, "description": strings.Repeat(value, int(times)), "runbook": link, key: value}
		n.Tags = map[string]string{key: value}
		body, err := n.bounded()
		if err != nil {
			return
		}
		for name, r := range receivers() {
			r.Name = "oncall"
			r, err := r.validate()
			if err != nil {
				t.Fatal(err)
			}
			b := &bundle{ID: n.ID, Type: n.Type, Receiver: "oncall", Key: n.Incident, Now: began, body: body}
			if err := b.read(); err != nil {
				t.Fatal(err)
			}
			var out []byte
			switch r.Kind {
			case KindEmail:
				out, err = emailMessage(&r, b)
				head, _, _ := strings.Cut(string(out), "\r\n\r\n")
				if strings.Contains(head, "\nBcc") || strings.Count(head, "\r\n") != strings.Count(head, "\n") {
					t.Fatalf("header %q", head)
				}
				for line := range strings.SplitSeq(string(out), "\r\n") {
					if len(line) > 998 {
						t.Fatalf("a line of %d bytes: %q", len(line), line)
					}
				}
			case KindWebhook:
				out, err = alertmanagerWebhook(&r, b)
			default:
				var e exchange
				e, err = map[string]func(*Receiver, *bundle) (exchange, error){KindAlertmanager: alertmanagerPost, KindPagerDuty: pagerDutyEvent,
					KindOpsgenie: opsgenieRequest, KindSlack: slackMessage, KindTeams: teamsMessage}[r.Kind](&r, b)
				out = e.body
			}
			if err != nil || !utf8.Valid(out) || r.Kind == KindTeams && len(out) > teamsBytes || r.Kind == KindPagerDuty && len(out) > pagerDutyBytes {
				t.Fatalf("%s: %v, %d bytes: %q", name, err, len(out), out)
			}
		}
	})
}
