package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"pulse/web/render"
)

type queryCmd struct {
	Expr   string `arg:"" help:"An expression of the Atlas Stack Language."`
	Target string `help:"The server [http://127.0.0.1:7101]." default:"http://127.0.0.1:7101" placeholder:"URL"`
	Start  string `help:"Start, excluded: e-3h, now-1d, Unix time or ISO date [e-3h]." default:"e-3h" placeholder:"T"`
	End    string `help:"End, included [now]." default:"now" placeholder:"T"`
	Step   string `help:"Step of the answer. Default: the server's, coarser for long ranges." env:"PULSE_QUERY_STEP" placeholder:"D"`
	Format string `help:"json, csv, txt, or chart to draw in the terminal." enum:"json,csv,txt,chart" default:"chart"`
	Width  int    `help:"Columns of a chart." default:"100"`
	Height int    `help:"Rows of a chart." default:"16"`
}

// Run asks the server and prints what it answers.
func (c *queryCmd) Run(ctx context.Context, e *env) error {
	server, err := newClient(c.Target)
	if err != nil {
		return err
	}
	format := c.Format
	if format == "chart" {
		if c.Width < 40 || c.Width > 1000 || c.Height < 4 || c.Height > 200 {
			return fmt.Errorf("a chart needs a width from 40 to 1000 and a height from 4 to 200")
		}
		format = "json"
	}
	v := url.Values{"q": {c.Expr}, "s": {c.Start}, "e": {c.End}, "format": {format}}
	if c.Step != "" {
		v.Set("step", c.Step)
	}
	b, err := server.get(ctx, "/api/v1/graph?"+v.Encode())
	if err != nil {
		return err
	}
	if c.Format != "chart" {
		_, err = e.stdout.Write(b)
		return err
	}
	var g graph
	if err := json.Unmarshal(b, &g); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	_, err = e.stdout.Write(appendChart(nil, &g, c.Width, c.Height))
	return err
}

// graph is the part of the json format that a chart needs.
type graph struct {
	Start   int64      `json:"start"`
	Step    int64      `json:"step"`
	Legend  []string   `json:"legend"`
	Values  [][]quoted `json:"values"`
	Notices []string   `json:"notices"`
}

// quoted is a number that may be the string "NaN".
type quoted float64

// UnmarshalJSON reads a number, or NaN for anything that is not one.
func (q *quoted) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		b = []byte("null")
	}
	var n render.Number
	err := n.UnmarshalJSON(b)
	*q = quoted(n)
	return err
}
