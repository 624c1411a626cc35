package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulse/detect"
	"pulse/detect/label"
	"pulse/detect/silence"
)

// The part of Alertmanager's API, version 2, that reads alerts and manages silences,
// for amtool and whatever else speaks it. Its names: a matcher has name, value,
// isRegex and isEqual, an author is createdBy, and why a silence is refused is a JSON
// text. Alerts are not taken; they come from rules.

// maxShownFor is how long Alertmanager's clients may take an alert for firing that
// is not shown to them again.
const maxShownFor = 5 * time.Minute

type amName struct {
	Name string `json:"name"`
}

type amAlert struct {
	Labels       label.Set         `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	UpdatedAt    string            `json:"updatedAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
	Fingerprint  string            `json:"fingerprint"`
	Receivers    []amName          `json:"receivers"`
	Status       amAlertStatus     `json:"status"`
}

type amAlertStatus struct {
	State       string   `json:"state"` // active or suppressed
	SilencedBy  []string `json:"silencedBy"`
	InhibitedBy []string `json:"inhibitedBy"`
	MutedBy     []string `json:"mutedBy"`
}

type amGroup struct {
	Labels   label.Set `json:"labels"`
	Receiver amName    `json:"receiver"`
	Alerts   []amAlert `json:"alerts"`
}

// amAlerts lists the alerts that fire.
func (s *Server) amAlerts(r *request) {
	list, err := s.amSelected(r)
	if err != nil {
		r.fail(err)
		return
	}
	r.json(list)
}

// amGroups lists them by receiver and rule.
func (s *Server) amGroups(r *request) {
	list, err := s.amSelected(r)
	if err != nil {
		r.fail(err)
		return
	}
	type key struct{ receiver, name string }
	groups := map[key]*amGroup{}
	for _, a := range list {
		for _, receiver := range a.Receivers {
			k := key{receiver.Name, a.Labels[label.AlertName]}
			if groups[k] == nil {
				groups[k] = &amGroup{Labels: label.Set{label.AlertName: k.name}, Receiver: receiver}
			}
			groups[k].Alerts = append(groups[k].Alerts, a)
		}
	}
	out := []*amGroup{}
	for _, g := range groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *amGroup) int {
		return cmp.Or(cmp.Compare(a.Labels[label.AlertName], b.Labels[label.AlertName]), cmp.Compare(a.Receiver.Name, b.Receiver.Name))
	})
	r.json(out)
}

// amSelected returns the alerts that the parameters of the request choose, in order of
// their fingerprints.
func (s *Server) amSelected(r *request) ([]amAlert, error) {
	filter, err := amFilter(r)
	if err != nil {
		return nil, err
	}
	only, err := label.New("receiver", label.Regex, cmp.Or(r.param("receiver"), ".*"))
	if err != nil {
		return nil, err
	}
	out, now := []amAlert{}, s.nowMs()
	firing := s.opts.Detect.Firing()
	prints := map[string]string{} // by incident, of those that inhibit
	for i := range firing {
		for _, c := range firing[i].InhibitedBy {
			prints[c.Incident] = ""
		}
	}
	for i := range firing {
		if _, inhibits := prints[firing[i].Incident]; inhibits {
			prints[firing[i].Incident] = label.Fingerprint(firing[i].Set())
		}
	}
	for _, a := range firing {
		status := amStatusOf(&a, prints)
		if status.hidden(r) {
			continue
		}
		names := []amName{}
		for _, name := range a.Meant {
			if only.MatchesValue(name) {
				names = append(names, amName{name})
			}
		}
		if set := a.Set(); filter.Matches(set) && (len(names) > 0 || !r.has("receiver")) {
			out = append(out, showAM(&a, set, names, status, now))
		}
	}
	slices.SortFunc(out, func(a, b amAlert) int {
		return cmp.Or(strings.Compare(a.Fingerprint, b.Fingerprint), strings.Compare(a.StartsAt, b.StartsAt))
	})
	return out, nil
}

// amFilter reads the matchers of the parameters filter.
func amFilter(r *request) (label.Matchers, error) {
	var out label.Matchers
	for _, text := range r.params("filter") {
		ms, err := label.ParseAll(text)
		if err != nil {
			return nil, badRequest("parameter filter: " + err.Error())
		}
		out = append(out, ms...)
	}
	return out, nil
}

// amStatusOf says what holds an alert back; prints has the fingerprints of alerts that
// inhibit, by incident.
func amStatusOf(a *detect.Alert, prints map[string]string) amAlertStatus {
	status := amAlertStatus{"active", append([]string{}, a.SilencedBy...), []string{}, append([]string{}, a.MutedBy...)}
	for _, c := range a.InhibitedBy {
		status.InhibitedBy = append(status.InhibitedBy, cmp.Or(prints[c.Incident], c.Incident))
	}
	if len(status.SilencedBy)+len(status.InhibitedBy) > 0 || len(status.MutedBy) > 0 && len(a.Receivers) == 0 {
		status.State = "suppressed"
	}
	return status
}

// hidden reports whether the parameters leave alerts of this status out.
func (x *amAlertStatus) hidden(r *request) bool {
	off := func(name string, is bool) bool { return is && r.param(name) == "false" }
	return off("active", x.State == "active") || off("silenced", len(x.SilencedBy) > 0) ||
		off("inhibited", len(x.InhibitedBy) > 0) || off("muted", len(x.MutedBy) > 0)
}

func showAM(a *detect.Alert, set label.Set, receivers []amName, status amAlertStatus, now int64) amAlert {
	annotations := a.Annotations
	if annotations == nil {
		annotations = map[string]string{}
	}
	return amAlert{
		Labels: set, Annotations: annotations, StartsAt: rfc3339(a.StartsAt), EndsAt: rfc3339(now + maxShownFor.Milliseconds()),
		UpdatedAt: rfc3339(a.EvaluatedAt), GeneratorURL: a.Graph, Fingerprint: label.Fingerprint(set), Receivers: receivers,
		Status: status,
	}
}

// amReceivers lists the names of the receivers.
func (s *Server) amReceivers(r *request) {
	out := []amName{}
	for _, x := range s.opts.Notify.Receivers() {
		out = append(out, amName{x.Name})
	}
	r.json(out)
}

// amStatus says what answers.
func (s *Server) amStatus(r *request) {
	type object = map[string]any
	r.json(object{
		"cluster": object{"name": "", "status": "disabled", "peers": []any{}},
		"versionInfo": object{
			"version": "pulse " + s.opts.Version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
		},
		"config": object{"original": ""}, // it has secrets
		"uptime": rfc3339(s.started.UnixMilli()),
	})
}

type amMatcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual *bool  `json:"isEqual"` // absent is true
}

type amSilence struct {
	ID        string            `json:"id"`
	Status    map[string]string `json:"status,omitempty"`
	UpdatedAt string            `json:"updatedAt,omitempty"`
	Matchers  []amMatcher       `json:"matchers"`
	StartsAt  string            `json:"startsAt"`
	EndsAt    string            `json:"endsAt"`
	CreatedBy string            `json:"createdBy"`
	Comment   string            `json:"comment"`
}

func (s *Server) showAMSilence(x *silence.Silence) amSilence {
	out := amSilence{
		ID: x.ID, Status: map[string]string{"state": string(x.State(s.nowMs()))}, UpdatedAt: rfc3339(x.UpdatedAt),
		StartsAt: rfc3339(x.StartsAt), EndsAt: rfc3339(x.EndsAt), CreatedBy: x.Author, Comment: x.Comment, Matchers: []amMatcher{},
	}
	for _, m := range x.Matchers {
		equal := m.Op == label.Equal || m.Op == label.Regex
		out.Matchers = append(out.Matchers, amMatcher{m.Key, m.Value, m.Op == label.Regex || m.Op == label.NotRegex, &equal})
	}
	return out
}

// amSilences lists silences. A filter is held against the matchers themselves: the
// value of the one of its label.
func (s *Server) amSilences(r *request) {
	filter, err := amFilter(r)
	if err != nil {
		r.fail(err)
		return
	}
	out := []amSilence{}
	for _, x := range s.opts.Detect.Silences(s.nowMs()) {
		set := label.Set{}
		for _, m := range x.Matchers {
			set[m.Key] = m.Value
		}
		if filter.Matches(set) {
			out = append(out, s.showAMSilence(&x))
		}
	}
	r.json(out)
}

func (s *Server) amSilence(r *request) {
	x, ok := s.opts.Detect.Silence(r.vars["id"])
	if !ok {
		r.failWith(http.StatusNotFound, "no silence has the id "+clip(r.vars["id"], 100))
		return
	}
	r.json(s.showAMSilence(&x))
}

// amPostSilence makes a silence, or changes the one whose id the body has. What the form
// has no place for stays as it was.
func (s *Server) amPostSilence(r *request) {
	x, err := readAMSilence(r.ctx.PostBody())
	if err == nil {
		if old, known := s.opts.Detect.Silence(x.ID); known {
			x.EndWhenNormalFor = old.EndWhenNormalFor
		}
		x, err = s.opts.Detect.PutSilence(x, s.nowMs())
	}
	if err != nil {
		r.failSilence(err)
		r.amRefusal(err)
		return
	}
	r.json(map[string]string{"silenceID": x.ID})
}

// amRefusal makes the refusal of a silence what Alertmanager's clients can read and
// show: a JSON text.
func (r *request) amRefusal(err error) {
	if r.ctx.Response.StatusCode() >= http.StatusInternalServerError {
		return
	}
	if text, err := json.Marshal(err.Error()); err == nil {
		r.ctx.SetBody(text)
	}
}

// readAMSilence reads a silence in Alertmanager's form. As there, members that are not
// known are passed over.
func readAMSilence(body []byte) (x silence.Silence, err error) {
	var in amSilence
	if err := json.Unmarshal(body, &in); err != nil {
		return x, badRequest("silence: " + err.Error())
	}
	x = silence.Silence{ID: in.ID, Author: in.CreatedBy, Comment: in.Comment}
	for i, m := range in.Matchers {
		equal := m.IsEqual == nil || *m.IsEqual
		op := map[[2]bool]label.Op{
			{false, true}: label.Equal, {false, false}: label.NotEqual, {true, true}: label.Regex, {true, false}: label.NotRegex,
		}[[2]bool{m.IsRegex, equal}]
		made, err := label.New(m.Name, op, m.Value)
		if err != nil {
			return x, badRequest("matchers[" + strconv.Itoa(i) + "]: " + err.Error())
		}
		x.Matchers = append(x.Matchers, made)
	}
	for _, t := range []struct {
		name, text string
		to         *int64
	}{{"startsAt", in.StartsAt, &x.StartsAt}, {"endsAt", in.EndsAt, &x.EndsAt}} {
		at, err := time.Parse(time.RFC3339, t.text)
		if err != nil {
			return x, badRequest(t.name + " is " + strconv.Quote(clip(t.text, 60)) + ", must be a time such as 2026-01-31T18:00:00Z")
		}
		*t.to = at.UnixMilli()
	}
	return x, nil
}

// amDeleteSilence ends a silence.
func (s *Server) amDeleteSilence(r *request) {
	if err := s.opts.Detect.ExpireSilence(r.vars["id"], r.token.Name, s.nowMs()); err != nil {
		r.failSilence(err)
	}
}
