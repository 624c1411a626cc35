package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"pulse/bench/server"
)

// watch drives the publishers and puts together what they and the receiver say.
type watch struct {
	options
	server         *server.Server
	senders, hooks *child
	out            io.Writer

	mu       sync.Mutex
	answered map[int64]int64 // step, Unix ms → last answer, Unix ns
	arrived  []hook
	failed   int
}

// hook is a webhook that arrived.
type hook struct {
	at       int64 // Unix ns
	kind     string
	startsAt int64 // Unix ms
	count    int
}

func (w *watch) run(ctx context.Context) error {
	w.answered = map[int64]int64{}
	go w.listen()
	step := w.step.Milliseconds()
	t := (time.Now().UnixMilli()/step + 2) * step
	t, err := w.send(ctx, t, w.warm, 0, 0)
	if err != nil {
		return err
	}
	firings, err := w.firings()
	if err != nil {
		return err
	}
	for _, n := range firings {
		rounds, pause := w.rounds, 2
		switch {
		case n > 1000:
			rounds, pause = min(rounds, 2), 75
		case n > 1:
			rounds, pause = min(rounds, 10), 12
		}
		if t, err = w.measure(ctx, t, n, rounds, pause); err != nil {
			return err
		}
	}
	return nil
}

// measure lets n groups fall for one step, so often, with so many steps of all
// groups as usual after each, and reports how long the webhooks took.
func (w *watch) measure(ctx context.Context, t int64, n, rounds, pause int) (next int64, err error) {
	if w.profile != "" {
		took := min(time.Minute, time.Duration(rounds*(pause+1))*w.step)
		go func() {
			if err := profile(w.server.URL, fmt.Sprintf("%s.%d", w.profile, n), took); err != nil {
				fmt.Fprintln(w.out, err)
			}
		}()
	}
	before, err := server.CPU(w.server.PID())
	if err != nil {
		return t, err
	}
	began, from := time.Now(), t
	every := w.groups / n // so that all rules and receivers have a part in it
	for i := range rounds {
		if t, err = w.send(ctx, t, 1, i*every/rounds, every); err != nil {
			return t, err
		}
		if t, err = w.send(ctx, t, pause, 0, 0); err != nil {
			return t, err
		}
	}
	wall := time.Since(began)
	after, err := server.CPU(w.server.PID())
	if err != nil {
		return t, err
	}
	w.report(n, rounds, from, t, float64(after-before)/float64(wall))
	return t, nil
}

// send has the publishers send steps from t on, with the groups of an order next to
// nothing, and returns the step after them.
func (w *watch) send(ctx context.Context, t int64, steps, rest, every int) (next int64, err error) {
	for range steps {
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		if _, err := fmt.Fprintln(w.senders.in, t, rest, every); err != nil {
			return t, err
		}
		line, err := w.senders.line()
		if err != nil {
			return t, err
		}
		var at, last int64
		var failed int
		if _, err := fmt.Sscan(line, &at, &last, &failed); err != nil {
			return t, err
		}
		w.mu.Lock()
		w.answered[at] = last
		w.failed += failed
		w.mu.Unlock()
		t = max(t+w.step.Milliseconds(), time.Now().UnixMilli()/w.step.Milliseconds()*w.step.Milliseconds()) // the machine may be too slow
	}
	return t, nil
}

// listen takes down what arrives until the receiver ends.
func (w *watch) listen() {
	for {
		line, err := w.hooks.line()
		if err != nil {
			return
		}
		var h hook
		if _, err := fmt.Sscan(line, &h.at, &h.kind, &h.startsAt, &h.count); err != nil {
			continue
		}
		w.mu.Lock()
		w.arrived = append(w.arrived, h)
		w.mu.Unlock()
	}
}

// report prints the latencies of the alerts that began from step from on.
func (w *watch) report(n, rounds int, from, to int64, cpu float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all, first []time.Duration
	begun := map[int64]time.Duration{}
	summaries, summed := []time.Duration{}, 0
	var newest int64
	for _, h := range w.arrived {
		answered, known := w.answered[h.startsAt]
		switch {
		case h.kind == "alert.firing" && known && h.startsAt >= from && h.startsAt < to:
			took := time.Duration(h.at - answered)
			all = append(all, took)
			newest = answered
			if was, seen := begun[h.startsAt]; !seen || took < was {
				begun[h.startsAt] = took
			}
		case h.kind == "alert.summary" && newest > 0 && h.at > newest:
			summaries, summed = append(summaries, time.Duration(h.at-newest)), summed+h.count
		}
	}
	for _, d := range begun {
		first = append(first, d)
	}
	fmt.Fprintf(w.out, "%5d firing  rounds %d of %d  webhooks %d  p50 %s p99 %s max %s  first of a step p50 %s max %s  server CPU %.2f cores",
		n, len(begun), rounds, len(all), server.Quantile(all, .5), server.Quantile(all, .99), server.Quantile(all, 1),
		server.Quantile(first, .5), server.Quantile(first, 1), cpu)
	if len(summaries) > 0 {
		fmt.Fprintf(w.out, "  summaries %d of %d alerts, p50 %s", len(summaries), summed, server.Quantile(summaries, .5))
	}
	if w.failed > 0 {
		fmt.Fprintf(w.out, "  publishes refused %d", w.failed)
	}
	fmt.Fprintln(w.out)
	w.arrived = w.arrived[:0]
}
