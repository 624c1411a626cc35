package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// thresholds are the scores that a sweep tries.
func thresholds() []float64 {
	return []float64{0.99, 0.995, 0.998, 0.999, 0.9993, 0.9997, 0.9999, 0.99997, 0.99999}
}

// variant is a kind with the threshold that it is out at, as it was given.
type variant struct {
	kind      string
	threshold string // empty: the default
	params    map[string]any
}

// variants returns the kinds as shipped and then, in a sweep, with every threshold.
func variants(o options) []variant {
	var out []variant
	for _, kind := range o.kinds {
		out = append(out, variant{kind, "", o.params})
	}
	if !o.sweep {
		return out
	}
	for _, kind := range o.kinds {
		for _, t := range thresholds() {
			text := strconv.FormatFloat(t, 'g', -1, 64)
			params := map[string]any{"threshold": text}
			for k, v := range o.params {
				if k != "threshold" {
					params[k] = v
				}
			}
			out = append(out, variant{kind, text, params})
		}
	}
	return out
}

// judged is what one variant said about the streams of each seed.
type judged struct {
	variant
	bySeed [][]*course
}

// parts are the courses by seed, or the two halves of a single seed's.
func (j *judged) parts() [][]*course {
	if len(j.bySeed) > 1 {
		return j.bySeed
	}
	out := make([][]*course, 2)
	for i, c := range j.bySeed[0] {
		out[i%2] = append(out[i%2], c)
	}
	return out
}

// best returns the variant that finds most on the courses that take chooses, with
// at most pagesAllowed false pages per stream-week; without one, that with the
// fewest false pages.
func best(all []judged, take func(j *judged) []*course) *judged {
	var winner *judged
	most, least := -1.0, 0.0
	for i := range all {
		o := judgeOnsets(take(&all[i]))
		found, false := o.share(wanted).of(), o.rate()
		if false > pagesAllowed {
			found = -1
		}
		if winner == nil || found > most || found < 0 && most < 0 && false < least {
			winner, most, least = &all[i], found, false
		}
	}
	return winner
}

// printSweep prints what other thresholds find.
func printSweep(w io.Writer, all []judged) {
	name := "other seeds"
	if len(all[0].bySeed) == 1 {
		name = "the other half of the streams"
	}
	var other []*course
	for i := range all[0].parts() {
		b := best(all, func(j *judged) []*course {
			return slices.Concat(slices.Delete(slices.Clone(j.parts()), i, i+1)...)
		})
		other = append(other, b.parts()[i]...)
	}
	o := judgeOnsets(other)
	fmt.Fprintf(w, "  threshold chosen on %s: found %s, false %.3f\n", name, percent(o.share(wanted).of()), o.rate())
	b := best(all, func(j *judged) []*course { return slices.Concat(j.bySeed...) })
	o = judgeOnsets(slices.Concat(b.bySeed...))
	fmt.Fprintf(w, "  best threshold, %s: found %s, false %.3f\n", b.threshold, percent(o.share(wanted).of()), o.rate())
	for _, j := range all {
		o := judgeOnsets(slices.Concat(j.bySeed...))
		fmt.Fprintf(w, "    %-12s found %s, false %.3f\n", j.threshold, percent(o.share(wanted).of()), o.rate())
	}
}
