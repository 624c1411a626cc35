package web

import "github.com/valyala/fasthttp"

// backup makes a copy of the data folder that a server can be started on.
func (s *Server) backup(r *request) {
	if !s.operator(r) {
		return
	}
	if s.opts.Backup == nil {
		r.failWith(fasthttp.StatusBadRequest, "there is no data folder to back up: the server was started with an empty --data")
		return
	}
	dir, err := s.opts.Backup(s.stop)
	if err != nil {
		r.failWith(fasthttp.StatusServiceUnavailable, "backup: "+err.Error())
		return
	}
	r.json(map[string]string{"type": "backup", "folder": dir})
}
