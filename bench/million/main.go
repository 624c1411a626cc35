// Command million measures a whole server with a million series of six hours: what
// it keeps in memory and on the disk, what the collector, a start and queries of
// everything cost.
//
//	go run ./bench/million -o report.txt
//	go run ./bench/million -series 100000
//
// It builds and starts a server of its own on a loopback address, whose clock it
// moves (see bench/million/warp): the nodes of a fleet publish over HTTP as fast as
// the server takes it, each at its moment of every step, and all that the server
// does from time to time, as sealing, snapshots and archive files, comes as often as
// in hours that are lived.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"pulse/bench/gen"
	"pulse/bench/million/warp"
	"pulse/bench/server"
)

type options struct {
	series, points, workers, courses int
	hours                            int
	step                             time.Duration
	seed                             uint64
	flags, profiles, output          string
}

func main() {
	var o options
	flag.IntVar(&o.series, "series", 1_000_000, "series, at most 4,000,000")
	flag.IntVar(&o.hours, "hours", 6, "hours of data")
	flag.DurationVar(&o.step, "step", time.Minute, "primary step")
	flag.IntVar(&o.points, "points", 1000, "series of a node, datapoints of a request")
	flag.IntVar(&o.workers, "workers", 2, "connections")
	flag.IntVar(&o.courses, "courses", 22_000, "series with values of their own, which the others have again")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "what the values follow from")
	flag.StringVar(&o.flags, "flags", "", "further flags of the server")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles of the heap, and of the processor while data comes and at a start")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	server.Main("million", o.output, o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	if o.series < 1 || o.series > 4_000_000 || o.points < 1 || o.workers < 1 || o.courses < 1 || o.hours < 1 || o.hours > 24 || o.step < 100*time.Millisecond || o.step > time.Minute {
		return errors.New("series, points, workers, courses, hours or step out of range; see -help")
	}
	return nil
}

// steps returns how many steps of data there are.
func (o *options) steps() int { return int(time.Duration(o.hours) * time.Hour / o.step) }

// bench is a run.
type bench struct {
	options
	ctx   context.Context
	out   io.Writer
	s     *server.Server
	hand  *warp.Hand
	fleet *gen.Fleet
	first int64 // the first step, Unix ms: the end of what comes before

	sent    int64   // datapoints
	perStep []int64 // of them
	figures figures
}

func run(ctx context.Context, o options, out io.Writer) error {
	b := &bench{options: o, ctx: ctx, out: out}
	span := time.Duration(o.hours) * time.Hour
	b.first = time.Now().Truncate(span).Add(-span).UnixMilli()
	if err := b.build(); err != nil {
		return err
	}
	defer b.s.Remove()
	defer b.hand.Close()
	b.say("%d series of the fleet mix, %d h at a step of %s: %d steps; seed %d, %d courses; commit %s, %s, %d cores",
		o.series, o.hours, o.step, o.steps(), o.seed, o.courses, commit(), runtime.Version(), runtime.NumCPU())
	b.fleet = gen.NewFleet(o.seed, gen.FleetOptions{Series: o.series, PerNode: o.points, Step: o.step.Milliseconds(), Steps: o.steps(), Apps: 100, Courses: o.courses})
	for _, part := range []func() error{b.feed, b.memory, b.collector, b.recover, b.rest, b.disk, b.table} {
		if err := part(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// build makes a server whose clock is ours.
func (b *bench) build() error {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "pulse/cmd/pulse").Output()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	scratch, err := os.MkdirTemp("", "pulse-warp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	source, overlay := filepath.Join(scratch, "clock.go"), filepath.Join(scratch, "overlay.json")
	text, _ := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(strings.TrimSpace(string(dir)), "realclock.go"): source}})
	err = errors.Join(
		os.WriteFile(source, []byte("package main\n\nimport \"pulse/bench/million/warp\"\n\ntype realClock struct{ warp.Clock }\n"), 0o600),
		os.WriteFile(overlay, text, 0o600))
	if err != nil {
		return err
	}
	if b.s, err = server.Build("-overlay", overlay); err != nil {
		return err
	}
	if b.hand, err = warp.NewHand(filepath.Dir(b.s.Data), b.first); err != nil {
		return errors.Join(err, os.RemoveAll(filepath.Dir(b.s.Data)))
	}
	b.s.Env = []string{b.hand.Env()}
	return nil
}

// start starts the server, with the given flags beside those that let so much
// through, and returns how long it took to be ready.
func (b *bench) start(flags ...string) (time.Duration, error) {
	begin := time.Now()
	flags = append([]string{
		"--step", server.Span(b.step), "--new-series-rate", "10000000", "--max-series", "5000000", "--max-values-per-key", "4000000", "--max-pairs", "16000000",
		"--max-datapoints", "2000000000", "--query-timeout", "10m", "--disk", "20GiB",
	}, flags...)
	err := b.s.Start(b.ctx, 10*time.Minute, append(flags, strings.Fields(b.flags)...)...)
	return time.Since(begin), err
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// commit names what is measured.
func commit() string {
	text, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
