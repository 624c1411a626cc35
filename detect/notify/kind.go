package notify

import (
	"context"
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
		{KindWebhook, []string{"url", "secret", "previous_secret"}, checkWebhook, deliverWebhook},
	}
}

// kindOf returns the kind of a name.
func kindOf(name string) (kind, error) {
	all := kinds()
	if i := slices.IndexFunc(all, func(k kind) bool { return k.name == name }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, k := range all {
		names[i] = k.name
	}
	return kind{}, fmt.Errorf("kind %.40q is not known, must be one of %s", name, strings.Join(names, ", "))
}

// bundle is what one attempt tells of.
type bundle struct {
	ID   string // webhook-id, equal over all attempts
	Type string // one of the Type constants
	body []byte // the webhook body, as it is stored
}
