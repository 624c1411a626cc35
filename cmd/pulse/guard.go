package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"pulse/web/token"
)

// GuardFlags say who may use the server, and whether what they say is encrypted.
type GuardFlags struct {
	Tokens      string   `name:"tokens" group:"guard" help:"File of the tokens that let requests in, a line each as pulse token new prints them. PULSE_TOKENS may hold the lines themselves." placeholder:"FILE"`
	TLSCert     string   `name:"tls-cert" group:"guard" help:"Certificate chain, PEM: the server speaks HTTPS." placeholder:"FILE"`
	TLSKey      string   `name:"tls-key" group:"guard" help:"Key of the certificate, PEM." placeholder:"FILE"`
	TLSClientCA string   `name:"tls-client-ca" group:"guard" help:"Authorities, PEM: a client must show a certificate signed by one of them." placeholder:"FILE"`
	AllowOrigin []string `name:"allow-origin" group:"guard" help:"An origin such as https://wiki.example whose pages may use the API (repeatable). Default: only the server's own page." placeholder:"ORIGIN"`

	lines string // of PULSE_TOKENS
}

const (
	tokensVariable = "PULSE_TOKENS"
	lookAgain      = 5 * time.Second // how often the files are looked at for a change
	maxGuardFile   = 1 << 20
)

// check fills in what comes from a variable, and reads the files once.
func (g *GuardFlags) check() error {
	if strings.Contains(g.Tokens, "sha256:") { // lines, not the name of a file
		if g.Tokens != os.Getenv(tokensVariable) {
			return errors.New("--tokens is the name of a file; only the variable " + tokensVariable + " may hold the lines themselves")
		}
		g.lines, g.Tokens = g.Tokens, ""
	}
	if strings.HasPrefix(g.Tokens, token.Prefix) {
		return errors.New("--tokens is the name of a file, and no secret")
	}
	if (g.TLSCert == "") != (g.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key belong together")
	}
	if g.TLSClientCA != "" && g.TLSCert == "" {
		return errors.New("--tls-client-ca needs --tls-cert and --tls-key")
	}
	for _, origin := range g.AllowOrigin {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.Contains(origin, "*") || strings.ToLower(origin) != origin {
			return fmt.Errorf("--allow-origin %q is not an origin such as https://wiki.example, without path and in lower case", origin)
		}
	}
	if _, err := g.readTokens(); err != nil {
		return err
	}
	_, err := g.readTLS()
	return err
}

func (g *GuardFlags) hasTokens() bool { return g.Tokens != "" || g.lines != "" }

func (g *GuardFlags) encrypts() bool { return g.TLSCert != "" }

// readTokens returns the tokens, nil when none are configured.
func (g *GuardFlags) readTokens() (*token.Set, error) {
	switch {
	case g.lines != "":
		s, err := token.Parse(strings.ReplaceAll(g.lines, ";", "\n"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tokensVariable, err)
		}
		return s, nil
	case g.Tokens != "":
		text, err := readSmall(g.Tokens)
		if err != nil {
			return nil, fmt.Errorf("--tokens: %w", err)
		}
		s, err := token.Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("--tokens %s: %w", g.Tokens, err)
		}
		return s, nil
	}
	return nil, nil
}

// readTLS returns how connections are encrypted, nil when they are not.
func (g *GuardFlags) readTLS() (*tls.Config, error) {
	if !g.encrypts() {
		return nil, nil
	}
	cert, err := readSmall(g.TLSCert)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	key, err := readSmall(g.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", g.TLSCert, g.TLSKey, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	if g.TLSClientCA == "" {
		return config, nil
	}
	authorities, err := readSmall(g.TLSClientCA)
	if err != nil {
		return nil, fmt.Errorf("--tls-client-ca: %w", err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("--tls-client-ca %s has no certificate", g.TLSClientCA)
	}
	return config, nil
}

// readSmall reads a file that has no reason to be large.
func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxGuardFile {
		return nil, fmt.Errorf("%s is larger than 1MiB", name)
	}
	return os.ReadFile(name)
}

// guard holds what a reload replaces: tokens and certificates.
type guard struct {
	flags  *GuardFlags
	tokens atomic.Pointer[token.Set]
	tls    atomic.Pointer[tls.Config]
	log    zerolog.Logger
}

func (g *GuardFlags) open(log zerolog.Logger) (*guard, error) {
	x := &guard{flags: g, log: log}
	if err := x.reload(); err != nil {
		return nil, err
	}
	return x, nil
}

// reload reads the files again. What cannot be read stays as it was.
func (x *guard) reload() error {
	set, err := x.flags.readTokens()
	if err == nil && set != nil {
		x.tokens.Store(set)
		if set.Len() == 0 {
			x.log.Warn().Str("tokens", x.flags.Tokens).Msg("there is no token in the file: every request that needs one is refused")
		}
	}
	config, tlsErr := x.flags.readTLS()
	if tlsErr == nil && config != nil {
		x.tls.Store(config)
	}
	return errors.Join(err, tlsErr)
}

// encryption returns what new connections are encrypted with, nil for a server
// that speaks plain HTTP.
func (x *guard) encryption() func() *tls.Config {
	if !x.flags.encrypts() {
		return nil
	}
	return x.tls.Load
}

func (x *guard) count() int {
	if set := x.tokens.Load(); set != nil {
		return set.Len()
	}
	return 0
}

// fingerprint tells two states of the files apart.
func (x *guard) fingerprint() string {
	var b strings.Builder
	for _, name := range []string{x.flags.Tokens, x.flags.TLSCert, x.flags.TLSKey, x.flags.TLSClientCA} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintln(&b, "none")
			continue
		}
		fmt.Fprintln(&b, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// watch calls reload when the files of tokens and certificates change, until ctx ends.
func (x *guard) watch(ctx context.Context, after func(time.Duration) <-chan time.Time, reload func() error) error {
	last := x.fingerprint()
	if last == "" {
		return nil
	}
	for {
		select {
		case <-after(lookAgain):
		case <-ctx.Done():
			return nil
		}
		now := x.fingerprint()
		if now == last {
			continue
		}
		last = now
		if err := reload(); err != nil {
			x.log.Error().Err(err).Msg("tokens and certificates stay as they were")
		}
	}
}
