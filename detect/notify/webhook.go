package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pulse/detect/label"
	"pulse/detect/secret"
)

// KindWebhook is an HTTP POST of the JSON body, signed as Standard Webhooks 1.0.0
// has it when there is a secret. Its format "alertmanager" is the body of
// Alertmanager's webhooks instead.
const KindWebhook = "webhook"

// The formats of a webhook's body.
const (
	formatPulse        = "pulse"
	formatAlertmanager = "alertmanager"
)

func checkWebhook(r *Receiver) error {
	r.URL = r.URL.WithPath()
	if err := r.checkHeartbeat(); err != nil {
		return err
	}
	switch r.Format {
	case "", formatPulse:
		if r.MaxAlerts > 0 {
			return errors.New("max_alerts is for format alertmanager; the own body is one alert")
		}
	case formatAlertmanager:
	default:
		return fmt.Errorf("format is %s, want %s or %s", quoted(r.Format), formatPulse, formatAlertmanager)
	}
	for _, s := range []struct {
		key  string
		text secret.Text
	}{{"secret", r.Secret}, {"previous_secret", r.PreviousSecret}} {
		if s.text.IsZero() {
			continue
		}
		if _, err := signingKey(s.text); err != nil {
			return fmt.Errorf("%s %w", s.key, err)
		}
	}
	return nil
}

// deliverWebhook sends the body as it is stored, or Alertmanager's.
func deliverWebhook(ctx context.Context, s *Service, r *Receiver, b *bundle) answer {
	body := b.body
	if r.Format == formatAlertmanager {
		var err error
		if body, err = alertmanagerWebhook(r, b); err != nil {
			return answer{verdict: hopeless, err: err.Error(), blocked: true}
		}
	}
	header := s.webhookHeader(r, b.ID, body)
	r.authorize(header)
	return s.post(ctx, exchange{url: r.URL.Reveal(), header: header, body: body, timeout: r.timeout()})
}

// authorize adds basic authentication, when there is a name.
func (r *Receiver) authorize(h http.Header) {
	if r.Username != "" {
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(r.Username+":"+r.Password.Reveal())))
	}
}

// webhookHeader names and signs a body that is sent now.
func (s *Service) webhookHeader(r *Receiver, id string, body []byte) http.Header {
	timestamp := s.o.Clock.Now().Unix()
	h := http.Header{}
	h.Set("Webhook-Id", id)
	h.Set("Idempotency-Key", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(timestamp, 10))
	if keys := r.keys(); len(keys) > 0 {
		h.Set("Webhook-Signature", signature(keys, id, timestamp, body))
	}
	return h
}

// hook is the body of Alertmanager's webhooks, version 4. Every alert has a member
// `pulse` beside theirs: the own body.
type hook struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []hookAlert       `json:"alerts"`
}

type hookAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"` // year 1 while it fires
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
	Pulse        *Notification     `json:"pulse,omitempty"`
}

func alertmanagerWebhook(r *Receiver, b *bundle) ([]byte, error) {
	if err := b.read(); err != nil {
		return nil, err
	}
	shown := b.limited(r.MaxAlerts)
	out := hook{Version: "4", GroupKey: b.Key, TruncatedAlerts: shown.Truncated, Status: b.status(), Receiver: b.Receiver,
		GroupLabels: b.Labels, CommonLabels: b.commonLabels(), CommonAnnotations: b.commonAnnotations(), ExternalURL: b.Link}
	if out.GroupLabels == nil {
		out.GroupLabels = map[string]string{}
	}
	for i := range shown.Alerts {
		n := &shown.Alerts[i]
		set := n.set()
		a := hookAlert{Status: "firing", Labels: set, Annotations: n.Annotations, StartsAt: rfc3339(n.StartsAt), EndsAt: rfc3339(0),
			GeneratorURL: n.Graph, Fingerprint: label.Fingerprint(set), Pulse: n}
		if n.over() {
			a.Status, a.EndsAt = "resolved", rfc3339(n.EndsAt)
		}
		if a.Annotations == nil {
			a.Annotations = map[string]string{}
		}
		out.Alerts = append(out.Alerts, a)
	}
	return json.Marshal(out)
}

// rfc3339 writes Unix ms as Alertmanager does, year 1 for 0.
func rfc3339(ms int64) string {
	if ms == 0 {
		return "0001-01-01T00:00:00Z"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
