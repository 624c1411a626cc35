// Command peers drives Pulse, VictoriaMetrics and Prometheus with the same
// workload at the same time on the same machine, and prints what each of them
// takes for it, side by side.
//
//	go run . -o ../results/peers.txt
//	go run . -victoria none -prometheus none -series 5000 -steps 200
//
// README.md says what is compared and what cannot be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

type options struct {
	pulse, victoria, prometheus string
	series, steps, points       int
	step, settle, each          time.Duration
	seed                        uint64
	durability                  string
	dir, output                 string
}

func main() {
	var o options
	flag.StringVar(&o.pulse, "pulse", "build", "build, a binary, URL,PID of a running server, or none; a binary is driven twice, without a cache and with it")
	flag.StringVar(&o.victoria, "victoria", "victoria-metrics", "a binary, URL,PID, or none; a binary is driven twice, by two protocols")
	flag.StringVar(&o.prometheus, "prometheus", "prometheus", "a binary, URL,PID, or none")
	flag.IntVar(&o.series, "series", 100_000, fmt.Sprintf("series, a multiple of %d, which one node publishes in one request", perNode))
	flag.IntVar(&o.steps, "steps", 300, "steps that are published")
	flag.IntVar(&o.points, "points", 180, "steps of a query, fewer than -steps")
	flag.DurationVar(&o.step, "step", time.Second, "step of all series")
	flag.DurationVar(&o.settle, "settle", 10*time.Second, "rest between data and questions, counted as cost of the data")
	flag.DurationVar(&o.each, "each", 3*time.Second, "how long each question is asked of each server")
	flag.Uint64Var(&o.seed, "seed", 1, "of the values")
	flag.StringVar(&o.durability, "durability", "sync", "of Pulse: sync, interval or none")
	flag.StringVar(&o.dir, "dir", "", "folder for the servers' files; empty: a temporary one, removed at the end")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	server.Main("peers", o.output, o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, &o, out) })
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	switch {
	case o.series < perNode || o.series > 2_000_000 || o.series%perNode != 0:
		return fmt.Errorf("-series: a multiple of %d up to 2000000", perNode)
	case o.points < 1 || o.points >= o.steps || o.steps > 10_000:
		return errors.New("-points: at least 1 and fewer than -steps, which are at most 10000")
	case o.step < 100*time.Millisecond || o.step%time.Millisecond != 0:
		return errors.New("-step: at least 100ms, in whole milliseconds")
	}
	return nil
}

func run(ctx context.Context, o *options, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM) // or the servers would outlive it
	defer stop()
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "peers-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	if o.pulse == "build" {
		binary, err := build(o.dir)
		if err != nil {
			return err
		}
		o.pulse = binary
	}
	targets, err := gather(ctx, o, out)
	defer func() {
		for _, t := range targets {
			t.stop()
		}
	}()
	if err != nil || len(targets) == 0 {
		return errors.Join(err, errors.New("no server to measure"))
	}
	step := o.step.Milliseconds()
	fmt.Fprintf(out, "%d series of %d nodes, %d steps of %s, questions over %d steps, seed %d; %d cores shared with what sends\n",
		o.series, o.series/perNode, o.steps, o.step, o.points, o.seed, runtime.NumCPU())
	f := newFleet(o.seed, o.series, o.steps, step)
	qs := questions(f)
	t0 := time.Now().UnixMilli()/step*step + step
	if err := fill(ctx, o, f, targets, t0); err != nil {
		return err
	}
	for i := range qs {
		for _, t := range targets {
			if err := t.ask(ctx, o, f, &qs[i], t0); err != nil {
				return err
			}
		}
	}
	for _, t := range targets {
		if err := t.finish(); err != nil {
			return t.fault(err)
		}
	}
	return report(out, f, qs, targets)
}

// gather starts the servers, and says so of those that are not there.
func gather(ctx context.Context, o *options, out io.Writer) ([]*target, error) {
	wanted := []struct {
		kind  kind
		where string
	}{
		{pulseKind(o.durability, "0"), o.pulse},
		{pulseKind(o.durability, "64MiB"), o.pulse},
		{victoria("Influx lines", "/write?precision=ms", appendInflux), o.victoria},
		{victoria("remote write", "/api/v1/write", appendRemoteWrite), o.victoria},
		{prometheus(), o.prometheus},
	}
	var targets []*target
	missing := ""
	for i, x := range wanted {
		if x.where == "none" || x.where == missing {
			continue
		}
		var t *target
		var err error
		if strings.HasPrefix(x.where, "http://") {
			if i > 0 && wanted[i-1].where == x.where {
				continue // the same series cannot come twice
			}
			t, err = attach(x.kind, x.where)
		} else {
			var binary string
			if binary, err = exec.LookPath(x.where); err != nil {
				fmt.Fprintf(out, "%s is not measured: %v\n", x.kind.name, err)
				missing = x.where
				continue
			}
			if t, err = launch(ctx, o, x.kind, binary, filepath.Join(o.dir, fmt.Sprintf("%d-%s", i, x.kind.name))); err == nil {
				fmt.Fprintf(out, "%s %s\n", filepath.Base(binary), strings.Join(t.args, " "))
			}
		}
		if err != nil {
			return targets, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// build makes the server of this repository.
func build(dir string) (binary string, err error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "pulse").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	binary = filepath.Join(dir, "pulse")
	build := exec.Command("go", "build", "-o", binary, "./cmd/pulse")
	build.Dir = strings.TrimSpace(string(root))
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, text)
	}
	return binary, nil
}

// fill sends the data: the first step to one server after the other, the others to
// all at once, each at its own pace.
func fill(ctx context.Context, o *options, f *fleet, targets []*target, t0 int64) error {
	step := o.step.Milliseconds()
	for _, t := range targets {
		var err error
		if t.first, err = t.measure(func() error { return t.feed(ctx, f, 0, 1, t0, step) }); err != nil {
			return err
		}
		t.late = 0
	}
	feeding, fail := context.WithCancelCause(ctx) // one that fails ends all
	defer fail(nil)
	var wg sync.WaitGroup
	for _, t := range targets {
		wg.Go(func() {
			known, err := t.measure(func() error {
				if err := t.feed(feeding, f, 1, o.steps, t0, step); err != nil {
					return err
				}
				return rest(feeding, o.settle)
			})
			if t.known = known; err != nil {
				fail(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(feeding); err != nil {
		return err
	}
	errs := make([]error, len(targets))
	for i, t := range targets {
		wg.Go(func() {
			idle, err := t.measure(func() error { return rest(ctx, o.each) })
			t.idle = idle.Seconds() / o.each.Seconds()
			now, most, failed := t.memory()
			t.settled, t.most, errs[i] = now, most, errors.Join(err, failed)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish ends the server and looks at its files.
func (t *target) finish() (err error) {
	if _, t.mostAsked, err = t.memory(); err != nil || t.data == "" {
		return err
	}
	if t.name == "prometheus" {
		if err := t.snapshot(); err != nil {
			return err
		}
	}
	t.stop()
	t.disk, t.parts, err = usage(t.data)
	return err
}

// snapshot asks Prometheus for all of its data as blocks, sees how large they are
// and takes them away.
func (t *target) snapshot() error {
	status, body, err := fasthttp.Post(nil, t.url+"/api/v1/admin/tsdb/snapshot", nil)
	if err != nil || status != fasthttp.StatusOK {
		return fmt.Errorf("snapshot: answer %d %s %w", status, body, err)
	}
	dir := filepath.Join(t.data, "snapshots")
	if t.blocks, _, err = usage(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
