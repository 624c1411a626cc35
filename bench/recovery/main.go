// Command recovery measures how long a whole server takes to come back: with a
// million series of which some steps are in a snapshot and the newest in the log
// only, killed without a word.
//
//	go run ./bench/recovery -series 1000000 -o bench/results/recovery.txt
//
// It builds and starts a server of its own on a loopback address.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/gen"
	"pulse/bench/server"
)

type options struct {
	series, points, workers int
	covered, logged         int // steps in the snapshot, and in the log only
	step                    time.Duration
	output                  string
}

func main() {
	var o options
	flag.IntVar(&o.series, "series", 1_000_000, "series, at most 4,000,000")
	flag.IntVar(&o.points, "points", 1000, "series of a node, datapoints of a request")
	flag.IntVar(&o.workers, "workers", 4, "connections")
	flag.IntVar(&o.covered, "covered", 3, "steps before the snapshot")
	flag.IntVar(&o.logged, "logged", 3, "steps after it")
	flag.DurationVar(&o.step, "step", time.Minute, "primary step")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	server.Main("recovery", o.output, o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	if o.series < 1 || o.series > 4_000_000 || o.points < 1 || o.workers < 1 || o.covered < 1 || o.logged < 0 {
		return errors.New("series, points, workers or steps out of range; see -help")
	}
	return nil
}

func run(ctx context.Context, o options, out io.Writer) error {
	s, err := server.Build()
	if err != nil {
		return err
	}
	defer s.Remove()
	flags := []string{"--step", server.Span(o.step), "--new-series-rate", "10000000", "--max-series", "4000000", "--max-values-per-key", "4000000", "--max-pairs", "16000000",
		"--max-age", server.Span(time.Duration(o.covered+o.logged+2) * o.step), "--snapshot-every", "1h"}
	start := func() (time.Duration, error) {
		begin := time.Now()
		err := s.Start(ctx, 10*time.Minute, flags...)
		return time.Since(begin), err
	}
	if _, err := start(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d series, step %s, %d steps in the snapshot and %d in the log; %d cores\n", o.series, o.step, o.covered, o.logged, runtime.NumCPU())
	fleet := gen.NewFleet(1, gen.FleetOptions{Series: o.series, PerNode: o.points, Step: o.step.Milliseconds(), Steps: 16})
	first := time.Now().Truncate(o.step).Add(-time.Duration(o.covered+o.logged-1) * o.step)
	total := int64(0)
	for i := range o.covered + o.logged {
		if i == o.covered {
			if err := snapshot(out, s); err != nil {
				return err
			}
		}
		begin := time.Now()
		n, err := push(ctx, o, s, fleet, first.Add(time.Duration(i)*o.step))
		if err != nil {
			return err
		}
		total += n
		what := "known series"
		if i == 0 {
			what = "new series"
		}
		fmt.Fprintf(out, "%-14s %9d datapoints, %8.0f/s over HTTP\n", what, n, float64(n)/time.Since(begin).Seconds())
	}
	if o.logged == 0 {
		if err := snapshot(out, s); err != nil {
			return err
		}
	}
	anon, err := server.Memory(s.PID(), "RssAnon")
	if err != nil {
		return err
	}
	s.Kill()
	fmt.Fprintf(out, "killed         log %d MiB, snapshots %d MiB, anonymous memory %d MiB\n", s.Bytes("wal")>>20, s.Bytes("snapshot")>>20, anon>>20)
	for _, kind := range []string{"again, killed", "again"} {
		took, err := start()
		if err != nil {
			return err
		}
		cpu, _ := server.CPU(s.PID())
		anon, _ = server.Memory(s.PID(), "RssAnon")
		peak, _ := server.Memory(s.PID(), "VmHWM")
		var status struct{ Recovery map[string]any }
		if err := server.Status(s.URL, &status); err != nil {
			return err
		}
		found, _ := json.Marshal(status.Recovery)
		fmt.Fprintf(out, "%-14s ready after %s, %.2f s of CPU; anonymous memory %d MiB, resident at most %d MiB\n               %s\n", kind, took.Round(time.Millisecond), cpu.Seconds(), anon>>20, peak>>20, found)
		s.Kill()
	}
	return nil
}

// snapshot asks for a backup, which takes one.
func snapshot(out io.Writer, s *server.Server) error {
	begin := time.Now()
	client := &fasthttp.Client{ReadTimeout: 5 * time.Minute}
	defer client.CloseIdleConnections()
	if _, err := server.PostOK(client, s.URL+"/-/backup", nil); err != nil {
		return err
	}
	fmt.Fprintf(out, "snapshot       %s, %d MiB\n", time.Since(begin).Round(time.Millisecond), s.Bytes("snapshot")>>20)
	return nil
}

// push sends one step of every node.
func push(ctx context.Context, o options, s *server.Server, fleet *gen.Fleet, at time.Time) (int64, error) {
	client := &fasthttp.Client{MaxConnsPerHost: o.workers, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var sent int64
	var failed error
	var wg sync.WaitGroup
	for w := range o.workers {
		wg.Go(func() {
			var body []byte
			for node := w; node < fleet.Nodes() && ctx.Err() == nil; node += o.workers {
				var n int
				body, n = fleet.AppendBody(body[:0], node, at.UnixMilli())
				_, err := server.PostOK(client, s.URL+"/api/v1/publish", body)
				mu.Lock()
				sent += int64(n)
				failed = errors.Join(failed, err)
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return sent, failed
}
