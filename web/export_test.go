package web

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
