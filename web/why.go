package web

import "pulse/detect"

// maxTime is the last millisecond of the year 9999.
const maxTime = 253_402_300_799_999

// why answers why somebody was or was not paged by a rule about a group at a time.
func (s *Server) why(r *request) {
	group, err := tagFilter(r.param("tags"))
	if err != nil {
		r.fail(err)
		return
	}
	if r.has("at") { // as the command has it, which would be taken for the last step
		r.fail(badRequest("parameter at is not known here: the time is t, in Unix ms"))
		return
	}
	at, err := r.number("t", 0, 1, maxTime)
	if err != nil {
		r.fail(err)
		return
	}
	answer, err := s.opts.Detect.WhyNot(r.query, r.vars["id"], group, at)
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownRule)
		return
	}
	r.json(answer)
}

// carried answers who carries the change of a group from one time to another.
func (s *Server) carried(r *request) {
	group, err := tagFilter(r.param("tags"))
	if err != nil {
		r.fail(err)
		return
	}
	var times [2]int64
	for i, name := range []string{"since", "t"} {
		if r.param(name) == "" {
			r.fail(badRequest("missing required parameter '" + name + "'"))
			return
		}
		if times[i], err = r.number(name, 0, 1, maxTime); err != nil {
			r.fail(err)
			return
		}
	}
	answer, err := s.opts.Detect.Carried(r.query, r.vars["id"], group, times[0], times[1])
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownRule)
		return
	}
	r.json(answer)
}
