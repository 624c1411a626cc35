// Command page measures the page in headless Chromium, before a server of its own with
// pushed data: what the first load fetches and takes, what drawing and following many lines
// cost, and what the page keeps in memory.
//
//	go run ./bench/page -o report.txt
//	go run ./bench/page -rounds 5 -live 20s -stay 1m
//
// Times of CPU are those that the kernel counted for the browser's processes, so that they
// mean the same on a machine that has other work, too. Wall clock is given beside them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"pulse/bench/server"
)

type options struct {
	rounds                int
	live, stay            time.Duration
	keep, profile, output string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 20, "how often the large graph is drawn, and the page loaded")
	flag.DurationVar(&o.live, "live", time.Minute, "how long the CPU of following is measured")
	flag.DurationVar(&o.stay, "stay", 6*time.Minute, "how long a page then goes on, its memory measured six times")
	flag.StringVar(&o.keep, "keep", "explore,board", "which pages do, one after the other")
	flag.StringVar(&o.profile, "profile", "", "folder for CPU profiles of the page while it draws and follows, as DevTools load them")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	server.Main("page", o.output, o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	if o.rounds < 1 || o.rounds > 1000 || o.live < 5*time.Second || o.live > time.Hour || o.stay < 0 || o.stay > 24*time.Hour {
		return errors.New("rounds, live or stay out of range; see -help")
	}
	if o.keep != "explore" && o.keep != "board" && o.keep != "explore,board" {
		return errors.New("keep must be explore, board, or explore,board")
	}
	return nil
}

// What is asked: the first half of the lines for one drawing, all of them live.
const (
	lines    = 200
	drawn    = 100
	points   = 1440
	half     = "name,page.load,:eq,half,%s,:eq,:and,(,line,),:by"
	all      = "name,page.load,:eq,(,line,),:by"
	oneLine  = "name,page.load,:eq,:sum"
	panels   = 4
	mostLoad = 60 << 10
)

// bench is a run.
type bench struct {
	options
	ctx context.Context // of the browser's tab
	out io.Writer
	url string
}

func run(ctx context.Context, o options, out io.Writer) error {
	s, err := server.Build()
	if err != nil {
		return err
	}
	defer s.Remove()
	if err := s.Start(ctx, 10*time.Second, "--step", "1s", "--new-series-rate", "100000"); err != nil {
		return err
	}
	end := time.Now().Truncate(time.Second).Add(-time.Second)
	if err := history(s.URL, end); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fed := make(chan error, 1)
	go func() { fed <- follow(ctx, s.URL) }()
	tab, done, err := browser(ctx)
	if err != nil {
		return err
	}
	defer done()
	b := &bench{options: o, ctx: tab, out: out, url: s.URL}
	head, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	b.say("commit %s, %s, %d cores; %s", strings.TrimSpace(string(head)), runtime.Version(), runtime.NumCPU(), version(tab))
	for _, part := range []func() error{b.load, func() error { return b.draw(end) }, b.follow} {
		if err := part(); err != nil {
			return err
		}
	}
	for page := range strings.SplitSeq(b.keep, ",") {
		if err := b.goOn(page); err != nil {
			return err
		}
	}
	stop()
	return <-fed
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// figure says one, with its target; 0: it has none.
func (b *bench) figure(what string, ours, target float64, unit string) {
	switch {
	case target == 0:
		b.say("  %-58s %9.1f %s", what, ours, unit)
	case ours <= target:
		b.say("  %-58s %9.1f %-4s target %g: met, %.0f %% of it", what, ours, unit, target, 100*ours/target)
	default:
		b.say("  %-58s %9.1f %-4s target %g: MISSED", what, ours, unit, target)
	}
}

// address is the page with a query.
func (b *bench) address(q string, more ...string) string {
	v := url.Values{"q": {q}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return b.url + "/?" + v.Encode()
}
