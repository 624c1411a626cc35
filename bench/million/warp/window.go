package warp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"syscall"
	"time"
)

// Usage is what a process has used. Memory is as of the last cycle of the
// collector where it is the collector's.
type Usage struct {
	CPU     time.Duration // user and system
	Cycles  uint64        // of the collector
	GC      time.Duration // its CPU, by its own account, idle cores among it
	Pause   time.Duration // the longest, rounded up to a bound of the runtime's histogram
	Live    int64         // bytes of objects at the end of the last cycle
	Objects int64         // and now, those that are garbage among them
	Unused  int64         // bytes of the heap between objects
	Free    int64         // bytes of the heap that could go back
	Stacks  int64         // of goroutines
	Runtime int64         // the rest of what the runtime has
	Roots   int64         // bytes that the collector scans in a cycle
	Threads int64         // goroutines
}

const (
	gcCPU    = "/cpu/classes/gc/total:cpu-seconds"
	gcCycles = "/gc/cycles/total:gc-cycles"
	gcLive   = "/gc/heap/live:bytes"
	gcScan   = "/gc/scan/total:bytes"
	pauses   = "/sched/pauses/total/gc:seconds"
	routines = "/sched/goroutines:goroutines"
	total    = "/memory/classes/total:bytes"
	released = "/memory/classes/heap/released:bytes"
	objects  = "/memory/classes/heap/objects:bytes"
	unused   = "/memory/classes/heap/unused:bytes"
	free     = "/memory/classes/heap/free:bytes"
	stacks   = "/memory/classes/heap/stacks:bytes"
)

func usage() Usage {
	names := []string{gcCPU, gcCycles, gcLive, gcScan, pauses, routines, total, released, objects, unused, free, stacks}
	samples := make([]metrics.Sample, len(names))
	at := map[string]metrics.Value{}
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	for _, s := range samples {
		at[s.Name] = s.Value
	}
	bytes := func(name string) int64 { return int64(at[name].Uint64()) }
	u := Usage{
		Cycles: at[gcCycles].Uint64(), GC: seconds(at[gcCPU].Float64()), Pause: longest(at[pauses].Float64Histogram()),
		Live: bytes(gcLive), Roots: bytes(gcScan), Objects: bytes(objects), Unused: bytes(unused), Free: bytes(free), Stacks: bytes(stacks),
		Threads: int64(at[routines].Uint64()),
	}
	u.Runtime = bytes(total) - bytes(released) - u.Objects - u.Unused - u.Free - u.Stacks
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// longest returns the upper bound of the last bucket that has something.
func longest(h *metrics.Float64Histogram) time.Duration {
	for i := len(h.Counts) - 1; i >= 0; i-- {
		if h.Counts[i] > 0 {
			return seconds(math.Min(h.Buckets[i+1], math.MaxInt32))
		}
	}
	return 0
}

// open answers on a socket for as long as the process lives.
func open(socket string) {
	_ = os.Remove(socket) // of a process that was killed
	ln, err := net.Listen("unix", socket)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", Env, err))
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter) { _ = json.NewEncoder(w).Encode(usage()) }
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	mux.HandleFunc("GET /collect", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		for range n {
			runtime.GC()
		}
		answer(w)
	})
	go func() { panic(http.Serve(ln, mux)) }()
}

// Ask asks the process with the clock of h, such as "usage" or "collect?n=3".
func (h *Hand) Ask(what string) (body []byte, err error) {
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.dir, windowAt))
	}}
	defer t.CloseIdleConnections()
	res, err := (&http.Client{Transport: t}).Get("http://warp/" + what)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// Usage is Ask of a Usage.
func (h *Hand) Usage(what string) (u Usage, err error) {
	body, err := h.Ask(what)
	if err == nil {
		err = json.Unmarshal(body, &u)
	}
	return u, err
}
