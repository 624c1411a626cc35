package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"pulse/detect/label"
)

// bundle is what one attempt tells of: an alert, several of one group, a summary, or a
// test. The body is there at once, the rest after read.
type bundle struct {
	ID       string // webhook-id, equal over all attempts
	Type     string // one of the Type constants
	Receiver string
	// Key names the group, or the incident of an alert that is in none; it is equal
	// over firing, resolved and restarts.
	Key       string
	Labels    map[string]string // of the group
	Alerts    []Notification    // those that fire first
	Truncated int               // alerts of the group that are left out
	Count     int               // of a summary: what it stands for
	Rules     []string          // of a summary: whose they are
	Link      string            // to this server, may be empty
	Page      string            // to its page of alerts, may be empty
	Now       int64             // Unix ms

	body []byte // the webhook body, as it is stored
}

// Names of rules that only exist in what receivers are told.
const (
	ruleSummary = "pulse-alert-summary"
	ruleTest    = "pulse-test"
)

// newBundle returns the bundle of one stored body.
func (s *Service) newBundle(receiver, id, kind, incident string, body []byte) *bundle {
	b := &bundle{ID: id, Type: kind, Receiver: receiver, Key: incident, Link: s.o.Link, Page: s.pageAt("/alerts"), Now: s.o.Clock.Now().UnixMilli(), body: body}
	if b.Key == "" {
		b.Key = id
	}
	return b
}

// pageAt is a link to one of the web pages, empty when it is not known where they are.
func (s *Service) pageAt(path string) string {
	if s.o.Link == "" {
		return ""
	}
	return strings.TrimRight(s.o.Link, "/") + path
}

// read decodes the body. A summary becomes an alert that says so, so that every kind
// can tell of it in its own way.
func (b *bundle) read() error {
	if b.Alerts != nil {
		return nil
	}
	var n Notification
	if b.Type == TypeSummary {
		var sum summaryBody
		if err := json.Unmarshal(b.body, &sum); err != nil {
			return fmt.Errorf("read summary: %w", err)
		}
		b.Count, b.Rules = sum.Count, sum.Rules
		n = Notification{ID: b.ID, Incident: b.ID, Type: TypeSummary, Status: "firing", Rule: ruleSummary, Severity: "page",
			Annotations: map[string]string{"summary": fmt.Sprintf("%d more alerts began", sum.Count), "rules": strings.Join(sum.Rules, ", ")},
			Value:       float64(sum.Count), StartsAt: int64(sum.EvaluatedAt), EvaluatedAt: int64(sum.EvaluatedAt), Completeness: 1, Link: sum.Link, Graph: sum.Link}
		n.unknown()
	} else if err := json.Unmarshal(b.body, &n); err != nil {
		return fmt.Errorf("read notification: %w", err)
	}
	if n.Type == TypeTest {
		n.Rule, n.Incident, n.Value = ruleTest, n.ID, math.NaN()
		n.unknown()
	}
	b.Alerts = []Notification{n}
	return nil
}

// unknown makes n one of which nothing was expected.
func (n *Notification) unknown() {
	n.Expected, n.Lower, n.Upper, n.Score = math.NaN(), math.NaN(), math.NaN(), math.NaN()
}

// over reports whether an alert has ended.
func (n *Notification) over() bool { return n.Type == TypeResolved }

// set returns the labels by which an alert is known.
func (n *Notification) set() label.Set {
	return label.Of(n.Rule, n.Severity, n.Owner, n.Absence || n.Type == TypeNoData, n.Labels, n.Tags)
}

// status is "resolved" when every alert has ended, else "firing".
func (b *bundle) status() string {
	for i := range b.Alerts {
		if !b.Alerts[i].over() {
			return "firing"
		}
	}
	return "resolved"
}

// firing counts the alerts that have not ended.
func (b *bundle) firing() (n int) {
	for i := range b.Alerts {
		if !b.Alerts[i].over() {
			n++
		}
	}
	return n
}

// limited returns b with at most n alerts, 0 for all.
func (b *bundle) limited(n int) *bundle {
	if n <= 0 || len(b.Alerts) <= n {
		return b
	}
	out := *b
	out.Truncated += len(out.Alerts) - n
	out.Alerts = out.Alerts[:n]
	return &out
}

// common returns the pairs that all of a list have.
func common(list []map[string]string) map[string]string {
	if len(list) == 0 {
		return map[string]string{}
	}
	out := maps.Clone(list[0])
	for _, m := range list[1:] {
		maps.DeleteFunc(out, func(k, v string) bool { w, ok := m[k]; return !ok || v != w })
	}
	if out == nil {
		return map[string]string{}
	}
	return out
}

func (b *bundle) commonLabels() map[string]string {
	list := make([]map[string]string, len(b.Alerts))
	for i := range b.Alerts {
		list[i] = b.Alerts[i].set()
	}
	return common(list)
}

func (b *bundle) commonAnnotations() map[string]string {
	list := make([]map[string]string, len(b.Alerts))
	for i := range b.Alerts {
		list[i] = b.Alerts[i].Annotations
	}
	return common(list)
}

// rules names the rules of the alerts, each once.
func (b *bundle) rules() []string {
	if b.Type == TypeSummary {
		return b.Rules
	}
	var out []string
	for i := range b.Alerts {
		out = append(out, b.Alerts[i].Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
