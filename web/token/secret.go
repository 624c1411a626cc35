package token

import (
	"fmt"
	"io"
	"net/http"
)

// masked is what a secret looks like wherever it is shown.
const masked = "***"

// Secret is the text that a client sends. Nothing prints it: every fmt verb and
// every encoder shows ***. The zero value is no secret.
//
// The text sits behind a pointer because fmt reaches unexported struct fields
// by reflection, where it cannot call Format.
type Secret struct{ text *string }

// NewSecret returns text as a secret; empty text is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Reveal returns the text, for the one place that shows a new token to whom it
// is for.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Authorize adds the secret to a request; no secret adds nothing.
func (s Secret) Authorize(h http.Header) {
	if s.text != nil {
		h.Set("Authorization", "Bearer "+*s.text)
	}
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
