package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pulse/query/when"
)

type rulesWhyCmd struct {
	ID     string   `arg:"" help:"The rule."`
	Target string   `help:"The server [http://127.0.0.1:7101]." default:"http://127.0.0.1:7101" env:"PULSE_RULES_TARGET" placeholder:"URL"`
	Tag    []string `help:"A tag of the group, as key=value; repeat it until one group has them all." sep:"none" env:"PULSE_RULES_TAG" placeholder:"K=V"`
	At     string   `help:"The time: now-10m, Unix time or ISO date. Default: the last step judged." env:"PULSE_RULES_AT" placeholder:"T"`
	JSON   bool     `name:"json" help:"Print the server's answer." env:"PULSE_RULES_JSON"`
}

// Run asks the server and prints what it answers, the reason last.
func (c *rulesWhyCmd) Run(ctx context.Context, e *env) error {
	v := url.Values{}
	if c.At != "" {
		now := time.Now().UnixMilli()
		at, err := when.ParseTime(c.At, when.Refs{"now": now}, time.UTC)
		if err == nil {
			err = when.CheckRange(c.At, "") // an unknown name is taken for now
		}
		if err != nil {
			return fmt.Errorf("--at: %w, want a time such as now-10m, 2026-01-31T18:00:00Z or Unix time", err)
		}
		v.Set("t", strconv.FormatInt(at, 10))
	}
	for _, tag := range c.Tag {
		if key, _, ok := strings.Cut(tag, "="); !ok || key == "" || strings.Contains(tag, ",") {
			return fmt.Errorf("--tag is %q, must be key=value", tag)
		}
	}
	server, err := newClient(c.Target)
	if err != nil {
		return err
	}
	if len(c.Tag) > 0 {
		v.Set("tags", strings.Join(c.Tag, ","))
	}
	b, err := server.get(ctx, "/api/v1/rules/"+url.PathEscape(c.ID)+"/why?"+v.Encode())
	if err != nil {
		return err
	}
	if c.JSON {
		_, err = e.stdout.Write(b)
		return err
	}
	return printWhy(e.stdout, b)
}

// printWhy prints the sentences of an answer, one per line, and the reason.
func printWhy(w io.Writer, answer []byte) error {
	var a struct {
		Reason, Text string
		Sentences    []string
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	for _, s := range a.Sentences {
		fmt.Fprintln(w, s)
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", a.Reason, a.Text)
	return err
}
