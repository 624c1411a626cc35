package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulse/detect/secret"
)

// maxReceivers bounds how many receivers may exist.
const maxReceivers = 100

// MaxReceivers is the limit that a server shows.
const MaxReceivers = maxReceivers

// ErrUnknownReceiver is returned for a name that no receiver has.
var ErrUnknownReceiver = errors.New("unknown receiver")

// ErrNotStored says that the database could not be written now.
var ErrNotStored = errors.New("receivers cannot be stored now")

// Receiver is a place that notifications go to. Which settings it takes is up to its
// kind; every other must be absent.
type Receiver struct {
	// Name is 1 to 64 characters of A-Z a-z 0-9 . _ -
	Name string `json:"name"`
	// Kind is one of Kinds; empty means webhook.
	Kind string `json:"kind"`
	// URL is http or https, without user information. Of webhooks all but the values
	// of its query is shown, of Slack and Teams, whose paths are keys, the host only.
	URL secret.URL `json:"url,omitzero"`
	// Format of a webhook's body: "pulse", the default, or "alertmanager".
	Format string `json:"format,omitempty"`
	// Secret signs the body: whsec_ and base64 of 24 to 64 bytes. Absent: no
	// signature. *** keeps the stored one.
	Secret secret.Text `json:"secret,omitzero"`
	// PreviousSecret signs too while it is set, so that a receiver can change
	// over without a gap.
	PreviousSecret secret.Text `json:"previous_secret,omitzero"`
	RoutingKey     secret.Text `json:"routing_key,omitzero"` // of PagerDuty, 32 characters
	APIKey         secret.Text `json:"api_key,omitzero"`     // of Opsgenie
	Responders     []Responder `json:"responders,omitempty"` // of Opsgenie
	Priority       string      `json:"priority,omitempty"`   // of Opsgenie, P1 to P5; empty goes by the severity
	To             Addresses   `json:"to,omitempty"`         // of mails
	From           string      `json:"from,omitempty"`       // of mails
	Smarthost      string      `json:"smarthost,omitempty"`  // host:port of the mail server
	Username       string      `json:"username,omitempty"`   // for the mail server, or basic authentication
	Password       secret.Text `json:"password,omitzero"`
	// StartTLS may be false, for a mail server without it; then there is no password.
	StartTLS *bool `json:"starttls,omitempty"`
	// Title, Text and Subject are templates; empty is the default.
	Title   string `json:"title,omitempty"`
	Text    string `json:"text,omitempty"`
	Subject string `json:"subject,omitempty"`
	// MaxAlerts bounds how many alerts of a group one message tells of; 0 is all for
	// programs and 10 for people.
	MaxAlerts int `json:"max_alerts,omitempty"`
	// Timeout of an attempt, such as "5s"; empty is 10 s.
	Timeout string `json:"timeout,omitempty"`
	// SendResolved false keeps the ends of alerts from it.
	SendResolved *bool `json:"send_resolved,omitempty"`
	// Heartbeat, such as "1m", makes a webhook one that gets nothing but heartbeats, by
	// Method, GET or POST; empty is POST.
	Heartbeat string `json:"heartbeat,omitempty"`
	Method    string `json:"method,omitempty"`
	// Meta receivers are told of others that fail; when there is none, all others are.
	Meta bool `json:"meta,omitempty"`
	// Disabled stops delivery: set by an operator, or when the receiver
	// answered 410. Notifications wait, for at most a day, until a receiver of
	// the same name is put without it.
	Disabled bool `json:"disabled,omitempty"`
	// DisabledAt (Unix ms) and DisabledReason say when and why, if the receiver
	// itself caused it. Read only.
	DisabledAt     int64  `json:"disabled_at,omitempty"`
	DisabledReason string `json:"disabled_reason,omitempty"`

	// Status is how delivery goes. Read only; it is no part of what is stored.
	Status *ReceiverStats `json:"status,omitempty"`

	said  templates
	files map[string]string // key → name of the file that it is read from; rule files only
}

// Responder is who an alert of Opsgenie goes to: one of ID, Name and Username.
type Responder struct {
	Type     string `json:"type"` // team, user, escalation, schedule
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
	Username string `json:"username,omitempty"`
}

// Addresses are those of mails, in JSON a list or one text with commas.
type Addresses []string

// UnmarshalJSON reads both forms.
func (a *Addresses) UnmarshalJSON(src []byte) error {
	if len(src) > 0 && src[0] == '[' {
		return json.Unmarshal(src, (*[]string)(a))
	}
	var line string
	if err := json.Unmarshal(src, &line); err != nil {
		return err
	}
	*a = nil
	for one := range strings.SplitSeq(line, ",") {
		if one = strings.TrimSpace(one); one != "" {
			*a = append(*a, one)
		}
	}
	return nil
}

// ParseReceiver reads a receiver from JSON. An unknown member is an error.
func ParseReceiver(src []byte) (Receiver, error) {
	var r Receiver
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Receiver{}, fmt.Errorf("receiver: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Receiver{}, errors.New("receiver: text after the object")
	}
	return r, nil
}

// validate checks all but the reachability of the URL and returns r with
// defaults filled in.
func (r Receiver) validate() (Receiver, error) {
	if !validName(r.Name) {
		return r, fmt.Errorf("receiver name %.70q: must be 1 to 64 characters of A-Z a-z 0-9 . _ -", r.Name)
	}
	if r.Kind == "" {
		r.Kind = KindWebhook
	}
	if err := r.readFiles(); err != nil {
		return r, fmt.Errorf("receiver %s: %w", r.Name, &elsewhere{err})
	}
	k, err := kindOf(r.Kind)
	if err != nil {
		return r, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	for _, s := range r.settings() {
		if s.set && !slices.Contains(k.settings, s.key) {
			return r, fmt.Errorf("receiver %s: key %q is not one of kind %s, which takes %s", r.Name, s.key, k.name, strings.Join(k.settings, ", "))
		}
	}
	for _, s := range r.settings() {
		if s.secret != nil && s.secret.Reveal() == secret.Mask {
			return r, fmt.Errorf("receiver %s: %w", r.Name, &elsewhere{fmt.Errorf("%s is %s, which keeps what is stored, and nothing is", s.key, secret.Mask)})
		}
	}
	if err := errors.Join(r.checkLimits(), k.check(&r)); err != nil {
		return r, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	if err := r.parseTemplates(); err != nil {
		return r, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	return r, nil
}

// The settings that several kinds share.
const (
	minTimeout   = time.Second
	maxTimeout   = time.Minute
	maxMaxAlerts = 1000
	maxSetting   = 1024 // bytes of a text that is no template
)

func (r *Receiver) checkLimits() error {
	if r.Timeout != "" {
		d, err := time.ParseDuration(r.Timeout)
		if err != nil || d < minTimeout || d > maxTimeout {
			return fmt.Errorf("timeout is %s, want %v to %v", quoted(r.Timeout), minTimeout, maxTimeout)
		}
	}
	if r.MaxAlerts < 0 || r.MaxAlerts > maxMaxAlerts {
		return fmt.Errorf("max_alerts is %d, want 0 (all) to %d", r.MaxAlerts, maxMaxAlerts)
	}
	for _, s := range []struct{ key, text string }{{"username", r.Username}, {"password", r.Password.Reveal()}, {"from", r.From},
		{"smarthost", r.Smarthost}, {"routing_key", r.RoutingKey.Reveal()}, {"api_key", r.APIKey.Reveal()}} {
		if len(s.text) > maxSetting {
			return fmt.Errorf("%s has %d bytes, at most %d", s.key, len(s.text), maxSetting)
		}
		if strings.ContainsFunc(s.text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return fmt.Errorf("%s has a control character", s.key)
		}
	}
	if (r.Username == "") != r.Password.IsZero() {
		return errors.New("username and password go together")
	}
	return nil
}

// timeout bounds one attempt.
func (r *Receiver) timeout() time.Duration {
	if d, err := time.ParseDuration(r.Timeout); err == nil {
		return d
	}
	return attemptTimeout
}

// wants reports whether a notification of this type is for r at all.
func (r *Receiver) wants(kind string) bool {
	return kind != TypeResolved || r.SendResolved == nil || *r.SendResolved
}

// quoted is what somebody wrote where a word is due, for a message. What is no short word
// may be a secret in the wrong place.
func quoted(text string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune(" .,@_-", c)
	}
	if len(text) > 8 && (len(text) > 24 || strings.ContainsFunc(text, func(c rune) bool { return !plain(c) })) {
		return secret.Mask
	}
	return strconv.Quote(text)
}

// setting is a key of a receiver that belongs to some kinds.
type setting struct {
	key    string
	set    bool
	secret *secret.Text // nil when it is none
}

// settings returns every setting of r, those that are secrets with their place in r.
func (r *Receiver) settings() []setting {
	hidden := func(key string, t *secret.Text) setting { return setting{key, !t.IsZero(), t} }
	return []setting{
		{"url", !r.URL.IsZero(), nil},
		{"format", r.Format != "", nil},
		hidden("secret", &r.Secret),
		hidden("previous_secret", &r.PreviousSecret),
		hidden("routing_key", &r.RoutingKey),
		hidden("api_key", &r.APIKey),
		{"responders", len(r.Responders) > 0, nil},
		{"priority", r.Priority != "", nil},
		{"to", len(r.To) > 0, nil},
		{"from", r.From != "", nil},
		{"smarthost", r.Smarthost != "", nil},
		{"username", r.Username != "", nil},
		hidden("password", &r.Password),
		{"starttls", r.StartTLS != nil, nil},
		{"title", r.Title != "", nil},
		{"text", r.Text != "", nil},
		{"subject", r.Subject != "", nil},
		{"max_alerts", r.MaxAlerts != 0, nil},
		{"timeout", r.Timeout != "", nil},
		{"heartbeat", r.Heartbeat != "", nil},
		{"method", r.Method != "", nil},
	}
}

// judgeTarget has the egress guard judge where r leads, as far as that is known now.
func (s *Service) judgeTarget(ctx context.Context, r *Receiver) error {
	if r.Kind == KindEmail {
		return s.guard.mail().checkHost(ctx, r.Smarthost, s.o.Resolver)
	}
	return s.guard.check(ctx, r.URL.Reveal(), s.o.Resolver)
}

// keys returns the signing keys of a valid receiver, the current one first.
func (r Receiver) keys() [][]byte {
	var keys [][]byte
	for _, s := range []secret.Text{r.Secret, r.PreviousSecret} {
		if key, err := signingKey(s); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// shown returns r as it may be shown: nothing in it knows a secret.
func (r Receiver) shown() Receiver {
	r.URL = secret.NewURL(r.URL.String()).WithPath() // which knows no more than it shows
	for _, s := range r.settings() {
		if s.secret != nil && s.set {
			*s.secret = secret.New(secret.Mask)
		}
	}
	return r
}

// keeping returns r with every masked part replaced by what stored has, so
// that a receiver read from the API can be written back.
func (r Receiver) keeping(stored Receiver) Receiver {
	if r.URL.Reveal() == stored.URL.String() {
		r.URL = stored.URL
	}
	before := stored.settings()
	for i, s := range r.settings() {
		if s.secret != nil && s.secret.Reveal() == secret.Mask && before[i].set {
			*s.secret = *before[i].secret
		}
	}
	return r
}

// sameTarget reports whether both send to one place in one name.
func (r Receiver) sameTarget(o Receiver) bool {
	return r.Kind == o.Kind && r.URL.Reveal() == o.URL.Reveal() && r.RoutingKey.Reveal() == o.RoutingKey.Reveal() && r.APIKey.Reveal() == o.APIKey.Reveal()
}

func validName(name string) bool {
	if len(name) == 0 || len(name) > 64 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// storedReceiver is a receiver in the database: as it is shown, and beside it what is
// not, which is written out nowhere else.
type storedReceiver struct {
	Receiver
	Secrets map[string]string `json:"secrets,omitempty"` // the URL under url, the others under their keys
}

func encodeReceiver(r Receiver) ([]byte, error) {
	out := storedReceiver{Receiver: r, Secrets: map[string]string{}}
	if !r.URL.IsZero() {
		out.Secrets["url"] = r.URL.Reveal()
	}
	for _, s := range r.settings() {
		if s.secret != nil && s.set {
			out.Secrets[s.key] = s.secret.Reveal()
		}
	}
	return json.Marshal(out)
}

// decodeReceiver reads what encodeReceiver wrote, and the form before it, in which
// secrets stood in their own places.
func decodeReceiver(src []byte) (Receiver, error) {
	var in storedReceiver
	if err := json.Unmarshal(src, &in); err != nil {
		return Receiver{}, fmt.Errorf("read stored receiver: %w", err)
	}
	r := in.Receiver
	if text, ok := in.Secrets["url"]; ok {
		r.URL = secret.NewURL(text)
	}
	for _, s := range r.settings() {
		if text, ok := in.Secrets[s.key]; ok && s.secret != nil {
			*s.secret = secret.New(text)
		}
	}
	// Whatever a receiver is refused for today, it was taken when it was stored.
	checked, err := r.validate()
	if err != nil {
		return r, nil
	}
	return checked, nil
}
