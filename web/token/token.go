// Package token reads bearer tokens: who may send a request, and what for.
//
// A token is a random secret that a client sends as `Authorization: Bearer
// SECRET`. The server knows only its SHA-256, from a list with one token a
// line:
//
//	# name       scopes        secret
//	agents       ingest        sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
//	oncall       query,admin   sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
//
// Two lines may share a name, so that a client can change from one secret to
// the next without a gap. Nothing is salted or slow, because a secret has 256
// random bits: there is no list of likely ones to try.
package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"pulse/detect/secret"
)

// Scope is a set of things that a token may do.
type Scope uint8

const (
	Ingest Scope = 1 << iota // bring datapoints
	Query                    // read data, rules and alerts
	Admin                    // change rules and receivers, read the server's own numbers and profiles, reload
)

var scopes = []struct {
	scope Scope
	name  string
}{{Ingest, "ingest"}, {Query, "query"}, {Admin, "admin"}}

// String returns the names, comma separated, as Parse reads them.
func (s Scope) String() string {
	var names []string
	for _, x := range scopes {
		if s&x.scope != 0 {
			names = append(names, x.name)
		}
	}
	return strings.Join(names, ",")
}

// ParseScope reads one name of a scope.
func ParseScope(name string) (Scope, error) {
	for _, x := range scopes {
		if x.name == name {
			return x.scope, nil
		}
	}
	return 0, errors.New("a scope is ingest, query or admin")
}

// Prefix is what the secrets of New begin with, so that one is known for what
// it is where it does not belong.
const Prefix = "pulse_"

const (
	maxTokens = 1000
	maxName   = 64
	sumPrefix = "sha256:"
)

// Token is one line of the list: everything about a token but its secret.
type Token struct {
	Name   string
	Scopes Scope
	sum    [sha256.Size]byte
}

// Set is a list of tokens. It does not change and is safe for concurrent use.
type Set struct{ tokens []Token }

// Parse reads a list. Its errors name the line and carry nothing of it, since
// it may be a secret that somebody wrote there by mistake.
func Parse(text string) (*Set, error) {
	s := &Set{}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		t, err := parseLine(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		for _, other := range s.tokens {
			if other.sum == t.sum {
				return nil, fmt.Errorf("line %d: %s and %s have the same secret", i+1, other.Name, t.Name)
			}
		}
		if s.tokens = append(s.tokens, t); len(s.tokens) > maxTokens {
			return nil, fmt.Errorf("more than %d tokens", maxTokens)
		}
	}
	return s, nil
}

func parseLine(fields []string) (t Token, err error) {
	if len(fields) != 3 {
		return t, fmt.Errorf("%d words, must be a name, scopes and sha256:HEX, such as `pulse token new` prints", len(fields))
	}
	if err := checkName(fields[0]); err != nil {
		return t, err
	}
	t.Name = fields[0]
	for _, name := range strings.Split(fields[1], ",") {
		scope, err := ParseScope(name)
		if err != nil {
			return t, err
		}
		t.Scopes |= scope
	}
	digits, ok := strings.CutPrefix(fields[2], sumPrefix)
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != len(t.sum) {
		return t, errors.New("the third word must be sha256: and 64 hexadecimal digits")
	}
	copy(t.sum[:], sum)
	return t, nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("a name has 1 to %d characters", maxName)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return errors.New("a name has characters of A-Z a-z 0-9 . _ -")
		}
	}
	return nil
}

// Len returns how many tokens there are.
func (s *Set) Len() int { return len(s.tokens) }

// Find returns the token that the value of an Authorization header carries. It
// takes the same time for every secret: each token is compared, and all bytes
// of it.
func (s *Set) Find(authorization []byte) (found Token, ok bool) {
	const scheme = "bearer "
	if len(authorization) <= len(scheme) || !strings.EqualFold(string(authorization[:len(scheme)]), scheme) {
		return Token{}, false
	}
	sum := sha256.Sum256(authorization[len(scheme):])
	at := -1
	for i := range s.tokens {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], s.tokens[i].sum[:]), i, at)
	}
	if at < 0 {
		return Token{}, false
	}
	return s.tokens[at], true
}

// Allows reports whether a token that Find has returned, from this list or one
// before it, may still do something.
func (s *Set) Allows(t Token, scope Scope) bool {
	for i := range s.tokens {
		if s.tokens[i].sum == t.sum {
			return s.tokens[i].Scopes&scope != 0
		}
	}
	return false
}

// New makes a secret of 256 bits from random, and the line of the list that
// lets it in.
func New(name string, allowed Scope, random io.Reader) (secret.Text, string, error) {
	if err := checkName(name); err != nil {
		return secret.Text{}, "", err
	}
	if allowed == 0 {
		return secret.Text{}, "", errors.New("a token needs a scope: ingest, query or admin")
	}
	var bits [32]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return secret.Text{}, "", fmt.Errorf("read random bits: %w", err)
	}
	text := Prefix + base64.RawURLEncoding.EncodeToString(bits[:])
	sum := sha256.Sum256([]byte(text))
	return secret.New(text), name + " " + allowed.String() + " " + sumPrefix + hex.EncodeToString(sum[:]), nil
}

// Authorize adds a secret to a request; no secret adds nothing.
func Authorize(h http.Header, s secret.Text) {
	if !s.IsZero() {
		h.Set("Authorization", "Bearer "+s.Reveal())
	}
}
