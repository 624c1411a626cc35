package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"pulse/web/token"
)

type tokenCmd struct {
	New tokenNewCmd `cmd:"" help:"Make a token: prints its secret, once, and the line for the file of --tokens."`
}

type tokenNewCmd struct {
	Name  string   `arg:"" help:"Who will use it: 1 to 64 characters of A-Z a-z 0-9 . _ -"`
	Scope []string `help:"What it may do: ingest, query or admin (repeatable)." required:"" env:"PULSE_TOKEN_SCOPE" placeholder:"SCOPE"`
	Add   string   `help:"Add the line to this file and print the secret alone." env:"PULSE_TOKEN_ADD" placeholder:"FILE"`
}

// Run makes the token.
func (c *tokenNewCmd) Run(e *env) error {
	var allowed token.Scope
	for _, name := range c.Scope {
		scope, err := token.ParseScope(name)
		if err != nil {
			return fmt.Errorf("--scope %q: %w", name, err)
		}
		allowed |= scope
	}
	secret, line, err := token.New(c.Name, allowed, rand.Reader)
	if err != nil {
		return err
	}
	if c.Add == "" {
		_, err = fmt.Fprintf(e.stdout, "secret  %s\nline    %s\n", secret.Reveal(), line)
		return err
	}
	if err := appendLine(c.Add, line); err != nil {
		return fmt.Errorf("--add: %w", err)
	}
	_, err = fmt.Fprintln(e.stdout, secret.Reveal())
	return err
}

// appendLine adds a line to a list of tokens, which must be one already or not
// be there yet.
func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	text, err := readSmall(name)
	if err == nil {
		_, err = token.Parse(string(text))
	}
	if err == nil {
		if n := len(text); n > 0 && text[n-1] != '\n' {
			line = "\n" + line
		}
		_, err = f.WriteString(line + "\n")
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
