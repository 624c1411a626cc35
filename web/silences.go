package web

import (
	"errors"
	"net/http"

	"pulse/detect"
	"pulse/detect/duration"
	"pulse/detect/label"
	"pulse/detect/silence"
)

// silenceView is a silence as the API shows it.
type silenceView struct {
	ID               string         `json:"id"`
	State            silence.State  `json:"state"`
	Matchers         label.Matchers `json:"matchers"`
	StartsAt         string         `json:"startsAt"`
	EndsAt           string         `json:"endsAt"`
	Author           string         `json:"author"`
	Comment          string         `json:"comment"`
	EndWhenNormalFor string         `json:"endWhenNormalFor,omitempty"`
	UpdatedAt        string         `json:"updatedAt"`
	EndedBy          string         `json:"endedBy,omitempty"`
	Held             int64          `json:"held"` // notifications held back
}

func (s *Server) viewSilence(x *silence.Silence) silenceView {
	v := silenceView{
		ID: x.ID, State: x.State(s.nowMs()), Matchers: x.Matchers, StartsAt: rfc3339(x.StartsAt), EndsAt: rfc3339(x.EndsAt),
		Author: x.Author, Comment: x.Comment, UpdatedAt: rfc3339(x.UpdatedAt), EndedBy: x.EndedBy, Held: x.Seen.Held,
	}
	if x.EndWhenNormalFor > 0 {
		v.EndWhenNormalFor = duration.Duration(x.EndWhenNormalFor).String()
	}
	return v
}

// silences lists silences, of one state or all.
func (s *Server) silences(r *request) {
	state := silence.State(r.param("state"))
	switch state {
	case "", silence.Pending, silence.Active, silence.Expired:
	default:
		r.fail(badRequest("parameter state is " + clip(string(state), 40) + ", must be pending, active or expired"))
		return
	}
	list, now := []silenceView{}, s.nowMs()
	for _, x := range s.opts.Detect.Silences(now) {
		if state == "" || x.State(now) == state {
			list = append(list, s.viewSilence(&x))
		}
	}
	r.json(list)
}

func (s *Server) silence(r *request) {
	x, ok := s.opts.Detect.Silence(r.vars["id"])
	if !ok {
		r.failWith(http.StatusNotFound, "no silence has the id "+clip(r.vars["id"], 100))
		return
	}
	r.json(s.viewSilence(&x))
}

// postSilence makes a silence, or changes the one whose id the body has.
func (s *Server) postSilence(r *request) {
	x, err := detect.ParseSilence(r.ctx.PostBody(), s.nowMs())
	if err != nil {
		r.fail(err)
		return
	}
	s.storeSilence(r, x)
}

// putSilence changes the silence of the path. The body may repeat the id.
func (s *Server) putSilence(r *request) {
	x, err := detect.ParseSilence(r.ctx.PostBody(), s.nowMs())
	if err != nil {
		r.fail(err)
		return
	}
	if x.ID != "" && x.ID != r.vars["id"] {
		r.fail(badRequest("id in the body is " + clip(x.ID, 100) + ", in the path " + clip(r.vars["id"], 100)))
		return
	}
	x.ID = r.vars["id"]
	s.storeSilence(r, x)
}

func (s *Server) storeSilence(r *request, x silence.Silence) {
	stored, err := s.opts.Detect.PutSilence(x, s.nowMs())
	if err != nil {
		r.failSilence(err)
		return
	}
	r.json(s.viewSilence(&stored))
}

// deleteSilence ends a silence; it can be seen for some days more.
func (s *Server) deleteSilence(r *request) {
	if err := s.opts.Detect.ExpireSilence(r.vars["id"], r.token.Name, s.nowMs()); err != nil {
		r.failSilence(err)
		return
	}
	r.ctx.SetStatusCode(http.StatusNoContent)
}

func (r *request) failSilence(err error) {
	if errors.Is(err, silence.ErrNotStored) {
		r.failWith(http.StatusServiceUnavailable, err.Error())
		return
	}
	r.failUnknown(err, silence.ErrUnknown)
}

// hits is one half of a preview.
type hits struct {
	Since  string             `json:"since,omitempty"`
	Count  int                `json:"count"`
	Rules  []silence.RuleHits `json:"rules"`
	Alerts []hit              `json:"alerts"` // the newest of them
}

type hit struct {
	silence.Entry
	StartsAt string  `json:"startsAt"`
	EndsAt   *string `json:"endsAt"`
}

func viewHits(h *silence.Hits) hits {
	out := hits{Count: h.Count, Rules: h.Rules, Alerts: []hit{}}
	for _, x := range h.Shown {
		shown := hit{Entry: x, StartsAt: rfc3339(x.StartsAt)}
		if x.EndsAt != 0 {
			text := rfc3339(x.EndsAt)
			shown.EndsAt = &text
		}
		out.Alerts = append(out.Alerts, shown)
	}
	return out
}

// previewSilence answers with what a silence would hit, and would have.
func (s *Server) previewSilence(r *request) {
	ms, since, err := detect.ParsePreview(r.ctx.PostBody())
	if err != nil {
		r.fail(err)
		return
	}
	p, err := s.opts.Detect.PreviewSilence(ms, since, s.nowMs())
	if err != nil {
		r.fail(err)
		return
	}
	now, past := viewHits(&p.Now), viewHits(&p.Past)
	past.Since = rfc3339(p.Since)
	r.json(map[string]hits{"now": now, "past": past})
}
