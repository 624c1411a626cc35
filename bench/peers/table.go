package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pulse/bench/server"
)

// measured is what was found of one server.
type measured struct {
	first, known time.Duration // CPU of the first step, and of all others until the server had settled
	late         time.Duration // the longest from when a step was due until it was taken
	idle         float64       // cores, while nobody asks for anything
	settled      int64         // bytes of resident memory before the questions
	most         int64         // the same, at most so far
	mostAsked    int64         // the same, after the questions
	asked        []asked       // by question
	disk         int64         // bytes of the data folder after an orderly end
	parts        map[string]int64
	blocks       int64 // of Prometheus: everything as blocks, without its log
}

// asked is what one question cost.
type asked struct {
	cpu     time.Duration // of the server, in all
	took    []time.Duration
	wrong   int
	first   string // what was wrong
	refused string // what was said instead of an answer
}

// report prints the figures, a column per server.
func report(out io.Writer, f *fleet, qs []question, targets []*target) error {
	firsts, samples := 0, 0
	for k := range f.steps {
		for node := range f.nodes() {
			n := f.sent(node, k)
			if samples += n; k == 0 {
				firsts += n
			}
		}
	}
	fmt.Fprintf(out, "%d datapoints, %d of them in the first step\n\n", samples, firsts)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(t *target) string) {
		fmt.Fprintf(w, "%-34s\t", name)
		for _, t := range targets {
			fmt.Fprintf(w, "%s\t", cell(t))
		}
		fmt.Fprintln(w)
	}
	row("", func(t *target) string { return t.name })
	row("", func(t *target) string { return t.sends })
	row("CPU-s per 1M samples, known series", func(t *target) string { return fmt.Sprintf("%.3f", t.known.Seconds()*1e6/float64(samples-firsts)) })
	row("CPU of a series' first sample, us", func(t *target) string { return fmt.Sprintf("%.1f", t.first.Seconds()*1e6/float64(firsts)) })
	row("longest from due to taken, s", func(t *target) string { return fmt.Sprintf("%.1f", t.late.Seconds()) })
	row("CPU when idle, cores", func(t *target) string { return fmt.Sprintf("%.3f", t.idle) })
	row("resident, settled, MiB", func(t *target) string { return mib(t.settled) })
	row("resident at most, MiB", func(t *target) string { return mib(t.most) })
	row("resident at most with queries, MiB", func(t *target) string { return mib(t.mostAsked) })
	row("disk, bytes per sample", func(t *target) string { return perSample(t.disk, samples) })
	row("as blocks without log", func(t *target) string { return perSample(t.blocks, samples) })
	for i, q := range qs {
		row(q.name+": CPU, ms", func(t *target) string {
			if t.asked[i].refused != "" {
				return "refused"
			}
			return fmt.Sprintf("%.3g", t.asked[i].cpu.Seconds()*1000/float64(len(t.asked[i].took)))
		})
		row("p50, ms", func(t *target) string { return ms(t.asked[i].took, 0.5) })
		row("p99, ms", func(t *target) string { return ms(t.asked[i].took, 0.99) })
		row("times asked, wrong answers", func(t *target) string { return fmt.Sprintf("%d, %d", len(t.asked[i].took), t.asked[i].wrong) })
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return notes(out, qs, targets)
}

// notes says what the table's figures are made of, and fails when an answer was
// wrong.
func notes(out io.Writer, qs []question, targets []*target) error {
	said := ""
	for _, t := range targets {
		if t.without != "" && t.without != said {
			fmt.Fprintf(out, "%s %s\n", t.name, t.without)
			said = t.without
		}
	}
	for _, t := range targets {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(t.parts)) {
			parts = append(parts, fmt.Sprintf("%s %.1f MiB", name, float64(t.parts[name])/(1<<20)))
		}
		if len(parts) > 0 {
			fmt.Fprintf(out, "%s, %s: on disk %s\n", t.name, t.sends, strings.Join(parts, ", "))
		}
	}
	wrong := 0
	for _, t := range targets {
		for i, a := range t.asked {
			if a.refused != "" {
				fmt.Fprintf(out, "%s, %s: %s: refused with %s\n", t.name, t.sends, qs[i].name, a.refused)
			}
			if wrong += a.wrong; a.wrong > 0 {
				fmt.Fprintf(out, "%s, %s: %s: %d of %d answers are wrong, such as: %s\n", t.name, t.sends, qs[i].name, a.wrong, len(a.took), a.first)
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d answers are wrong", wrong)
	}
	return nil
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f", float64(bytes)/(1<<20)) }

func perSample(bytes int64, samples int) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(bytes)/float64(samples))
}

func ms(took []time.Duration, q float64) string {
	if len(took) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g", server.Quantile(took, q).Seconds()*1000)
}
