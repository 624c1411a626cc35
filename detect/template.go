package detect

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"pulse/detect/text"
)

// maxRendered bounds the text of one annotation and every text made on the way.
const maxRendered = 8 << 10

// Number is a double that prints as a person reads it.
type Number = text.Number

// TemplateData is what an annotation may name.
type TemplateData struct {
	Rule     string
	Severity string
	Tags     pairs // of the group
	Labels   pairs // of the rule
	// NaN where unknown.
	Value, Expected, Lower, Upper, Score Number
	StartsAt                             string // RFC 3339, UTC
	NoData                               bool   // this is the no-data incident
	Flapping                             bool   // it began again and again, and stays on until it is calm
	Cause                                string // in which way it is out, a word of algo.Cause

	why func() string
}

// pairs are keys with their values, which print as a person writes them.
type pairs map[string]string

// String returns them as k=v, in order of the keys, with commas between them.
func (p pairs) String() string {
	list := make([]string, 0, len(p))
	for key, value := range p {
		list = append(list, key+"="+value)
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}

// Why says in plain words what was decided on.
func (d *TemplateData) Why() string {
	if d.why == nil {
		return ""
	}
	return d.why()
}

// annotations are a rule's parsed templates in order of their keys.
type annotations []annotation

type annotation struct {
	key  string
	tmpl *text.Template
}

// parseAnnotations parses and tries every template. Refused are, beside syntax
// errors and unknown names, the constructs whose cost has no bound.
func parseAnnotations(texts map[string]string) (annotations, error) {
	keys := make([]string, 0, len(texts))
	for key := range texts {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	out := make(annotations, 0, len(keys))
	for _, key := range keys {
		a, err := parseAnnotation(key, texts[key])
		if err != nil {
			return nil, fmt.Errorf("annotations.%s: %w", key, err)
		}
		out = append(out, a)
	}
	return out, nil
}

func parseAnnotation(key, source string) (annotation, error) {
	tmpl, err := text.Parse(key, source, text.Limits{Source: maxAnnotation, Rendered: maxRendered, Loop: annotationLoop})
	if err != nil {
		return annotation{}, err
	}
	a := annotation{key, tmpl}
	nan := Number(math.NaN())
	for _, trial := range []TemplateData{
		{Tags: map[string]string{}, Labels: map[string]string{}, Value: nan, Expected: nan, Lower: nan, Upper: nan, Score: nan, NoData: true},
		{Tags: map[string]string{"k": "v"}, Labels: map[string]string{"k": "v"}, Value: 1, Expected: 2, Lower: 1, Upper: 3, Score: 0.5, StartsAt: "2026-01-01T00:00:00Z"},
	} {
		if _, err := tmpl.Render(&trial); err != nil {
			return annotation{}, err
		}
	}
	return a, nil
}

// annotationLoop allows loops over .Tags and .Labels, not in each other.
func annotationLoop(over string, depth int) error {
	if depth > 0 {
		return errors.New("a range inside a range is not supported")
	}
	switch over {
	case ".Tags", ".Labels", "$.Tags", "$.Labels":
		return nil
	}
	return fmt.Errorf("range over %s is not supported, only over .Tags and .Labels", over)
}

// render executes all templates. One that fails at run time yields its error as
// text, so that it never keeps a page from being sent.
func (as annotations) render(d *TemplateData) map[string]string {
	if len(as) == 0 {
		return nil
	}
	out := make(map[string]string, len(as))
	for _, a := range as {
		rendered, err := a.tmpl.Render(d)
		if err != nil {
			rendered = "(template: " + clip(err.Error(), 200) + ")"
		}
		out[a.key] = rendered
	}
	return out
}

// rfc3339 returns a Unix ms time as text with ms, empty for 0.
func rfc3339(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
