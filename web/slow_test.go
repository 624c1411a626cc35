package web_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pulse/web"
)

// hurry are time-outs that a test can wait for.
var hurry = web.Options{
	HeaderTimeout: 150 * time.Millisecond, RequestTimeout: 150 * time.Millisecond,
	IdleTimeout: 150 * time.Millisecond, WriteTimeout: 150 * time.Millisecond,
}

// dribble writes text byte by byte until the other side closes.
func dribble(c net.Conn, text string) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := range len(text) {
			<-tick.C
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return
			}
		}
	}()
	return ended
}

// TestSlowSenders: the whole of a request has a time, which a byte now and then
// does not lengthen.
func TestSlowSenders(t *testing.T) {
	r := newRig(t, settings{web: hurry})
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name    string
		at      string // sent at once
		dribble string // sent byte by byte
		silent  bool   // the server may close without an answer: there was no request
	}{
		{"nothing", "", "", true},
		{"half a request line", "GET /o", "", false},
		{"dribbled request line", "", "GET /" + long, false},
		{"half the headers", "GET /ok HTTP/1.1\r\nHost: $host\r\n", "", false},
		{"dribbled headers", "GET /ok HTTP/1.1\r\nHost: $host\r\n", "X: " + long, false},
		{"no body", post("", "Content-Length: 100"), "", false},
		{"half a body", post("{", "Content-Length: 100"), "", false},
		{"dribbled body", post("", "Content-Length: 1000"), long, false},
		{"dribbled chunks", post("", "Transfer-Encoding: chunked"), strings.Repeat("1\r\nx\r\n", 200), false},
		{"half a body of a path that is not there", strings.Replace(post("{", "Content-Length: 100"), "/api/v1/publish", "/nowhere", 1), "", false},
	} {
		conn := r.dial()
		begun := time.Now()
		if _, err := io.WriteString(conn, strings.ReplaceAll(c.at, "$host", r.addr)); err != nil {
			t.Fatal(err)
		}
		ended := dribble(conn, c.dribble)
		answers, err := readAnswers(conn)
		took := time.Since(begun)
		conn.Close()
		<-ended
		switch {
		case err != nil || took > 5*time.Second:
			t.Errorf("%s: not closed after %v (%v)", c.name, took, err)
		case c.silent && len(answers) == 0:
		case len(answers) != 1 || answers[0].status != 408 || errorFault(answers[0]) != "":
			t.Errorf("%s: got %v, want one 408", c.name, answers)
		}
	}
	r.publish(point(epoch, 1, "gauge", "still.there"))
}

// TestSlowReader: who does not take an answer is cut.
func TestSlowReader(t *testing.T) {
	o := hurry
	o.IdleTimeout = patience
	r := newRig(t, settings{web: o, listen: smallBuffers})
	for i := range 100 {
		r.publish(point(epoch, 1, "gauge", "known", "node", fmt.Sprintf("i-%02d", i)))
	}
	conn := r.dial()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, "GET /api/v1/graph?q=name,known,:eq,:sum,(,node,),:by&s=e-20m&w=2000&format=csv HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	connections := func() int64 {
		return decode[struct {
			Limits map[string]struct{ Used int64 }
		}](t, r.get("/api/v1/status")).Limits["connections"].Used
	}
	if n := connections(); n != 2 {
		t.Errorf("%d connections, want the reader's and this one: the answer is too small for the test", n)
	}
	for until := time.Now().Add(patience); connections() > 1; {
		if time.Now().After(until) {
			t.Fatal("a client that does not read is not cut")
		}
	}
}

// TestIdleConnections are closed without a word.
func TestIdleConnections(t *testing.T) {
	r := newRig(t, settings{web: hurry})
	conn := r.dial()
	io.WriteString(conn, "GET /ok HTTP/1.1\r\nHost: "+r.addr+"\r\n\r\n")
	answers, err := readAnswers(conn)
	if err != nil || len(answers) != 1 || answers[0].status != 200 {
		t.Errorf("got %v, %v, want one 200 and the end", answers, err)
	}
}

// TestConnectionLimits: beyond them a connection gets a word and is closed.
func TestConnectionLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      web.Options
		status int
	}{
		{"of one address", web.Options{MaxConnsPerAddr: 3}, 429},
		{"in all", web.Options{MaxConns: 3}, 503},
	} {
		r := newRig(t, settings{web: c.o})
		var held []net.Conn
		for range 3 {
			conn := r.dial()
			io.WriteString(conn, "GET /ok HTTP/1.1\r\nHost: "+r.addr+"\r\n\r\n")
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			held = append(held, conn)
		}
		conn := r.dial()
		answers, err := readAnswers(conn)
		if err != nil || len(answers) != 1 || answers[0].status != c.status {
			t.Errorf("%s: got %v, %v, want one %d", c.name, answers, err, c.status)
		}
		for _, h := range held {
			h.Close()
		}
		for until := time.Now().Add(patience); ; {
			a, err := r.try("GET", "/ok", nil)
			if err == nil && a.status == 200 {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("%s: places are not given back: %v %v", c.name, a, err)
			}
		}
	}
}
