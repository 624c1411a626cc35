// Package secret holds text that nothing prints.
package secret

import (
	"fmt"
	"io"
)

// Mask is what a secret looks like wherever it is shown.
const Mask = "***"

// Text is text that nothing prints: every fmt verb, JSON, YAML and log encoders
// show Mask for it. Reading it from JSON or YAML works, so it can be written
// through an API and never read back. The zero value is no secret.
//
// The text sits behind a pointer because fmt reaches unexported struct fields
// by reflection, where it cannot call Format.
type Text struct{ text *string }

// New returns text as a secret; empty text is no secret.
func New(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{&text}
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.text == nil }

// Reveal returns the text, for the few places that send it, sign with it, store
// it, or show a new one to whom it is for. No secret is empty text.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// String returns Mask for a secret and nothing for none.
func (t Text) String() string {
	if t.text == nil {
		return ""
	}
	return Mask
}

// Format writes String for every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// MarshalText returns String.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes the text as it is, Mask too; the reader judges it.
func (t *Text) UnmarshalText(text []byte) error {
	*t = New(string(text))
	return nil
}
