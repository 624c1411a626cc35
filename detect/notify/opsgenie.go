package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pulse/detect/secret"
	"pulse/detect/text"
)

// KindOpsgenie creates and closes alerts by Opsgenie's Alert API, which Jira Service
// Management has too.
const KindOpsgenie = "opsgenie"

const opsgenieURL = "https://api.opsgenie.com"

// Limits of the Alert API, in characters unless said.
const (
	opsgenieMessage     = 130
	opsgenieAlias       = 200 // of 512: it stands in a URL too
	opsgenieDescription = 15_000
	opsgenieTags        = 20 // tags
	opsgenieTag         = 50
	opsgenieDetails     = 8_000 // keys and values
	opsgenieEntity      = 512
	opsgenieResponders  = 50 // responders
)

func checkOpsgenie(r *Receiver) error {
	if r.URL.IsZero() {
		r.URL = secret.NewURL(opsgenieURL)
	}
	r.URL = secret.NewURL(strings.TrimSuffix(strings.TrimRight(r.URL.Reveal(), "/"), "/v2/alerts")).WithPath()
	r.tellPeople()
	switch {
	case r.URL.IsZero():
		return errors.New("url has no host")
	case r.APIKey.IsZero():
		return errors.New("api_key is missing")
	case strings.Contains(r.URL.Reveal(), "?"):
		return errors.New("url has a query, want the address of the API such as " + opsgenieURL)
	case r.Priority != "" && !slices.Contains([]string{"P1", "P2", "P3", "P4", "P5"}, r.Priority):
		return fmt.Errorf("priority is %s, want P1 to P5", quoted(r.Priority))
	case len(r.Responders) > opsgenieResponders:
		return fmt.Errorf("responders has %d entries, at most %d", len(r.Responders), opsgenieResponders)
	}
	for i, x := range r.Responders {
		if !slices.Contains([]string{"team", "user", "escalation", "schedule"}, x.Type) {
			return fmt.Errorf("responders[%d].type is %s, want team, user, escalation or schedule", i, quoted(x.Type))
		}
		named := 0
		for _, s := range []string{x.ID, x.Name, x.Username} {
			if s != "" {
				named++
			}
			if len(s) > maxSetting {
				return fmt.Errorf("responders[%d] has a text of %d bytes, at most %d", i, len(s), maxSetting)
			}
		}
		if named != 1 || x.Username != "" && x.Type != "user" {
			return fmt.Errorf("responders[%d] needs one of id, name and, for a user, username", i)
		}
	}
	return nil
}

// ogAlert is the request that creates an alert; another of the same alias while it is
// open is counted there and pages nobody again.
type ogAlert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description,omitempty"`
	Responders  []Responder       `json:"responders,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Details     map[string]string `json:"details,omitempty"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

func opsgenieRequest(r *Receiver, b *bundle) (exchange, error) {
	alias := dedupKey(b.Key, opsgenieAlias)
	e := exchange{url: r.URL.Reveal() + "/v2/alerts", header: http.Header{}, read: readOpsgenie}
	e.header.Set("Authorization", "GenieKey "+r.APIKey.Reveal())
	if b.status() == "resolved" {
		e.url += "/" + url.PathEscape(alias) + "/close?identifierType=alias"
		e.read = readOpsgenieClose
		e.body = []byte(`{"source":"Pulse"}`)
		return e, nil
	}
	p := newPage(r, b, opsgenieMessage)
	n := &b.Alerts[0]
	alert := ogAlert{Message: p.Title, Alias: alias, Description: p.plain(opsgenieDescription), Responders: r.Responders,
		Entity: text.Clip(called(n), opsgenieEntity), Source: "Pulse", Priority: r.Priority, Details: map[string]string{}}
	if len(b.Alerts) > 1 {
		alert.Entity = ""
	}
	if alert.Priority == "" {
		alert.Priority = ogPriority(p.Tone)
	}
	left := opsgenieDetails
	detail := func(key, value string) bool {
		if left -= len(key) + len(value); left < 0 {
			return false
		}
		alert.Details[key] = value
		return true
	}
	if p.Link != "" { // the description may be too long for it
		detail("link", p.Link)
	}
	if p.Graph != "" {
		detail("graph", p.Graph)
	}
	labels := b.commonLabels()
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if alert.Details[key] == "" && !detail(key, labels[key]) {
			break
		}
		if key != "alertname" && len(alert.Tags) < opsgenieTags {
			alert.Tags = append(alert.Tags, text.Clip(strings.ReplaceAll(key+":"+labels[key], ",", " "), opsgenieTag))
		}
	}
	var err error
	e.body, err = json.Marshal(alert)
	return e, err
}

func ogPriority(t tone) string {
	switch t {
	case toneCritical:
		return "P1"
	case toneError:
		return "P2"
	case toneInfo:
		return "P5"
	}
	return "P3"
}

// readOpsgenie reads an answer: 202, since alerts are made later.
func readOpsgenie(status int, _ []byte) (verdict, string) {
	v := judge(status)
	if status == http.StatusUnprocessableEntity {
		v = hopeless
	}
	return v, map[int]string{
		http.StatusUnauthorized:        "Opsgenie does not know the api_key",
		http.StatusForbidden:           "the api_key may not create alerts",
		http.StatusUnprocessableEntity: "Opsgenie finds the alert not valid",
		http.StatusTooManyRequests:     "Opsgenie takes no more requests for now",
	}[status]
}

// readOpsgenieClose takes an alert that is not there for closed.
func readOpsgenieClose(status int, body []byte) (verdict, string) {
	if status == http.StatusNotFound {
		return accepted, ""
	}
	return readOpsgenie(status, body)
}
