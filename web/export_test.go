package web

import "pulse/web/token"

// Routes lists the route table as "METHOD path", for tests that must know
// every route.
func Routes() []string {
	var out []string
	for _, r := range routes() {
		out = append(out, r.method+" "+r.path)
	}
	return out
}

// Limit returns the largest body of a route in bytes, 0 for the server's.
func Limit(method, path string) int {
	r, _, _ := newRouteTable(routes()).find(method, path)
	return r.maxBody
}

// Unscoped lists the routes that name no scope, or more than one.
func Unscoped() []string {
	var out []string
	for _, r := range routes() {
		switch r.scope {
		case open, token.Ingest, token.Query, token.Admin:
		default:
			out = append(out, r.method+" "+r.path)
		}
	}
	return out
}

// Forgive lets every address fail n times before it is limited.
func (s *Server) Forgive(n int) {
	s.failures.mu.Lock()
	defer s.failures.mu.Unlock()
	s.failures.burst = float64(n)
}

// Break adds a route that panics with v.
func (s *Server) Break(path string, v any) {
	list := append(routes(), route{"GET", path, reads, open, noBody, false, func(*Server, *request) { panic(v) }})
	s.routes = newRouteTable(list)
}

// Spare returns the bytes of buffers that are kept for other bodies, and how many
// there may be.
func (s *Server) Spare() (bytes, most int64) {
	p := s.bodies.spares
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes, p.most
}

// Known returns how many requests the budget of bodies knows.
func (s *Server) Known() int {
	s.bodies.mu.Lock()
	defer s.bodies.mu.Unlock()
	return len(s.bodies.held)
}
