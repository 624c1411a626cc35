package notify

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"pulse/detect/label"
	"pulse/detect/text"
)

// Bounds of the templates of a receiver.
const (
	maxTemplate      = 8 << 10  // bytes of one
	maxTemplateText  = 32 << 10 // bytes of what it makes
	maxTemplateViews = 100      // alerts that it sees
)

// template is a receiver's own form of a text, nil for the default.
type template struct{ tmpl *text.Template }

// templates are those of a receiver, parsed when it is put or loaded.
type templates struct{ title, text, subject template }

// or renders the template, or the default when there is none. A template that fails
// on real data, although it did not on examples, never keeps a page from being sent.
func (t template) or(b *bundle, otherwise func() string) string {
	if t.tmpl == nil {
		return otherwise()
	}
	out, err := t.tmpl.Render(b.view())
	if err != nil {
		return strings.TrimSpace(otherwise() + " (template: " + text.Clip(err.Error(), 200) + ")")
	}
	return out
}

// parseTemplates parses the receiver's templates and tries each on an example of
// every type.
func (r *Receiver) parseTemplates() error {
	for _, t := range []struct {
		key, source string
		into        *template
	}{{"title", r.Title, &r.said.title}, {"text", r.Text, &r.said.text}, {"subject", r.Subject, &r.said.subject}} {
		*t.into = template{}
		if t.source == "" {
			continue
		}
		tmpl, err := text.Parse(t.key, t.source, text.Limits{Source: maxTemplate, Rendered: maxTemplateText, Loop: messageLoop})
		if err != nil {
			return fmt.Errorf("%s: %w", t.key, err)
		}
		for _, b := range examples() {
			if _, err := tmpl.Render(b.view()); err != nil {
				return fmt.Errorf("%s: %w (tried on an example of %s)", t.key, err, b.Type)
			}
		}
		*t.into = template{tmpl}
	}
	return nil
}

var fieldPath = regexp.MustCompile(`^(\$[a-zA-Z0-9_]*)?(\.[A-Za-z][A-Za-z0-9_]*)+$`)

// messageLoop allows loops over what the data has, in each other once, and not over
// all alerts for each of them.
func messageLoop(over string, depth int) error {
	switch {
	case depth > 1:
		return fmt.Errorf("range over %s inside two others is not supported", over)
	case !fieldPath.MatchString(over):
		return fmt.Errorf("range over %s is not supported, only over a field such as .Alerts or .Labels.SortedPairs", over)
	}
	for _, field := range strings.Split(over, ".")[1:] {
		if depth > 0 && (field == "Alerts" || field == "Firing" || field == "Resolved") {
			return fmt.Errorf("range over %s inside another is not supported", over)
		}
	}
	return nil
}

// view is what a template sees: the names of Alertmanager's notification data, what
// Pulse has beside them, and the fields of the first alert.
type view struct {
	Receiver          string
	Type              string // alert.firing, ...
	Status            string // firing or resolved
	GroupKey          string
	GroupLabels       pairs
	CommonLabels      pairs
	CommonAnnotations pairs
	ExternalURL       string
	Alerts            alertViews
	TruncatedAlerts   int
	Count             int      // of a summary what it stands for, else of the alerts
	Rules             []string // of the alerts, each once
	alertView
}

// alertView is one alert in a template.
type alertView struct {
	Status                               string // firing or resolved
	Labels, Annotations, Tags            pairs
	StartsAt, EndsAt                     text.Time
	Link                                 string // to the alert's page
	GeneratorURL, Graph                  string // the same
	Fingerprint                          string
	Incident, Rule, Severity, Cause      string
	NoData, Flapping                     bool
	Value, Expected, Lower, Upper, Score text.Number
	Contributors                         []contributorView
}

type contributorView struct {
	Name         string // key=value
	Delta, Share text.Number
}

type alertViews []alertView

// Firing returns the alerts that have not ended.
func (l alertViews) Firing() alertViews { return l.of("firing") }

// Resolved returns those that have.
func (l alertViews) Resolved() alertViews { return l.of("resolved") }

func (l alertViews) of(status string) (out alertViews) {
	for _, a := range l {
		if a.Status == status {
			out = append(out, a)
		}
	}
	return out
}

// pairs are names and values.
type pairs map[string]string

// pair is one of them.
type pair struct{ Name, Value string }

// pairList is in order of the names, alertname first.
type pairList []pair

// SortedPairs returns all in order.
func (p pairs) SortedPairs() (out pairList) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		one := pair{name, p[name]}
		if name == label.AlertName {
			out = append(pairList{one}, out...)
		} else {
			out = append(out, one)
		}
	}
	return out
}

// String returns them as name=value, in order, with commas between them.
func (p pairs) String() string {
	list := make([]string, 0, len(p))
	for _, one := range p.SortedPairs() {
		list = append(list, one.Name+"="+one.Value)
	}
	return strings.Join(list, ", ")
}

// Names returns the names in order.
func (p pairs) Names() []string { return p.SortedPairs().Names() }

// Values returns the values in order of the names.
func (p pairs) Values() []string { return p.SortedPairs().Values() }

// Remove returns all but those of the names.
func (p pairs) Remove(names []string) pairs {
	out := pairs{}
	for name, value := range p {
		if !slices.Contains(names, name) {
			out[name] = value
		}
	}
	return out
}

// Names returns the names.
func (l pairList) Names() (out []string) {
	for _, p := range l {
		out = append(out, p.Name)
	}
	return out
}

// Values returns the values.
func (l pairList) Values() (out []string) {
	for _, p := range l {
		out = append(out, p.Value)
	}
	return out
}

// view returns what a template sees of b.
func (b *bundle) view() *view {
	seen := b.limited(maxTemplateViews)
	v := &view{Receiver: b.Receiver, Type: b.Type, Status: b.status(), GroupKey: b.Key, GroupLabels: b.Labels,
		CommonLabels: b.commonLabels(), CommonAnnotations: b.commonAnnotations(), ExternalURL: b.Link,
		TruncatedAlerts: seen.Truncated, Count: len(b.Alerts) + b.Truncated, Rules: b.rules()}
	if b.Type == TypeSummary {
		v.Count = b.Count
	}
	for i := range seen.Alerts {
		v.Alerts = append(v.Alerts, seen.Alerts[i].view(b.Now))
	}
	if len(v.Alerts) > 0 {
		v.alertView = v.Alerts[0]
	}
	return v
}

func (n *Notification) view(now int64) alertView {
	set := n.set()
	v := alertView{Status: "firing", Labels: pairs(set), Annotations: n.Annotations, Tags: n.Tags,
		StartsAt: text.At(n.StartsAt, now), EndsAt: text.At(n.EndsAt, now), Link: n.Link, GeneratorURL: n.Graph, Graph: n.Graph, Fingerprint: label.Fingerprint(set),
		Incident: n.Incident, Rule: n.Rule, Severity: n.Severity, Cause: n.Cause, NoData: n.Type == TypeNoData, Flapping: n.Flapping,
		Value: text.Number(n.Value), Expected: text.Number(n.Expected), Lower: text.Number(n.Lower), Upper: text.Number(n.Upper), Score: text.Number(n.Score)}
	if n.over() {
		v.Status = "resolved"
	}
	for _, c := range n.Contributors {
		v.Contributors = append(v.Contributors, contributorView{carrier(Contributor{Tags: c.Tags, Share: math.NaN()}), text.Number(c.Delta), text.Number(c.Share)})
	}
	return v
}

// examples are bundles of every type, for trying templates.
func examples() []*bundle {
	const began, ended = 1_767_225_600_000, 1_767_225_720_000
	fires := Notification{ID: "example-firing", Incident: "example", Type: TypeFiring, Status: "firing", Rule: "example", Severity: "page",
		Labels: map[string]string{"team": "playback"}, Annotations: map[string]string{"summary": "an example"}, Tags: map[string]string{"region": "eu"},
		Value: 412.5, Expected: 980.1, Lower: 900.2, Upper: 1060, Score: 0.998, Cause: "drop", StartsAt: began, EvaluatedAt: began, Completeness: 1,
		Contributors: []Contributor{{map[string]string{"device": "tv"}, -540, 0.95}}, Link: "https://pulse.example.com/alerts/example", Graph: "https://pulse.example.com/"}
	bare := Notification{ID: "example-nodata", Incident: "example", Type: TypeNoData, Status: "nodata", Rule: "example", Severity: "warn",
		Value: math.NaN(), Cause: "missing", StartsAt: began, EvaluatedAt: began}
	bare.unknown()
	over := fires
	over.Type, over.Status, over.EndsAt = TypeResolved, "resolved", ended
	test, summary := bare, bare
	test.Type, test.Rule, summary.Type, summary.Rule = TypeTest, ruleTest, TypeSummary, ruleSummary
	one := func(list ...Notification) *bundle {
		return &bundle{ID: list[0].ID, Type: list[0].Type, Receiver: "example", Key: "example", Alerts: list, Link: "https://pulse.example.com", Now: ended}
	}
	counted := one(summary)
	counted.Count, counted.Rules = 440, []string{"example"}
	return []*bundle{one(fires), one(fires, over), one(over), one(bare), one(test), counted}
}
