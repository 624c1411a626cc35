package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"pulse/query/asl"
	"pulse/query/when"
	"pulse/web/render"
)

type queryCmd struct {
	Expr     string `arg:"" help:"An expression of the Atlas Stack Language."`
	Target   string `help:"The server [http://127.0.0.1:7101]." default:"http://127.0.0.1:7101" placeholder:"URL"`
	File     string `help:"Evaluate the points of this file instead, without a server; - is standard input; gzip and zstd are unpacked. A line is a point, {\"tags\":{...},\"timestamp\":ms,\"value\":v}, or a series as it is imported, {\"tags\":{...},\"timestamps\":[...],\"values\":[...]}." env:"PULSE_QUERY_FILE" placeholder:"F.ndjson"`
	FileStep string `help:"Step of the values of the file. Default: their most frequent distance." env:"PULSE_QUERY_FILE_STEP" placeholder:"D"`
	Start    string `help:"Start, excluded: e-3h, now-1d, Unix time or ISO date [e-3h; of a file its start]." placeholder:"T"`
	End      string `help:"End, included [now, which for a file is its last point]." placeholder:"T"`
	Step     string `help:"Step of the answer. Default: the server's, or the file's; coarser for long ranges." env:"PULSE_QUERY_STEP" placeholder:"D"`
	Unstable bool   `help:"Permit words that are marked unstable."`
	Format   string `help:"json, csv, txt, or chart to draw in the terminal." enum:"json,csv,txt,chart" default:"chart"`
	Width    int    `help:"Columns of a chart. Default: those of the terminal; else $COLUMNS, else 100." placeholder:"N"`
	Height   int    `help:"Rows of a chart." default:"16"`
}

// Run asks the server, or evaluates a file, and prints the answer.
func (c *queryCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(time.Now()); err != nil {
		return err
	}
	width := c.Width
	if width == 0 {
		width = columns(e.stdout)
	}
	var out []byte
	var err error
	if c.File != "" {
		g, ferr := c.evaluate(ctx, e, realClock{})
		if ferr != nil {
			return ferr
		}
		out, err = c.appendResult(nil, g, width)
	} else {
		out, err = c.ask(ctx, width)
	}
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(out)
	return err
}

// check refuses flags that cannot be meant, before anybody is asked.
func (c *queryCmd) check(now time.Time) error {
	if c.Format == "chart" && (c.Width != 0 && (c.Width < minColumns || c.Width > maxColumns) || c.Height < 4 || c.Height > 200) {
		return fmt.Errorf("a chart needs a width from %d to %d and a height from 4 to 200", minColumns, maxColumns)
	}
	if c.Step != "" {
		if d, err := when.ParseDuration(c.Step); err != nil || d < time.Millisecond {
			return fmt.Errorf("--step is %q, must be a duration such as 1m", c.Step)
		}
	}
	err := when.CheckRange(c.Start, c.End)
	if err == nil {
		_, _, err = when.ParseRange(c.Start, c.End, now.UnixMilli(), time.UTC)
	}
	var fault *when.RangeError // what both say together depends on whose time is meant
	if !errors.As(err, &fault) {
		return nil
	}
	flag := "--start"
	if fault.End {
		flag = "--end"
	}
	return fmt.Errorf("%s: %w; a time is written e-3h, now-1d, 1700000000 or 2024-02-01T03:04", flag, err)
}

// Bounds of the width of a chart, and what it is when nobody says.
const (
	minColumns     = 34
	maxColumns     = 1000
	defaultColumns = 100
)

// columns returns how wide a chart is on out: as the terminal, if it is one, else as
// the variable COLUMNS says.
func columns(out io.Writer) int {
	n := 0
	if f, ok := out.(*os.File); ok {
		n = terminalColumns(f)
	}
	if n <= 0 {
		n, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if n <= 0 {
		n = defaultColumns
	}
	return min(max(n, minColumns), maxColumns)
}

// ask returns the server's answer in the format that is wanted; a chart is so wide.
func (c *queryCmd) ask(ctx context.Context, width int) ([]byte, error) {
	server, err := newClient(c.Target)
	if err != nil {
		return nil, err
	}
	v := url.Values{"q": {c.Expr}, "format": {c.Format}}
	if c.Format == "chart" {
		v.Set("format", "json")
	}
	for name, value := range map[string]string{"s": c.Start, "e": c.End, "step": c.Step} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if c.Unstable {
		v.Set("features", "unstable")
	}
	status, b, err := server.do(ctx, http.MethodGet, "/api/v1/graph?"+v.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, c.explain(status, b)
	}
	if c.Format != "chart" {
		return b, nil
	}
	var g graph
	if err := json.Unmarshal(b, &g); err != nil {
		return nil, fmt.Errorf("what %s answers is no graph; is it a Pulse server?", server.base)
	}
	return appendChart(nil, &g, width, c.Height), nil
}

// explain returns the server's error with the place in the expression and what
// helps, if it is about the expression.
func (c *queryCmd) explain(status int, body []byte) error {
	var e struct {
		Message string
		Offset  *int
		Token   string
		Hint    string
		Stack   []string
	}
	if json.Unmarshal(body, &e) != nil || e.Offset == nil && e.Hint == "" && e.Stack == nil {
		return serverError(status, body)
	}
	at := -1
	if e.Offset != nil {
		at = *e.Offset
	}
	printed := asl.Error{Message: e.Message, Offset: at, Token: e.Token, Hint: e.Hint, Stack: e.Stack}
	return errors.New(printed.Explain(c.Expr))
}

// graph is the part of the json format that a chart needs.
type graph struct {
	Start   int64      `json:"start"`
	Step    int64      `json:"step"`
	Legend  []string   `json:"legend"`
	Values  [][]quoted `json:"values"`
	Notices []string   `json:"notices"`
	Explain struct {
		InputLines int64 `json:"inputLines"`
	} `json:"explain"`
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
