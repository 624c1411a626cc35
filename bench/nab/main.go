// Command nab scores detectors on a folder in the layout of the Numenta Anomaly
// Benchmark: data/<category>/<file>.csv and labels/combined_windows.json.
//
//	go run ./bench/nab -detector auto DIR
//	go run ./bench/nab -detector exponential -set alpha=0.1 -out scores DIR
//	go run ./bench/nab -results scores DIR
//
// Every stream goes through what `pulse score` runs, row by row, with one
// configuration for all. Per detector it prints the scores of the three profiles
//
//	as shipped    a row is a detection when its score reaches the detector's
//	              default threshold
//	onsets        a row is a detection when the detector goes out there, which
//	              is what pages
//	other half    the threshold is the best one of one half of the streams, the
//	              score that of the other half; mean of both ways
//	optimum       the best threshold of the same streams, as published scores have it
//
// and further per category, how many false episodes a stream suffers per week at
// the thresholds that find 0.7 and 0.8 of the windows, and what happens on
// streams in which there is nothing to find.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"pulse/detect/algo"
)

type options struct {
	detector  string
	spec      algo.Spec // its parameters
	cpus      int
	out       string
	results   string
	threshold float64
	verbose   bool
	check     bool
}

func main() {
	var o options
	flag.StringVar(&o.detector, "detector", "auto", "kinds, separated by commas, or all")
	flag.Func("set", "key=value of the detector; may be given again", o.spec.Set)
	flag.IntVar(&o.cpus, "cpu", runtime.NumCPU(), "streams judged at a time")
	flag.StringVar(&o.out, "out", "", "folder to write score files into, <kind>/<category>/<file>")
	flag.StringVar(&o.results, "results", "", "folder with score files to judge instead of a detector")
	flag.Float64Var(&o.threshold, "threshold", 0, "score that counts as shipped; 0 takes the detector's default")
	flag.BoolVar(&o.verbose, "v", false, "one line per stream as shipped")
	flag.BoolVar(&o.check, "check", false, "end with 1 when a kind misses a target")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: nab [flags] DIR")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), o); err != nil {
		fmt.Fprintln(os.Stderr, "nab:", err)
		os.Exit(1)
	}
}

func run(dir string, o options) error {
	c, err := openCorpus(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d streams with %d labelled windows", len(c.names), c.labelled())
	if c.absent > 0 {
		fmt.Printf("; %d labelled streams have no data here", c.absent)
	}
	fmt.Println()
	missed := 0
	if o.results != "" {
		streams, err := c.readResults(o.results, o.cpus)
		if err != nil {
			return err
		}
		missed = report(os.Stdout, filepath.Base(o.results), streams, o.limit(), o.verbose)
	} else if missed, err = judgeKinds(c, o); err != nil {
		return err
	}
	if o.check && missed > 0 {
		return fmt.Errorf("%d targets are missed", missed)
	}
	return nil
}

// judgeKinds runs every kind over the corpus, and returns how many targets they miss.
func judgeKinds(c *corpus, o options) (missed int, err error) {
	for _, kind := range kindsOf(o.detector) {
		folder := o.out
		if folder != "" {
			folder = filepath.Join(folder, kind)
		}
		o.spec.Kind = kind
		streams, err := c.judge(o.spec, o.cpus, folder)
		if err != nil {
			return 0, err
		}
		missed += report(os.Stdout, kind, streams, o.limit(), o.verbose)
	}
	return missed, nil
}

// limit is the score that counts as shipped.
func (o *options) limit() float64 {
	if o.threshold != 0 {
		return o.threshold
	}
	return o.spec.Threshold()
}

func (c *corpus) labelled() int {
	n := 0
	for _, name := range c.names {
		n += len(c.windows[name])
	}
	return n
}

// kindsOf reads the flag -detector: all are those that draw a band.
func kindsOf(text string) []string {
	if text != "all" {
		return strings.Split(text, ",")
	}
	var out []string
	for _, k := range algo.Kinds() {
		if k.Name == "static" || hasKey(k, "threshold") {
			out = append(out, k.Name)
		}
	}
	return out
}

func hasKey(k algo.Kind, name string) bool {
	for _, key := range k.Keys {
		if key.Name == name {
			return true
		}
	}
	return false
}
