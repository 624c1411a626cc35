package web

import (
	"cmp"
	"slices"
	"strings"

	"pulse/detect"
)

// The JSON of the list of rules with how they stand.
type (
	shownAdvice struct {
		Check   string `json:"check"`
		Message string `json:"message"`
	}
	shownStand struct {
		ID       string        `json:"id"`
		Owner    string        `json:"owner"`
		Expr     string        `json:"expr"`
		Detector string        `json:"detector"` // kind
		Severity string        `json:"severity"`
		File     string        `json:"file,omitempty"`
		State    string        `json:"state"`
		Firing   int           `json:"firing"` // groups, as the next two
		Pending  int           `json:"pending"`
		NoData   int           `json:"nodata"`
		Groups   int           `json:"groups"`
		Series   int           `json:"series"`
		Step     int64         `json:"step"`       // ms
		StepNs   int64         `json:"stepNs"`     // what a step has cost so far, the mean
		Closed   int64         `json:"lastClosed"` // the last step judged
		Latency  int64         `json:"lastLatency"`
		Missed   int64         `json:"missed"`
		Error    string        `json:"lastError,omitempty"`
		Advice   []shownAdvice `json:"advice"`
	}
	shownStands struct {
		Total   int            `json:"total"`
		Matched int            `json:"matched"`
		States  map[string]int `json:"states"` // of those that match but for state
		Owners  []string       `json:"owners"`
		Rules   []shownStand   `json:"rules"`
	}
)

// orders of the list; equals come by id.
var standOrders = map[string]func(a, b *detect.RuleStand) int{
	"state": func(a, b *detect.RuleStand) int {
		return cmp.Or(cmp.Compare(slices.Index(detect.RuleStates(), a.State), slices.Index(detect.RuleStates(), b.State)), b.Firing-a.Firing)
	},
	"id":       func(a, b *detect.RuleStand) int { return cmp.Compare(a.Rule.ID, b.Rule.ID) },
	"owner":    func(a, b *detect.RuleStand) int { return cmp.Compare(a.Rule.Owner, b.Rule.Owner) },
	"severity": func(a, b *detect.RuleStand) int { return cmp.Compare(a.Rule.Severity, b.Rule.Severity) },
	"file":     func(a, b *detect.RuleStand) int { return cmp.Compare(a.File, b.File) },
	"groups":   func(a, b *detect.RuleStand) int { return cmp.Compare(b.Groups, a.Groups) },
	"series":   func(a, b *detect.RuleStand) int { return cmp.Compare(b.Series, a.Series) },
	"cost":     func(a, b *detect.RuleStand) int { return cmp.Compare(perSecond(b), perSecond(a)) },
	"judged":   func(a, b *detect.RuleStand) int { return cmp.Compare(a.LastClosed, b.LastClosed) },
	"advice":   func(a, b *detect.RuleStand) int { return cmp.Compare(len(b.Advice), len(a.Advice)) },
}

// stepNs is what a step of the rule has cost so far.
func stepNs(x *detect.RuleStand) int64 { return x.CostNs / max(1, x.Closed) }

// perSecond is what the rule costs in a second.
func perSecond(x *detect.RuleStand) int64 { return stepNs(x) * 1000 / max(1, x.Step) }

// ruleStands answers with the rules that the parameters choose and how they stand.
func (s *Server) ruleStands(r *request) {
	order, given := standOrders[cmp.Or(r.param("sort"), "state")]
	if !given {
		r.failWith(400, "parameter sort is "+clip(r.param("sort"), 40)+", must be state, id, owner, severity, file, groups, series, cost, judged or advice")
		return
	}
	limit, err := r.number("limit", 100, 1, 1000)
	if err != nil {
		r.fail(err)
		return
	}
	offset, err := r.number("offset", 0, 0, 1<<31)
	if err != nil {
		r.fail(err)
		return
	}
	all := s.opts.Detect.RuleStands()
	out := shownStands{Total: len(all), States: map[string]int{}, Owners: ownersOf(all), Rules: []shownStand{}}
	if r.flag("advice") || r.param("sort") == "advice" { // otherwise only what is shown needs it
		for i := range all {
			all[i].Advise()
		}
	}
	words, state, down := strings.Fields(strings.ToLower(r.param("find"))), r.param("state"), r.param("order") == "desc"
	var chosen []*detect.RuleStand // which are large
	for i := range all {
		if x := &all[i]; standFits(x, words, r.param("owner"), r.flag("advice")) {
			out.States[x.State]++
			if state == "" || state == x.State {
				chosen = append(chosen, x)
			}
		}
	}
	slices.SortStableFunc(chosen, func(a, b *detect.RuleStand) int {
		if down {
			return order(b, a)
		}
		return order(a, b)
	})
	out.Matched = len(chosen)
	first := min(int(offset), len(chosen))
	for i := range chosen[first:min(first+int(limit), len(chosen))] {
		chosen[first+i].Advise()
		out.Rules = append(out.Rules, standOf(chosen[first+i]))
	}
	r.json(out)
}

func standFits(x *detect.RuleStand, words []string, owner string, advice bool) bool {
	if owner != "" && owner != x.Rule.Owner || advice && len(x.Advice) == 0 {
		return false
	}
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join([]string{x.Rule.ID, x.Rule.Owner, x.Rule.Expr, x.Rule.Severity, x.Rule.Detector.Kind, x.File}, "\n"))
	for k, v := range x.Rule.Labels {
		text += "\n" + strings.ToLower(k+"="+v)
	}
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

func ownersOf(all []detect.RuleStand) []string {
	out := []string{}
	for i := range all {
		out = append(out, all[i].Rule.Owner)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func standOf(x *detect.RuleStand) shownStand {
	out := shownStand{
		ID: x.Rule.ID, Owner: x.Rule.Owner, Expr: x.Rule.Expr, Detector: x.Rule.Detector.Kind, Severity: x.Rule.Severity, File: x.File, State: x.State,
		Firing: x.Firing, Pending: x.Pending, NoData: x.NoData, Groups: x.Groups, Series: x.Series, Step: x.Step, StepNs: stepNs(x),
		Closed: x.LastClosed, Latency: x.LastLatency, Missed: x.Missed, Error: x.LastError, Advice: []shownAdvice{},
	}
	for _, a := range x.Advice {
		out.Advice = append(out.Advice, shownAdvice(a))
	}
	return out
}
