// Command overload throws a cardinality bomb at a whole server with little
// memory: millions of series that nobody will ever look at, beside some that
// have been there before. It measures how much memory the process takes, whether
// the known series go on, how health answers meanwhile, and whether a server
// that is killed in the middle of it starts again in the same memory.
//
//	go run ./bench/overload -o bench/results/overload.txt
//
// It builds and starts a server of its own, on a loopback address, and fails
// when a promise is broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"pulse/bench/server"
)

type options struct {
	memory  string        // as --memory takes it
	most    int64         // bytes of anonymous memory that the process may take
	series  int           // of the bomb
	points  int           // of one of its requests
	workers int           // that throw it
	hot     int           // of its series, the first, that go on reporting
	hold    time.Duration // how long
	known   int           // series that are there before
	step    time.Duration
	quiet   time.Duration // before the bomb, and after the restart
	slowest time.Duration // p99 of health
	output  string
}

func main() {
	o := defaults()
	flag.StringVar(&o.memory, "memory", o.memory, "memory of the server")
	flag.Int64Var(&o.most, "most", o.most, "anonymous memory that it may take, bytes")
	flag.IntVar(&o.series, "series", o.series, "series of the bomb")
	flag.IntVar(&o.workers, "workers", o.workers, "connections that throw it")
	flag.IntVar(&o.hot, "hot", o.hot, "of these, how many go on reporting")
	flag.DurationVar(&o.hold, "hold", o.hold, "how long")
	flag.IntVar(&o.known, "known", o.known, "series that are there before")
	flag.DurationVar(&o.slowest, "slowest", o.slowest, "p99 of /ok and /healthcheck")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	server.Main("overload", o.output, nil, func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
}

func defaults() options {
	return options{
		memory: "512MiB", most: 640 << 20, series: 5_000_000, points: 1000, workers: 4, hot: 150_000, hold: 4 * time.Minute, known: 10_000,
		step: time.Second, quiet: 10 * time.Second, slowest: 100 * time.Millisecond,
	}
}

// run measures one bomb and one restart, and reports what was promised and not
// kept.
func run(ctx context.Context, o options, out io.Writer) error {
	s, err := build()
	if err != nil {
		return err
	}
	defer s.Remove()
	if err := s.start(ctx, o); err != nil {
		return err
	}
	k := newKnown(o)
	r := report{options: o}
	r.calm = k.push(ctx, s, o.quiet, nil)
	r.calmMemory = s.memory()

	bomb := throw(ctx, s, o)
	stop := make(chan struct{})
	watched := watch(s, stop)
	pushed := make(chan phase)
	go func() { pushed <- k.push(ctx, s, time.Hour, bomb.done) }()
	<-bomb.done
	r.loaded = <-pushed
	close(stop)
	r.health = <-watched
	r.bomb = bomb.result()
	r.bombsMemory = s.memory()
	if r.kept, err = s.series(); err != nil {
		return err
	}

	s.kill()
	begun := time.Now()
	if err := s.start(ctx, o); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	r.restart = time.Since(begun)
	r.after = k.push(ctx, s, o.quiet, nil)
	r.restartMemory = s.memory()
	s.stop()
	r.print(out)
	return errors.Join(ctx.Err(), r.broken())
}
