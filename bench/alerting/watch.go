package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"pulse/bench/server"
)

// watch drives the publishers and puts together what they and the receiver say.
type watch struct {
	options
	server         *server.Server
	senders, hooks *child
	out            io.Writer

	answered map[int64]int64 // step, Unix ms → last answer, Unix ns
	late     map[int64]bool  // steps that the machine was too busy to send in time
	failed   int
}

// fall is a step at which groups fell.
type fall struct {
	at          int64 // Unix ms
	rest, every int   // the groups whose numbers leave this rest
}

func (f *fall) of(group int) bool { return group%f.every == f.rest }

// perMinute is how many notifications a receiver gets in a minute, settled how many
// steps pass until all webhooks of a storm have come, and minute how many until
// the receivers' limits are free again: the beginnings take one minute, the ends
// the next. After rested steps a detector takes a fall for news again; sooner it
// is more of the last one.
const (
	perMinute = 60
	settled   = 10
	minute    = 125
	rested    = 30
)

func (w *watch) run(ctx context.Context) error {
	w.answered, w.late = map[int64]int64{}, map[int64]bool{}
	step := w.step.Milliseconds()
	t := (time.Now().UnixMilli()/step + 2) * step
	t, err := w.send(ctx, t, w.warm, order{})
	if err != nil {
		return err
	}
	firings, err := w.firings()
	if err != nil {
		return err
	}
	for i, n := range firings {
		rounds, pause := w.rounds, 3
		switch {
		case n > perMinute*min(w.rules, 20):
			rounds, pause = min(rounds, 2), minute
		case n > 1:
			rounds, pause = min(rounds, 10), 12
		}
		if i > 0 {
			if t, err = w.send(ctx, t, rested, order{}); err != nil {
				return err
			}
		}
		if t, err = w.measure(ctx, t, n, rounds, pause, i == len(firings)-1 && !w.audited); err != nil {
			return err
		}
	}
	if w.audited {
		return w.audit(ctx, t, slices.Max(firings))
	}
	return nil
}

// measure lets n groups fall for one step, so often, with so many steps of all
// groups as usual after each, and reports how long the webhooks took. After the last
// round of all there is nothing to wait for.
func (w *watch) measure(ctx context.Context, t int64, n, rounds, pause int, last bool) (next int64, err error) {
	if w.profile != "" {
		took := min(time.Minute, time.Duration(rounds*(pause+2))*w.step)
		if last && rounds == 1 {
			took = settled * w.step
		}
		go func() {
			if err := profile(w.server.URL, fmt.Sprintf("%s.%d", w.profile, n), took); err != nil {
				fmt.Fprintln(w.out, err)
			}
		}()
	}
	before, err := w.cpu()
	if err != nil {
		return t, err
	}
	var counted counts
	if err := server.Status(w.server.URL, &counted); err != nil {
		return t, err
	}
	began, from := time.Now(), t
	every := w.groups / n // so that all rules and receivers have a part in it
	var falls []fall
	for i := range rounds {
		f := fall{t, i * every / rounds, every}
		falls = append(falls, f)
		if t, err = w.send(ctx, t, 1, order{rest: f.rest, every: f.every}); err != nil {
			return t, err
		}
		if t, err = w.send(ctx, t, 1, order{after: true}); err != nil {
			return t, err
		}
		if last && i == rounds-1 {
			pause = settled
		}
		if t, err = w.send(ctx, t, pause, order{}); err != nil {
			return t, err
		}
	}
	wall := time.Since(began)
	after, err := w.cpu()
	if err != nil {
		return t, err
	}
	list, err := w.came()
	if err != nil {
		return t, err
	}
	share := func(d time.Duration) float64 { return float64(d) / float64(wall) }
	w.report(n, falls, list, from, t)
	w.rates(list)
	if err := w.heard(counted); err != nil {
		return t, err
	}
	memory, err := server.Memory(w.server.PID(), "VmHWM")
	if err != nil {
		return t, err
	}
	anonymous, err := server.Memory(w.server.PID(), "RssAnon")
	if err != nil {
		return t, err
	}
	fmt.Fprintf(w.out, "       CPU cores: server %.2f, publishers %.2f, receiver %.2f; server memory at most %d MiB so far, %d MiB anonymous now\n",
		share(after.server-before.server), share(after.publishers-before.publishers), share(after.receiver-before.receiver), memory>>20, anonymous>>20)
	return t, nil
}

// send has the publishers send steps from t on, all like x, and returns the step
// after them.
func (w *watch) send(ctx context.Context, t int64, steps int, x order) (next int64, err error) {
	for range steps {
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		if _, err := fmt.Fprintln(w.senders.in, t, x.rest, x.every, x.after); err != nil {
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
		w.answered[at] = last
		w.failed += failed
		next := max(t+w.step.Milliseconds(), time.Now().UnixMilli()/w.step.Milliseconds()*w.step.Milliseconds())
		if t += w.step.Milliseconds(); next > t || last > (at+w.step.Milliseconds())*int64(time.Millisecond) {
			w.late[at] = true
			t = next
		}
	}
	return t, nil
}

// came asks the receiver for what came since it was asked last.
func (w *watch) came() (list []hook, err error) {
	if _, err := fmt.Fprintln(w.hooks.in, "?"); err != nil {
		return nil, err
	}
	for {
		line, err := w.hooks.line()
		if err != nil || line == "." {
			return list, err
		}
		var h hook
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			return nil, fmt.Errorf("receiver said %q: %w", line, err)
		}
		list = append(list, h)
	}
}

// alone reports what the receiver and the loopback take for the webhooks of a storm
// without the server.
func (w *watch) alone(address string) error {
	names := min(w.rules, 20)
	for _, each := range []int{perMinute + 1, perMinute + 1, 5} { // the first warms up
		began, err := alone(address, names, each)
		if err != nil {
			return err
		}
		list, err := w.came()
		if err != nil {
			return err
		}
		var took []time.Duration
		for _, h := range list {
			took = append(took, time.Duration(h.At-began))
		}
		if len(took) != names*each {
			return fmt.Errorf("%d of %d webhooks reached the receiver", len(took), names*each)
		}
		fmt.Fprintf(w.out, "receiver alone, %d webhooks to %d names: p50 %s p99 %s\n", len(took), names, server.Quantile(took, .5), server.Quantile(took, .99))
	}
	return nil
}

// disturbed reports whether alerts of a step may be due to a machine that was too
// busy to send the steps before in time, or to go on when they were answered.
func (w *watch) disturbed(step int64) bool {
	for at := range w.late {
		if at <= step && step <= at+5*w.step.Milliseconds() {
			return true
		}
	}
	return false
}
