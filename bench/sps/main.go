// Command sps judges detectors on streams of starts per second in which things
// go wrong at known times (bench/gen: Streams).
//
//	go run ./bench/sps -detector auto -seeds 1,2,3
//	go run ./bench/sps -detector exponential,double-exponential -quick -set alpha=0.1
//	go run ./bench/sps -detector auto -seeds 2 -only leak -v
//	go run ./bench/sps -detector auto -seeds 1 -dump 1/minute-07 > stream.csv
//
// Each stream has three weeks in which nothing happens and then weeks with
// incidents, hours apart. A page is a step at which the detector goes out. The
// table says, as shipped, which incidents were found, how long it took and what
// else paged; judge.go defines these words. Then, from the scores of the same
// run: what pages would be at the default threshold, at one chosen on the other
// seeds (with one seed: on the other half of the streams, both ways), and at the
// best one that has at most 0.7 false pages per stream-week. A stream that was
// judged by another threshold would have learned otherwise, so these are close,
// not exact.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"pulse/bench/gen"
	"pulse/detect/algo"
)

// sets is the flag -set, given any number of times.
type sets map[string]any

func (s sets) String() string { return "" }

func (s sets) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not key=value", text)
	}
	s[key] = value
	return nil
}

type options struct {
	kinds   []string
	params  sets
	seeds   []uint64
	streams gen.StreamsOptions
	only    string
	cpus    int
	verbose bool
	apart   bool
	dump    string
}

func main() {
	o := options{params: sets{}}
	detector := flag.String("detector", "auto", "kinds, separated by commas, or all")
	flag.Var(o.params, "set", "key=value of the detector; may be given again")
	seeds := flag.String("seeds", "1", "seeds, separated by commas")
	quick := flag.Bool("quick", false, "fewer streams, none at 10 s")
	flag.StringVar(&o.only, "only", "", "show rows whose name contains this, such as drop or leak")
	flag.IntVar(&o.cpus, "cpu", runtime.NumCPU(), "streams judged at a time")
	flag.BoolVar(&o.verbose, "v", false, "list incidents missed and pages that nobody wanted")
	flag.BoolVar(&o.apart, "apart", false, "a line per seed, to see the spread")
	flag.StringVar(&o.dump, "dump", "", "write the verdicts on this stream as CSV instead, with what happens in the last column")
	flag.IntVar(&o.streams.Minute, "minute", 0, "streams at 1 min; 0 is the default of 40, negative is none")
	flag.IntVar(&o.streams.Fine, "fine", 0, "streams at 10 s; 0 is the default of 8, negative is none")
	flag.IntVar(&o.streams.Families, "families", 0, "groups of three regions and their sum; 0 is the default of 4, negative is none")
	flag.Parse()
	if *quick {
		o.streams = gen.StreamsOptions{Minute: 12, Families: 1, Fine: -1, Weeks: 2}
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
	byKind := make([][][]*course, len(o.kinds)) // by kind, by seed
	spent := make([]time.Duration, len(o.kinds))
	for _, seed := range o.seeds {
		courses, took, err := watchAll(gen.Streams(seed, o.streams), o)
		if err != nil {
			return err
		}
		for k := range o.kinds {
			byKind[k] = append(byKind[k], courses[k])
			spent[k] += took[k]
		}
	}
	for k, kind := range o.kinds {
		show(w, kind, byKind[k], o, spent[k])
	}
	return nil
}

// watchAll runs every kind over every stream, which is made once.
func watchAll(streams []*gen.Stream, o options) ([][]*course, []time.Duration, error) {
	out := make([][]*course, len(o.kinds))
	for k := range out {
		out[k] = make([]*course, len(streams))
	}
	var mu sync.Mutex
	var failed error
	spent := make([]time.Duration, len(o.kinds))
	next := make(chan int)
	var group sync.WaitGroup
	for range max(o.cpus, 1) {
		group.Go(func() {
			for i := range next {
				s := streams[i]
				values := s.Values()
				for k, kind := range o.kinds {
					begin := time.Now()
					d, err := algo.NewForScore(algo.Spec{Kind: kind, Params: o.params}, s.Step)
					if err == nil {
						out[k][i] = watch(s, values, d)
					}
					mu.Lock()
					spent[k] += time.Since(begin)
					if err != nil {
						failed = err
					}
					mu.Unlock()
				}
			}
		})
	}
	for i := range streams {
		next <- i
	}
	close(next)
	group.Wait()
	return out, spent, failed
}

func show(w io.Writer, kind string, bySeed [][]*course, o options, took time.Duration) {
	all, steps := &outcome{}, int64(0)
	for _, courses := range bySeed {
		for _, c := range courses {
			all.judge(c.stream, c.onsets)
			steps += (c.stream.End - c.stream.Start) / c.stream.Step
		}
	}
	fmt.Fprintf(w, "\n%s, %d streams, seeds %v, as shipped; %.0f ns per step\n", kind, len(bySeed)*len(bySeed[0]), o.seeds, float64(took.Nanoseconds())/float64(steps))
	all.print(w, o.only)
	if o.verbose {
		all.details(w, o.only)
	}
	if o.only != "" {
		return
	}
	all.check(w, kind)
	if o.apart {
		for i, courses := range bySeed {
			one := &outcome{}
			for _, c := range courses {
				one.judge(c.stream, c.onsets)
			}
			fmt.Fprintf(w, "  seed %d: found %s, false %.3f\n", o.seeds[i], percent(one.share(wanted).of()), one.rate())
		}
	}
	sweep(w, bySeed, defaultThreshold(kind, o.params))
}

// defaultThreshold is the score at which a detector is out.
func defaultThreshold(kind string, params sets) float64 {
	text, _ := params["threshold"].(string)
	for _, k := range algo.Kinds() {
		for _, key := range k.Keys {
			if key.Name == "threshold" && text == "" && (k.Name == kind || kind == "static") {
				text = key.Default
			}
		}
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v
	}
	return 0.999
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
