package notify

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// The types of a notification. Firing and NoData open an incident, Resolved
// ends it, the others stand alone.
const (
	TypeFiring   = "alert.firing"
	TypeResolved = "alert.resolved"
	TypeNoData   = "alert.nodata"
	TypeSummary  = "alert.summary"
	TypeTest     = "alert.test"
	// TypeHeartbeat is no alert: it says that alerts are judged and sent.
	TypeHeartbeat = "alert.heartbeat"
)

// Notification is one transition of an alert as receivers are told about it.
// Its JSON form is the webhook body: times are RFC 3339 with milliseconds in
// UTC, a time of 0 and a NaN or infinite number are null, absent maps and
// lists are empty ones.
type Notification struct {
	// ID names the transition; it is the webhook-id and the idempotency key,
	// equal over all receivers, retries and restarts. 1 to 255 characters of
	// printable ASCII without blanks.
	ID string
	// Incident lasts from firing to resolve and is shared by both.
	Incident string
	Type     string // one of the Type constants
	Status   string // "firing", "resolved", "nodata"
	Rule     string
	Severity string
	Owner    string // of the rule; absent from the JSON form when empty
	// Absence marks the incident of missing data, its end too. It is absent from the
	// JSON form when false.
	Absence bool
	// Flapping says that the incident began again and again, and goes on until it has
	// been calm. It is absent from the JSON form when false.
	Flapping bool

	Labels      map[string]string
	Annotations map[string]string
	Tags        map[string]string // of the group that changed

	Value, Expected, Lower, Upper float64 // NaN = unknown
	Score                         float64 // [0,1], NaN = unknown
	Cause                         string  // in which way the stream is or was out, a word of algo.Cause; empty = unknown
	Detector                      json.RawMessage

	StartsAt, EndsAt, EvaluatedAt int64 // Unix ms, 0 = none
	DataAgeMs                     int64
	Completeness                  float64 // reported ÷ expected sources, [0,1]
	Contributors                  []Contributor
	Link                          string // to the alert's page, empty when it is not known where pages are
	Graph                         string // link to a graph of the moment

	// Notify names the receivers; empty means every receiver. It counts while To is
	// nil; an empty To is nobody. Neither is part of the JSON form.
	Notify []string
	To     []Target
}

// Contributor is one group of tag values and its part in a change.
type Contributor struct {
	Tags  map[string]string
	Delta float64 // change of the group's value, in the unit of the value
	Share float64 // Delta ÷ change of the whole
}

// opens tells whether a notification of this type begins an incident.
func opens(kind string) bool { return kind == TypeFiring || kind == TypeNoData }

// number is a float64 whose NaN and infinities are null in JSON.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

func (n *number) UnmarshalJSON(src []byte) error {
	if bytes.Equal(src, []byte("null")) {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(src, (*float64)(n))
}

// instant is Unix milliseconds whose 0 is null in JSON.
type instant int64

// instantLayout is RFC 3339 with exactly three decimals.
const instantLayout = "2006-01-02T15:04:05.000Z07:00"

func (i instant) MarshalJSON() ([]byte, error) {
	if i == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + time.UnixMilli(int64(i)).UTC().Format(instantLayout) + `"`), nil
}

func (i *instant) UnmarshalJSON(src []byte) error {
	if bytes.Equal(src, []byte("null")) {
		*i = 0
		return nil
	}
	var t time.Time
	if err := json.Unmarshal(src, &t); err != nil {
		return err
	}
	*i = instant(t.UnixMilli())
	return nil
}

// body is the webhook body as it is read; AppendJSON writes it.
type body struct {
	Type         string            `json:"type"`
	ID           string            `json:"id"`
	Incident     string            `json:"incident"`
	Status       string            `json:"status"`
	Rule         string            `json:"rule"`
	Severity     string            `json:"severity"`
	Owner        string            `json:"owner,omitempty"`
	Absence      bool              `json:"absence,omitempty"`
	Flapping     bool              `json:"flapping,omitempty"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	Tags         map[string]string `json:"tags"`
	Value        number            `json:"value"`
	Expected     number            `json:"expected"`
	Lower        number            `json:"lower"`
	Upper        number            `json:"upper"`
	Score        number            `json:"score"`
	Cause        string            `json:"cause"`
	Detector     json.RawMessage   `json:"detector"`
	StartsAt     instant           `json:"startsAt"`
	EndsAt       instant           `json:"endsAt"`
	EvaluatedAt  instant           `json:"evaluatedAt"`
	DataAgeMs    int64             `json:"dataAgeMs"`
	Completeness number            `json:"completeness"`
	Contributors []contributorBody `json:"contributors"`
	Link         string            `json:"link"`
	Graph        string            `json:"graph"`
}

type contributorBody struct {
	Tags  map[string]string `json:"tags"`
	Delta number            `json:"delta"`
	Share number            `json:"share"`
}

// UnmarshalJSON reads the webhook body back; Notify stays empty.
func (n *Notification) UnmarshalJSON(src []byte) error {
	var b body
	if err := json.Unmarshal(src, &b); err != nil {
		return err
	}
	*n = Notification{
		ID: b.ID, Incident: b.Incident, Type: b.Type, Status: b.Status, Rule: b.Rule, Severity: b.Severity, Owner: b.Owner, Absence: b.Absence, Flapping: b.Flapping,
		Labels: b.Labels, Annotations: b.Annotations, Tags: b.Tags,
		Value: float64(b.Value), Expected: float64(b.Expected), Lower: float64(b.Lower), Upper: float64(b.Upper),
		Score: float64(b.Score), Cause: b.Cause, Detector: b.Detector,
		StartsAt: int64(b.StartsAt), EndsAt: int64(b.EndsAt), EvaluatedAt: int64(b.EvaluatedAt),
		DataAgeMs: b.DataAgeMs, Completeness: float64(b.Completeness), Link: b.Link, Graph: b.Graph,
	}
	for _, c := range b.Contributors {
		n.Contributors = append(n.Contributors, Contributor{c.Tags, float64(c.Delta), float64(c.Share)})
	}
	return nil
}
