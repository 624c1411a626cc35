package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"pulse/store/clock"
)

// lying is a clock that says when a sleeper has lain down.
type lying struct {
	*clock.Manual
	down chan struct{}
}

func (l lying) After(d time.Duration) <-chan time.Time {
	ch := l.Manual.After(d)
	l.down <- struct{}{}
	return ch
}

// TestGate: a number of queries run, a number wait for a while, the rest is
// refused at once.
func TestGate(t *testing.T) {
	clk := lying{clock.NewManual(time.UnixMilli(0)), make(chan struct{}, 10)}
	g := newGate("back-tests", 2, 1)
	ctx, cancel := context.WithCancel(context.Background())
	enter := func() chan error {
		out := make(chan error, 1)
		go func() { out <- g.enter(ctx, clk, time.Second) }()
		return out
	}
	busy := func(what string, err error) {
		t.Helper()
		var e *statusError
		if !errors.As(err, &e) || e.status != 503 || !strings.Contains(err.Error(), "too many back-tests are ") {
			t.Errorf("%s: got %v, want 503", what, err)
		}
	}
	for range 2 {
		if err := <-enter(); err != nil {
			t.Fatal(err)
		}
	}
	waits := enter()
	<-clk.down
	if g.running() != 2 || g.waiting.Load() != 1 {
		t.Errorf("%d run and %d wait, want 2 and 1", g.running(), g.waiting.Load())
	}
	busy("beyond the queue", <-enter())
	g.leave()
	if err := <-waits; err != nil {
		t.Errorf("a place came free: %v", err)
	}
	waits = enter()
	<-clk.down
	clk.Advance(time.Second)
	busy("waited too long", <-waits)
	waits = enter()
	<-clk.down
	cancel()
	if err := <-waits; statusOf(err) != 503 {
		t.Errorf("at the end of the server: %v", err)
	}
	if g.waiting.Load() != 0 {
		t.Errorf("%d still wait", g.waiting.Load())
	}
}

// pair returns the two ends of a connection.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = limitPerAddress(ln, 1, nil).Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

// TestWatchEncrypted: the end of an encrypted connection is seen behind the
// goodbye that comes before it.
func TestWatchEncrypted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("seen on Linux only")
	}
	server, client := pair(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := secure(server.(*addressConn), &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	there := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- there.Handshake() }()
	if err := errors.Join(encrypted.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	there.Write([]byte("next"))
	stop := watchClient(encrypted, cancel)
	select {
	case <-ctx.Done():
		t.Error("cancelled although the client is there")
	case <-time.After(3 * peekEvery):
	}
	there.Close()
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		t.Error("not cancelled although the client is gone")
	}
	stop()
}

// TestWatchClient: a query ends when its client is gone, and not because the
// client sends the next request already, of which no byte is lost.
func TestWatchClient(t *testing.T) {
	server, client := pair(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client.Write([]byte("next"))
	stop := watchClient(server, cancel)
	select {
	case <-ctx.Done():
		t.Error("cancelled although the client is there")
	case <-time.After(3 * peekEvery):
	}
	stop()
	b := make([]byte, 10)
	if n, err := server.Read(b); string(b[:n]) != "next" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	stop = watchClient(server, cancel)
	client.Close()
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		t.Error("not cancelled although the client is gone")
	}
	stop()
}
