package web

import (
	"errors"
	"strings"

	"github.com/valyala/fasthttp"

	"pulse/detect"
	"pulse/store/tags"
	"pulse/web/render"
)

// rules lists every rule, by id, or with stats=1 those that are asked for and how they stand.
func (s *Server) rules(r *request) {
	if r.flag("stats") {
		s.ruleStands(r)
		return
	}
	tag := `"` + s.opts.Detect.RulesVersion() + `"` // before the rules: it may be that of older ones, not of newer
	r.ctx.Response.Header.Set(fasthttp.HeaderETag, tag)
	if strings.Contains(string(r.ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)), tag) { // or weak, or one of several
		r.ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	r.json(s.opts.Detect.Rules())
}

func (s *Server) rule(r *request) {
	rule, ok := s.opts.Detect.Rule(r.vars["id"])
	if !ok {
		r.failWith(fasthttp.StatusNotFound, "no rule has the id "+clip(r.vars["id"], 100))
		return
	}
	r.showRule(&rule)
}

// ruleStats answers with what judging a rule has counted and cost.
func (s *Server) ruleStats(r *request) {
	stats, err := s.opts.Detect.RuleStats(r.vars["id"])
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownRule)
		return
	}
	r.json(stats)
}

// owners answers with what the rules of each owner have cost.
func (s *Server) owners(r *request) { r.json(s.opts.Detect.Owners()) }

// putRule creates or replaces the rule of the path. The body may repeat the id.
func (s *Server) putRule(r *request) {
	rule, err := detect.ParseRuleJSON(r.ctx.PostBody())
	if err != nil {
		r.fail(err)
		return
	}
	if rule.ID == "" {
		rule.ID = r.vars["id"]
	}
	if rule.ID != r.vars["id"] {
		r.failWith(fasthttp.StatusBadRequest, "id in the body is "+clip(rule.ID, 100)+", in the path "+clip(r.vars["id"], 100))
		return
	}
	if err := s.opts.Detect.PutRuleIf(rule, s.nowMs(), r.meantRule()); err != nil {
		r.fail(err)
		return
	}
	stored, _ := s.opts.Detect.Rule(rule.ID)
	r.showRule(&stored)
}

// deleteRule removes a rule; what it had firing is resolved.
func (s *Server) deleteRule(r *request) {
	if err := s.opts.Detect.DeleteRuleIf(r.vars["id"], s.nowMs(), r.meantRule()); err != nil {
		r.failUnknown(err, detect.ErrUnknownRule)
		return
	}
	r.ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// failUnknown answers 404 for the sentinel of a missing thing.
func (r *request) failUnknown(err, unknown error) {
	if errors.Is(err, unknown) {
		r.failWith(fasthttp.StatusNotFound, err.Error())
		return
	}
	r.fail(err)
}

// band answers with what a rule expected: JSON with a list per group, or the
// CSV of `pulse score` for one group.
func (s *Server) band(r *request) {
	start, end, err := s.timeRange(r)
	if err != nil {
		r.fail(err)
		return
	}
	filter, err := tagFilter(r.param("tags"))
	if err != nil {
		r.fail(err)
		return
	}
	judge := s.opts.Detect.Band
	switch r.param("facts") {
	case "", "0":
	case "1":
		judge = s.opts.Detect.Explained
	default:
		r.failWith(fasthttp.StatusBadRequest, "parameter facts is "+clip(r.param("facts"), 40)+", must be 0 or 1")
		return
	}
	groups, err := judge(r.query, r.vars["id"], start, end, filter)
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownRule)
		return
	}
	switch r.param("format") {
	case "", "json":
		r.body("application/json", render.AppendBand(nil, groups))
		compress(r.ctx)
	case "csv":
		s.bandCSV(r, groups)
	default:
		r.failWith(fasthttp.StatusBadRequest, "parameter format is "+clip(r.param("format"), 40)+", must be json or csv")
	}
}

func (s *Server) bandCSV(r *request, groups []detect.BandGroup) {
	if len(groups) > 1 {
		r.failWith(fasthttp.StatusBadRequest, "the rule has more than one group; name one with tags=key=value,...")
		return
	}
	var g detect.BandGroup
	if len(groups) == 1 {
		g = groups[0]
	}
	r.body("text/csv; charset=utf-8", render.AppendBandCSV(nil, g))
	compress(r.ctx)
}

// groups shows where the groups of a rule stand.
func (s *Server) groups(r *request) {
	filter, err := tagFilter(r.param("tags"))
	if err != nil {
		r.fail(err)
		return
	}
	limit, err := r.number("limit", 100, 1, 1000)
	if err != nil {
		r.fail(err)
		return
	}
	list, err := s.opts.Detect.Groups(r.vars["id"], filter, int(limit))
	if err != nil {
		r.failUnknown(err, detect.ErrUnknownRule)
		return
	}
	r.json(list)
}

// tagFilter reads key=value pairs, comma separated.
func tagFilter(text string) (tags.Tags, error) {
	var out tags.Tags
	for len(text) > 0 {
		var pair string
		pair, text, _ = cutByte(text, ',')
		key, value, ok := cutByte(pair, '=')
		if !ok || key == "" {
			return nil, badRequest("parameter tags has " + clip(pair, 80) + ", must be key=value,key=value")
		}
		out = append(out, tags.Tag{Key: key, Value: value})
	}
	return tags.Normalize(out), nil
}

// export writes rules, receivers, routes, inhibit rules and mutes as a rule file that has
// the same, with secrets masked.
func (s *Server) export(r *request) {
	file := s.opts.Detect.Export(s.opts.Notify.Export())
	text, err := file.AppendYAML([]byte("# exported by pulse " + s.opts.Version + "\n"))
	if err != nil {
		r.failWith(fasthttp.StatusInternalServerError, err.Error())
		return
	}
	r.body("application/yaml; charset=utf-8", text)
	compress(r.ctx)
}

// reload reads rules, tokens and certificates again.
func (s *Server) reload(r *request) {
	if !s.operator(r) {
		return
	}
	if s.opts.Reload == nil {
		r.failWith(fasthttp.StatusBadRequest, "there is nothing to reload: the server was started without --rules, --tokens and --tls-cert")
		return
	}
	if err := s.opts.Reload(); err != nil {
		r.fail(err)
		return
	}
	r.json(map[string]string{"type": "reloaded"})
}
