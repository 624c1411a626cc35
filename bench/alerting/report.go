package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pulse/bench/server"
)

// report prints the latencies of the alerts that began at the steps from from to to.
func (w *watch) report(n int, falls []fall, list []hook, from, to int64) {
	rounds := len(falls)
	list = slices.DeleteFunc(list, func(h hook) bool { return w.disturbed(w.stepOf(h.Step)) })
	falls = slices.DeleteFunc(falls, func(f fall) bool { return w.disturbed(f.at) })
	var all, after, summaries []time.Duration
	first, paged := map[int64]time.Duration{}, map[page]bool{}
	summed := 0
	for _, h := range list {
		answered, known := w.answered[h.Step]
		took := time.Duration(h.At - answered)
		switch {
		case h.Kind == "alert.summary":
			if answered, known = w.summarised(h.Step, from); known {
				summaries, summed = append(summaries, time.Duration(h.At-answered)), summed+h.Count
			}
		case h.Kind != "alert.firing" || !known || h.Step < from || h.Step >= to:
		case h.Rule == "after":
			after = append(after, took)
		case paged[page{h.Step, h.Group}]: // others joined its group
		default:
			all, paged[page{h.Step, h.Group}] = append(all, took), true
			if was, seen := first[h.Step]; !seen || took < was {
				first[h.Step] = took
			}
		}
	}
	q := server.Quantile
	firsts := slices.Collect(maps.Values(first))
	fmt.Fprintf(w.out, "%5d firing, %d of %d rounds in time: pages %d p50 %s p99 %s max %s; first of a step p50 %s max %s\n",
		n, len(falls), rounds, len(all), q(all, .5), q(all, .99), q(all, 1), q(firsts, .5), q(firsts, 1))
	if len(summaries) > 0 {
		fmt.Fprintf(w.out, "       summaries %d of %d alerts, p50 %s p99 %s max %s\n", len(summaries), summed, q(summaries, .5), q(summaries, .99), q(summaries, 1))
	}
	owed, missing, wrong := w.owed(falls, paged)
	fmt.Fprintf(w.out, "       told of %d of %d%s; page of the step after: %d of %d, p50 %s max %s\n",
		len(all)+summed, owed, wrong, len(after), len(falls), q(after, .5), q(after, 1))
	if summed == 0 && len(missing) > 0 {
		fmt.Fprintf(w.out, "       not told of %s\n", strings.Join(missing[:min(len(missing), 10)], ", "))
	}
	if w.failed > 0 {
		fmt.Fprintf(w.out, "       publishes refused %d\n", w.failed)
	}
}

// page is an alert that somebody was told of.
type page struct {
	step  int64
	group string
}

// stepOf returns the step that a time is in, Unix ms.
func (w *watch) stepOf(at int64) int64 { step := w.step.Milliseconds(); return at / step * step }

// summarised returns the last answer of the newest step of which an answer came before
// a summary was made, at a time.
func (w *watch) summarised(made, from int64) (answered int64, known bool) {
	for at := w.stepOf(made); at >= from; at -= w.step.Milliseconds() {
		if answered, known = w.answered[at]; known && answered < (made+1)*int64(time.Millisecond) {
			return answered, true
		}
	}
	return 0, false
}

// owed returns how many alerts somebody is to be told of, which of them nobody was, and
// what there is to say of those that are held back.
func (w *watch) owed(falls []fall, paged map[page]bool) (owed int, missing []string, wrong string) {
	held, slipped := 0, 0
	for _, f := range falls {
		for g := f.rest; g < w.groups; g += f.every {
			name := groupName(g)
			told := paged[page{f.at, name}]
			switch {
			case w.heldBack(g, f):
				if held++; told {
					slipped++
				}
			default:
				if owed++; !told {
					missing = append(missing, fmt.Sprintf("%s at %d", name, f.at))
				}
			}
		}
	}
	if held > 0 {
		wrong = fmt.Sprintf("; %d held back, told of %d of them", held, slipped)
	}
	return owed, missing, wrong
}

// rates prints how many notifications the receiver that got most had in a minute.
func (w *watch) rates(list []hook) {
	by := map[string][]int64{}
	summaries := map[string][]int64{}
	for _, h := range list {
		switch {
		case h.Part:
		case h.Kind == "alert.summary":
			summaries[h.To] = append(summaries[h.To], h.At)
		default:
			by[h.To] = append(by[h.To], h.At)
		}
	}
	fmt.Fprintf(w.out, "       at most %d notifications and %d summaries in a minute at a receiver\n", busiest(by), busiest(summaries))
}

// counts is what a server has counted since it started.
type counts struct {
	Detect struct{ Silenced, Inhibited, Muted, Unrouted, Suppressed, Unsent int64 }
}

// heard prints what the server has counted since before.
func (w *watch) heard(before counts) error {
	var now counts
	if err := server.Status(w.server.URL, &now); err != nil {
		return err
	}
	a, b := now.Detect, before.Detect
	fmt.Fprintf(w.out, "       server: %d silenced, %d inhibited, %d muted; %d without a receiver, %d over the limit, %d given up\n",
		a.Silenced-b.Silenced, a.Inhibited-b.Inhibited, a.Muted-b.Muted, a.Unrouted-b.Unrouted, a.Suppressed-b.Suppressed, a.Unsent-b.Unsent)
	return nil
}

// busiest returns the most that any of them has within a minute, less the second by
// which what is sent apart may arrive closer together. Unix ns.
func busiest(by map[string][]int64) int {
	most := 0
	for _, times := range by {
		slices.SortFunc(times, cmp.Compare[int64])
		for from, to := 0, 0; to < len(times); to++ {
			for times[to]-times[from] >= int64(time.Minute-time.Second) {
				from++
			}
			most = max(most, to-from+1)
		}
	}
	return most
}
