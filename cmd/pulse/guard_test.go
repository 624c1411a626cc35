package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// certificateFiles writes a certificate that signs itself, with its key.
type certificateFiles struct{ cert, key string }

func (f certificateFiles) write(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint(serial)}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{f.cert: {Type: "CERTIFICATE", Bytes: der}, f.key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServeTLS: the server encrypts, tells its new certificate after a reload,
// and keeps the one it has when the files are broken.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	files := certificateFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	files.write(t, 1)
	list := filepath.Join(dir, "tokens")
	admin := newToken(t, list, "ops", "admin")
	address := freeAddress(t)
	p := start(t, "serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--log-level", "info", "--tls-cert", files.cert, "--tls-key", files.key, "--tokens", list)
	waitIn(t, &p.errors, p, `url=(https://\S+)`)
	web := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	call := func(method, path string) (status int, serial string) {
		t.Helper()
		req, err := http.NewRequest(method, "https://"+address+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+admin)
		res, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode, res.TLS.PeerCertificates[0].SerialNumber.String()
	}
	want := func(what, method, path string, status int, serial string) {
		t.Helper()
		if s, n := call(method, path); s != status || n != serial {
			t.Errorf("%s: status %d of certificate %s, want %d of %s", what, s, n, status, serial)
		}
	}
	want("first", "GET", "/api/v1/status", 200, "1")
	files.write(t, 2)
	want("reload", "POST", "/-/reload", 200, "1")
	want("reloaded", "GET", "/ok", 200, "2")
	if err := os.WriteFile(files.key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("broken reload", "POST", "/-/reload", 400, "2")
	want("after it", "GET", "/ok", 200, "2")
}

// TestGuardWatch: files are read again when they change, and one that is broken
// changes nothing.
func TestGuardWatch(t *testing.T) {
	dir := t.TempDir()
	files := certificateFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	files.write(t, 1)
	list := filepath.Join(dir, "tokens")
	newToken(t, list, "first", "query")
	flags := &GuardFlags{Tokens: list, TLSCert: files.cert, TLSKey: files.key, TLSClientCA: files.cert}
	if err := flags.check(); err != nil {
		t.Fatal(err)
	}
	var log output
	g, err := flags.open(zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	look, lies := make(chan time.Time), make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- g.watch(ctx, func(time.Duration) <-chan time.Time { lies <- struct{}{}; return look }, g.reload)
	}()
	pass := func() { look <- time.Time{}; <-lies } // when it lies down again it has looked
	<-lies
	before := g.tls.Load()
	if before.MinVersion != tls.VersionTLS12 || before.ClientAuth != tls.RequireAndVerifyClientCert || g.encryption()() != before {
		t.Errorf("encryption: %+v", before)
	}
	pass()
	if g.tls.Load() != before || g.count() != 1 {
		t.Error("read again without a change")
	}
	newToken(t, list, "second", "query")
	pass()
	if g.count() != 2 || g.tls.Load() == before {
		t.Errorf("%d tokens after a change", g.count())
	}
	now := g.tls.Load()
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	pass()
	if g.count() != 2 || g.tls.Load() != now {
		t.Errorf("%d tokens without a list", g.count())
	}
	if text, _ := log.read(); !strings.Contains(text, "stay as they were") {
		t.Errorf("the log: %s", text)
	}
	if err := os.WriteFile(list, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pass()
	if set := g.tokens.Load(); set == nil || set.Len() != 0 {
		t.Error("an empty list lets everybody in, or the old tokens")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
