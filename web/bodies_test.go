package web_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pulse/web"
)

// held returns how many bytes the server has set aside for bodies.
func (r *rig) held() int64 {
	return decode[struct {
		Limits map[string]struct{ Used int64 }
	}](r.t, r.get("/api/v1/status")).Limits["bodiesBytes"].Used
}

// awaitHeld waits until the server has set n bytes aside.
func (r *rig) awaitHeld(n int64) {
	r.t.Helper()
	for until := time.Now().Add(patience); r.held() != n; {
		if time.Now().After(until) {
			r.t.Fatalf("%d bytes are set aside for bodies, want %d", r.held(), n)
		}
	}
}

// TestBodiesBudget: what requests announce is held within a budget, whether or
// not a byte of it comes; small requests need none of it, and every place is
// given back.
func TestBodiesBudget(t *testing.T) {
	const most = 1 << 20
	r := newRig(t, settings{web: web.Options{MaxBody: most, MaxBodies: 4 * most}})
	big := metrics(point(epoch, 1, "gauge", "big")) + strings.Repeat(" ", most/2)
	small := metrics(point(epoch, 1, "gauge", "small"))
	for name, header := range map[string]string{
		"length":   fmt.Sprintf("Content-Length: %d", most),
		"chunks":   "Transfer-Encoding: chunked",
		"continue": fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d", most),
	} {
		var conns []net.Conn
		for range 4 {
			c := r.dial()
			io.WriteString(c, strings.ReplaceAll(post("", header), "$host", r.addr))
			conns = append(conns, c)
		}
		r.awaitHeld(4 * most)
		wantError(t, name+": a big body", r.call("POST", "/api/v1/publish", big), 503, "try again")
		wantError(t, name+": a big body in chunks", r.call("POST", "/api/v1/publish", io.MultiReader(strings.NewReader(small))), 503, "try again")
		answers, wentOn := r.raw(post("", "Expect: 100-continue", length(big)))
		if len(answers) != 1 || answers[0].status != 503 || errorFault(answers[0]) != "" || wentOn {
			t.Errorf("%s: a big body that asks first: got %v, went on %v", name, answers, wentOn)
		}
		if a := r.call("POST", "/api/v1/publish", small); a.status != 200 {
			t.Errorf("%s: a small body: %s", name, a)
		}
		wantError(t, name+": above the limit", r.call("POST", "/api/v1/publish", big+big+big), 413, "")
		for _, c := range conns {
			c.Close()
		}
		r.awaitHeld(0)
		for range 10 {
			if a := r.call("POST", "/api/v1/publish", big); a.status != 200 {
				t.Errorf("%s: a big body afterwards: %s", name, a)
			}
		}
		r.awaitHeld(0)
	}
}

// TestAnnouncedBodies: a body of a path that takes none is not set aside for.
func TestAnnouncedBodies(t *testing.T) {
	r := newRig(t, settings{})
	for _, target := range []string{"/nowhere", "/ok", "//api/v1/publish", "/api/v1/rules/x/../../../nowhere"} {
		for _, method := range []string{"GET", "POST", "BREW"} {
			c := r.dial()
			fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 8000000\r\n\r\n", method, target, r.addr)
			c.(*net.TCPConn).CloseWrite()
			answers, err := readAnswers(c)
			if err != nil || len(answers) > 1 || len(answers) == 1 && answers[0].status != 413 && answers[0].status != 400 {
				t.Errorf("%s %s: got %v (%v), want 413", method, target, answers, err)
			}
		}
	}
	if n := r.held(); n != 0 {
		t.Errorf("%d bytes are set aside", n)
	}
	whole := fmt.Sprintf("POST http://$host/api/v1/publish HTTP/1.1\r\nHost: $host\r\n%s\r\n\r\n", length(framingBody+strings.Repeat(" ", 100_000)))
	answers, _ := r.raw(whole + framingBody + strings.Repeat(" ", 100_000))
	if len(answers) != 1 || answers[0].status != 200 {
		t.Errorf("a whole URL: got %v", answers)
	}
	_, err := r.try("POST", "/api/v1/publish", io.MultiReader(strings.NewReader("{"), failing{}))
	if err == nil {
		t.Error("a body that breaks off was sent")
	}
	r.awaitHeld(0)
}

// TestSpareBodies: the memory of a large body serves the next one, and no more of
// it is kept than may be, however many came at once and however large they were.
func TestSpareBodies(t *testing.T) {
	const size, rounds = 1 << 20, 40
	r := newRig(t, settings{web: web.Options{MaxBody: 8 * size, RequestTimeout: time.Minute}}) // two cores and the race detector take long
	body := metrics(point(epoch, 1, "gauge", "big")) + strings.Repeat(" ", size)
	send := func(body string) {
		if a := r.call("POST", "/api/v1/publish", body); a.status != 200 {
			t.Errorf("%s", a)
		}
	}
	send(body)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		send(body)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > rounds*size/2 {
		t.Errorf("%d bytes were allocated for %d bodies of %d", n, rounds, size)
	}
	var wait sync.WaitGroup
	for range rounds {
		wait.Go(func() { send(body); send(body + strings.Repeat(" ", 5*size)) })
	}
	wait.Wait()
	if n, most := r.web.Spare(); n < size || n > most {
		t.Errorf("%d bytes are kept, want at least %d and at most %d", n, size, most)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken off") }
