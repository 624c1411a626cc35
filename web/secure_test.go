package web_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulse/web"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	var der []byte
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		a.key = key
		der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	}
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// issue returns a certificate with its key.
func (a *authority) issue(t testing.TB, serial int64) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("number ", serial)}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secureRig is a rig that encrypts, with what a client needs to know.
type secureRig struct {
	*rig
	config atomic.Pointer[tls.Config]
	ca     *authority
}

func newSecureRig(t testing.TB, o web.Options) *secureRig {
	t.Helper()
	s := &secureRig{ca: newAuthority(t)}
	s.config.Store(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{s.ca.issue(t, 100)}})
	o.TLS = s.config.Load
	s.rig = newRig(t, settings{web: o})
	s.scheme = "https"
	s.client.Transport.(*http.Transport).TLSClientConfig = s.trusting()
	return s
}

func (s *secureRig) trusting() *tls.Config {
	return &tls.Config{RootCAs: s.ca.pool, ServerName: "127.0.0.1"}
}

// shake opens an encrypted connection.
func (s *secureRig) shake(config *tls.Config) (*tls.Conn, error) {
	s.t.Helper()
	raw := s.dial()
	raw.SetDeadline(time.Now().Add(patience))
	c := tls.Client(raw, config)
	err := c.Handshake()
	if err == nil && config.Certificates != nil { // in 1.3 a client that is refused hears of it when it reads
		io.WriteString(c, "GET /ok HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
	}
	return c, err
}

func TestTLS(t *testing.T) {
	r := newSecureRig(t, web.Options{})
	r.publish(point(epoch, 1, "gauge", "some"))
	r.get("/ok")
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c := r.trusting()
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, version
		if _, err := r.shake(c); (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	plain := r.dial()
	io.WriteString(plain, "POST /api/v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat(" ", 100_000))
	answers, err := readAnswers(plain)
	if err != nil || len(answers) != 1 {
		t.Fatalf("plain text: %v %v", answers, err)
	}
	wantError(t, "plain text", answers[0], 400, "HTTPS")
	junk := r.dial()
	io.WriteString(junk, "\x00\x01\x02\x03\x04\x05\x06")
	if answers, err := readAnswers(junk); err != nil || len(answers) != 0 {
		t.Errorf("junk: %v %v", answers, err)
	}
	if a := r.call("POST", "/api/v1/publish", strings.NewReader(strings.Repeat(" ", 9<<20))); a.status != 413 {
		t.Errorf("too large: %s", a)
	}
}

// TestTLSReload: new connections see the new certificate, open ones go on.
func TestTLSReload(t *testing.T) {
	r := newSecureRig(t, web.Options{})
	serial := func(c *tls.Conn) string { return c.ConnectionState().PeerCertificates[0].SerialNumber.String() }
	old, err := r.shake(r.trusting())
	if err != nil || serial(old) != "100" {
		t.Fatal(err)
	}
	r.config.Store(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{r.ca.issue(t, 200)}})
	next, err := r.shake(r.trusting())
	if err != nil || serial(next) != "200" {
		t.Errorf("after a reload: %v", err)
	}
	for _, c := range []*tls.Conn{old, next} {
		io.WriteString(c, "GET /ok HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("certificate %s: %v", serial(c), err)
		}
	}
}

func TestTLSClientCertificates(t *testing.T) {
	r := newSecureRig(t, web.Options{})
	with := r.config.Load().Clone()
	with.ClientCAs, with.ClientAuth = r.ca.pool, tls.RequireAndVerifyClientCert
	r.config.Store(with)
	stranger := newAuthority(t)
	for name, c := range map[string]struct {
		certs []tls.Certificate
		ok    bool
	}{
		"none":     {[]tls.Certificate{{}}, false},
		"good":     {[]tls.Certificate{r.ca.issue(t, 300)}, true},
		"stranger": {[]tls.Certificate{stranger.issue(t, 300)}, false},
	} {
		config := r.trusting()
		config.Certificates = c.certs
		if name == "none" {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
		}
		if _, err := r.shake(config); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTLSLimits: the limits on connections hold, and a client that is silent in
// the middle of its handshake keeps nobody waiting.
func TestTLSLimits(t *testing.T) {
	r := newSecureRig(t, web.Options{MaxConnsPerAddr: 3, HeaderTimeout: 2 * time.Second})
	var silent []net.Conn
	for range 3 {
		silent = append(silent, r.dial())
	}
	ended := func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(patience))
		_, err := c.Read(make([]byte, 1))
		var late net.Error
		return err != nil && !(errors.As(err, &late) && late.Timeout())
	}
	begin := time.Now()
	if !ended(r.dial()) || time.Since(begin) > time.Second {
		t.Errorf("a fourth connection of an address is kept for %s", time.Since(begin))
	}
	for i, c := range silent {
		if !ended(c) {
			t.Errorf("silent connection %d is kept", i)
		}
	}
	for !func() bool { _, err := r.try("GET", "/ok", nil); return err == nil }() {
		if t.Context().Err() != nil {
			t.Fatal("places do not come free")
		}
	}

	few := newSecureRig(t, web.Options{MaxConns: 2, HeaderTimeout: 3 * time.Second})
	few.dial()
	few.dial()
	begin = time.Now()
	for range 3 {
		if !ended(few.dial()) {
			t.Error("a connection beyond the limit is kept")
		}
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("refusing three connections took %s: the server waited for one's handshake", d)
	}
}

// TestTLSStream: events come over an encrypted connection, and end with it.
func TestTLSStream(t *testing.T) {
	r := newSecureRig(t, web.Options{})
	r.publish(point(epoch, 5, "gauge", "some"))
	c, err := r.shake(r.trusting())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /api/v1/stream?q=name,some,:eq,:sum&backlog=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	br := bufio.NewReader(c)
	if resp, err := http.ReadResponse(br, nil); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	if line, err := br.ReadString('\n'); err != nil || line == "" {
		t.Errorf("%q %v", line, err)
	}
	c.Close()
}
