package web

import (
	"net/url"
	"strconv"

	"pulse/detect"
)

// alerts lists incidents, newest first, or a page of them. The header Link has the next
// one, if there is one.
func (s *Server) alerts(r *request) {
	limit, err := r.number("limit", detect.MaxAlerts, 1, detect.MaxAlerts)
	if err != nil {
		r.fail(err)
		return
	}
	state := r.param("state")
	var list []detect.Alert
	if r.has("limit") || r.has("after") {
		list, err = s.pageOfAlerts(r, state, int(limit))
	} else {
		list, err = s.opts.Detect.Alerts(state)
	}
	if err != nil {
		r.fail(err)
		return
	}
	if len(list) > int(limit) {
		list = list[:limit]
		r.linkNext(state, list, int(limit))
	}
	r.json(list)
}

// pageOfAlerts is a page of all that are kept.
func (s *Server) pageOfAlerts(r *request, state string, limit int) ([]detect.Alert, error) {
	_, leave, err := s.enterQuery(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	list, more, err := s.opts.Detect.AlertsPage(state, r.param("after"), limit)
	if more {
		r.linkNext(state, list, limit)
	}
	return list, err
}

// linkNext names the page of alerts after a list.
func (r *request) linkNext(state string, list []detect.Alert, limit int) {
	v := url.Values{"limit": {strconv.Itoa(limit)}, "after": {list[len(list)-1].Incident}}
	if state != "" {
		v.Set("state", state)
	}
	r.ctx.Response.Header.Set("Link", "</api/v1/alerts?"+v.Encode()+`>; rel="next"`)
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
