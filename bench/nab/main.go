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

func main() {
	var spec algo.Spec
	detector := flag.String("detector", "auto", "kinds, separated by commas, or all")
	flag.Func("set", "key=value of the detector; may be given again", spec.Set)
	cpus := flag.Int("cpu", runtime.NumCPU(), "streams judged at a time")
	out := flag.String("out", "", "folder to write score files into, <kind>/<category>/<file>")
	results := flag.String("results", "", "folder with score files to judge instead of a detector")
	threshold := flag.Float64("threshold", 0, "score that counts as shipped; 0 takes the detector's default")
	verbose := flag.Bool("v", false, "one line per stream as shipped")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: nab [flags] DIR")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *detector, spec, *cpus, *out, *results, *threshold, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "nab:", err)
		os.Exit(1)
	}
}

func run(dir, detector string, spec algo.Spec, cpus int, out, results string, threshold float64, verbose bool) error {
	c, err := openCorpus(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d streams with %d labelled windows", len(c.names), c.labelled())
	if c.absent > 0 {
		fmt.Printf("; %d labelled streams have no data here", c.absent)
	}
	fmt.Println()
	if results != "" {
		streams, err := c.readResults(results, cpus)
		if err != nil {
			return err
		}
		if threshold == 0 {
			threshold = spec.Threshold()
		}
		report(os.Stdout, filepath.Base(results), streams, threshold, verbose)
		return nil
	}
	for _, kind := range kindsOf(detector) {
		folder := out
		if out != "" {
			folder = filepath.Join(out, kind)
		}
		spec.Kind = kind
		streams, err := c.judge(spec, cpus, folder)
		if err != nil {
			return err
		}
		limit := threshold
		if limit == 0 {
			limit = spec.Threshold()
		}
		report(os.Stdout, kind, streams, limit, verbose)
	}
	return nil
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
