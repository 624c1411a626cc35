package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

type replayCmd struct {
	File   string   `arg:"" help:"A CSV file with a header and the columns timestamp,value; the timestamps are not read." type:"existingfile"`
	Name   string   `help:"Name of the series." required:""`
	Dstype string   `help:"How the server normalizes the values." enum:"gauge,counter,rate,sum" default:"gauge"`
	Tag    []string `help:"A further tag, key=value (repeatable)." sep:"none" placeholder:"K=V"`
	Step   span     `help:"Distance of two rows in data time. Default: the server's step." env:"PULSE_REPLAY_STEP" placeholder:"D"`
	Origin int64    `help:"Time of the first row, Unix milliseconds, a multiple of the step. Default: the next step." placeholder:"MS"`
	Every  span     `help:"Distance of two rows in real time. Default: the step." placeholder:"D"`
	Target string   `help:"The server [http://127.0.0.1:7101]." default:"http://127.0.0.1:7101" placeholder:"URL"`
}

// Run pushes row by row: row i is stamped origin + i·step and sent when the
// clock shows that time (or, with --every, i times that after the start).
func (c *replayCmd) Run(ctx context.Context, e *env) error {
	values, err := readValues(c.File)
	if err != nil {
		return err
	}
	point, err := c.point()
	if err != nil {
		return err
	}
	server, err := newClient(c.Target)
	if err != nil {
		return err
	}
	origin, step, err := c.grid(ctx, server)
	if err != nil {
		return err
	}
	every, start := time.Duration(step)*time.Millisecond, time.UnixMilli(origin)
	if c.Every != 0 {
		every, start = time.Duration(c.Every), time.Now()
	}
	fmt.Fprintf(e.stdout, "origin %d step %s rows %d\n", origin, span(step*int64(time.Millisecond)), len(values))

	sent, refused := 0, 0
	for i, v := range values {
		if err := pause(ctx, start.Add(time.Duration(i)*every)); err != nil {
			return err
		}
		if math.IsNaN(v) {
			continue
		}
		point["timestamp"], point["value"] = origin+int64(i)*step, v
		body, err := json.Marshal(map[string]any{"metrics": []any{point}})
		if err != nil {
			return err
		}
		if err := pushRow(ctx, server, body); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if refused++; refused <= 3 {
				fmt.Fprintf(e.stderr, "row %d: %v\n", i+1, err)
			}
			continue
		}
		sent++
	}
	fmt.Fprintf(e.stdout, "sent %d refused %d\n", sent, refused)
	if refused > 0 {
		return fmt.Errorf("%d of %d rows were refused", refused, len(values))
	}
	return nil
}

// grid returns the time of the first row and the distance of two, in ms.
func (c *replayCmd) grid(ctx context.Context, server *client) (origin, step int64, err error) {
	if step = c.Step.ms(); step == 0 {
		if step, err = server.step(ctx); err != nil {
			return 0, 0, err
		}
	}
	if origin = c.Origin; origin == 0 {
		origin = (time.Now().UnixMilli()/step + 2) * step
	}
	if origin%step != 0 {
		return 0, 0, fmt.Errorf("--origin %d is not a multiple of the step, %d ms", origin, step)
	}
	return origin, step, nil
}

// point returns the metric object without time and value.
func (c *replayCmd) point() (map[string]any, error) {
	t := map[string]string{"name": c.Name, "atlas.dstype": c.Dstype}
	for _, kv := range c.Tag {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || key == "" || value == "" {
			return nil, fmt.Errorf("--tag %q is not key=value", kv)
		}
		t[key] = value
	}
	return map[string]any{"tags": t}, nil
}

// pushRow publishes one row; what the server could not take because it was
// busy is sent again, since a repeated gauge, rate or counter changes nothing
// and a refused sum was not applied.
func pushRow(ctx context.Context, server *client, body []byte) error {
	for attempt := 0; ; attempt++ {
		status, answer, err := server.do(ctx, "POST", "/api/v1/publish", body)
		switch {
		case err == nil && status == 200:
			return nil
		case err == nil && status != 429 && status != 503 && status != 507:
			return serverError(status, answer)
		case attempt == 4 && err != nil:
			return err
		case attempt == 4:
			return serverError(status, answer)
		}
		if err := pause(ctx, time.Now().Add(time.Duration(attempt+1)*20*time.Millisecond)); err != nil {
			return err
		}
	}
}

// readValues returns the second column of a CSV file without its header; an
// empty or NaN cell is NaN.
func readValues(path string) ([]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	var out []float64
	for line := 1; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if line == 1 {
			continue
		}
		if len(row) < 2 {
			return nil, fmt.Errorf("read %s: line %d has %d columns, must be timestamp,value", path, line, len(row))
		}
		v := math.NaN()
		if text := strings.TrimSpace(row[1]); text != "" {
			if v, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("read %s: line %d: value %q is not a number", path, line, text)
			}
		}
		out = append(out, v)
	}
}
