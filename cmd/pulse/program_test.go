package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is a command of this binary that runs inside the test.
type program struct {
	out    output
	errors output
	stop   context.CancelFunc
	done   chan int
}

// output collects what is written and wakes who waits for it.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grown != nil {
		close(o.grown)
		o.grown = nil
	}
	return o.text.Write(b)
}

// read returns what has been written and a channel that closes when there is more.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grown == nil {
		o.grown = make(chan struct{})
	}
	return o.text.String(), o.grown
}

// start runs the command line until the test ends.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{stop: cancel, done: make(chan int, 1)}
	go func() { p.done <- run(ctx, args, strings.NewReader(""), &p.out, &p.errors) }()
	t.Cleanup(func() { p.end(t) })
	return p
}

// startDemo runs the demo on a free port.
func startDemo(t *testing.T, args ...string) *program {
	return start(t, append([]string{"demo", "--listen", "127.0.0.1:0"}, args...)...)
}

// end interrupts the program, waits for it, and wants exit code 0.
func (p *program) end(t *testing.T) {
	t.Helper()
	if p.stop == nil {
		return
	}
	p.stop()
	p.stop = nil
	select {
	case code := <-p.done:
		if code != 0 {
			text, _ := p.errors.read()
			t.Errorf("exit code %d, want 0; standard error:\n%s", code, text)
		}
	case <-time.After(30 * time.Second):
		t.Error("the program did not end within 30 s")
	}
}

// waitFor waits until standard output matches the expression and returns the
// match with its groups.
func (p *program) waitFor(t *testing.T, expression string) []string {
	t.Helper()
	return waitIn(t, &p.out, p, expression)
}

func waitIn(t *testing.T, o *output, p *program, expression string) []string {
	t.Helper()
	re := regexp.MustCompile(expression)
	limit := time.After(100 * time.Second)
	for {
		text, grown := o.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-grown:
		case code := <-p.done:
			p.done <- code
			errs, _ := p.errors.read()
			t.Fatalf("the program ended with %d before %q appeared\nstandard output:\n%s\nstandard error:\n%s", code, expression, text, errs)
		case <-limit:
			errs, _ := p.errors.read()
			t.Fatalf("%q did not appear\nstandard output:\n%s\nstandard error:\n%s", expression, text, errs)
		}
	}
}
