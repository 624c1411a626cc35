package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"pulse/detect/secret"
)

// KindWebhook is the one kind of receiver: an HTTP POST of the JSON body.
const KindWebhook = "webhook"

// maxReceivers bounds how many receivers may exist.
const maxReceivers = 100

// MaxReceivers is the limit that a server shows.
const MaxReceivers = maxReceivers

// ErrUnknownReceiver is returned for a name that no receiver has.
var ErrUnknownReceiver = errors.New("unknown receiver")

// ErrNotStored says that the database could not be written now.
var ErrNotStored = errors.New("receivers cannot be stored now")

// Receiver is a place that notifications go to.
type Receiver struct {
	// Name is 1 to 64 characters of A-Z a-z 0-9 . _ -
	Name string `json:"name"`
	// Kind is "webhook", which is also what empty means.
	Kind string `json:"kind"`
	// URL is http or https, without user information. Where it is shown, the
	// values of its query, and what has no name there, are ***.
	URL string `json:"url"`
	// Secret signs the body: whsec_ and base64 of 24 to 64 bytes. Absent: no
	// signature. *** keeps the stored one.
	Secret secret.Text `json:"secret,omitzero"`
	// PreviousSecret signs too while it is set, so that a receiver can change
	// over without a gap.
	PreviousSecret secret.Text `json:"previous_secret,omitzero"`
	// Disabled stops delivery: set by an operator, or when the receiver
	// answered 410. Notifications wait, for at most a day, until a receiver of
	// the same name is put without it.
	Disabled bool `json:"disabled,omitempty"`
	// DisabledAt (Unix ms) and DisabledReason say when and why, if the receiver
	// itself caused it. Read only.
	DisabledAt     int64  `json:"disabled_at,omitempty"`
	DisabledReason string `json:"disabled_reason,omitempty"`
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
	if r.Kind != KindWebhook {
		return r, fmt.Errorf("receiver %s: kind %.40q is not known, must be %q", r.Name, r.Kind, KindWebhook)
	}
	for _, s := range []struct {
		field string
		text  secret.Text
	}{{"secret", r.Secret}, {"previous_secret", r.PreviousSecret}} {
		if s.text.IsZero() {
			continue
		}
		if _, err := signingKey(s.text); err != nil {
			return r, fmt.Errorf("receiver %s: %s %w", r.Name, s.field, err)
		}
	}
	return r, nil
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

// shown returns r as it may be shown: what the URL's query carries is masked,
// secrets mask themselves.
func (r Receiver) shown() Receiver {
	r.URL = maskedURL(r.URL)
	for _, s := range []*secret.Text{&r.Secret, &r.PreviousSecret} {
		if !s.IsZero() {
			*s = secret.New(secret.Mask)
		}
	}
	return r
}

// keeping returns r with every masked part replaced by what stored has, so
// that a receiver read from the API can be written back.
func (r Receiver) keeping(stored Receiver) Receiver {
	if r.URL == maskedURL(stored.URL) {
		r.URL = stored.URL
	}
	if r.Secret.Reveal() == secret.Mask {
		r.Secret = stored.Secret
	}
	if r.PreviousSecret.Reveal() == secret.Mask {
		r.PreviousSecret = stored.PreviousSecret
	}
	return r
}

func maskedURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.RawQuery == "" {
		return text
	}
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		if key, _, named := strings.Cut(pair, "="); named {
			pairs[i] = key + "=" + secret.Mask
		} else {
			pairs[i] = secret.Mask
		}
	}
	u.RawQuery = strings.Join(pairs, "&")
	return u.String()
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

// storedReceiver is a receiver in the database, the one place where secrets
// are written out.
type storedReceiver struct {
	Name           string `json:"name"`
	Kind           string `json:"kind"`
	URL            string `json:"url"`
	Secret         string `json:"secret,omitempty"`
	PreviousSecret string `json:"previous_secret,omitempty"`
	Disabled       bool   `json:"disabled,omitempty"`
	DisabledAt     int64  `json:"disabled_at,omitempty"`
	DisabledReason string `json:"disabled_reason,omitempty"`
}

func encodeReceiver(r Receiver) ([]byte, error) {
	return json.Marshal(storedReceiver{
		Name: r.Name, Kind: r.Kind, URL: r.URL,
		Secret: r.Secret.Reveal(), PreviousSecret: r.PreviousSecret.Reveal(),
		Disabled: r.Disabled, DisabledAt: r.DisabledAt, DisabledReason: r.DisabledReason,
	})
}

func decodeReceiver(src []byte) (Receiver, error) {
	var s storedReceiver
	if err := json.Unmarshal(src, &s); err != nil {
		return Receiver{}, fmt.Errorf("read stored receiver: %w", err)
	}
	return Receiver{
		Name: s.Name, Kind: s.Kind, URL: s.URL,
		Secret: secret.New(s.Secret), PreviousSecret: secret.New(s.PreviousSecret),
		Disabled: s.Disabled, DisabledAt: s.DisabledAt, DisabledReason: s.DisabledReason,
	}, nil
}
