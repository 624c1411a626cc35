package notify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"pulse/detect/secret"
	"pulse/detect/text"
)

// KindPagerDuty sends events of PagerDuty's Events API v2.
const KindPagerDuty = "pagerduty"

const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// Limits of the Events API v2.
const (
	pagerDutyKey     = 32  // characters of a routing key
	pagerDutyDedup   = 255 // characters
	pagerDutySummary = 1024
	pagerDutyBytes   = 512_000 // of an event
	pagerDutyDetails = 100_000 // characters of the text in the details; own
)

// pagerDutyRest is the pause after an answer of 429, whose limits are those of minutes.
const pagerDutyRest = time.Minute

func checkPagerDuty(r *Receiver) error {
	if r.URL.IsZero() {
		r.URL = secret.NewURL(pagerDutyURL)
	}
	r.URL = r.URL.WithPath()
	r.tellPeople()
	if r.RoutingKey.IsZero() {
		return errors.New("routing_key is missing")
	}
	if n := len(r.RoutingKey.Reveal()); n != pagerDutyKey {
		return fmt.Errorf("routing_key has %d characters, PagerDuty's have %d", n, pagerDutyKey)
	}
	return nil
}

// pdEvent is an event of the API.
type pdEvent struct {
	RoutingKey string     `json:"routing_key"`
	Action     string     `json:"event_action"`
	DedupKey   string     `json:"dedup_key"`
	Payload    *pdPayload `json:"payload,omitempty"`
	Links      []pdLink   `json:"links,omitempty"`
	Client     string     `json:"client,omitempty"`
	ClientURL  string     `json:"client_url,omitempty"`
}

type pdPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

type pdLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// pagerDutyEvent triggers while anything of the bundle fires and resolves after that,
// under one key.
func pagerDutyEvent(r *Receiver, b *bundle) (exchange, error) {
	event := pdEvent{RoutingKey: r.RoutingKey.Reveal(), Action: "resolve", DedupKey: dedupKey(b.Key, pagerDutyDedup)}
	if b.status() == "firing" {
		event.trigger(r, b)
	}
	body, err := json.Marshal(event)
	if err == nil && len(body) > pagerDutyBytes && event.Payload != nil {
		event.Payload.Details = map[string]string{"truncated": fmt.Sprintf("the details made the event larger than %d bytes", pagerDutyBytes)}
		body, err = json.Marshal(event)
	}
	return exchange{url: r.URL.Reveal(), header: http.Header{}, body: body, read: readPagerDuty, rest: pagerDutyRest}, err
}

func (e *pdEvent) trigger(r *Receiver, b *bundle) {
	p := newPage(r, b, pagerDutySummary)
	n := &b.Alerts[0]
	e.Action, e.Client, e.ClientURL = "trigger", "Pulse", webLink(b.Link)
	e.Payload = &pdPayload{Summary: p.Title, Source: "pulse", Severity: pdSeverity(p.Tone), Timestamp: rfc3339(n.StartsAt),
		Component: n.Rule, Class: n.Cause, Details: map[string]string{}}
	if u, err := url.Parse(b.Link); err == nil && u.Host != "" {
		e.Payload.Source = u.Host
	}
	if len(b.Alerts) > 1 {
		e.Payload.Component, e.Payload.Class = "", ""
	}
	group := b.Labels
	if len(group) == 0 {
		group = n.Tags
	}
	e.Payload.Group = text.Clip(listed(group), pagerDutySummary)
	if len(p.Parts) == 1 && p.Text == "" {
		for _, f := range p.Parts[0].Facts {
			e.Payload.Details[f.Name] = f.Value
		}
		for key, value := range n.Annotations {
			e.Payload.Details[key] = value
		}
	} else {
		e.Payload.Details["text"] = p.plain(pagerDutyDetails)
		e.Payload.Details["firing"] = fmt.Sprint(b.firing())
		e.Payload.Details["resolved"] = fmt.Sprint(len(b.Alerts) - b.firing())
	}
	if p.Link != "" {
		e.Links = append(e.Links, pdLink{p.Link, "What happened"})
	}
	if p.Graph != "" {
		e.Links = append(e.Links, pdLink{p.Graph, "Graph"})
	}
	if link := runbook(n); link != "" {
		e.Links = append(e.Links, pdLink{link, "Runbook"})
	}
	e.Payload.Component = text.Clip(e.Payload.Component, pagerDutySummary)
}

func pdSeverity(t tone) string {
	switch t {
	case toneCritical:
		return "critical"
	case toneError, toneUnknown:
		return "error"
	case toneWarning:
		return "warning"
	}
	return "info"
}

// readPagerDuty reads an answer: 202 and the words of the API for what is wrong.
func readPagerDuty(status int, body []byte) (verdict, string) {
	v := judge(status)
	if v == accepted {
		return v, ""
	}
	if status == http.StatusBadRequest { // it asks not to be sent that again
		v = hopeless
	}
	var said struct{ Status string }
	if json.Unmarshal(body, &said) == nil && said.Status == "invalid event" {
		return v, "PagerDuty calls the event invalid: is the routing_key that of an Events API v2 integration?"
	}
	return v, cmp.Or(map[int]string{
		http.StatusTooManyRequests: "PagerDuty takes no more events for now",
		http.StatusForbidden:       "PagerDuty refuses the routing_key",
	}[status], "")
}
