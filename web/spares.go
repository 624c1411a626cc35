package web

import (
	"runtime"
	"sync"
	"weak"
)

// maxSpare is the most memory of spares, unless the budget of bodies is small.
const maxSpare = 16 << 20

// spares are buffers of large bodies that stay with the HTTP library for the
// next request, which would have to allocate and clear its own. The library
// gives a buffer to whoever comes next, a small request as well, and the
// collector takes those that nobody used for a while; so they are not counted
// as they come and go but by name, from the moment that they are kept until they
// are collected.
type spares struct {
	most int64 // bytes of all

	mu    sync.Mutex
	known map[weak.Pointer[byte]]struct{} // first bytes
	bytes int64
}

// spare is a buffer that is one of the spares.
type spare struct {
	first weak.Pointer[byte]
	bytes int64
}

func newSpares(budget int64) *spares {
	return &spares{most: min(maxSpare, budget/8), known: map[weak.Pointer[byte]]struct{}{}}
}

// keep reports whether the buffer of a body, which is not empty, is one of the
// spares from now on. No buffer takes more than a quarter of what they may have.
func (s *spares) keep(body []byte) bool {
	first := &body[:1][0]
	b := spare{weak.Make(first), int64(cap(body))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[b.first]; ok {
		return true
	}
	if b.bytes > s.most/4 || s.bytes+b.bytes > s.most {
		return false
	}
	s.known[b.first] = struct{}{}
	s.bytes += b.bytes
	runtime.AddCleanup(first, s.forget, b)
	return true
}

// forget is called when a buffer has been collected.
func (s *spares) forget(b spare) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, b.first)
	s.bytes -= b.bytes
}
