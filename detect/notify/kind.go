package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// kind is a way to tell people or programs of alerts.
type kind struct {
	name string
	// settings are the keys of a receiver that it takes beside those of all kinds.
	settings []string
	// check judges the settings of a receiver and fills in defaults. Where they lead
	// is for the egress guard to judge.
	check func(r *Receiver) error
	// deliver makes one attempt. Errors carry neither secrets nor words of the other
	// side.
	deliver func(ctx context.Context, s *Service, r *Receiver, b *bundle) answer
}

// kinds returns every kind.
func kinds() []kind {
	return []kind{
		{KindWebhook, []string{"url", "format", "secret", "previous_secret", "username", "password", "max_alerts", "timeout", "heartbeat", "method"}, checkWebhook, deliverWebhook},
		{KindAlertmanager, []string{"url", "username", "password", "timeout"}, checkAlertmanager, rendered(alertmanagerPost)},
		{KindPagerDuty, []string{"url", "routing_key", "title", "text", "max_alerts", "timeout"}, checkPagerDuty, rendered(pagerDutyEvent)},
		{KindOpsgenie, []string{"url", "api_key", "responders", "priority", "title", "text", "max_alerts", "timeout"}, checkOpsgenie, rendered(opsgenieRequest)},
		{KindSlack, []string{"url", "title", "text", "max_alerts", "timeout"}, checkSlack, rendered(slackMessage)},
		{KindTeams, []string{"url", "title", "text", "max_alerts", "timeout"}, checkTeams, rendered(teamsMessage)},
		{KindEmail, []string{"to", "from", "smarthost", "username", "password", "starttls", "subject", "text", "max_alerts", "timeout"}, checkEmail, deliverEmail},
	}
}

// kindOf returns the kind of a name.
func kindOf(name string) (kind, error) {
	all := kinds()
	if i := slices.IndexFunc(all, func(k kind) bool { return k.name == name }); i >= 0 {
		return all[i], nil
	}
	return kind{}, fmt.Errorf("kind %s is not known, must be one of %s", quoted(name), strings.Join(Kinds(), ", "))
}

// Kinds returns the names of the kinds of receivers.
func Kinds() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// bundles reports whether r is told of a group in one message. The own body is one
// alert.
func (r *Receiver) bundles() bool { return r.Kind != KindWebhook || r.Format == formatAlertmanager }

// keepsOpen reports whether what is opened at a kind of receiver stays open until it is
// resolved.
func keepsOpen(kind string) bool { return kind == KindPagerDuty || kind == KindOpsgenie }

// rendered makes a kind's deliver of the request that it renders.
func rendered(render func(r *Receiver, b *bundle) (exchange, error)) func(context.Context, *Service, *Receiver, *bundle) answer {
	return func(ctx context.Context, s *Service, r *Receiver, b *bundle) answer {
		err := b.read()
		if err != nil {
			return answer{verdict: hopeless, err: err.Error(), blocked: true}
		}
		e, err := render(r, b)
		if err != nil {
			return answer{verdict: hopeless, err: err.Error(), blocked: true}
		}
		e.timeout = r.timeout()
		return s.post(ctx, e)
	}
}

// needsURL refuses a receiver without a URL.
func needsURL(r *Receiver) error {
	if r.URL.IsZero() {
		return errors.New("url is missing")
	}
	return nil
}
