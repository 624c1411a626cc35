package silence

import (
	"cmp"
	"slices"
	"strings"

	"pulse/detect/label"
)

// Entry is an alert that is or was, as a preview looks at it.
type Entry struct {
	Incident string            `json:"incident"`
	Rule     string            `json:"rule"`
	State    string            `json:"state"`
	Severity string            `json:"severity"`
	Tags     map[string]string `json:"tags"`
	StartsAt int64             `json:"-"` // when it was first told, or began to be pending
	EndsAt   int64             `json:"-"` // 0: it is open
	Set      label.Set         `json:"-"`
}

// Hits is what a silence would hit.
type Hits struct {
	Count int
	Rules []RuleHits // most hits first
	Shown []Entry    // the newest, at most MaxShown
}

// RuleHits is how many of them are of one rule.
type RuleHits struct {
	Rule  string `json:"rule"`
	Count int    `json:"count"`
}

// MaxShown bounds how many entries a preview shows.
const MaxShown = 100

// Preview returns which of the alerts a silence with these matchers means.
func Preview(ms label.Matchers, alerts []Entry) Hits {
	out := Hits{Rules: []RuleHits{}, Shown: []Entry{}}
	rules := map[string]int{}
	for i := range alerts {
		if ms.Matches(alerts[i].Set) {
			out.Count++
			rules[alerts[i].Rule]++
			out.Shown = append(out.Shown, alerts[i])
		}
	}
	for rule, n := range rules {
		out.Rules = append(out.Rules, RuleHits{rule, n})
	}
	slices.SortFunc(out.Rules, func(a, b RuleHits) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Rule, b.Rule))
	})
	slices.SortFunc(out.Shown, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.StartsAt, a.StartsAt), strings.Compare(a.Incident, b.Incident))
	})
	out.Shown = out.Shown[:min(len(out.Shown), MaxShown)]
	return out
}
