package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulse/store/step"
)

// killStep is the step of the servers that are killed, ms.
const killStep = 100

// victim is a server process.
type victim struct {
	cmd    *exec.Cmd
	url    string
	served chan struct{} // closed when url is known
	ended  chan struct{} // closed when standard error has ended
	mu     sync.Mutex
	log    []byte // the newest part of standard error
}

// startVictim starts the program as a process on a data folder and a free port.
// Further flags win over those that all have.
func startVictim(data string, more ...string) (*victim, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	v := &victim{served: make(chan struct{}), ended: make(chan struct{})}
	v.cmd = exec.Command(binary)
	v.cmd.Args = append([]string{"pulse", "serve", "--listen", "127.0.0.1:0", "--data", data, "--step", "100ms", "--grace", "300ms",
		"--egress-allow", "127.0.0.1/32", "--log-format", "json"}, more...)
	stderr, err := v.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := v.cmd.Start(); err != nil {
		return nil, err
	}
	go v.read(stderr)
	return v, nil
}

// read keeps the log and finds the URL in it.
func (v *victim) read(r io.Reader) {
	defer close(v.ended)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Message, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "serving" && v.url == "" {
			v.url = strings.TrimRight(line.URL, "/")
			close(v.served)
		}
		v.mu.Lock()
		v.log = append(append(v.log, lines.Bytes()...), '\n')
		if len(v.log) > 256<<10 {
			v.log = append([]byte(nil), v.log[128<<10:]...)
		}
		v.mu.Unlock()
	}
}

func (v *victim) said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return string(v.log)
}

// kill ends the process with SIGKILL and waits until it is gone.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	<-v.ended
	_ = v.cmd.Wait()
}

// pusher sends every stream's value for every step, in order, to the server that
// runs. What could not be sent goes with the next steps, at most five seconds of it.
type pusher struct {
	truth   *truth
	streams []killStream
	target  *atomic.Pointer[string]
	http    http.Client
}

// killStream is a series that a rule judges.
type killStream struct {
	key     streamKey
	dstype  string
	in, out float64
}

// value is what the stream reports for a step.
func (s *killStream) value(t *truth, at int64) float64 {
	if t.side(s.key, at)%2 == 1 {
		return s.out
	}
	return s.in
}

// run pushes until ctx ends.
func (p *pusher) run(ctx context.Context) {
	tick := time.NewTicker(killStep / 4 * time.Millisecond)
	defer tick.Stop()
	done := step.Floor(time.Now().UnixMilli(), killStep)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			until := step.Floor(now.UnixMilli(), killStep)
			done = max(done, until-50*killStep)
			p.truth.mu.Lock()
			p.truth.next = max(p.truth.next, until+killStep)
			p.truth.mu.Unlock()
			if until > done && p.push(ctx, done+killStep, until) {
				done = until
			}
		}
	}
}

// push sends the steps from first to last and reports whether they were taken.
func (p *pusher) push(ctx context.Context, first, last int64) bool {
	target := p.target.Load()
	if target == nil {
		return false
	}
	var loud, quiet []metric
	for at := first; at <= last; at += killStep {
		for i := range p.streams {
			s := &p.streams[i]
			loud = append(loud, metric{map[string]string{"name": s.key.rule, "node": s.key.node, "atlas.dstype": s.dstype}, at, s.value(p.truth, at)})
		}
		if p.truth.side(quietStream, at)%2 == 0 {
			quiet = append(quiet, metric{map[string]string{"name": quietRule, "atlas.dstype": "gauge"}, at, 1})
		}
	}
	if len(quiet) > 0 && !p.post(ctx, *target, "quiet", quiet) {
		return false
	}
	return p.post(ctx, *target, "loud", loud)
}

func (p *pusher) post(ctx context.Context, target, node string, metrics []metric) bool {
	body, err := json.Marshal(map[string]any{"tags": map[string]string{"nf.app": "kill", "nf.node": node}, "metrics": metrics})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target+"/api/v1/publish", strings.NewReader(string(body)))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	res, err := p.http.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil
}

// hooks are the receivers: an HTTP server whose answers are bad at random.
type hooks struct {
	book    *killBook
	server  *httptest.Server
	came    chan struct{} // a request has come
	refuses atomic.Bool   // everything gets 503
	healthy atomic.Bool   // everything gets 200

	mu     sync.Mutex
	random *rand.Rand
	bad    map[string]int // bad answers in a row, by receiver
}

// maxBad keeps the receivers from being taken to be down, and pauses short.
const maxBad = 2

func newHooks(t *testing.T, book *killBook, seed uint64) *hooks {
	h := &hooks{book: book, came: make(chan struct{}, 1), random: rand.New(rand.NewPCG(seed, 2)), bad: map[string]int{}}
	h.server = httptest.NewServer(h)
	t.Cleanup(func() {
		h.server.CloseClientConnections()
		h.server.Close()
	})
	return h
}

// url is where a receiver of that name and revision is.
func (h *hooks) url(name, revision string) string { return h.server.URL + "/" + name + "/" + revision }

// The answers of a receiver.
const (
	answerOK = iota
	answerError
	answerLater // 429 with Retry-After
	answerReset
	answerLost // accepted, and the connection ends before the answer
	answerSlow // accepted after a while
	answerHang // a reset after a while
	answers
)

func (h *hooks) choose(receiver string) (answer int, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuses.Load() {
		return answerError, 0
	}
	answer = h.random.IntN(2 * answers)
	if answer >= answers || h.healthy.Load() || h.bad[receiver] >= maxBad {
		answer = answerOK
	}
	h.bad[receiver]++
	if answer == answerOK || answer == answerSlow {
		h.bad[receiver] = 0
	}
	return answer, time.Duration(h.random.IntN(1200)) * time.Millisecond
}

// ServeHTTP takes a notification for /<receiver>/<revision>.
func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off while it was sent
	}
	receiver, revision, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	came := h.book.arrived(receiver, revision, r.Header, body, time.Now().UnixMilli())
	select {
	case h.came <- struct{}{}:
	default:
	}
	answer, pause := h.choose(receiver)
	if answer == answerSlow || answer == answerHang {
		select {
		case <-time.After(pause):
		case <-r.Context().Done(): // the server was killed
		}
	}
	switch answer {
	case answerOK, answerSlow:
		h.book.accept(came, r.Context().Err() != nil) // nobody hears the answer, when who asked is gone
		w.WriteHeader(http.StatusOK)
	case answerError:
		w.WriteHeader(http.StatusInternalServerError + h.intN(4))
	case answerLater:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case answerLost:
		h.book.accept(came, true)
		reset(w)
	default:
		reset(w)
	}
}

func (h *hooks) intN(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.random.IntN(n)
}

// reset ends the connection without an answer.
func reset(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// highWater returns the most memory that the process has held, in bytes; 0 where
// the system does not say.
func highWater(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	return 0
}
