package detect

import (
	"fmt"
	"math"

	"pulse/detect/alert"
	"pulse/detect/algo"
	"pulse/store/tags"
)

// maxListedGroups bounds an answer of Groups.
const maxListedGroups = 1_000

// RuleGroups is where a rule stands.
type RuleGroups struct {
	Rule     string `json:"rule"`
	Step     int64  `json:"step"`   // ms
	Closed   int64  `json:"closed"` // the last step judged, Unix ms; 0: none yet
	Reported int    `json:"reported"`
	Sources  int    `json:"sources"` // expected when that step closed, of which reported had reported it
	// PutOff is the newest step that was judged only after waiting.
	PutOff *PutOff       `json:"putOff,omitempty"`
	Total  int           `json:"total"` // groups that the rule has
	Groups []GroupStatus `json:"groups"`
	More   bool          `json:"more"` // there are more than are shown
}

// GroupStatus is where one group stands: what was judged last, what the detector
// knows, and how far it is from a page. NaN is null.
type GroupStatus struct {
	Tags         map[string]string `json:"tags"`
	State        string            `json:"state"` // inactive, pending, firing
	Incident     string            `json:"incident,omitempty"`
	PendingSince int64             `json:"pendingSince,omitempty"`
	StartsAt     int64             `json:"startsAt,omitempty"`
	NoData       string            `json:"noData,omitempty"` // incident
	Value        Number            `json:"value"`
	Expected     Number            `json:"expected"`
	Lower        Number            `json:"lower"`
	Upper        Number            `json:"upper"`
	Score        Number            `json:"score"`
	Out          bool              `json:"out"`
	Cause        string            `json:"cause"`
	Hold         *Wait             `json:"hold,omitempty"`   // what an excursion must last before it counts
	For          *Wait             `json:"for,omitempty"`    // while pending
	Keep         *Wait             `json:"keep,omitempty"`   // while firing and in band
	Absent       int64             `json:"absent,omitempty"` // ms without data
	// Decision is what a detector that compares has come to: undecided, pass or
	// fail; DecidedAt is the step at which the comparison ended, undecided or not.
	Decision  string            `json:"decision,omitempty"`
	DecidedAt int64             `json:"decidedAt,omitempty"`
	Facts     map[string]Number `json:"facts"`
}

// Groups returns where the groups of a rule stand whose tags contain filter: those
// that fire, that have no data, that are pending, and the others, each in the order
// in which they appeared, and at most limit; 0 or too many: 1,000.
func (e *Engine) Groups(id string, filter tags.Tags, limit int) (*RuleGroups, error) {
	if limit <= 0 || limit > maxListedGroups {
		limit = maxListedGroups
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rules[id]
	if r == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
	}
	out := &RuleGroups{
		Rule: id, Step: r.c.step, Closed: r.stats.LastClosed, PutOff: r.deferred,
		Total: len(r.judge.groups), Groups: []GroupStatus{},
	}
	last := JudgedStep{T: out.Closed}
	r.closedOn.fill(&last)
	out.Reported, out.Sources = last.Reported, last.Sources
	matching := r.matching(filter)
	for urgency := range idle + 1 {
		for _, i := range matching {
			if r.urgency(i) != urgency || !contains(r.judge.groups[i].tags, filter) {
				continue
			}
			if len(out.Groups) == limit {
				out.More = true
				return out, nil
			}
			out.Groups = append(out.Groups, r.status(i))
		}
	}
	return out, nil
}

// matching returns the indexes of groups that may match filter: one when it
// names all tags of a group.
func (r *running) matching(filter tags.Tags) []int {
	if i, ok := r.judge.index[string(filter.AppendKey(nil))]; ok {
		return []int{i}
	}
	all := make([]int, len(r.judge.groups))
	for i := range all {
		all[i] = i
	}
	return all
}

// idle is the urgency of a group without an alert.
const idle = 3

// urgency is 0 for a group that fires, 1 for one without data, 2 while pending.
func (r *running) urgency(i int) int {
	switch {
	case i >= len(r.alerts) || r.alerts[i].state.Idle():
		return idle
	case r.alerts[i].state.Phase == alert.Firing:
		return 0
	case r.alerts[i].absence != nil:
		return 1
	}
	return 2
}

func (r *running) status(i int) GroupStatus {
	g := &r.judge.groups[i]
	s, facts := judgedStep(r.judge, i, r.judged, nil)
	out := GroupStatus{
		Tags: g.tags.Map(), State: alert.Inactive.String(), Value: s.Value, Expected: s.Expected, Lower: s.Lower, Upper: s.Upper,
		Score: s.Score, Out: s.Out, Cause: s.Cause, Facts: make(map[string]Number, len(facts)),
	}
	for _, f := range facts {
		out.Facts[f.Name] = Number(f.Value)
	}
	if d, ok := g.detector.(algo.Decider); ok {
		decision, at := d.Decision()
		out.Decision, out.DecidedAt = decision.String(), at
	}
	if hold, ok := algo.Find(facts, algo.FactHold); ok {
		held, _ := algo.Find(facts, algo.FactHeld)
		out.Hold = &Wait{int64(hold) * r.c.step, int64(held) * r.c.step}
	}
	if i >= len(r.alerts) {
		return out
	}
	a := &r.alerts[i]
	out.State, out.PendingSince, out.StartsAt, out.Absent = a.state.Phase.String(), a.state.PendingSince, a.state.StartsAt, a.state.Absent
	if a.breach != nil {
		out.Incident = a.breach.ID
	}
	if a.absence != nil {
		out.NoData = a.absence.ID
		out.Absent += max(0, r.judged-a.state.NoDataAt)
	}
	config := &r.c.config
	switch a.state.Phase {
	case alert.Pending:
		out.For = &Wait{config.For, max(0, r.judged-a.state.PendingSince-a.state.Held)}
	case alert.Firing:
		if !s.Out && !math.IsNaN(g.value) {
			out.Keep = &Wait{a.state.Needs(config), max(0, r.judged-a.state.LastOut-a.state.Held)}
		}
	}
	return out
}
