// Command sps judges detectors on streams of starts per second in which things
// go wrong at known times (bench/gen: Streams).
//
//	go run ./bench/sps -detector auto -seeds 1,2,3
//	go run ./bench/sps -detector exponential,double-exponential -quick -set alpha=0.1
//	go run ./bench/sps -detector auto -seeds 2 -only leak -v
//	go run ./bench/sps -detector all -quick -check
//	go run ./bench/sps -detector auto -seeds 1 -dump 1/minute-07 > stream.csv
//
// Each stream has three weeks in which nothing happens and then weeks with
// incidents, hours apart. A page is a step at which the detector goes out. The
// table says, as shipped, which incidents were found, how long it took and what
// else paged; judge.go defines these words. With -sweep the detectors also run at
// other thresholds, which tells what they find at the one that is best on the
// other seeds (with one seed: on the other half of the streams, both ways) and at
// the best of all, with at most 0.7 false pages per stream-week.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pulse/bench/gen"
	"pulse/detect/algo"
)

type options struct {
	kinds   []string
	params  map[string]any
	seeds   []uint64
	streams gen.StreamsOptions
	only    string
	cpus    int
	verbose bool
	sweep   bool
	dump    string
	check   bool
}

func main() {
	var o options
	var spec algo.Spec
	detector := flag.String("detector", "auto", "kinds, separated by commas, or all")
	flag.Func("set", "key=value of the detector; may be given again", spec.Set)
	seeds := flag.String("seeds", "1", "seeds, separated by commas")
	quick := flag.Bool("quick", false, "fewer streams, none at 10 s")
	flag.StringVar(&o.only, "only", "", "show rows whose name contains this, such as drop or leak")
	flag.IntVar(&o.cpus, "cpu", runtime.NumCPU(), "streams judged at a time")
	flag.BoolVar(&o.verbose, "v", false, "list incidents missed and pages that nobody wanted")
	flag.BoolVar(&o.sweep, "sweep", false, "also run with other thresholds: takes a dozen times as long")
	flag.StringVar(&o.dump, "dump", "", "write the verdicts on this stream as CSV instead, with what happens in the last column")
	flag.BoolVar(&o.check, "check", false, "end with 1 when a kind misses a target")
	flag.IntVar(&o.streams.Minute, "minute", 0, "streams at 1 min; 0 is the default of 40, negative is none")
	flag.IntVar(&o.streams.Fine, "fine", 0, "streams at 10 s; 0 is the default of 8, negative is none")
	flag.IntVar(&o.streams.Families, "families", 0, "groups of three regions and their sum; 0 is the default of 4, negative is none")
	flag.BoolVar(&o.streams.Plain, "plain", false, "streams of another kind: one daily shape, stronger noise that lasts, faster holidays")
	flag.BoolVar(&o.streams.Abrupt, "abrupt", false, "days change their level from one moment to the next: harder than services are")
	flag.Parse()
	o.params = spec.Params
	if *quick {
		o.streams = gen.StreamsOptions{Minute: 12, Families: 1, Fine: -1, Weeks: 2, Plain: o.streams.Plain, Abrupt: o.streams.Abrupt}
	}
	o.kinds = kindsOf(*detector)
	for _, text := range strings.Split(*seeds, ",") {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			fmt.Fprintf(os.Stderr, "sps: seed %q is not a whole number\n", text)
			os.Exit(2)
		}
		o.seeds = append(o.seeds, seed)
	}
	if err := run(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "sps:", err)
		os.Exit(1)
	}
}

// kindsOf reads the flag -detector: all are those that draw a band.
func kindsOf(text string) []string {
	if text != "all" {
		return strings.Split(text, ",")
	}
	var out []string
	for _, k := range algo.Kinds() {
		if len(targets(k.Name)) > 0 {
			out = append(out, k.Name)
		}
	}
	return out
}

func run(w io.Writer, o options) error {
	if o.dump != "" {
		return dump(w, o)
	}
	all := variants(o)
	results := make([]judged, len(all))
	for i, v := range all {
		results[i].variant = v
	}
	for _, seed := range o.seeds {
		courses, err := watchAll(gen.Streams(seed, o.streams), all, o.cpus)
		if err != nil {
			return err
		}
		for i := range all {
			results[i].bySeed = append(results[i].bySeed, courses[i])
		}
	}
	missed := 0
	for k, kind := range o.kinds {
		missed += show(w, &results[k], o)
		if o.sweep && o.only == "" {
			printSweep(w, slices.DeleteFunc(slices.Clone(results[len(o.kinds):]), func(j judged) bool { return j.kind != kind }))
		}
	}
	if o.check && missed > 0 {
		return fmt.Errorf("%d targets are missed", missed)
	}
	return nil
}

// watchAll runs every variant over every stream, which is made once.
func watchAll(streams []*gen.Stream, all []variant, cpus int) ([][]*course, error) {
	out := make([][]*course, len(all))
	for k := range out {
		out[k] = make([]*course, len(streams))
	}
	var mu sync.Mutex
	var failed error
	next := make(chan int)
	var group sync.WaitGroup
	for range max(cpus, 1) {
		group.Go(func() {
			for i := range next {
				s := streams[i]
				values := s.Values()
				for k, v := range all {
					spec := algo.Spec{Kind: v.kind, Params: v.params}
					d, err := algo.NewForScore(spec, s.Step)
					if err != nil {
						mu.Lock()
						failed = err
						mu.Unlock()
						break
					}
					out[k][i] = watch(s, values, d, spec.Threshold())
				}
			}
		})
	}
	for i := range streams {
		next <- i
	}
	close(next)
	group.Wait()
	return out, failed
}

// show prints what a kind did, and returns how many of its targets it missed.
func show(w io.Writer, j *judged, o options) (missed int) {
	courses := slices.Concat(j.bySeed...)
	all := judgeOnsets(courses)
	fmt.Fprintf(w, "\n%s, %d streams, seeds %v, as shipped\n", j.kind, len(courses), o.seeds)
	all.print(w, o.only)
	if o.verbose {
		all.details(w, o.only)
	}
	if o.only != "" {
		return 0
	}
	missed = check(w, j.kind, courses)
	if len(j.bySeed) > 1 {
		for i, courses := range j.bySeed {
			one := judgeOnsets(courses)
			fmt.Fprintf(w, "  seed %d: found %s, false %.3f\n", o.seeds[i], percent(one.share(wanted).of()), one.rate())
		}
	}
	scored := &outcome{}
	for _, c := range courses {
		scored.judge(c.stream, c.scored)
	}
	spec := algo.Spec{Params: o.params}
	fmt.Fprintf(w, "  were the score alone to page, at %.6g: found %s, false %.3f\n", spec.Threshold(), percent(scored.share(wanted).of()), scored.rate())
	return missed
}

// dump writes the verdicts of the first kind on one stream.
func dump(w io.Writer, o options) error {
	for _, seed := range o.seeds {
		for _, s := range gen.Streams(seed, o.streams) {
			if s.Name != o.dump {
				continue
			}
			d, err := algo.NewForScore(algo.Spec{Kind: o.kinds[0], Params: o.params}, s.Step)
			if err != nil {
				return err
			}
			b := bufio.NewWriter(w)
			fmt.Fprintln(b, strings.TrimSpace(algo.Header)+",event")
			for i, v := range s.Values() {
				t := s.Start + int64(i+1)*s.Step
				line := algo.AppendRow(nil, time.UnixMilli(t).UTC().Format("2006-01-02 15:04:05"), v, d.Step(t, v))
				name := ""
				for _, e := range s.Events {
					if over, ends := e.End(); t > e.Start && (t-s.Step < over || !ends) {
						name = fmt.Sprintf("%s %.0f%%", e.Class, 100*e.Depth)
					}
				}
				fmt.Fprintf(b, "%s,%s\n", line[:len(line)-1], name)
			}
			return b.Flush()
		}
	}
	return fmt.Errorf("no stream is named %s", o.dump)
}
