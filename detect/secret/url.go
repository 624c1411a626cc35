package secret

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

// URL is a URL of which only a part is printed, in the way of Text: at first scheme
// and host, after WithPath the path and the names of its query's values too. Who it
// is for is never printed. The zero value is no URL.
type URL struct{ text, shown *string }

// NewURL returns a URL that shows its scheme and host; empty text is none.
func NewURL(text string) URL {
	if text == "" {
		return URL{}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		shown := Mask
		return URL{&text, &shown}
	}
	shown := u.Scheme + "://" + u.Host
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		shown += "/" + Mask
	}
	return URL{&text, &shown}
}

// WithPath returns the URL as one that shows all but the values of its query, and
// what has no name there.
func (u URL) WithPath() URL {
	if u.text == nil {
		return u
	}
	parsed, err := url.Parse(*u.text)
	if err != nil || parsed.Host == "" {
		return u
	}
	parsed.User, parsed.Fragment, parsed.RawFragment = nil, "", ""
	if parsed.RawQuery != "" {
		pairs := strings.Split(parsed.RawQuery, "&")
		for i, pair := range pairs {
			if key, _, named := strings.Cut(pair, "="); named {
				pairs[i] = key + "=" + Mask
			} else {
				pairs[i] = Mask
			}
		}
		parsed.RawQuery = strings.Join(pairs, "&")
	}
	shown := parsed.String()
	return URL{u.text, &shown}
}

// IsZero reports whether there is no URL.
func (u URL) IsZero() bool { return u.text == nil }

// Reveal returns the whole URL, for those that send to it, judge it or store it.
func (u URL) Reveal() string {
	if u.text == nil {
		return ""
	}
	return *u.text
}

// String returns what may be shown.
func (u URL) String() string {
	if u.shown == nil {
		return ""
	}
	return *u.shown
}

// Format writes String for every verb and flag.
func (u URL) Format(f fmt.State, _ rune) { io.WriteString(f, u.String()) }

// MarshalText returns String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText takes the text as it is, a masked one too; the reader judges it.
func (u *URL) UnmarshalText(text []byte) error {
	*u = NewURL(string(text))
	return nil
}
