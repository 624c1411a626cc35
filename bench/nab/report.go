package main

import (
	"fmt"
	"io"
	"slices"
)

// report prints what one detector's verdicts are worth, and returns how many targets
// are missed.
func report(w io.Writer, name string, streams []*stream, threshold float64, verbose bool) (missed int) {
	fmt.Fprintf(w, "\n%s\n  %-34s%10s%10s%10s\n", name, "", "standard", "low FP", "low FN")
	shipped := atLeast(threshold)
	row(w, fmt.Sprintf("as shipped, score >= %.6g", threshold), func(p profile) float64 { return scoreOf(streams, p, shipped) })
	row(w, "  give or take, by streams drawn", func(p profile) float64 { return spread(streams, p, shipped) })
	fires := !slices.ContainsFunc(streams, func(s *stream) bool { return s.firing == nil })
	if fires {
		row(w, "as shipped, onsets", func(p profile) float64 { return scoreOf(streams, p, onset) })
	}
	row(w, "threshold of the other half", func(p profile) float64 { return heldOut(streams, p) })
	best := make([]float64, len(profiles()))
	for i, p := range profiles() {
		best[i] = optimum(streams, p)
	}
	row(w, "optimum", func(p profile) float64 { return scoreOf(streams, p, atLeast(optimum(streams, p))) })
	fmt.Fprintf(w, "  %-34s%10.6f%10.6f%10.6f\n", "  at the threshold", best[0], best[1], best[2])

	fmt.Fprintf(w, "  %-26s%10s%8s%8s%8s%12s%12s%10s\n", "as shipped, by category", "standard", "onsets", "optimum", "found", "false rows", "per week", "delay")
	for _, part := range categories(streams) {
		c := count(part.streams, shipped)
		p := profiles()[0]
		onsets := "-"
		if fires {
			onsets = fmt.Sprintf("%.1f", scoreOf(part.streams, p, onset))
		}
		fmt.Fprintf(w, "  %-26s%10.1f%8s%8.1f%8s%12d%12.2f%10.1f\n", part.name, scoreOf(part.streams, p, shipped), onsets,
			scoreOf(part.streams, p, atLeast(best[0])), fmt.Sprintf("%d/%d", c.found, c.windows), c.falseRows, c.perWeek(), c.medianDelay())
	}
	for _, want := range []float64{0.7, 0.8} {
		if t, ok := forRecall(streams, want); ok {
			c := count(streams, atLeast(t))
			fmt.Fprintf(w, "  recall %.1f: %.2f false episodes per stream-week, precision %.2f, median delay %.0f rows, at a threshold of %.6f\n", want, c.perWeek(), c.precision(), c.medianDelay(), t)
		} else {
			fmt.Fprintf(w, "  recall %.1f: out of reach\n", want)
		}
	}
	quiet(w, streams, shipped, best[0], fires)
	missed = check(w, name, streams)
	if verbose {
		perStream(w, streams, shipped)
	}
	return missed
}

func row(w io.Writer, title string, value func(p profile) float64) {
	fmt.Fprintf(w, "  %-34s", title)
	for _, p := range profiles() {
		fmt.Fprintf(w, "%10.2f", value(p))
	}
	fmt.Fprintln(w)
}

// quiet prints what happens where there is nothing to find.
func quiet(w io.Writer, streams []*stream, shipped detects, best float64, fires bool) {
	var empty []*stream
	for _, s := range streams {
		if len(s.windows) == 0 {
			empty = append(empty, s)
		}
	}
	if len(empty) == 0 {
		return
	}
	onsets := "unknown"
	if fires {
		onsets = fmt.Sprint(count(empty, onset).falseRows)
	}
	fmt.Fprintf(w, "  %d streams without anomaly: as shipped %d episodes, %s onsets; %d episodes at the optimum\n",
		len(empty), count(empty, shipped).episodes, onsets, count(empty, atLeast(best)).episodes)
}

// check prints what the kinds have to reach on the whole corpus, standard profile, and
// returns how many targets are missed.
func check(w io.Writer, name string, streams []*stream) (missed int) {
	want, ok := map[string][2]float64{"static": {50, 45}, "exponential": {60, 58}, "double-exponential": {60, 58}, "auto": {70, 67}}[name]
	if !ok {
		return 0
	}
	p := profiles()[0]
	for i, t := range []struct {
		name string
		got  float64
	}{{"optimum", scoreOf(streams, p, atLeast(optimum(streams, p)))}, {"threshold of the other half", heldOut(streams, p)}} {
		word := "pass"
		if t.got < want[i] {
			word = "FAIL"
			missed++
		}
		fmt.Fprintf(w, "  %s  %-34s %6.2f  want >= %.0f on the whole corpus\n", word, t.name, t.got, want[i])
	}
	if name != "auto" {
		return missed
	}
	word, n := "pass", 0
	for _, s := range streams {
		if len(s.windows) == 0 && s.firing != nil {
			n += count([]*stream{s}, onset).falseRows
		}
	}
	if n > 0 {
		word = "FAIL"
		missed++
	}
	fmt.Fprintf(w, "  %s  %-34s %6d  want 0\n", word, "alerts where there is no anomaly", n)
	return missed
}

func perStream(w io.Writer, streams []*stream, shipped detects) {
	p := profiles()[0]
	for _, s := range streams {
		one := []*stream{s}
		c := count(one, shipped)
		fmt.Fprintf(w, "    %-66s raw %7.3f  found %d/%d  false rows %d, episodes %d\n", s.name, rawScore(one, p, shipped), c.found, c.windows, c.falseRows, c.episodes)
	}
}

type part struct {
	name    string
	streams []*stream
}

// categories splits the streams by folder, which they are sorted by.
func categories(streams []*stream) []part {
	var out []part
	for _, s := range streams {
		name := category(s.name)
		if len(out) == 0 || out[len(out)-1].name != name {
			out = append(out, part{name: name})
		}
		last := &out[len(out)-1]
		last.streams = append(last.streams, s)
	}
	return out
}
