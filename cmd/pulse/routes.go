package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"pulse/detect"
)

type routesCmd struct {
	Test routesTestCmd `cmd:"" help:"Ask a server which receivers an alert with these labels would be told to."`
}

type routesTestCmd struct {
	Labels []string `arg:"" name:"label" help:"Labels such as severity=page region=eu."`
	At     string   `help:"When, RFC 3339 or Unix ms; mutes go by it. [now]" env:"PULSE_ROUTES_AT" placeholder:"T"`
	Target string   `help:"The server." default:"http://127.0.0.1:7101" env:"PULSE_ROUTES_TARGET" placeholder:"URL"`
	JSON   bool     `name:"json" help:"Print JSON." env:"PULSE_ROUTES_JSON"`
}

// Run prints a line per receiver.
func (c *routesTestCmd) Run(ctx context.Context, e *env) error {
	ask, err := c.body()
	if err != nil {
		return err
	}
	server, err := newClient(c.Target)
	if err != nil {
		return err
	}
	status, text, err := server.do(ctx, http.MethodPost, "/api/v1/routes/test", ask)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return serverError(status, text)
	}
	if c.JSON {
		_, err := e.stdout.Write(text)
		return err
	}
	var got detect.RouteTest
	if err := json.Unmarshal(text, &got); err != nil {
		return fmt.Errorf("answer of %s: %w", c.Target, err)
	}
	return printRouteTest(e.stdout, &got)
}

// body is the request.
func (c *routesTestCmd) body() ([]byte, error) {
	labels := map[string]string{}
	for _, text := range c.Labels {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, errors.New("a label is written name=value, not " + text)
		}
		labels[key] = value
	}
	ask := map[string]any{"labels": labels}
	if c.At != "" {
		ask["t"] = c.At
		var ms int64
		if json.Unmarshal([]byte(c.At), &ms) == nil {
			ask["t"] = ms
		}
	}
	return json.Marshal(ask)
}

func printRouteTest(w io.Writer, t *detect.RouteTest) error {
	switch {
	case len(t.Legs) == 0 && len(t.Taken) > 0:
		_, err := fmt.Fprintf(w, "nobody: %s has no receivers\n", strings.Join(t.Taken, ", "))
		return err
	case len(t.Legs) == 0 && t.Routed:
		_, err := fmt.Fprintln(w, "nobody: no route takes the alert")
		return err
	case len(t.Legs) == 0 && len(t.Receivers) == 0:
		_, err := fmt.Fprintln(w, "nobody: there are no receivers")
		return err
	case len(t.Legs) == 0:
		_, err := fmt.Fprintf(w, "%s: there are no routes\n", strings.Join(t.Receivers, ", "))
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range t.Legs {
		l := &t.Legs[i]
		state := "told"
		switch {
		case len(l.MutedBy) > 0:
			state = "muted by " + strings.Join(l.MutedBy, ", ")
		case len(l.Outside) > 0:
			state = "outside of " + strings.Join(l.Outside, ", ")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\tgroup %s\twait %s\tinterval %s\n", l.Receiver, state, l.Route, l.GroupLabels, l.GroupWait, l.GroupInterval)
	}
	return table.Flush()
}
