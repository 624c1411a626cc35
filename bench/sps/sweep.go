package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// thresholds are the scores tried: from leastRemark up in equal steps of the
// logarithm of the chance.
func thresholds() []float64 {
	var out []float64
	for e := -math.Log(1-leastRemark) + 0.1; e < 36; e += 0.2 {
		out = append(out, -math.Expm1(-e))
	}
	return out
}

// at judges courses with the pages of a threshold.
func at(courses []*course, threshold float64) *outcome {
	o := &outcome{}
	for _, c := range courses {
		o.judge(c.stream, c.pagesAt(threshold))
	}
	return o
}

// best returns the threshold that finds most with at most pagesAllowed false
// pages per stream-week, false when there is none.
func best(courses []*course) (float64, bool) {
	threshold, most, ok := 0.0, -1.0, false
	for _, t := range thresholds() {
		o := at(courses, t)
		if s := o.share(wanted).of(); o.rate() <= pagesAllowed && s > most {
			threshold, most, ok = t, s, true
		}
	}
	return threshold, ok
}

// sweep prints what other thresholds would find.
func sweep(w io.Writer, bySeed [][]*course, shipped float64) {
	all := slices.Concat(bySeed...)
	o := at(all, shipped)
	fmt.Fprintf(w, "  by score, page at >= %.6g:        found %s, false %.3f\n", shipped, percent(o.share(wanted).of()), o.rate())
	parts, name := bySeed, "other seeds"
	if len(bySeed) == 1 {
		name = "the other half"
		parts = make([][]*course, 2)
		for i, c := range all {
			parts[i%2] = append(parts[i%2], c)
		}
	}
	other := &outcome{}
	for i := range parts {
		t, ok := best(slices.Concat(slices.Delete(slices.Clone(parts), i, i+1)...))
		if !ok {
			t = 2 // nothing pages
		}
		for _, c := range parts[i] {
			other.judge(c.stream, c.pagesAt(t))
		}
	}
	fmt.Fprintf(w, "  at the threshold of %-14s found %s, false %.3f\n", name+":", percent(other.share(wanted).of()), other.rate())
	if t, ok := best(all); ok {
		o := at(all, t)
		fmt.Fprintf(w, "  at the best threshold, %.8g: found %s, false %.3f\n", t, percent(o.share(wanted).of()), o.rate())
	} else {
		fmt.Fprintf(w, "  no threshold has at most %.1f false pages per stream-week\n", pagesAllowed)
	}
}
