package web

import (
	"bytes"
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// maxProfileSeconds is how long a CPU profile may take.
const maxProfileSeconds = 60

// cpuProfile answers with what the processors did for some seconds, in the form
// that `go tool pprof` reads. One runs at a time.
func (s *Server) cpuProfile(r *request) {
	if !s.operator(r) {
		return
	}
	seconds, err := r.number("seconds", 0, 1, maxProfileSeconds)
	if err != nil {
		r.fail(err)
		return
	}
	last := s.opts.ProfileTime
	if seconds > 0 {
		last = time.Duration(seconds) * time.Second
	}
	ctx, cancel := context.WithCancel(s.stop)
	defer cancel()
	defer watchClient(r.ctx.Conn(), cancel)()
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		r.failWith(fasthttp.StatusServiceUnavailable, "a CPU profile is running")
		return
	}
	enough := time.NewTimer(last) // what it measures does not follow the server's clock
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-ctx.Done():
	}
	pprof.StopCPUProfile()
	r.body("application/octet-stream", out.Bytes())
}

// profile answers with one of the runtime's profiles, by its exact name: packed
// for `go tool pprof`, or as text with debug=1 or 2.
func (s *Server) profile(r *request) {
	if !s.operator(r) {
		return
	}
	debug, err := r.number("debug", 0, 0, 2)
	if err != nil {
		r.fail(err)
		return
	}
	name := strings.TrimPrefix(string(r.ctx.Path()), "/debug/pprof/")
	if name == "heap" {
		runtime.GC() // the profile is that of the last collection
	}
	var out bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&out, int(debug)); err != nil {
		r.failWith(fasthttp.StatusInternalServerError, "write the profile: "+err.Error())
		return
	}
	kind := "application/octet-stream"
	if debug > 0 {
		kind = "text/plain; charset=utf-8"
	}
	r.body(kind, out.Bytes())
}
