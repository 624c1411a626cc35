package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"pulse/bench/server"
)

// report is what was measured.
type report struct {
	options                    options
	calm, loaded, after        phase
	calmMemory                 int64
	bomb                       bombed
	health                     []time.Duration
	kept                       int64 // series
	restart                    time.Duration
	restartMemory, bombsMemory int64
}

func (p *phase) print(out io.Writer, name string) {
	fmt.Fprintf(out, "%-22s %d requests of %d points, %d not accepted whole; p50 %s, p99 %s\n", name, p.requests, perNode, p.refused, server.Quantile(p.latency, 0.5), server.Quantile(p.latency, 0.99))
	if p.sample != "" {
		fmt.Fprintf(out, "%-22s %.200s\n", "", p.sample)
	}
}

func (r *report) print(out io.Writer) {
	o := &r.options
	fmt.Fprintf(out, "%d new series beside %d known ones, the first %d of them for %s more; step %s, --memory %s, %d cores shared with the load\n\n",
		o.series, o.known, min(o.hot, o.series), o.hold, o.step, o.memory, runtime.NumCPU())
	r.calm.print(out, "known, before")
	r.loaded.print(out, "known, under the bomb")
	r.after.print(out, "known, after a restart")
	fmt.Fprintf(out, "%-22s %d series in %s, %.0f/s; answers by status:", "bomb", r.bomb.series, r.bomb.took.Round(time.Millisecond), float64(r.bomb.series)/r.bomb.took.Seconds())
	for _, status := range slices.Sorted(maps.Keys(r.bomb.byStatus)) {
		fmt.Fprintf(out, " %d × %d", r.bomb.byStatus[status], status)
	}
	fmt.Fprintf(out, "\n%-22s %d kept at the end\n", "series", r.kept)
	fmt.Fprintf(out, "%-22s p50 %s, p99 %s, slowest %s of %d\n", "/ok, /healthcheck", server.Quantile(r.health, 0.5), server.Quantile(r.health, 0.99), server.Quantile(r.health, 1), len(r.health))
	fmt.Fprintf(out, "%-22s %d MiB before, %d MiB under the bomb, %d MiB after the restart; at most %d MiB\n", "anonymous memory, peak", r.calmMemory>>20, r.bombsMemory>>20, r.restartMemory>>20, o.most>>20)
	fmt.Fprintf(out, "%-22s ready %s after a kill\n", "restart", r.restart.Round(time.Millisecond))
}

// broken names the promises that were not kept.
func (r *report) broken() error {
	o := &r.options
	var errs []error
	claim := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for name, p := range map[string]*phase{"before": &r.calm, "under the bomb": &r.loaded, "after the restart": &r.after} {
		claim(p.requests > 0 && p.refused == 0, "known series %s: %d of %d requests were not accepted: %s", name, p.refused, p.requests, p.sample)
	}
	claim(r.bombsMemory <= o.most, "%d bytes of anonymous memory under the bomb, at most %d were promised", r.bombsMemory, o.most)
	claim(r.restartMemory <= o.most, "%d bytes of anonymous memory after the restart, at most %d were promised", r.restartMemory, o.most)
	if p99 := server.Quantile(r.health, 0.99); p99 > o.slowest {
		claim(false, "p99 of health is %s, at most %s were promised", p99, o.slowest)
	}
	for status, n := range r.bomb.byStatus {
		claim(status == 200 || status == 202 || status == 429 || status == 503, "%d requests of the bomb were answered with %d", n, status)
	}
	claim(r.bomb.byStatus[202]+r.bomb.byStatus[429] > 0, "the bomb was too small: nothing was refused")
	return errors.Join(errs...)
}
