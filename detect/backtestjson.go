package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"pulse/detect/scalar"
)

// ParseBacktestJSON reads the body of a back-test:
//
//	{"rule":{...},"against":{...},"start":ms,"end":ms,"incidents":[{"start":ms,"end":ms,"tags":{}}],"group":{},"trace":points}
//
// Times may be texts such as 2026-01-02T15:04:05Z, too. Unknown keys are errors; a rule
// may do without an id.
func ParseBacktestJSON(body []byte) (Backtest, error) {
	var b Backtest
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return b, fmt.Errorf("back-test is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return b, fmt.Errorf("back-test is followed by more text at byte %d", d.InputOffset())
	}
	m, ok := v.(map[string]any)
	if !ok {
		return b, fmt.Errorf("back-test is %s, want an object with the keys rule, against, start, end, incidents, group, trace", scalar.TypeName(v))
	}
	f := fields{m: m}
	f.known("rule", "against", "start", "end", "incidents", "group", "trace")
	rule := f.version("rule")
	if rule == nil {
		f.fail("rule is missing")
		rule = &Rule{}
	}
	b = Backtest{Rule: *rule, Against: f.version("against"), Start: f.instant("start"), End: f.instant("end"), Incidents: f.marked("incidents"), Trace: f.whole("trace")}
	if _, given := f.get("group"); given {
		group := tagsOf(f.texts("group"))
		b.Group = &group
	}
	return b, f.err
}

// version reads a rule, nil when it is not given.
func (f *fields) version(key string) *Rule {
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	if m, ok := v.(map[string]any); ok && m["id"] == nil {
		m["id"] = "backtest"
	}
	r, err := decodeRule(v)
	if err != nil {
		f.fail("%s: %w", key, err)
	}
	return &r
}

// instant reads a time: Unix ms, or a date and time of RFC 3339.
func (f *fields) instant(key string) int64 {
	v, ok := f.get(key)
	if !ok {
		f.fail("%s is missing", key)
		return 0
	}
	const latest = 1 << 53
	s, _ := scalar.Text(v)
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 && ms <= latest {
		return ms
	}
	if n, ok := v.(float64); ok && n == math.Trunc(n) && n >= 0 && n <= latest {
		return int64(n)
	}
	t, err := time.Parse(time.RFC3339, s)
	if ms := t.UnixMilli(); err == nil && ms >= 0 && ms <= latest {
		return ms
	}
	f.fail("%s is %q, want Unix milliseconds or a time such as 2026-01-02T15:04:05Z", key, clip(s, 40))
	return 0
}

// marked reads a list of incidents.
func (f *fields) marked(key string) []Marked {
	items := f.items(key)
	if len(items) > maxMarked {
		f.fail("%s has %d entries, at most %d", key, len(items), maxMarked)
		return nil
	}
	var out []Marked
	for i, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			f.fail("%s[%d] is %s, want an object with start, end and tags", key, i, scalar.TypeName(item))
			return nil
		}
		one := fields{m: m}
		one.known("start", "end", "tags")
		out = append(out, Marked{one.instant("start"), one.instant("end"), tagsOf(one.texts("tags"))})
		if one.err != nil {
			f.fail("%s[%d]: %w", key, i, one.err)
		}
	}
	return out
}

// ParseIncidents reads a YAML or JSON list of incidents.
func ParseIncidents(text []byte) ([]Marked, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%d bytes, at most %d", len(text), maxFile)
	}
	if p := tooDeep(text); p.known() {
		return nil, &Fault{Place: p, Err: errNesting}
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("not YAML: %s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	if countNodes(v, 0) > maxNodes {
		return nil, fmt.Errorf("aliases expand to more than %d items", maxNodes)
	}
	f := fields{m: map[string]any{"incidents": v}}
	return f.marked("incidents"), f.err
}
