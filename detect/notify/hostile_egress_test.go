package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/store/clock"
)

// corpus returns the lines of a file in testdata/egress without remarks.
func corpus(t *testing.T, name string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "egress", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "# ") {
			out = append(out, line)
		}
	}
	if len(out) < 10 {
		t.Fatalf("%s has %d lines", name, len(out))
	}
	return out
}

// flipping is a name server whose names may come to lie.
type flipping map[string][]string

func (f flipping) LookupNetIP(_ context.Context, _, host string) (out []netip.Addr, err error) {
	for _, text := range f[strings.TrimSuffix(host, ".")] {
		out = append(out, netip.MustParseAddr(text))
	}
	if out == nil {
		return nil, errors.New("no such host")
	}
	return out, nil
}

// guarded is a service that may send to allow beside public addresses.
func guarded(t *testing.T, db *bbolt.DB, names notify.Resolver, log *siege, allow ...string) *notify.Service {
	t.Helper()
	o := notify.Options{DB: db, Clock: log.clock, Resolver: names, Log: zerolog.New(log)}
	for _, text := range allow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr := netip.MustParseAddr(text)
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		o.EgressAllow = append(o.EgressAllow, p)
	}
	svc, err := notify.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func newLog(t *testing.T) *siege {
	return &siege{t: t, clock: clock.NewManual(time.UnixMilli(1_700_000_000_000)), changed: make(chan struct{}, 1)}
}

// receiversAt are receivers of every kind at a URL, by kind.
func receiversAt(url string) map[string]string {
	out := map[string]string{
		"webhook":      `"url":%q`,
		"alertmanager": `"url":%q`,
		"pagerduty":    `"url":%q,"routing_key":"0123456789abcdef0123456789abcdef"`,
		"opsgenie":     `"url":%q,"api_key":"k"`,
		"slack":        `"url":%q`,
		"teams":        `"url":%q`,
	}
	for kind, text := range out {
		out[kind] = fmt.Sprintf(`{"name":"a","kind":%q,`+text+"}", kind, url)
	}
	return out
}

func mailAt(host, port string) string {
	host = strings.ReplaceAll(host, "%25", "%")
	if !strings.HasPrefix(host, "[") && strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf(`{"name":"a","kind":"email","to":["a@example.com"],"from":"b@example.com","smarthost":%q}`, host+":"+port)
}

// putting returns the refusals of a receiver over the API and in a file.
func putting(t *testing.T, svc *notify.Service, text string) (api, file error) {
	t.Helper()
	r, err := notify.ParseReceiver([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	fromFile, err := notify.ParseFileReceiver([]byte(text), t.TempDir())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	_, file = svc.CheckReceivers([]notify.OwnedReceiver{{Receiver: fromFile, File: "rules.yaml"}})
	return svc.PutReceiver(r), file
}

// TestRefusedAtCreation: no spelling of a closed address makes a receiver of any kind,
// and the refusal names the option that opens a range.
func TestRefusedAtCreation(t *testing.T) {
	svc := guarded(t, openDB(t), flipping{}, newLog(t))
	refused := func(text string) {
		t.Helper()
		api, file := putting(t, svc, text)
		for _, err := range []error{api, file} {
			var egress *notify.EgressError
			if err == nil || !strings.Contains(err.Error(), "--egress-allow") || !errors.As(err, &egress) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for _, host := range corpus(t, "refused.txt") {
		for kind, text := range receiversAt("http://" + host + "/hook") {
			if refused(text); kind == "webhook" {
				for _, form := range []string{"https://%s", "HTTP://%s:80/", "http://%s:8080/a?b=c#d", "https://%s:443/"} {
					refused(receiversAt(fmt.Sprintf(form, host))[kind])
				}
			}
		}
		refused(mailAt(host, "587"))
		refused(mailAt(host, "25"))
	}
	for _, url := range corpus(t, "malformed.txt") {
		for _, text := range receiversAt(url) {
			api, file := putting(t, svc, text)
			for _, err := range []error{api, file} {
				if err == nil || strings.Contains(err.Error(), "canary") {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
	}
	if got := svc.Receivers(); len(got) != 0 {
		t.Errorf("there are receivers: %v", got)
	}
}

// TestAllowedByRange: what is opened can be had, and nothing beside it; metadata services
// and odd spellings not even with everything open.
func TestAllowedByRange(t *testing.T) {
	names := flipping{"loop.test": {"127.0.0.1"}, "loop6.test": {"::1"}, "ten.test": {"10.1.2.3"}, "public.test": {"93.184.216.34"},
		"metadata.test": {"169.254.169.254"}, "mapped.test": {"::ffff:169.254.169.254"}, "both.test": {"93.184.216.34", "fd00:ec2::254"}}
	for _, line := range corpus(t, "allowed.txt") {
		fields := strings.Fields(line)
		closed, open, beside := guarded(t, openDB(t), names, newLog(t)), guarded(t, openDB(t), names, newLog(t), fields[0]), guarded(t, openDB(t), names, newLog(t), "10.9.9.9/32")
		for _, host := range fields[1:] {
			text := receiversAt("http://" + host + ":9/hook")["webhook"]
			for _, text := range []string{text, mailAt(host, "9")} {
				if api, file := putting(t, open, text); api != nil || file != nil {
					t.Errorf("%s, with %s: %v, %v", text, fields[0], api, file)
				}
				for _, svc := range []*notify.Service{closed, beside} {
					if api, file := putting(t, svc, text); api == nil || file == nil || !strings.Contains(api.Error()+file.Error(), "--egress-allow") {
						t.Errorf("%s, without: %v, %v", text, api, file)
					}
				}
			}
		}
	}
	all := guarded(t, openDB(t), names, newLog(t), "0.0.0.0/0", "::/0", "169.254.169.254", "fd00:ec2::254", "::ffff:0:0/96")
	for _, host := range corpus(t, "closed.txt") {
		for _, text := range []string{receiversAt("http://" + host + "/")["webhook"], mailAt(host, "25")} {
			if api, file := putting(t, all, text); api == nil || file == nil || !strings.Contains(api.Error()+file.Error(), "--egress-allow") {
				t.Errorf("%s, with everything open: %v, %v", text, api, file)
			}
		}
	}
}

// TestRefusedAtDelivery: a receiver that could be had, and whose address is closed now,
// because its name has come to lead there or because the range is open no more, is told
// nothing: neither by a test nor by an alert, which says why and is a dead letter in the
// end.
func TestRefusedAtDelivery(t *testing.T) {
	var literal, named []string
	names := flipping{}
	for _, host := range corpus(t, "refused.txt") {
		addr, err := netip.ParseAddr(strings.Trim(strings.ReplaceAll(host, "%25", "%"), "[]"))
		if err != nil {
			continue // no name server says that
		}
		if host == "[::ffff:93.184.216.34]" { // which a name server may say of a public address
			continue
		}
		literal = append(literal, host)
		if addr.Zone() == "" {
			named = append(named, addr.String())
		}
	}
	for i, n := 0, 1; i < len(named); i, n = i+n, 45 {
		s, db := newLog(t), openDB(t)
		open := guarded(t, db, names, s, "0.0.0.0/0", "::/0")
		var list []string
		put := func(text string) {
			x, err := notify.ParseReceiver([]byte(strings.Replace(text, `"a"`, fmt.Sprintf(`"r%d"`, len(list)), 1)))
			if err == nil {
				err = open.PutReceiver(x)
			}
			if err == nil {
				list = append(list, x.Name)
			} else if !strings.Contains(err.Error(), "--egress-allow") {
				t.Errorf("%s: %v", text, err)
			}
		}
		for j, to := range named[i:min(i+n, len(named))] {
			host := fmt.Sprintf("r%d.test", j)
			names[host] = []string{"93.184.216.34"}
			text := receiversAt("http://" + host + "/hook")["webhook"]
			if j%5 == 4 {
				text = mailAt(host, "25")
			}
			put(text)
			names[host] = []string{to}
			if j%2 == 1 {
				names[host] = []string{"93.184.216.34", to}
			}
			put(receiversAt("http://" + literal[i+j] + "/")["webhook"])
		}
		s.svc = guarded(t, db, names, s) // with the ranges closed
		s.refusesAll(db, list)
	}
}

// refusesAll wants that nobody is told anything.
func (s *siege) refusesAll(db *bbolt.DB, list []string) {
	s.t.Helper()
	t := s.t
	for _, name := range list {
		if got, err := s.svc.Test(t.Context(), name); err != nil || got.OK || got.Status != 0 || !strings.Contains(got.Error, "--egress-allow") {
			x, _ := s.svc.Receiver(name)
			t.Errorf("test of %s %s: %+v, %v", x.URL, x.Smarthost, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.svc.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := db.Update(func(tx *bbolt.Tx) error { return s.svc.Enqueue(tx, firing("ia")) }); err != nil {
		t.Fatal(err)
	}
	s.await("attempts", func() bool {
		return len(s.svc.Attempts("ia")) >= min(len(list), 50) && s.svc.Stats().Retries >= int64(len(list))
	})
	for _, a := range s.svc.Attempts("ia") {
		if a.Outcome != notify.OutcomeRetry || a.Status != 0 || !strings.Contains(a.Error, "--egress-allow") {
			t.Errorf("%+v", a)
		}
	}
	if len(list) > 3 {
		return
	}
	buried := func(name string) bool {
		dead, err := s.svc.DeadLetters(name, 10)
		return err == nil && slices.ContainsFunc(dead, func(d notify.DeadLetter) bool { return d.Incident == "ia" && d.Reason != "" })
	}
	for range 165 { // nine minutes each: a clock that leaps is none by which to give up
		s.move(9 * time.Minute)
		now := s.clock.Now().UnixMilli()
		for _, name := range list {
			s.await("attempts", func() bool { return s.stats(name).LastAttempt == now || s.stats(name).Queued == 0 })
		}
	}
	for _, name := range list {
		if !buried(name) {
			t.Errorf("%s has no dead letter: %+v", name, s.svc.Stats())
		}
	}
}

// TestNameFlips: the name is public when the receiver is made and when it is judged again,
// and this machine at every other look. What is dialled is what was judged.
func TestNameFlips(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reached := make(chan struct{}, 100)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
			reached <- struct{}{}
		}
	}()
	port := ln.Addr().(*net.TCPAddr).Port
	for _, to := range []string{"127.0.0.1", "::ffff:127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::"} {
		looks := 0
		svc := guarded(t, openDB(t), lookup(func(string) []netip.Addr {
			if looks++; looks == 1 {
				return []netip.Addr{netip.MustParseAddr("93.184.216.34")}
			}
			return []netip.Addr{netip.MustParseAddr(to)}
		}), newLog(t))
		for _, text := range []string{receiversAt(fmt.Sprintf("http://flip.test:%d/", port))["webhook"], receiversAt(fmt.Sprintf("https://flip.test:%d/", port))["webhook"], mailAt("flip.test", fmt.Sprint(port))} {
			looks = 0
			r, err := notify.ParseReceiver([]byte(text))
			if err == nil {
				err = svc.PutReceiver(r)
			}
			if err != nil {
				t.Fatal(err)
			}
			before := looks
			got, err := svc.Test(t.Context(), "a")
			if err != nil || got.OK || !strings.Contains(got.Error, "--egress-allow") || looks != before+1 {
				t.Errorf("%s to %s: %+v, %v, %d looks", text, to, got, err, looks-before)
			}
		}
	}
	ln.Close()
	<-over
	if len(reached) > 0 {
		t.Errorf("reached %d times", len(reached))
	}
}

type lookup func(host string) []netip.Addr

func (f lookup) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return f(host), nil
}
