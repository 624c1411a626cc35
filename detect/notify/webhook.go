package notify

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"pulse/detect/secret"
)

// KindWebhook is an HTTP POST of the JSON body, signed as Standard Webhooks 1.0.0
// has it when there is a secret.
const KindWebhook = "webhook"

func checkWebhook(r *Receiver) error {
	r.URL = r.URL.WithPath()
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

// deliverWebhook sends the body as it is stored.
func deliverWebhook(ctx context.Context, s *Service, r *Receiver, b *bundle) answer {
	return s.post(ctx, exchange{url: r.URL.Reveal(), header: s.webhookHeader(r, b.ID, b.body), body: b.body})
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
