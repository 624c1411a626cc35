package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"pulse/bench/gen"
)

// row is a line of the incident table.
type row struct {
	name string
	pick func(f *fate) bool
}

func kind(k gen.Kind) func(f *fate) bool {
	return func(f *fate) bool { return f.event.Kind == k && f.event.Class == k.String() }
}

func depth(k gen.Kind, d float64) func(f *fate) bool {
	return func(f *fate) bool { return kind(k)(f) && math.Abs(math.Abs(f.event.Depth)-d) < 1e-9 }
}

func deeper(k gen.Kind, from, to float64) func(f *fate) bool {
	return func(f *fate) bool { return kind(k)(f) && f.event.Depth >= from && f.event.Depth < to && !f.event.Trial }
}

func class(name string) func(f *fate) bool {
	return func(f *fate) bool { return f.event.Class == name && f.event.Want != gen.Either }
}

func and(a, b func(f *fate) bool) func(f *fate) bool {
	return func(f *fate) bool { return a(f) && b(f) }
}

func up(f *fate) bool   { return f.event.Depth > 0 }
func down(f *fate) bool { return f.event.Depth < 0 }

// incidents are the rows of what must be found.
func incidents() []row {
	return []row{
		{"drop 5 %", depth(gen.Drop, 0.05)},
		{"drop 10 %", depth(gen.Drop, 0.1)},
		{"drop 20 %", depth(gen.Drop, 0.2)},
		{"drop 50 %", depth(gen.Drop, 0.5)},
		{"drop 100 %", depth(gen.Drop, 1)},
		{"leak to 10 %", depth(gen.Leak, 0.1)},
		{"leak to 20 %", depth(gen.Leak, 0.2)},
		{"leak to 50 %", depth(gen.Leak, 0.5)},
		{"shift +10 %", and(depth(gen.Shift, 0.1), up)},
		{"shift -10 %", and(depth(gen.Shift, 0.1), down)},
		{"shift +20 %", and(depth(gen.Shift, 0.2), up)},
		{"shift -20 %", and(depth(gen.Shift, 0.2), down)},
		{"spike 30-50 %", deeper(gen.Spike, 0, 0.9)},
		{"spike x2 and more", deeper(gen.Spike, 0.9, math.Inf(1))},
		{"frozen", kind(gen.Frozen)},
		{"region lost", class("region lost")},
		{"region lost, failover", class("region lost with failover")},
		{"region lost, on the sum", class("region of the sum lost")},
	}
}

// harmless are the rows of what must not page.
func harmless() []row {
	return []row{
		{"dip 10-25 %", deeper(gen.Dip, 0, 0.25)},
		{"dip 25-40 %", deeper(gen.Dip, 0.25, 1)},
		{"gap", kind(gen.Gap)},
		{"lost samples", kind(gen.Lost)},
		{"restart", func(f *fate) bool { return kind(gen.Restart)(f) && !f.event.Trial }},
		{"holiday to 20 %", func(f *fate) bool { return kind(gen.Holiday)(f) && math.Abs(f.event.Depth) < 0.25 }},
		{"holiday to 35 %", func(f *fate) bool { return kind(gen.Holiday)(f) && math.Abs(f.event.Depth) > 0.25 }},
		{"failover, on the sum", class("failover on the sum")},
		{"(restart, minute of 0)", func(f *fate) bool { return f.event.Trial }},
	}
}

// brackets are volumes: levels in starts per second.
var brackets = [...]struct {
	name     string
	from, to float64
}{{"5-50/s", 0, 50}, {"50-500/s", 50, 500}, {"500-5k/s", 500, 5000}, {"5k-100k/s", 5000, math.Inf(1)}}

func volume(k int) func(f *fate) bool {
	return func(f *fate) bool { return f.stream.Level >= brackets[k].from && f.stream.Level < brackets[k].to }
}

// from takes streams of at least a level.
func from(level float64) func(f *fate) bool {
	return func(f *fate) bool { return f.stream.Level >= level }
}

// print writes the table of an outcome.
func (o *outcome) print(w io.Writer, only string) {
	fmt.Fprintf(w, "  %-26s%6s%8s", "must page", "n", "found")
	for _, b := range brackets {
		fmt.Fprintf(w, "%11s", b.name)
	}
	fmt.Fprintf(w, "%8s%8s%9s%7s%7s\n", "<=60s", "<=180s", "p50 s", "p90", "p99")
	for _, r := range append(incidents(), row{"all", wanted}) {
		if !strings.Contains(r.name, only) && r.name != "all" {
			continue
		}
		s := o.share(r.pick)
		fmt.Fprintf(w, "  %-26s%6d%8s", r.name, s.n, percent(s.of()))
		for k := range brackets {
			fmt.Fprintf(w, "%11s", percent(o.share(and(r.pick, volume(k))).of()))
		}
		fmt.Fprintf(w, "%8s%8s%9.0f%7.0f%7.0f\n", percent(s.within(minute)), percent(s.within(3*minute)), s.percentile(0.5), s.percentile(0.9), s.percentile(0.99))
	}
	fmt.Fprintf(w, "  %-26s%6s%8s\n", "must not page", "n", "paged")
	for _, r := range harmless() {
		if !strings.Contains(r.name, only) {
			continue
		}
		s := o.share(r.pick)
		fmt.Fprintf(w, "  %-26s%6d%8s", r.name, s.n, percent(s.of()))
		for k := range brackets {
			fmt.Fprintf(w, "%11s", percent(o.share(and(r.pick, volume(k))).of()))
		}
		fmt.Fprintln(w)
	}
	benign := 0
	for _, f := range o.false {
		if f.benign != "" {
			benign++
		}
	}
	fmt.Fprintf(w, "  false pages per stream-week: %.3f (%.3f while nothing happened, %.3f in what must not page), over %.0f stream-weeks\n",
		o.rate(), float64(len(o.false)-benign)/o.weeks, float64(benign)/o.weeks, o.weeks)
	fmt.Fprintf(w, "  not counted, per stream-week: echoes %.3f (%.3f in the half-hour after an incident), repeats within incidents %.3f, while learning %.3f; out %.2f %% of the time\n",
		float64(o.echoes)/o.weeks, float64(o.promptly)/o.weeks, float64(o.repeats)/o.weeks, float64(o.early)/o.learning, 100*float64(o.out)/o.weeks/float64(week))
}

func percent(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*x)
}

// details lists what went wrong.
func (o *outcome) details(w io.Writer, only string) {
	at := func(t int64) string { return time.UnixMilli(t).UTC().Format("2006-01-02 15:04:05 Mon") }
	for _, f := range o.fates {
		name := fmt.Sprintf("%s %.0f %%", f.event.Class, 100*f.event.Depth)
		if !strings.Contains(name, only) || f.event.Want == gen.Either {
			continue
		}
		already := ""
		if f.before {
			already = ", already out"
		}
		switch {
		case f.event.Want == gen.Page && !f.found:
			fmt.Fprintf(w, "    missed %-24s %-18s %8.0f/s  %s for %s%s\n", name, f.stream.Name, f.stream.Level, at(f.event.Start), time.Duration(f.event.Duration)*time.Millisecond, already)
		case f.event.Want == gen.Silence && f.found:
			fmt.Fprintf(w, "    paged  %-24s %-18s %8.0f/s  %s for %s, after %ds, %s\n", name, f.stream.Name, f.stream.Level, at(f.event.Start), time.Duration(f.event.Duration)*time.Millisecond, f.delay/1000, f.cause)
		}
	}
	for _, f := range o.false {
		if f.benign == "" && only == "" {
			fmt.Fprintf(w, "    false  %-24s %-18s %8.0f/s  %s\n", f.cause, f.stream.Name, f.stream.Level, at(f.t))
		}
	}
}
