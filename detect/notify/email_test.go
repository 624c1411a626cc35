package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pulse/detect/notify"
)

const mailReceiver = `{"name":"mail","kind":"email","to":["a@example.com","b@example.com"],"from":"Pulse <pulse@example.com>","smarthost":"mail.example.com:587",
	"username":"pulse","password":"canary-password"}`

// mailing runs f with a receiver of mails and its server.
func mailing(t *testing.T, receiver string, f func(t *testing.T, r *rig, s *mailServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newMailServer(t, "mail.example.com")
		r := &rig{t: t, path: t.TempDir() + "/state.db", o: notify.Options{Dial: s.dial, RootCAs: s.roots}}
		r.answer = func(call, int) (int, http.Header) { return 200, nil }
		r.start()
		defer r.stop()
		r.putJSON(receiver)
		f(t, r, s)
	})
}

// putJSON puts a receiver as the API does.
func (r *rig) putJSON(text string) {
	r.t.Helper()
	x, err := notify.ParseReceiver([]byte(text))
	if err == nil {
		err = r.svc.PutReceiver(x)
	}
	if err != nil {
		r.t.Fatalf("%s: %v", text, err)
	}
}

func TestMailsOfAnIncidentAreAThread(t *testing.T) {
	mailing(t, mailReceiver, func(t *testing.T, r *rig, s *mailServer) {
		r.enqueue(firing("i1"), firing("i2"))
		after(time.Second)
		r.stop()
		r.start()
		r.enqueue(resolved("i1"))
		after(time.Second)
		got := s.seen()
		if len(got) != 3 {
			t.Fatalf("%d mails", len(got))
		}
		threads, ids := map[string]int{}, map[string]bool{}
		for _, m := range got {
			h := m.message.Header
			threads[h.Get("References")]++
			ids[h.Get("Message-ID")] = true
			if h.Get("References") != h.Get("In-Reply-To") || !m.secure || m.user != "pulse" || m.password != "canary-password" ||
				fmt.Sprint(m.to) != "[a@example.com b@example.com]" || !strings.HasPrefix(m.from, "FROM:<pulse@example.com>") {
				t.Errorf("mail %+v with %v", m, h)
			}
			if date, err := h.Date(); err != nil || time.Since(date) > time.Minute {
				t.Errorf("date %v, %v", date, err)
			}
		}
		first, last := got[0].message.Header, got[2].message.Header
		if len(threads) != 2 || len(ids) != 3 || threads[last.Get("References")] != 2 || !strings.HasPrefix(last.Get("Subject"), "[RESOLVED] rule-i1") {
			t.Errorf("threads %v, ids %v, %v then %v", threads, ids, first, last)
		}
		if a := r.svc.Attempts("i1"); len(a) != 2 || a[0].Status != 250 || a[0].Outcome != notify.OutcomeAccepted {
			t.Errorf("attempts %+v", a)
		}
	})
}

// A retry is the same mail: mail programs show one.
func TestMailsAreRetried(t *testing.T) {
	mailing(t, mailReceiver, func(t *testing.T, r *rig, s *mailServer) {
		var sent []string
		s.answers(func(verb, _ string) string {
			if verb == "QUIT" {
				return "hang" // the mail is theirs all the same
			}
			return ""
		})
		r.enqueue(firing("i1"))
		after(time.Minute)
		s.answers(func(verb, rest string) string {
			if verb == "MAIL" && len(sent) < 2 {
				sent = append(sent, rest)
				return "451 inside, try later"
			}
			return ""
		})
		r.enqueue(firing("i2"))
		after(time.Minute)
		got := s.seen()
		if len(got) != 2 || len(sent) != 2 {
			t.Fatalf("%d mails, %d put off", len(got), len(sent))
		}
		a := r.svc.Attempts("i2")
		if len(a) != 3 || a[0].Status != 451 || a[0].Error != "the mail server says no (sender)" || a[0].Outcome != notify.OutcomeRetry || a[2].Status != 250 {
			t.Errorf("attempts %+v", a)
		}
	})
}

func TestMailServersThatFail(t *testing.T) {
	for _, c := range []struct {
		what    string
		set     func(s *mailServer)
		outcome string
		status  int
		says    string
	}{
		{"no STARTTLS", func(s *mailServer) { s.plain = true }, notify.OutcomeRetry, 0, "offers no STARTTLS"},
		{"another's certificate", func(s *mailServer) { s.cert = newMailServer(s.t, "other.example.com").cert }, notify.OutcomeRetry, 0, "certificate"},
		{"no mechanism", func(s *mailServer) { s.auth = "GSSAPI" }, notify.OutcomeRetry, 0, "neither PLAIN nor LOGIN"},
		{"a wrong password", func(s *mailServer) { s.answer = reply("AUTH", "535 canary-password inside") }, notify.OutcomeDead, 535, "says no (authentication)"},
		{"a sender that may not", func(s *mailServer) { s.answer = reply("MAIL", "550 inside") }, notify.OutcomeDead, 550, "says no (sender)"},
		{"nobody there", func(s *mailServer) { s.answer = reply("RCPT", "550 inside") }, notify.OutcomeDead, 550, "says no (recipients)"},
		{"a message that is refused", func(s *mailServer) { s.answer = reply("DATA", "554 inside") }, notify.OutcomeDead, 554, "says no (message)"},
		{"a server that is busy", func(s *mailServer) { s.answer = reply("*", "421 inside") }, notify.OutcomeRetry, 421, "says no (greeting)"},
		{"a server that hangs", func(s *mailServer) { s.answer = reply("RCPT", "hang") }, notify.OutcomeRetry, 0, "no answer within 10s"},
		{"an endless answer", func(s *mailServer) { s.answer = reply("RCPT", "endless") }, notify.OutcomeRetry, 0, "too long (recipients)"},
		{"no mail server", func(s *mailServer) { s.answer = reply("MAIL", "inside") }, notify.OutcomeRetry, 0, "not that of a mail server"},
	} {
		mailing(t, mailReceiver, func(t *testing.T, r *rig, s *mailServer) {
			c.set(s)
			r.enqueue(firing("i1"))
			after(13 * time.Second)
			a := r.svc.Attempts("i1")
			if len(a) == 0 {
				t.Fatalf("%s: nothing was tried", c.what)
			}
			last := a[len(a)-1]
			if last.Outcome != c.outcome || last.Status != c.status || !strings.Contains(last.Error, c.says) || strings.Contains(last.Error, "inside") || len(s.seen()) != 0 {
				t.Errorf("%s: %+v, want %s, %d, %q", c.what, last, c.outcome, c.status, c.says)
			}
			if log := r.logged(); strings.Contains(log, "inside") || strings.Contains(log, "canary") {
				t.Errorf("%s: the log has %s", c.what, log)
			}
		})
	}
}

func reply(verb, text string) func(string, string) string {
	return func(v, _ string) string {
		if v == verb || verb == "*" {
			return text
		}
		return ""
	}
}

// One recipient that is refused keeps the mail from nobody else.
func TestSomeRecipients(t *testing.T) {
	mailing(t, mailReceiver, func(t *testing.T, r *rig, s *mailServer) {
		s.answers(func(verb, rest string) string {
			if verb == "RCPT" && strings.Contains(rest, "a@example.com") {
				return "550 no such user"
			}
			return ""
		})
		r.enqueue(firing("i1"))
		after(time.Second)
		got, a := s.seen(), r.svc.Attempts("i1")
		if len(got) != 1 || fmt.Sprint(got[0].to) != "[b@example.com]" || len(a) != 1 || a[0].Outcome != notify.OutcomeAccepted || a[0].Error != "1 of 2 recipients refused" {
			t.Errorf("%d mails, attempts %+v", len(got), a)
		}
	})
}

func TestWaysToAMailServer(t *testing.T) {
	for _, c := range []struct {
		what, edit string
		set        func(s *mailServer)
		password   string
		secure     bool
	}{
		{"LOGIN", `"timeout":"5s"`, func(s *mailServer) { s.auth = "LOGIN" }, "canary-password", true},
		{"CRAM-MD5", `"timeout":"5s"`, func(s *mailServer) { s.auth = "CRAM-MD5" }, "", true},
		{"TLS at once", `"smarthost":"mail.example.com:465"`, func(s *mailServer) { s.implicit = true }, "canary-password", true},
		{"in the clear", `"smarthost":"mail.example.com:25","starttls":false,"username":"","password":""`, func(s *mailServer) { s.plain = true; s.auth = "" }, "", false},
	} {
		var receiver, edit map[string]any
		json.Unmarshal([]byte(mailReceiver), &receiver)
		if err := json.Unmarshal([]byte("{"+c.edit+"}"), &edit); err != nil {
			t.Fatal(err)
		}
		for key, value := range edit {
			receiver[key] = value
		}
		text, _ := json.Marshal(receiver)
		mailing(t, string(text), func(t *testing.T, r *rig, s *mailServer) {
			c.set(s)
			if got, err := r.svc.Test(context.Background(), "mail"); err != nil || !got.OK || got.Status != 250 {
				t.Errorf("%s: %+v, %v", c.what, got, err)
			}
			if got := s.seen(); len(got) != 1 || got[0].password != c.password || got[0].secure != c.secure || got[0].message.Header.Get("Subject") != "[TEST] a test of receiver mail" {
				t.Errorf("%s: %+v", c.what, got)
			}
		})
	}
}

// Mail servers are behind the egress guard, when the receiver is put and when they are
// dialled.
func TestMailServersAreGuarded(t *testing.T) {
	put := func(svc *notify.Service, host string) error {
		x, err := notify.ParseReceiver([]byte(strings.Replace(mailReceiver, "mail.example.com:587", host, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return svc.PutReceiver(x)
	}
	bubble(t, notify.Options{Resolver: names{"flips.example.com": {"127.0.0.1"}}}, func(r *rig) {
		for host, ok := range map[string]bool{
			"127.0.0.1:25": false, "localhost:587": false, "169.254.169.254:25": false, "10.0.0.1:25": false, "[::1]:25": false, "[::ffff:127.0.0.1]:25": false,
			"flips.example.com:25": false, "2130706433:25": false, "mail.example.com:80": false, "mail.example.com:22": false, "mail.example.com": false,
			"mail.example.com:0": false, "mail.example.com:x": false, ":25": false, "[fe80::1%25eth0]:25": false,
			"mail.example.com:25": true, "mail.example.com:465": true, "mail.example.com:587": true, "mail.example.com:2525": true, "93.184.216.34:25": true,
		} {
			if err := put(r.svc, host); (err == nil) != ok {
				t.Errorf("%s: %v", host, err)
			}
		}
		if err := put(r.svc, "127.0.0.1:25"); err == nil || !strings.Contains(err.Error(), "--egress-allow") {
			t.Errorf("loopback: %v", err)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	db := openDB(t)
	host := fmt.Sprintf("localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	if err := put(local(t, db, "127.0.0.0/8", "::1/128"), host); err != nil {
		t.Fatal(err)
	}
	if got, err := local(t, db).Test(t.Context(), "mail"); err != nil || got.OK || got.Status != 0 || !strings.Contains(got.Error, "a loopback address; --egress-allow") {
		t.Errorf("got %+v, %v", got, err)
	}
}
