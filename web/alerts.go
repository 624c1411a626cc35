package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

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
	var list []detect.Alert
	if slices.ContainsFunc(alertPaging, r.has) || strings.Contains(r.param("state"), ",") {
		list, err = s.pageOfAlerts(r, int(limit))
	} else {
		list, err = s.opts.Detect.Alerts(r.param("state"))
	}
	if err != nil {
		r.fail(err)
		return
	}
	if len(list) > int(limit) {
		list = list[:limit]
		r.linkNext(list, int(limit))
	}
	r.json(list)
}

// alertPaging are the parameters with which all alerts that are kept are looked through.
var alertPaging = []string{"limit", "after", "match", "text"}

// pageOfAlerts is a page of all that are kept.
func (s *Server) pageOfAlerts(r *request, limit int) ([]detect.Alert, error) {
	filter, err := detect.NewAlertFilter(r.param("state"), r.param("match"), r.param("text"))
	if err != nil {
		return nil, err
	}
	_, leave, err := s.enterQuery(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	list, more, err := s.opts.Detect.AlertsPage(filter, r.param("after"), limit)
	if more {
		r.linkNext(list, limit)
	}
	return list, err
}

// linkNext names the page of alerts after a list.
func (r *request) linkNext(list []detect.Alert, limit int) {
	v := url.Values{"limit": {strconv.Itoa(limit)}, "after": {list[len(list)-1].Incident}}
	for _, name := range []string{"state", "match", "text"} {
		if text := r.param(name); text != "" {
			v.Set(name, text)
		}
	}
	r.ctx.Response.Header.Set("Link", "</api/v1/alerts?"+v.Encode()+`>; rel="next"`)
}

// alert shows one incident with its timeline.
func (s *Server) alert(r *request) {
	a, err := s.opts.Detect.AlertByID(r.query, r.vars["id"])
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownAlert)
		return
	}
	r.json(a)
}
