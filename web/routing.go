package web

import (
	"encoding/json"
	"net/http"

	"pulse/detect"
	routing "pulse/detect/route"
	"pulse/web/render"
)

// routesView is the routes as the API shows them.
type routesView struct {
	Routes []routing.Route `json:"routes"`
	File   string          `json:"file,omitempty"` // that they come from, and are changed in
}

func (s *Server) routeTree(r *request) {
	list, file := s.opts.Detect.Routes()
	r.json(routesView{append([]routing.Route{}, list...), file})
}

// putRoutes puts other routes in the place of all that there are.
func (s *Server) putRoutes(r *request) {
	list, err := detect.ParseRoutes(r.ctx.PostBody())
	if err == nil {
		err = s.opts.Detect.PutRoutes(list)
	}
	if err != nil {
		r.fail(err)
		return
	}
	s.routeTree(r)
}

// deleteRoutes leaves none: every receiver is told.
func (s *Server) deleteRoutes(r *request) {
	s.removed(r, s.opts.Detect.PutRoutes(nil))
}

// testRoutes says where an alert would go.
func (s *Server) testRoutes(r *request) {
	set, t, err := detect.ParseRouteTest(r.ctx.PostBody(), s.nowMs())
	if err != nil {
		r.fail(err)
		return
	}
	r.json(s.opts.Detect.TestRoutes(set, t))
}

// inhibitRules lists inhibit rules in the order in which they are tried.
func (s *Server) inhibitRules(r *request) {
	out := []json.RawMessage{}
	for _, x := range s.opts.Detect.InhibitRules() {
		out = append(out, withFile(x.Inhibit, x.File))
	}
	r.json(out)
}

func (s *Server) inhibitRule(r *request) {
	for _, x := range s.opts.Detect.InhibitRules() {
		if x.Name == r.vars["name"] {
			r.json(withFile(x.Inhibit, x.File))
			return
		}
	}
	r.failWith(http.StatusNotFound, "no inhibit rule has the name "+clip(r.vars["name"], 100))
}

func (s *Server) putInhibitRule(r *request) {
	x, err := detect.ParseInhibit(r.ctx.PostBody(), r.vars["name"])
	if err == nil {
		err = s.opts.Detect.PutInhibit(x)
	}
	if err != nil {
		r.fail(err)
		return
	}
	s.inhibitRule(r)
}

func (s *Server) deleteInhibitRule(r *request) {
	s.removed(r, s.opts.Detect.DeleteInhibit(r.vars["name"]))
}

// mutes lists mutes.
func (s *Server) mutes(r *request) {
	out := []json.RawMessage{}
	for _, x := range s.opts.Detect.Mutes() {
		out = append(out, withFile(x.Mute, x.File))
	}
	r.json(out)
}

func (s *Server) mute(r *request) {
	for _, x := range s.opts.Detect.Mutes() {
		if x.Name == r.vars["name"] {
			r.json(withFile(x.Mute, x.File))
			return
		}
	}
	r.failWith(http.StatusNotFound, "no mute has the name "+clip(r.vars["name"], 100))
}

func (s *Server) putMute(r *request) {
	x, err := detect.ParseMute(r.ctx.PostBody(), r.vars["name"])
	if err == nil {
		err = s.opts.Detect.PutMute(x)
	}
	if err != nil {
		r.fail(err)
		return
	}
	s.mute(r)
}

func (s *Server) deleteMute(r *request) {
	s.removed(r, s.opts.Detect.DeleteMute(r.vars["name"]))
}

// removed answers the removal of a part of the routing.
func (s *Server) removed(r *request, err error) {
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownRouting)
		return
	}
	r.ctx.SetStatusCode(http.StatusNoContent)
}

// withFile is the object v with the file that it comes from, if it does.
func withFile(v json.Marshaler, file string) json.RawMessage {
	text, err := v.MarshalJSON()
	if err != nil { // what was read can be written
		return render.AppendError(nil, err.Error())
	}
	if file == "" {
		return text
	}
	name, _ := json.Marshal(file) // a text always can be
	text = append(append(text[:len(text)-1], `,"file":`...), name...)
	return append(text, '}')
}
