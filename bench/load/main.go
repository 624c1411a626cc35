// Command load measures a whole server over HTTP. It is open-loop: requests are
// due at fixed times whatever the server does, and latency counts from when a
// request was due, so that a stall shows in every request behind it.
//
//	go run ./bench/load -duration 10s -rate 200 -points 500
//
// Without -target it builds and starts a server of its own and reports the CPU
// time of that process per million datapoints. Requests are bounded by rate and
// duration, and go to loopback addresses only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/gen"
	"pulse/bench/server"
)

type options struct {
	target   string
	pid      int
	duration time.Duration
	rate     int
	points   int
	workers  int
	step     time.Duration
	encoding string
	mode     string
	profile  string
}

func main() {
	var o options
	flag.StringVar(&o.target, "target", "", "server to push to; empty builds and starts one")
	flag.IntVar(&o.pid, "pid", 0, "process of the target whose CPU time is read")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long to push, at most 10m")
	flag.IntVar(&o.rate, "rate", 200, "requests per second, at most 20000")
	flag.IntVar(&o.points, "points", 500, "datapoints per request, at most 100000")
	flag.IntVar(&o.workers, "workers", 8, "connections")
	flag.DurationVar(&o.step, "step", time.Second, "primary step of the server; each node reports once a step")
	flag.StringVar(&o.encoding, "encoding", "", "Content-Encoding of bodies: empty or gzip")
	flag.StringVar(&o.mode, "durability", "sync", "of the server that is started: sync, interval or none")
	flag.StringVar(&o.profile, "profile", "", "file for a CPU profile of the server while it takes known series")
	flag.Parse()
	server.Main("load", "", o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	if o.duration <= 0 || o.duration > 10*time.Minute || o.rate < 1 || o.rate > 20000 || o.points < 1 || o.points > 100_000 || o.workers < 1 || o.encoding != "" && o.encoding != "gzip" {
		return errors.New("duration, rate, points, workers or encoding out of range; see -help")
	}
	return nil
}

func run(ctx context.Context, o options, out io.Writer) error {
	if o.target == "" {
		s, err := server.Build()
		if err != nil {
			return err
		}
		defer s.Remove()
		if err := s.Start(ctx, 10*time.Second, "--step", server.Span(o.step), "--durability", o.mode, "--new-series-rate", "1000000"); err != nil {
			return err
		}
		o.target, o.pid = s.URL, s.PID()
	}
	if err := onLoopback(o.target); err != nil {
		return err
	}
	nodes := max(1, int(float64(o.rate)*o.step.Seconds()))
	fleet := gen.NewFleet(1, gen.FleetOptions{Series: nodes * o.points, PerNode: o.points, Step: o.step.Milliseconds(), Steps: 16})
	fmt.Fprintf(out, "target %s  durability %s  nodes %d  series %d  rate %d/s  points/request %d  duration %s\n", o.target, o.mode, fleet.Nodes(), fleet.Len(), o.rate, o.points, o.duration)

	warm, err := push(ctx, o, fleet, o.step) // first sight of every series, reported apart
	if err != nil {
		return err
	}
	warm.print(out, "new series")
	before, err := logBytes(o.target)
	if err != nil {
		return err
	}
	profiled := make(chan error, 1)
	go func() { profiled <- profile(o) }()
	known, err := push(ctx, o, fleet, o.duration)
	if err != nil {
		return err
	}
	known.print(out, "known series")
	after, err := logBytes(o.target)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "log %.2f bytes per datapoint\n", float64(after-before)/float64(max(known.points, 1)))
	if err := <-profiled; err != nil {
		return err
	}
	if known.refused > 0 {
		return fmt.Errorf("%d of %d requests were not answered with 200; the first: %s", known.refused, len(known.latency), known.sample)
	}
	return nil
}

// logBytes returns what the server has written to its log, 0 without one.
func logBytes(target string) (int64, error) {
	var status struct{ Log struct{ WrittenBytes int64 } }
	err := server.Status(target, &status)
	return status.Log.WrittenBytes, err
}

// profile keeps a CPU profile of most of the run.
func profile(o options) error {
	if o.profile == "" {
		return nil
	}
	seconds := max(1, int(o.duration.Seconds())-1)
	client := &fasthttp.Client{ReadTimeout: o.duration + time.Minute}
	code, body, err := client.Get(nil, o.target+"/debug/pprof/profile?seconds="+strconv.Itoa(seconds))
	if err != nil || code != fasthttp.StatusOK {
		return fmt.Errorf("profile: %d %w", code, err)
	}
	return os.WriteFile(o.profile, body, 0o644)
}

// onLoopback keeps the load on this machine.
func onLoopback(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("target %s is not a loopback address", target)
	}
	return nil
}

// result is what one phase measured.
type result struct {
	latency []time.Duration // from due to answered, one per request
	points  int64
	refused int
	sample  string
	wall    time.Duration
	cpu     time.Duration // of the server; 0 when its process is not known
}

func (r *result) print(out io.Writer, phase string) {
	at := func(q float64) time.Duration { return server.Quantile(r.latency, q) }
	fmt.Fprintf(out, "%-12s  %9.0f datapoints/s  p50 %-9s p99 %-9s max %-9s requests %d  not 200: %d", phase,
		float64(r.points)/r.wall.Seconds(), at(0.5), at(0.99), at(1), len(r.latency), r.refused)
	if r.cpu > 0 && r.points > 0 {
		fmt.Fprintf(out, "  server CPU %.3f s per 1M datapoints", r.cpu.Seconds()*1e6/float64(r.points))
	}
	fmt.Fprintln(out)
}

// push sends each node's report at its due time for as long as d.
func push(ctx context.Context, o options, fleet *gen.Fleet, d time.Duration) (*result, error) {
	before, err := server.CPU(o.pid)
	if err != nil {
		return nil, err
	}
	total := int(float64(o.rate) * d.Seconds())
	r := &result{latency: make([]time.Duration, 0, total)}
	client := &fasthttp.Client{MaxConnsPerHost: o.workers, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	begin := time.Now()
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range o.workers {
		wg.Go(func() {
			var body []byte
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= total {
					return
				}
				due := begin.Add(time.Duration(float64(i) / float64(o.rate) * float64(time.Second)))
				var points int
				body, points = fleet.AppendBody(body[:0], i%fleet.Nodes(), due.UnixMilli())
				time.Sleep(time.Until(due))
				sent := body
				if o.encoding != "" {
					sent = fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestSpeed)
				}
				status, answer := server.Post(client, o.target+"/api/v1/publish", o.encoding, sent)
				took := time.Since(due)
				mu.Lock()
				r.latency = append(r.latency, took)
				if status == fasthttp.StatusOK {
					r.points += int64(points)
				} else if r.refused++; r.refused == 1 {
					r.sample = fmt.Sprintf("%d %s", status, answer)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.wall = time.Since(begin)
	after, err := server.CPU(o.pid)
	r.cpu = after - before
	return r, err
}
