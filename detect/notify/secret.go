package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// masked is what a secret looks like wherever it is shown.
const masked = "***"

// secretPrefix marks the text form of a symmetric Standard Webhooks secret.
const secretPrefix = "whsec_"

// Secret is text that nothing prints: every fmt verb, JSON, YAML and log
// encoders show *** for it. Reading it from JSON or YAML works, so it can be
// written through an API and never read back. The zero value is no secret.
//
// The text sits behind a pointer because fmt reaches unexported struct fields
// by reflection, where it cannot call Format.
type Secret struct {
	text *string
}

// NewSecret returns text as a secret; empty text is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// reveal returns the text, for signing and for the database only.
func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns *** for a secret and nothing for none.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return masked
}

// Format writes String for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText returns String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is; Receiver validation judges it.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// key returns the signing key: whsec_ followed by base64 of 24 to 64 bytes.
// Errors never carry the text.
func (s Secret) key() ([]byte, error) {
	encoded, ok := strings.CutPrefix(s.reveal(), secretPrefix)
	if !ok {
		return nil, errors.New("must begin with " + secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("must be base64 after " + secretPrefix)
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("must hold 24 to 64 bytes, has %d", len(key))
	}
	return key, nil
}

// signature returns the value of the webhook-signature header: one
// `v1,<base64>` per key, separated by a blank, each the HMAC-SHA256 of
// id.timestamp.body. Source: Standard Webhooks 1.0.0.
func signature(keys [][]byte, id string, timestamp int64, body []byte) string {
	var out strings.Builder
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, id+"."+strconv.FormatInt(timestamp, 10)+".")
		mac.Write(body)
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return out.String()
}
