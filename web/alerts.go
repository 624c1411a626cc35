package web

import (
	"pulse/detect"
)

// alerts lists incidents, newest first.
func (s *Server) alerts(r *request) {
	list, err := s.opts.Detect.Alerts(r.param("state"))
	if err != nil {
		r.fail(err)
		return
	}
	r.json(list)
}

// alert shows one incident with its timeline.
func (s *Server) alert(r *request) {
	ctx, leave, err := s.enterQuery(r)
	if err != nil {
		r.fail(err)
		return
	}
	defer leave()
	a, err := s.opts.Detect.AlertByID(ctx, r.vars["id"])
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownAlert)
		return
	}
	r.json(a)
}
