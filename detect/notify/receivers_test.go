package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// everyKind is a receiver of each kind, with a canary wherever something is secret.
var everyKind = map[string]string{
	"hook":  `{"name":"hook","kind":"webhook","url":"https://hook.example.com/in?token=canary-query","secret":"whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktc2Vj","previous_secret":"whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktdHdv"}`,
	"v4":    `{"name":"v4","kind":"webhook","format":"alertmanager","url":"https://v4.example.com/in","username":"u","password":"canary-password","max_alerts":5}`,
	"am":    `{"name":"am","kind":"alertmanager","url":"https://am.example.com","username":"u","password":"canary-password"}`,
	"pd":    `{"name":"pd","kind":"pagerduty","url":"https://pd.example.com/v2/enqueue","routing_key":"canary-routing-key-0123456789abc"}`,
	"og":    `{"name":"og","kind":"opsgenie","url":"https://og.example.com","api_key":"canary-api-key","priority":"P2","responders":[{"type":"user","username":"a@example.com"}]}`,
	"slack": `{"name":"slack","kind":"slack","url":"https://slack.example.com/services/canary-path","title":"{{.Status | toUpper}} {{.CommonLabels.alertname}}","timeout":"5s"}`,
	"teams": `{"name":"teams","kind":"teams","url":"https://teams.example.com/canary-path?sig=canary-query","text":"{{range .Alerts}}{{.Rule}}{{end}}"}`,
	"mail":  mailReceiver,
}

// everyone runs f with a receiver of each kind.
func everyone(t *testing.T, f func(t *testing.T, r *rig, s *mailServer)) {
	t.Helper()
	mailing(t, mailReceiver, func(t *testing.T, r *rig, s *mailServer) {
		r.words = "ok"
		for _, text := range everyKind {
			r.putJSON(text)
		}
		f(t, r, s)
	})
}

// Every kind that can be put delivers: a test, a page and its end, over a restart.
func TestEveryKindDelivers(t *testing.T) {
	everyone(t, func(t *testing.T, r *rig, s *mailServer) {
		for name := range everyKind {
			if got, err := r.svc.Test(context.Background(), name); err != nil || !got.OK {
				t.Errorf("test of %s: %+v, %v", name, got, err)
			}
		}
		kinds := map[string]bool{}
		for _, x := range r.svc.Receivers() {
			kinds[x.Kind] = true
		}
		if len(kinds) != len(notify.Kinds()) {
			t.Errorf("tried %v of %v", kinds, notify.Kinds())
		}
		r.enqueue(firing("i1"))
		after(time.Second)
		r.stop()
		r.start()
		r.enqueue(resolved("i1"))
		after(time.Second)
		count := map[string]int{"mail": len(s.seen())}
		for _, c := range r.made() {
			count[strings.TrimSuffix(c.host, ".example.com")]++
		}
		for name := range everyKind {
			want := 3
			if name == "am" || name == "pd" || name == "og" { // a restart tells it again; what a test opens is resolved
				want = 4
			}
			if count[name] != want {
				t.Errorf("%s was told %d times", name, count[name])
			}
			for _, a := range r.svc.Attempts("i1") {
				if a.Outcome != notify.OutcomeAccepted {
					t.Errorf("%+v", a)
				}
			}
		}
		for _, c := range r.made() {
			if c.host == "slack.example.com" && strings.Contains(string(c.body), "resolved") && !strings.Contains(string(c.body), `RESOLVED rule-i1`) {
				t.Errorf("the template of slack is not used after a restart: %s", c.body)
			}
		}
	})
}

// Nothing that anybody can read has a secret in it, whatever goes wrong.
func TestNoKindShowsASecret(t *testing.T) {
	everyone(t, func(t *testing.T, r *rig, s *mailServer) {
		var out strings.Builder
		show := func(v any) {
			text, err := json.Marshal(v)
			fmt.Fprintf(&out, "%s %v %v %+v %#v %s %q %x\n", text, err, v, v, v, v, v, v)
		}
		s.answers(reply("AUTH", "535 canary-password"))
		for n, status := range []int{400, 0, 500, 429, 302} {
			r.answersStatus(status)
			for name := range everyKind {
				got, err := r.svc.Test(context.Background(), name)
				show(got)
				show(err)
			}
			r.enqueue(firing(fmt.Sprint("i", n)))
			after(5 * time.Second)
			show(r.svc.Attempts(fmt.Sprint("i", n)))
		}
		show(r.svc.Receivers())
		show(r.svc.Stats())
		for name, text := range everyKind {
			dead, err := r.svc.DeadLetters(name, 10)
			show(dead)
			show(err)
			x, err := notify.ParseReceiver([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			show(x)
			show(&x)
			show(struct {
				inside notify.Receiver
				at     *notify.Receiver
			}{x, &x})
			x.Timeout = "never"
			show(r.svc.PutReceiver(x))
			x.Kind = "pigeon"
			show(r.svc.PutReceiver(x))
			x.Kind, x.Timeout, x.Text = "webhook", "", ""
			show(r.svc.PutReceiver(x))
		}
		out.WriteString(r.logged())
		for _, leak := range []string{"canary", fmt.Sprintf("%x", "canary"), "Y2FuYXJ5", "whsec_Y"} {
			if at := strings.Index(out.String(), leak); at >= 0 {
				t.Errorf("%s stands in %s", leak, out.String()[max(0, at-200):at+40])
			}
		}
	})
}

// What the API shows of a receiver can be written back, and keeps every secret.
func TestEveryKindCanBeWrittenBack(t *testing.T) {
	everyone(t, func(t *testing.T, r *rig, s *mailServer) {
		for _, x := range r.svc.Receivers() {
			shown, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			r.putJSON(string(shown))
			again, err := r.svc.Receiver(x.Name)
			back, _ := json.Marshal(again)
			if err != nil || string(back) != string(shown) {
				t.Errorf("put %s, got %s, %v", shown, back, err)
			}
		}
		for name := range everyKind {
			if got, err := r.svc.Test(context.Background(), name); err != nil || !got.OK {
				t.Errorf("test of %s: %+v, %v", name, got, err)
			}
		}
		for _, c := range r.made() {
			if text := c.url + fmt.Sprint(c.header) + string(c.body); strings.Contains(text, secret.Mask) {
				t.Errorf("a mask was sent: %s", text)
			}
		}
		if got := s.seen(); len(got) != 1 || got[0].password != "canary-password" {
			t.Errorf("mails %+v", got)
		}
	})
}

func TestReceiversThatAreRefused(t *testing.T) {
	key := `"routing_key":"0123456789abcdef0123456789abcdef"`
	mail := `"kind":"email","to":"a@example.com","from":"b@example.com","smarthost":"mail.example.com:587"`
	bubble(t, notify.Options{}, func(r *rig) {
		for text, want := range map[string]string{
			`"kind":"pigeon"`: `must be one of webhook, alertmanager, pagerduty, opsgenie, slack, teams, email`,
			`"kind":"webhook","url":"https://a.example.com","routing_key":"x"`:               `key "routing_key" is not one of kind webhook`,
			`"kind":"webhook","url":"https://a.example.com","format":"xml"`:                  `format is "xml"`,
			`"kind":"webhook","url":"https://a.example.com","max_alerts":3`:                  `max_alerts is for format alertmanager`,
			`"kind":"webhook","url":"https://a.example.com","username":"u"`:                  `username and password go together`,
			`"kind":"webhook","url":"https://a.example.com","timeout":"1ms"`:                 `timeout is "1ms", want 1s to 1m0s`,
			`"kind":"slack","url":"https://hooks.slack.com/services/T/B/x","heartbeat":"1m"`: `key "heartbeat" is not one of kind slack`,
			`"kind":"alertmanager"`:                                                                                       `url is missing`,
			`"kind":"alertmanager","url":"http://127.0.0.1:9093"`:                                                         `--egress-allow`,
			`"kind":"pagerduty"`:                                                                                          `routing_key is missing`,
			`"kind":"pagerduty","routing_key":"short"`:                                                                    `PagerDuty's have 32`,
			`"kind":"pagerduty","routing_key":"***"`:                                                                      `routing_key is ***, which keeps what is stored`,
			`"kind":"pagerduty","url":"http://169.254.169.254/x",` + key:                                                  `metadata`,
			`"kind":"pagerduty","title":"{{.Nope}}",` + key:                                                               `title: title:1`,
			`"kind":"pagerduty","title":"{{.Value.Nope}}",` + key:                                                         `Nope`,
			`"kind":"pagerduty","title":"{{humanise 1}}",` + key:                                                          `function "humanise" not defined`,
			`"kind":"pagerduty","text":"{{range .Alerts}}{{range $.Alerts}}{{end}}{{end}}",` + key:                        `inside another`,
			`"kind":"pagerduty","text":"{{range 1000000000}}{{end}}",` + key:                                              `only over a field`,
			`"kind":"pagerduty","text":"{{$x := 1000000000}}{{range $x}}{{end}}",` + key:                                  `only over a field`,
			`"kind":"pagerduty","text":"{{with 1000000000}}{{range .}}{{end}}{{end}}",` + key:                             `only over a field`,
			`"kind":"pagerduty","text":"{{range .Alerts}}{{range .Labels}}{{range $.Rules}}{{end}}{{end}}{{end}}",` + key: `inside two others`,
			`"kind":"pagerduty","text":"` + strings.Repeat("x", 9000) + `",` + key:                                        `at most 8192`,
			`"kind":"pagerduty","subject":"x",` + key:                                                                     `key "subject" is not one of kind pagerduty`,
			`"kind":"opsgenie"`:                                                        `api_key is missing`,
			`"kind":"opsgenie","api_key":"a\nb"`:                                       `api_key has a control character`,
			`"kind":"opsgenie","api_key":"k","priority":"1"`:                           `want P1 to P5`,
			`"kind":"opsgenie","api_key":"k","responders":[{"type":"pet","name":"x"}]`: `responders[0].type is "pet"`,
			`"kind":"opsgenie","api_key":"k","responders":[{"type":"team"}]`:           `responders[0] needs one of`,
			`"kind":"slack"`: `url is missing`,
			`"kind":"teams","url":"https://user:canary@teams.example.com/"`: `user information`,
			`"kind":"email"`:                                                                   `to is missing`,
			`"kind":"email","to":"a@example.com"`:                                              `from is missing`,
			`"kind":"email","to":"a@example.com","from":"b@example.com"`:                       `smarthost is missing`,
			strings.Replace(mail, "a@example.com", "a@example.com, nobody", 1):                 `to[1]: "nobody" is no mail address`,
			strings.Replace(mail, "b@example.com", `b@example.com>\r\nBcc: <x@example.com`, 1): `control character`,
			strings.Replace(mail, "b@example.com", `b`, 1):                                     `from: "b" is no mail address`,
			mail + `,"username":"u","password":"p","starttls":false`:                           `password needs starttls`,
			mail + `,"url":"https://a.example.com"`:                                            `key "url" is not one of kind email`,
		} {
			x, err := notify.ParseReceiver([]byte(`{"name":"a",` + text + `}`))
			if err == nil {
				err = r.svc.PutReceiver(x)
			}
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
		}
		if n := len(r.svc.Receivers()); n != 0 {
			t.Errorf("%d were put", n)
		}
	})
}

// A receiver that does not want ends gets none, and its incident is over all the same.
func TestSendResolved(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putJSON(`{"name":"a","url":"https://a.example.com/hook","send_resolved":false}`)
		r.enqueue(firing("i1"))
		after(time.Second)
		r.enqueue(resolved("i1"))
		after(time.Second)
		if got := r.seen(); len(got) != 1 || got[0] != "firing i1-firing" {
			t.Errorf("sent %q", got)
		}
		a := r.svc.Attempts("i1")
		if s := r.svc.Stats(); len(a) != 2 || a[1].Outcome != notify.OutcomeDropped || a[1].Error != "send_resolved is false" || s.Accepted != 1 || s.Receivers[0].Queued != 0 || s.Receivers[0].LastError != "" {
			t.Errorf("attempts %+v, stats %+v", a, s)
		}
	})
}

func TestTimeoutOfAReceiver(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putJSON(`{"name":"a","url":"https://a.example.com/hook","timeout":"2s"}`)
		r.answersStatus(-1)
		r.enqueue(firing("i1"))
		after(2500 * time.Millisecond)
		if a := r.svc.Attempts("i1"); len(a) != 1 || a[0].Error != "no answer within 2s" {
			t.Errorf("attempts %+v", a)
		}
	})
}

// A template that fails on real data only never keeps a page from being sent.
func TestTemplateThatFailsLater(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.putJSON(`{"name":"s","kind":"slack","url":"https://s.example.com/x","title":"{{if eq .Rule \"rule-i1\"}}{{index .Rules 7}}{{end}}t"}`)
		r.answers(func(call, int) (int, http.Header) { return 204, nil })
		r.enqueue(firing("i1"))
		after(time.Second)
		calls := r.made()
		if len(calls) == 0 || !strings.Contains(string(calls[0].body), "[FIRING] rule-i1 (template: ") {
			t.Errorf("sent %v", calls)
		}
	})
}

// Rule files may have secrets in files of their own; the API may not.
func TestSecretsInFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key": "0123456789abcdef0123456789abcdef\n", "empty": "\n", "url": "https://s.example.com/canary", "big": strings.Repeat("x", 70_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bubble(t, notify.Options{}, func(r *rig) {
		put := func(text string) error {
			x, err := notify.ParseFileReceiver([]byte(text), dir)
			if err == nil {
				err = r.svc.PutReceiver(x)
			}
			return err
		}
		for _, text := range []string{
			`{"name":"pd","kind":"pagerduty","routing_key_file":"key"}`, `{"name":"pd2","kind":"pagerduty","routing_key_file":"` + dir + `/key"}`,
			`{"name":"s","kind":"slack","url_file":"url"}`,
		} {
			if err := put(text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		for text, want := range map[string]string{
			`{"name":"x","kind":"pagerduty","routing_key_file":"empty"}`:                   "is empty",
			`{"name":"x","kind":"pagerduty","routing_key_file":"big"}`:                     "at most 65536",
			`{"name":"x","kind":"pagerduty","routing_key_file":"none"}`:                    "no such file",
			`{"name":"x","kind":"pagerduty","routing_key_file":"."}`:                       "is no file",
			`{"name":"x","kind":"pagerduty","routing_key_file":7}`:                         "wants the name",
			`{"name":"x","kind":"pagerduty","routing_key_file":"key","routing_key":"key"}`: "stands beside",
			`{"name":"x","kind":"pagerduty","title_file":"key"}`:                           "unknown field",
			`[]`: "cannot unmarshal",
		} {
			if err := put(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
		}
		if _, err := notify.ParseReceiver([]byte(`{"name":"x","kind":"pagerduty","routing_key_file":"key"}`)); err == nil {
			t.Error("the API reads files")
		}
		if got, err := r.svc.Test(context.Background(), "pd"); err != nil || !got.OK || !strings.Contains(string(r.made()[0].body), "0123456789abcdef0123456789abcdef") {
			t.Errorf("%+v, %v", got, err)
		}
		shown, _ := json.Marshal(r.svc.Receivers())
		if strings.Contains(string(shown), "canary") || strings.Contains(string(shown), "0123456789") {
			t.Errorf("shown: %s", shown)
		}
	})
}

// Receivers that were stored before there were kinds are read.
func TestStoredReceiversOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, path: filepath.Join(t.TempDir(), "state.db")}
		r.answer = func(call, int) (int, http.Header) { return 200, nil }
		r.start()
		r.put("a")
		err := r.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("notify")).Bucket([]byte("receivers")).Put([]byte("a"),
				[]byte(`{"name":"a","kind":"webhook","url":"https://a.example.com/old?token=canary","secret":"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3","disabled_at":0}`))
		})
		if err != nil {
			t.Fatal(err)
		}
		r.stop()
		r.start()
		defer r.stop()
		r.enqueue(firing("i1"))
		after(time.Second)
		calls := r.made()
		if len(calls) != 1 || calls[0].url != "https://a.example.com/old?token=canary" || verify(t, calls[0], "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3") != 1 {
			t.Errorf("sent %+v", calls)
		}
		if x, err := r.svc.Receiver("a"); err != nil || x.URL.String() != "https://a.example.com/old?token=***" {
			t.Errorf("shown %v, %v", x.URL, err)
		}
	})
}
