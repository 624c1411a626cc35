package web_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// lockedBuffer is a buffer that several goroutines may use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// dial opens a connection that closes with the test at the latest.
func (r *rig) dial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// last is sent behind what a test sends, so that a server that goes on reading
// says so and closes, and a test need not wait for its silence.
const last = "GET /last HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"

// raw sends text and then `last` over a connection of its own. It returns the
// answers, without that of `last`, and whether `last` was answered: whether the
// server went on with the connection. `$host` stands for the address.
func (r *rig) raw(text string) (answers []answer, wentOn bool) {
	r.t.Helper()
	c := r.dial()
	defer c.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(c, strings.ReplaceAll(text+last, "$host", r.addr)) // fails when the server closes first
	}()
	answers, err := readAnswers(c)
	if err != nil {
		r.t.Errorf("%.200q: the server does not close: %v after %v", text, err, answers)
	}
	c.Close()
	<-sent
	if n := len(answers); n > 0 && strings.Contains(string(answers[n-1].body), "path not found: /last") {
		return answers[:n-1], true
	}
	return answers, false
}

// readAnswers reads responses until the other side closes. The error is that
// of a side that is silent and does not.
func readAnswers(c net.Conn) (answers []answer, err error) {
	br := bufio.NewReader(c)
	c.SetReadDeadline(time.Now().Add(patience))
	for {
		resp, err := http.ReadResponse(br, nil)
		if err == nil {
			var b []byte
			if b, err = io.ReadAll(resp.Body); err == nil {
				answers = append(answers, answer{resp.StatusCode, resp.Header, b})
				continue
			}
		}
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return answers, err
		}
		return answers, nil
	}
}
