package main

import (
	"fmt"
	"io"
	"math"

	"pulse/bench/gen"
)

// pagesAllowed is the number of false pages per stream-week up to which a share
// of incidents found counts.
const pagesAllowed = 0.7

// target is something a kind has to reach.
type target struct {
	name  string
	value func(o *outcome) float64
	want  float64
	most  bool // want is the most allowed, not the least
}

func found(pick func(f *fate) bool) func(o *outcome) float64 {
	return func(o *outcome) float64 { return o.share(pick).of() }
}

func within(ms int64, pick func(f *fate) bool) func(o *outcome) float64 {
	return func(o *outcome) float64 { return o.share(pick).within(ms) }
}

// targets returns what a kind has to reach, as shipped.
func targets(name string) []target {
	out := []target{{"false pages per stream-week", (*outcome).rate, pagesAllowed, true}}
	shifts := and(wanted, kind(gen.Shift))
	dips := deeper(gen.Dip, 0, 1)
	switch name {
	case "static":
		return append(out, target{"all incidents", found(wanted), 0.26, false},
			target{"total outage", found(depth(gen.Drop, 1)), 1, false})
	case "exponential":
		return append(out, target{"all incidents", found(wanted), 0.55, false},
			target{"drop 50 %, within 180 s", within(3*minute, depth(gen.Drop, 0.5)), 1, false},
			target{"dips paged", found(dips), 0.02, true})
	case "double-exponential":
		return append(out, target{"all incidents", found(wanted), 0.65, false},
			target{"drop 20 %, within 180 s", within(3*minute, depth(gen.Drop, 0.2)), 0.85, false},
			target{"shifts", found(shifts), 0.70, false})
	case "seasonal", "auto":
		deep := func(f *fate) bool { return kind(gen.Drop)(f) && f.event.Depth >= 0.5 }
		gaps := func(f *fate) bool { return kind(gen.Gap)(f) || kind(gen.Lost)(f) }
		return append(out, target{"all incidents", found(wanted), 0.85, false},
			target{"from 500/s: drop 20 %, within 180 s", within(3*minute, and(depth(gen.Drop, 0.2), from(500))), 1, false},
			target{"from 500/s: drop 10 %, within 180 s", within(3*minute, and(depth(gen.Drop, 0.1), from(500))), 0.97, false},
			target{"drops of 50 % and more, within 60 s", within(minute, deep), 1, false},
			target{"leak to 50 %", found(depth(gen.Leak, 0.5)), 1, false},
			target{"leak to 20 %", found(depth(gen.Leak, 0.2)), 0.70, false},
			target{"frozen", found(kind(gen.Frozen)), 1, false},
			target{"dips paged", found(dips), 0.01, true},
			target{"gaps and lost samples paged", found(gaps), 0.01, true},
			target{"restarts paged", found(and(kind(gen.Restart), func(f *fate) bool { return !f.event.Trial })), 0, true},
			target{"holidays paged", found(kind(gen.Holiday)), 0.10, true})
	}
	return nil
}

// check prints what the pages on courses reach of the targets of a kind, altogether and
// by volume, and returns how many targets are missed.
func check(w io.Writer, name string, courses []*course) (missed int) {
	passed, n := 0, 0
	o, parts := judgeOnsets(courses), byVolume(courses)
	for _, t := range targets(name) {
		v := t.value(o)
		if math.IsNaN(v) {
			continue
		}
		n++
		ok, word, sign := v >= t.want-1e-9, "FAIL", ">="
		if t.most {
			ok, sign = v <= t.want+1e-9, "<="
		}
		if ok {
			word, passed = "pass", passed+1
		}
		fmt.Fprintf(w, "  %s  %-38s %6.3f  want %s %.2f ", word, t.name, v, sign, t.want)
		for _, p := range parts {
			if v := t.value(p); !math.IsNaN(v) {
				fmt.Fprintf(w, "%8.3f", v)
			} else {
				fmt.Fprintf(w, "%8s", "-")
			}
		}
		fmt.Fprintln(w)
	}
	if n > 0 {
		fmt.Fprintf(w, "  %d of %d targets\n", passed, n)
	}
	return n - passed
}
