package notify_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/store/clock"
)

// siege is a Service that tells a foe and one who is calm over real sockets, under a
// clock that moves when nobody has anything left to do before.
type siege struct {
	t       *testing.T
	clock   *clock.Manual
	db      *bbolt.DB
	svc     *notify.Service
	foe     *foe
	calm    *foe
	put     string // the foe's receiver
	changed chan struct{}
	end     func()

	mu  sync.Mutex
	log bytes.Buffer
}

// guardTime ends a test that nobody goes on with.
const guardTime = 20 * time.Second

// paper makes certificates; times are the test's.
type paper struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newPaper(t testing.TB) *paper {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &paper{key: key, cert: &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "inside"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, pool: x509.NewCertPool()}
	der, err := x509.CreateCertificate(rand.Reader, p.cert, p.cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.pool.AddCert(p.cert)
	return p
}

// of returns what a server of that name shows, valid until then.
func (p *paper) of(t testing.TB, name string, until time.Time) *tls.Config {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "inside"}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, p.cert, &p.key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: p.key}}}
}

// besiege starts everything; encrypted foes speak TLS.
func besiege(t *testing.T, kind string, p *paper, encrypted bool) *siege {
	t.Helper()
	s := &siege{t: t, clock: clock.NewManual(time.UnixMilli(1_700_000_000_000)), db: openDB(t), changed: make(chan struct{}, 1)}
	s.foe, s.calm = newFoe(t, kind, s.clock, s.poke), newFoe(t, "webhook", s.clock, s.poke)
	scheme := "http"
	if encrypted || kind == "email" {
		s.foe.tls = p.of(t, "foe.example.com", time.Now().Add(time.Hour))
	}
	if encrypted {
		scheme = "https"
	}
	o := notify.Options{DB: s.db, Clock: s.clock, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Resolver: s, RootCAs: p.pool,
		Log: zerolog.New(s), Rand: func() float64 { return 0.5 }}
	svc, err := notify.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.svc = svc
	base := fmt.Sprintf("%s://foe.example.com:%d", scheme, s.foe.port())
	s.put = strings.ReplaceAll(foeReceivers[kind], "BASE", base)
	s.put = strings.ReplaceAll(s.put, "PORT", fmt.Sprint(s.foe.port()))
	s.putJSON(s.put)
	s.putJSON(strings.ReplaceAll(strings.ReplaceAll(foeReceivers["webhook"], "BASE", fmt.Sprintf("http://calm.example.com:%d", s.calm.port())), `"foe"`, `"calm"`))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	s.end = func() {
		cancel()
		s.foe.does(nil)
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(guardTime):
			t.Error("the service does not stop")
		}
		s.foe.stop()
		s.calm.stop()
	}
	return s
}

// foeReceivers are receivers that lead to a foe, by kind.
var foeReceivers = map[string]string{
	"webhook":      `{"name":"foe","kind":"webhook","url":"BASE/hook?token=canary","secret":"whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktc2Vj","previous_secret":"whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktdHdv"}`,
	"v4":           `{"name":"foe","kind":"webhook","format":"alertmanager","url":"BASE/hook","username":"u","password":"canary-password","max_alerts":5}`,
	"alertmanager": `{"name":"foe","kind":"alertmanager","url":"BASE","username":"u","password":"canary-password"}`,
	"pagerduty":    `{"name":"foe","kind":"pagerduty","url":"BASE","routing_key":"canary-routing-key-0123456789abc"}`,
	"opsgenie":     `{"name":"foe","kind":"opsgenie","url":"BASE","api_key":"canary-api-key"}`,
	"slack":        `{"name":"foe","kind":"slack","url":"BASE/canary-path"}`,
	"teams":        `{"name":"foe","kind":"teams","url":"BASE/canary-path"}`,
	"email":        `{"name":"foe","kind":"email","to":["a@example.com"],"from":"pulse@example.com","smarthost":"foe.example.com:PORT","username":"u","password":"canary-password"}`,
}

func (s *siege) putJSON(text string) {
	s.t.Helper()
	x, err := notify.ParseReceiver([]byte(text))
	if err == nil {
		err = s.svc.PutReceiver(x)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

// LookupNetIP is where both are, unless the foe's names lie.
func (s *siege) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	x := s.foe.now()
	if host != "foe.example.com" || x == nil || x.dns == nil {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	list, err := x.dns(s.foe)
	if list == nil && err == nil { // it says nothing
		s.foe.waits(1, 0)
		<-ctx.Done()
		s.foe.waits(0, 1)
		return nil, ctx.Err()
	}
	return list, err
}

// Write takes the log, of which every line is news.
func (s *siege) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poke()
	return s.log.Write(p)
}

func (s *siege) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *siege) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// enqueue stores notifications for both. The calm one has them before the clock moves.
func (s *siege) enqueue(list ...notify.Notification) {
	s.t.Helper()
	if err := s.db.Update(func(tx *bbolt.Tx) error { return errors.Join(s.svc.EnqueueAll(tx, list)...) }); err != nil {
		s.t.Fatal(err)
	}
	now := s.clock.Now().UnixMilli()
	for _, n := range list {
		s.await("the calm receiver", func() bool {
			return slices.ContainsFunc(s.svc.Attempts(n.Incident), func(a notify.Attempt) bool {
				if a.Receiver != "calm" || a.Notification != n.ID {
					return false
				}
				if a.Outcome != notify.OutcomeAccepted || a.T != now || a.Number != 1 {
					s.t.Errorf("the calm receiver: %+v at %d", a, now)
				}
				return true
			})
		})
	}
}

// await waits for what needs no time to pass.
func (s *siege) await(what string, done func() bool) {
	s.t.Helper()
	guard := time.After(guardTime)
	for !done() {
		select {
		case <-s.changed:
		case <-guard:
			s.t.Fatalf("%s: nothing happens any more\n%s\n%+v", what, s.logged(), s.svc.Stats())
		}
	}
}

// drive lets time pass until done: to the end of an attempt that hangs, or to the next.
func (s *siege) drive(what string, done func() bool) {
	s.t.Helper()
	guard := time.After(guardTime)
	for !done() {
		x, now := s.stats("foe"), s.clock.Now().UnixMilli()
		if s.stats("calm").InFlight > 0 {
			s.await("the calm receiver", func() bool { return s.stats("calm").InFlight == 0 })
			continue
		}
		if waiting, ever := s.foe.waiting(); waiting > 0 && waiting >= x.InFlight { // nobody else is under way
			s.move(10 * time.Second)
			s.await("the end of connections", func() bool { now, all := s.foe.waiting(); return all-now >= ever })
			continue
		}
		if x.InFlight == 0 && x.NextAttempt > now {
			s.move(time.Duration(x.NextAttempt-now) * time.Millisecond)
			continue
		}
		select {
		case <-s.changed:
		case <-guard:
			stacks := make([]byte, 1<<20)
			s.t.Fatalf("%s: nothing happens any more\n%s\n%+v\n%s", what, s.logged(), s.svc.Stats(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// move has every dispatcher look at the clock after it has moved.
func (s *siege) move(d time.Duration) {
	s.clock.Advance(d)
	s.svc.Wake()
}

func (s *siege) stats(name string) notify.ReceiverStats {
	all := s.svc.Stats().Receivers
	return all[slices.IndexFunc(all, func(x notify.ReceiverStats) bool { return x.Name == name })]
}

func (s *siege) idle() bool { return s.stats("foe").Queued == 0 }

// attempts are those to tell the foe of an incident.
func (s *siege) attempts(incidents ...string) (out []notify.Attempt) {
	for _, incident := range incidents {
		for _, a := range s.svc.Attempts(incident) {
			if a.Receiver == "foe" {
				out = append(out, a)
			}
		}
	}
	return out
}

func (s *siege) dead() []notify.DeadLetter {
	s.t.Helper()
	list, err := s.svc.DeadLetters("foe", 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// shown is all that people can see of it.
func (s *siege) shown() string {
	s.t.Helper()
	out, err := json.Marshal([]any{s.svc.Receivers(), s.svc.Stats(), s.attempts(incidents...), s.dead()})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(out) + s.logged()
}
