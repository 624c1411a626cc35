package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// BenchmarkBesideHostileReceivers stores four alerts for thirty receivers, ten of which are
// measured: how long a page took from the beginning of the transaction until its receiver
// had it. The others are well, too, or hang, reset, answer 500 or 429, redirect, or send
// bodies that never end. Run it with -benchtime 500x.
func BenchmarkBesideHostileReceivers(b *testing.B) {
	b.Run("well", func(b *testing.B) {
		pages(b, []func(net.Conn){func(c net.Conn) { c.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n")) }})
	})
	b.Run("hostile", func(b *testing.B) { pages(b, villains(b)) })
}

// villains are what hostile receivers do with a connection after the request.
func villains(b *testing.B) []func(net.Conn) {
	packed := []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb(b))
	answer := func(text string) func(net.Conn) { return func(c net.Conn) { c.Write([]byte(text)) } }
	silence := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			c.Write([]byte(text))
			c.Read(make([]byte, 1))
		}
	}
	without := func(text string) func(net.Conn) {
		more := []byte(strings.Repeat("x", 4096))
		return func(c net.Conn) {
			for _, err := c.Write([]byte(text)); err == nil; {
				_, err = c.Write(more)
			}
		}
	}
	return []func(net.Conn){
		silence(""), silence("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"), answer("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
		answer("HTTP/1.1 429 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), answer("HTTP/1.1 302 No\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
		func(c net.Conn) { reset(nil, c) }, without("HTTP/1.1 200 OK\r\n\r\n"), without("HTTP/1.1 200 OK\r\nX: "), func(c net.Conn) { c.Write(packed) }, answer("none"),
	}
}

// pages measures beside receivers that do so.
func pages(b *testing.B, does []func(net.Conn)) {
	const well, others, each = 10, 20, 4
	var mu sync.Mutex
	var began time.Time
	var took []time.Duration
	came := make(chan struct{}, well*each)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		took = append(took, time.Since(began))
		mu.Unlock()
		came <- struct{}{}
	}))
	defer server.Close()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "state.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	svc, err := notify.New(notify.Options{DB: db, Clock: bubbleClock{}, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: zerolog.Nop(), PerMinute: 1_000_000, QueueLimit: 1_000_000})
	if err != nil {
		b.Fatal(err)
	}
	put := func(name, url string) {
		if err := svc.PutReceiver(notify.Receiver{Name: name, URL: secret.NewURL(url)}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range well {
		put(fmt.Sprint("well", i), server.URL)
	}
	for i := range others {
		ln := villain(b, does[i%len(does)])
		defer ln.Close()
		put(fmt.Sprint("other", i), "http://"+ln.Addr().String())
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	for round := 0; b.Loop(); round++ {
		var list []notify.Notification
		for i := range each {
			list = append(list, firing(fmt.Sprintf("i%d-%d", round, i)))
		}
		mu.Lock()
		began = time.Now()
		mu.Unlock()
		if err := db.Update(func(tx *bbolt.Tx) error { return errors.Join(svc.EnqueueAll(tx, list)...) }); err != nil {
			b.Fatal(err)
		}
		for range well * each {
			<-came
		}
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// villain listens and does what it does to all who connect.
func villain(b *testing.B, does func(net.Conn)) net.Listener {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 4096))
				does(c)
			}()
		}
	}()
	return ln
}
