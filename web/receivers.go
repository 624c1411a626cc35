package web

import (
	"math"

	"github.com/valyala/fasthttp"

	"pulse/detect/notify"
)

// receivers lists the receivers; secrets are never shown.
func (s *Server) receivers(r *request) { r.json(s.opts.Notify.Receivers()) }

func (s *Server) receiver(r *request) {
	for _, x := range s.opts.Notify.Receivers() {
		if x.Name == r.vars["name"] {
			r.json(x)
			return
		}
	}
	r.failWith(fasthttp.StatusNotFound, "no receiver has the name "+clip(r.vars["name"], 100))
}

func (s *Server) putReceiver(r *request) {
	name := r.vars["name"]
	x, err := notify.ParseReceiver(r.ctx.PostBody())
	if err != nil {
		r.fail(err)
		return
	}
	if x.Name == "" {
		x.Name = name
	}
	if x.Name != name {
		r.failWith(fasthttp.StatusBadRequest, "name in the body is "+clip(x.Name, 100)+", in the path "+clip(name, 100))
		return
	}
	if err := s.opts.Notify.PutReceiver(x); err != nil {
		r.fail(err)
		return
	}
	s.receiver(r)
}

func (s *Server) deleteReceiver(r *request) {
	name := r.vars["name"]
	err := s.opts.Detect.WithoutReceiver(name, func() error { return s.opts.Notify.DeleteReceiver(name) })
	if err != nil {
		r.failUnknown(err, notify.ErrUnknownReceiver)
		return
	}
	r.ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// testReceiver sends one alert.test and answers with status and latency.
func (s *Server) testReceiver(r *request) {
	result, err := s.opts.Notify.Test(s.stop, r.vars["name"])
	if err != nil {
		r.failUnknown(err, notify.ErrUnknownReceiver)
		return
	}
	r.json(result)
}

// deliveryLog lists what was tried to deliver to a receiver, newest first.
func (s *Server) deliveryLog(r *request) {
	limit, err := r.number("limit", 100, 1, 1000)
	if err != nil {
		r.fail(err)
		return
	}
	before, err := r.number("before", 0, 0, math.MaxInt64)
	if err != nil {
		r.fail(err)
		return
	}
	list, more, err := s.opts.Notify.Log(r.vars["name"], uint64(before), int(limit), r.flag("failed"))
	if err != nil {
		r.failUnknown(err, notify.ErrUnknownReceiver)
		return
	}
	out := map[string]any{"attempts": append([]notify.Logged{}, list...)}
	if more {
		out["next"] = list[len(list)-1].Seq
	}
	r.json(out)
}

// maxDeadLetters is how many of a receiver an answer shows.
const maxDeadLetters = 100

// deadLetters shows what was given up for a receiver, newest first.
func (s *Server) deadLetters(r *request) {
	list, err := s.opts.Notify.DeadLetters(r.vars["name"], maxDeadLetters)
	if err != nil {
		r.failUnknown(err, notify.ErrUnknownReceiver)
		return
	}
	if list == nil {
		list = []notify.DeadLetter{}
	}
	r.json(list)
}

// resendDead has them sent again, or the one of `id`.
func (s *Server) resendDead(r *request) {
	on := map[string]bool{}
	for _, state := range []string{"firing", "nodata"} {
		list, err := s.opts.Detect.Alerts(state)
		if err != nil {
			r.fail(err)
			return
		}
		for _, a := range list {
			on[a.Incident] = true
		}
	}
	result, err := s.opts.Notify.Resend(r.vars["name"], r.param("id"), func(incident string) bool { return on[incident] })
	if err != nil {
		r.failUnknown(err, notify.ErrUnknownReceiver)
		return
	}
	r.json(result)
}
