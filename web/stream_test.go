package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse/web"
)

// event is one block of an event stream. A comment has its text only.
type event struct {
	id      string
	comment string
	data    struct {
		T, Step      int64
		Q            int
		Type         string
		Message      string
		Completeness *float64
		Lines        []struct {
			Label string
			Tags  map[string]string
			Value *float64
		}
	}
	raw string
}

// value is what the event's only line has, "null" for no data.
func (e event) value() string {
	if len(e.data.Lines) != 1 {
		return fmt.Sprintf("%d lines", len(e.data.Lines))
	}
	if v := e.data.Lines[0].Value; v != nil {
		return fmt.Sprint(*v)
	}
	return "null"
}

// feed is one client of an event stream.
type feed struct {
	r      *rig
	header http.Header
	events chan event // closed at the end of the stream
	close  func()
	awake  time.Time // when the server's side wakes up again; zero while it works
}

// follow opens a stream, of which the rig may have one at a time, and waits
// until the server has nothing more to send.
func (r *rig) follow(query string, header ...string) *feed {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+r.addr+"/api/v1/stream?"+query, nil)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := r.client.Transport.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		r.t.Fatalf("stream %s: %v %v", query, resp, err)
	}
	f := &feed{r: r, header: resp.Header, events: make(chan event, 20_000), close: cancel}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.read(resp)
	}()
	r.t.Cleanup(func() { cancel(); <-ended })
	f.settle()
	return f
}

func (f *feed) read(resp *http.Response) {
	defer close(f.events)
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	var e event
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if line == "\n" {
			if e.id != "" || e.comment != "" || e.raw != "" {
				f.events <- e
			}
			e = event{}
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			e.id = value
		case "data":
			e.raw = value
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				e.raw = err.Error()
			}
		case "":
			e.comment = value
		}
	}
}

// settle waits until the server's side sleeps.
func (f *feed) settle() {
	f.r.t.Helper()
	if !f.awake.IsZero() {
		return
	}
	select {
	case d := <-f.r.clock.asleep:
		f.awake = f.r.clock.Now().Add(d)
	case <-time.After(patience):
		f.r.t.Fatal("the stream does not come to rest")
	}
}

// to moves the clock to t, once the server's side sleeps.
func (f *feed) to(t int64) {
	f.r.t.Helper()
	f.settle()
	if at := time.UnixMilli(t); !at.Before(f.awake) {
		f.awake = time.Time{}
	}
	f.r.clock.Set(time.UnixMilli(t))
}

// next waits for an event.
func (f *feed) next() event {
	f.r.t.Helper()
	select {
	case e, ok := <-f.events:
		if !ok {
			f.r.t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(patience):
		f.r.t.Fatal("no event came")
	}
	return event{}
}

// want reads the events of the steps from first on and compares their values.
func (f *feed) want(first int64, values ...string) {
	f.r.t.Helper()
	for i, v := range values {
		e, t := f.next(), first+int64(i)*step
		if e.id != strconv.FormatInt(t, 10) || e.data.T != t || e.data.Step != step || e.value() != v {
			f.r.t.Fatalf("event %d: got id %s %s, want id %d and value %s", i, e.id, e.raw, t, v)
		}
		if c := e.data.Completeness; c == nil || *c < 0 || *c > 1 {
			f.r.t.Errorf("event %d: completeness in %s", i, e.raw)
		}
	}
}

// live publishes one value per step, the first for epoch+from·step, and lets the
// step before each close, which the follower, if any, is told.
func (r *rig) live(f *feed, from int, values ...float64) {
	r.t.Helper()
	for i, v := range values {
		t := int64(epoch + (from+i)*step)
		if f != nil {
			f.to(t)
		} else {
			r.clock.Set(time.UnixMilli(t))
		}
		r.publish(point(t, v, "gauge", "sps", "region", "eu"))
		r.store.Advance(t)
	}
}

func TestStream(t *testing.T) {
	r := newRig(t, settings{})
	const at = epoch + step
	r.live(nil, 1, 1)
	f := r.follow("q=name,sps,:eq,:sum")
	if f.header.Get("Content-Type") != "text/event-stream" || f.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", f.header)
	}
	r.live(f, 2, 2, 3, 4, 5)
	f.want(at, "1", "2", "3", "4")
	f.to(at + 5*step + step/2) // nobody sends any more: closed when the grace is over
	f.to(at + 7*step)
	f.want(at+4*step, "5", "null")

	// The client is gone for some steps and comes back.
	f.close()
	f.to(at + 8*step)
	r.live(nil, 9, 9, 10, 11)
	f = r.follow("q=name,sps,:eq,:sum", fmt.Sprintf("Last-Event-ID: %d", at+5*step))
	r.live(f, 12, 12, 13)
	f.want(at+6*step, "null", "null", "9", "10", "11", "12")
}

// TestStreamShape pins the text of an event.
func TestStreamShape(t *testing.T) {
	r := newRig(t, settings{})
	r.live(nil, 1, 1)
	f := r.follow("q=name,sps,:eq,:sum,(,region,),:by&step=1s")
	r.live(f, 2, 1.5, 2)
	f.next()
	want := fmt.Sprintf(`{"t":%d,"step":1000,"completeness":1.0,"lines":[{"label":"(region=eu)","tags":{"name":"sps","region":"eu"},"value":1.5}]}`, epoch+2*step)
	if e := f.next(); e.raw != want {
		t.Errorf("got  %s\nwant %s", e.raw, want)
	}
}

// TestStreamBacklog: what lies behind is what was live, and goes on into what
// comes, also through words that remember.
func TestStreamBacklog(t *testing.T) {
	r := newRig(t, settings{})
	const q = "q=name,sps,:eq,:sum,3,:rolling-max"
	r.live(nil, 1, 7)
	f := r.follow(q)
	r.live(f, 2, 1, 2, 3, 2, 1, 1, 1)
	f.want(epoch+step, "7", "7", "7", "3", "3", "3", "2")
	f.close()
	f.to(epoch + 9*step)
	f = r.follow(q + "&backlog=5")
	f.want(epoch+4*step, "3", "3", "3", "2", "1")

	f.close()
	f.to(epoch + 10*step)
	again := r.follow(q, fmt.Sprintf("Last-Event-ID: %d", epoch+2*step))
	again.want(epoch+3*step, "7", "3", "3", "3", "2", "1")
}

// TestStreamCoarse closes a coarse step with its last primary one.
func TestStreamCoarse(t *testing.T) {
	r := newRig(t, settings{})
	r.live(nil, 1, 4)
	f := r.follow("q=name,sps,:eq,:max&step=5s")
	r.live(f, 2, 6, 5, 4, 3, 9, 8, 7, 6, 5, 4)
	for i, v := range []string{"null", "6", "9"} { // the step that ended when it began is sent too
		e := f.next()
		if e.data.T != epoch+int64(i*5)*step || e.data.Step != 5*step || e.value() != v {
			t.Errorf("event %d: %s, want %s", i, e.raw, v)
		}
		if i == 1 {
			f.to(epoch + 15*step)
		}
	}
}

// TestStreamWithoutSender closes a step of any length soon after its end.
func TestStreamWithoutSender(t *testing.T) {
	r := newRig(t, settings{})
	f := r.follow("q=name,sps,:eq,:sum&step=1h")
	f.to(epoch + step)
	if e := f.next(); e.data.T != epoch || e.data.Step != 3_600_000 {
		t.Errorf("got %s", e.raw)
	}
}

// TestStreamSeveral: one stream carries several expressions, each at its step, says of
// those that cannot be followed why, and goes on where each was.
func TestStreamSeveral(t *testing.T) {
	r := newRig(t, settings{web: web.Options{Streams: 7}})
	r.live(nil, 1, 1)
	const q = "q=name,sps,:eq,:sum&q=:nope&q=name,sps,:eq,:sum,10,:mul&step=1s&step=1s&step=2s"
	f := r.follow(q)
	if e := f.next(); e.data.Q != 1 || e.data.Type != "error" || !strings.Contains(e.data.Message, ":nope") {
		t.Errorf("the expression that is none: %s", e.raw)
	}
	if n := r.streams(); n != 3 {
		t.Errorf("%d places are taken, want one for each expression", n)
	}
	wantError(t, "five more", r.call("GET", "/api/v1/stream?"+strings.Repeat("q=name,sps,:eq&", 5), nil), 503, "7 event streams")
	r.live(f, 2, 2, 3, 4, 5)
	want := func(f *feed, events ...string) {
		t.Helper()
		for _, want := range events {
			e := f.next()
			if got := fmt.Sprintf("%d@%d=%s of %d", e.data.Q, (e.data.T-epoch)/step, e.value(), e.data.Step); got != want {
				t.Fatalf("got %s: %s, want %s", got, e.raw, want)
			}
			if id := strings.Split(e.id, ","); len(id) != 3 || id[e.data.Q] != strconv.FormatInt(e.data.T, 10) || id[1] != "0" {
				t.Fatalf("id %s of %s", e.id, e.raw)
			}
		}
	}
	want(f, "2@0=null of 2000", "0@1=1 of 1000", "0@2=2 of 1000", "2@2=15 of 2000", "0@3=3 of 1000", "0@4=4 of 1000", "2@4=35 of 2000")
	f.close()
	f.to(epoch + 6*step)
	f = r.follow(q, fmt.Sprintf("Last-Event-ID: %d,0,%d", epoch+3*step, epoch+2*step))
	f.next() // the expression that is none
	want(f, "0@4=4 of 1000", "0@5=5 of 1000", "2@4=35 of 2000")

	for query, say := range map[string]string{
		"q=:nope&q=:none":                               "unknown word ':nope'",
		"q=name,sps,:eq&q=a,b,:eq&step=1s&step=x":       "parameter step",
		"q=a,b,:eq&q=a,b,:eq&q=a,b,:eq&step=1s&step=1s": "must be once, or as often as q",
		strings.Repeat("q=a,b,:eq&", 33):                "33 times, at most 32",
	} {
		wantError(t, query, r.call("GET", "/api/v1/stream?"+query, nil), 400, say)
	}
}

func TestStreamKeepAlive(t *testing.T) {
	r := newRig(t, settings{})
	f := r.follow("q=name,sps,:eq,:sum&step=1h")
	f.to(epoch + step)
	f.next()
	for i := int64(1); i <= 3; i++ {
		f.to(epoch + step + i*10_000)
		if e := f.next(); e.comment == "" {
			t.Errorf("got %s, want a comment", e.raw)
		}
	}
}

// streams returns how many event streams the server counts.
func (r *rig) streams() int64 {
	return decode[struct {
		Limits map[string]struct{ Used int64 }
	}](r.t, r.get("/api/v1/status")).Limits["eventStreams"].Used
}

// TestStreamLimit: beyond it a stream is refused; a client that goes away gives
// its place back.
func TestStreamLimit(t *testing.T) {
	r := newRig(t, settings{web: web.Options{Streams: 2}})
	first, second := r.follow("q=name,sps,:eq,:sum"), r.follow("q=name,sps,:eq,:max")
	a := r.call("GET", "/api/v1/stream?q=name,sps,:eq,:sum", nil)
	wantError(t, "a third stream", a, 503, "2 event streams")
	if a := r.call("GET", "/api/v1/stream?q=:nope", nil); a.status == 200 {
		t.Errorf("a third stream that does not parse: %s", a)
	}
	first.close()
	for until := time.Now().Add(patience); r.streams() > 1; r.clock.Advance(10 * time.Second) {
		if time.Now().After(until) {
			t.Fatal("the place is not given back")
		}
	}
	r.call("GET", "/api/v1/stream?q=:nope", nil) // takes no place either
	third := r.follow("q=name,sps,:eq,:sum")
	second.close()
	third.close()
}

// TestStreamSlowReader: a client that does not read is cut, and does not hold
// up the server's end.
func TestStreamSlowReader(t *testing.T) {
	o := hurry
	o.IdleTimeout = patience
	r := newRig(t, settings{web: o, listen: smallBuffers})
	r.live(nil, 1, 1)
	conn := r.dial()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, "GET /api/v1/stream?q=name,sps,:eq,:sum&backlog=10000 HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); r.streams() > 0; {
		if time.Now().After(until) {
			t.Fatal("a client that does not read is not cut")
		}
	}
}

// smallBuffers makes the server's sockets small, so that a test need not fill
// megabytes of them.
func smallBuffers(ln net.Listener) net.Listener { return smallListener{ln} }

type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

// TestStreamShutdown ends streams at once.
func TestStreamShutdown(t *testing.T) {
	r := newRig(t, settings{})
	f := r.follow("q=name,sps,:eq,:sum")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	if err := r.web.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	for range f.events {
	}
}

// TestStreamShutdownBehind: expressions that are still behind when the server stops have
// not failed, and nobody is told so: the client goes on when it asks the next server.
func TestStreamShutdownBehind(t *testing.T) {
	r := newRig(t, settings{listen: smallBuffers})
	r.live(nil, 1, 1)
	conn := r.dial()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, "GET /api/v1/stream?q=name,sps,:eq,:sum&q=name,sps,:eq,:max&backlog=10000 HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() { ended <- r.web.Shutdown(ctx) }()
	for { // until it listens no more
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			break
		}
		c.Close()
	}
	rest, _ := io.ReadAll(conn)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if events := strings.Count(string(rest), "id: "); events == 0 || events > 9000 || strings.Contains(string(rest), "error") {
		t.Errorf("%d events, the last: %s", events, rest[max(0, len(rest)-300):])
	}
}
