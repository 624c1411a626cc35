package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"pulse/detect"
	"pulse/web/render"
)

// The JSON of a checked rule.
type (
	shownFinding struct {
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Field   string `json:"field,omitempty"`
		Level   string `json:"level"`
		Check   string `json:"check"`
		Message string `json:"message"`
		Offset  *int   `json:"offset,omitempty"` // byte of the expression
	}
	shownSample struct {
		Tags  map[string]string `json:"tags"`
		Value render.Number     `json:"value"`
	}
	shownCheck struct {
		Rule        any               `json:"rule"` // with defaults where it can be read, as written otherwise; null: there is none
		YAML        string            `json:"yaml"`
		Valid       bool              `json:"valid"`
		Findings    []shownFinding    `json:"findings"`
		Step        int64             `json:"step,omitempty"`
		Lookback    int64             `json:"lookback,omitempty"`
		Keys        []string          `json:"keys,omitempty"`
		Groups      int               `json:"groups"`
		Samples     []shownSample     `json:"samples"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
)

// checkRule reads a rule as JSON or as YAML, and answers with both and with what is wrong
// with it.
func (s *Server) checkRule(r *request) {
	text, err := ruleText(r.ctx.PostBody())
	if err != nil {
		r.fail(err)
		return
	}
	c := s.opts.Detect.CheckText(text, s.nowMs())
	out := shownCheck{
		Rule: c.Written, YAML: string(text), Valid: c.Valid, Findings: []shownFinding{}, Step: c.Step, Lookback: c.Lookback, Keys: c.Keys,
		Groups: c.Groups, Samples: []shownSample{}, Annotations: c.Texts,
	}
	if c.Rule != nil {
		out.Rule = c.Rule
	}
	if _, err := json.Marshal(out.Rule); err != nil { // YAML has numbers that JSON has not
		out.Rule = nil
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		shown := shownFinding{Line: f.Line, Column: f.Column, Field: f.Field(), Level: "error", Check: f.Check, Message: f.Err.Error()}
		if f.Warning {
			shown.Level = "warning"
		}
		if at := f.Offset(); at >= 0 {
			shown.Offset = &at
		}
		out.Findings = append(out.Findings, shown)
	}
	for _, x := range c.Samples {
		out.Samples = append(out.Samples, shownSample{x.Tags.Map(), render.Number(x.Value)})
	}
	r.json(out)
}

// ruleText returns the rule file of a request, which has one as yaml, or a rule as an object.
func ruleText(body []byte) ([]byte, error) {
	var in struct {
		YAML *string         `json:"yaml"`
		Rule json.RawMessage `json:"rule"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, badRequest("body is not JSON with yaml or rule: " + clip(err.Error(), 200))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badRequest("body is followed by more text")
	}
	switch {
	case (in.YAML != nil) == (in.Rule != nil):
		return nil, badRequest("body has to have one of yaml, a text, and rule, an object")
	case in.YAML != nil:
		return []byte(*in.YAML), nil
	case in.Rule[0] != '{':
		return nil, badRequest("rule is to be an object")
	}
	return detect.RuleText(in.Rule)
}

// ruleTag names a version of a rule: what is written of it, not how it stands.
func ruleTag(rule *detect.Rule) string {
	if rule == nil {
		return ""
	}
	text, err := rule.MarshalJSON()
	if err != nil { // what was read can be written
		return ""
	}
	return tagOf(text)
}

// meantRule is the version that a change is for: that of If-Match, or none there is with
// If-None-Match: *; nil for any.
func (r *request) meantRule() func(old *detect.Rule) bool {
	match, none := string(r.ctx.Request.Header.Peek("If-Match")), string(r.ctx.Request.Header.Peek("If-None-Match"))
	switch {
	case none == "*":
		return func(old *detect.Rule) bool { return old == nil }
	case match == "*":
		return func(old *detect.Rule) bool { return old != nil }
	case match != "":
		return func(old *detect.Rule) bool { return ruleTag(old) == match }
	}
	return nil
}

// showRule answers with a rule and the tag of its version.
func (r *request) showRule(rule *detect.Rule) {
	r.ctx.Response.Header.Set(fasthttp.HeaderETag, ruleTag(rule))
	r.json(rule)
}
