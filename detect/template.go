package detect

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// maxRendered bounds the text of one annotation and every text made on the way.
const maxRendered = 8 << 10

var errRendered = fmt.Errorf("text grows over %d bytes", maxRendered)

// Number is a double in a template: it prints with at most six significant
// digits, and compares and formats (`printf "%.1f"`) as the double it is.
type Number float64

// String returns the number as a person reads it.
func (n Number) String() string {
	x := float64(n)
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	digits := 6
	for a := math.Abs(x); a >= 1 && digits > 0; a /= 10 {
		digits--
	}
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.ContainsRune(text, '.') {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// TemplateData is what an annotation may name.
type TemplateData struct {
	Rule     string
	Severity string
	Tags     map[string]string // of the group
	Labels   map[string]string // of the rule
	// NaN where unknown.
	Value, Expected, Lower, Upper, Score Number
	StartsAt                             string // RFC 3339, UTC
	NoData                               bool   // this is the no-data incident
	Cause                                string // in which way it is out, a word of algo.Cause

	why func() string
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
	tmpl *template.Template
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

func parseAnnotation(key, text string) (annotation, error) {
	if len(text) > maxAnnotation {
		return annotation{}, fmt.Errorf("template has %d bytes, at most %d", len(text), maxAnnotation)
	}
	tmpl, err := template.New(key).Option("missingkey=zero").Funcs(templateFuncs()).Parse(text)
	if err != nil {
		return annotation{}, trimTemplateError(err)
	}
	if len(tmpl.Templates()) > 1 {
		return annotation{}, errors.New("define and block are not supported")
	}
	if tmpl.Tree != nil {
		if err := bounded(tmpl.Root, 0); err != nil {
			return annotation{}, err
		}
	}
	a := annotation{key, tmpl}
	nan := Number(math.NaN())
	for _, trial := range []TemplateData{
		{Tags: map[string]string{}, Labels: map[string]string{}, Value: nan, Expected: nan, Lower: nan, Upper: nan, Score: nan, NoData: true},
		{Tags: map[string]string{"k": "v"}, Labels: map[string]string{"k": "v"}, Value: 1, Expected: 2, Lower: 1, Upper: 3, Score: 0.5, StartsAt: "2026-01-01T00:00:00Z"},
	} {
		if _, err := a.render(&trial); err != nil {
			return annotation{}, trimTemplateError(err)
		}
	}
	return a, nil
}

// bounded walks a template and refuses loops other than over .Tags and .Labels,
// loops in loops, and calls of other templates.
func bounded(node parse.Node, loops int) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := bounded(child, loops); err != nil {
				return err
			}
		}
	case *parse.IfNode:
		return errors.Join(bounded(n.List, loops), bounded(n.ElseList, loops))
	case *parse.WithNode:
		return errors.Join(bounded(n.List, loops), bounded(n.ElseList, loops))
	case *parse.RangeNode:
		if loops > 0 {
			return errors.New("a range inside a range is not supported")
		}
		over := n.Pipe.Cmds[len(n.Pipe.Cmds)-1].String()
		if len(n.Pipe.Cmds) != 1 || over != ".Tags" && over != ".Labels" && over != "$.Tags" && over != "$.Labels" {
			return fmt.Errorf("range over %s is not supported, only over .Tags and .Labels", n.Pipe)
		}
		return errors.Join(bounded(n.List, loops+1), bounded(n.ElseList, loops))
	case *parse.TemplateNode:
		return errors.New("template calls are not supported")
	}
	return nil
}

// templateFuncs replaces the built-in functions that make text by forms with a
// bound and adds those for people.
func templateFuncs() template.FuncMap {
	limit := func(text string) (string, error) {
		if len(text) > maxRendered {
			return "", errRendered
		}
		return text, nil
	}
	return template.FuncMap{
		"print":    func(args ...any) (string, error) { return limit(fmt.Sprint(args...)) },
		"println":  func(args ...any) (string, error) { return limit(fmt.Sprintln(args...)) },
		"printf":   boundedPrintf,
		"html":     func(args ...any) (string, error) { return limit(template.HTMLEscaper(args...)) },
		"js":       func(args ...any) (string, error) { return limit(template.JSEscaper(args...)) },
		"urlquery": func(args ...any) (string, error) { return limit(template.URLQueryEscaper(args...)) },
		"toUpper":  strings.ToUpper,
		"toLower":  strings.ToLower,
		"percent":  func(n Number) string { return Number(float64(n)*100).String() + "%" },
		"humanize": humanize,
	}
}

// boundedPrintf is fmt.Sprintf without widths beyond 99 and without widths from
// arguments, whose texts have no bound.
func boundedPrintf(format string, args ...any) (string, error) {
	verb, digits := false, 0
	for i := range len(format) {
		switch c := format[i]; {
		case !verb:
			verb, digits = c == '%', 0
		case c == '*' || c == '[':
			return "", fmt.Errorf("printf format %q: * and [ are not supported", format)
		case c >= '0' && c <= '9':
			if digits++; digits > 2 {
				return "", fmt.Errorf("printf format %q: a width or precision has at most two digits", format)
			}
		case c == '.' || strings.IndexByte("+-# ", c) >= 0:
			digits = 0
		default:
			verb = false
		}
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > maxRendered {
		return "", errRendered
	}
	return text, nil
}

// humanize writes a number with a unit prefix: 1234 is 1.23k.
func humanize(n Number) string {
	x := float64(n)
	for _, p := range []struct {
		at   float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(x) >= p.at && !math.IsInf(x, 0) {
			return strconv.FormatFloat(x/p.at, 'g', 3, 64) + p.name
		}
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// render executes all templates. One that fails at run time yields its error as
// text, so that it never keeps a page from being sent.
func (as annotations) render(d *TemplateData) map[string]string {
	if len(as) == 0 {
		return nil
	}
	out := make(map[string]string, len(as))
	for _, a := range as {
		text, err := a.render(d)
		if err != nil {
			text = "(template: " + clip(trimTemplateError(err).Error(), 200) + ")"
		}
		out[a.key] = text
	}
	return out
}

func (a annotation) render(d *TemplateData) (string, error) {
	var w boundedWriter
	if err := a.tmpl.Execute(&w, d); err != nil {
		return "", err
	}
	return w.String(), nil
}

// boundedWriter fails the template that writes too much.
type boundedWriter struct{ bytes.Buffer }

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.Len()+len(p) > maxRendered {
		return 0, errRendered
	}
	return w.Buffer.Write(p)
}

// trimTemplateError drops the library's prefix.
func trimTemplateError(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

// rfc3339 returns a Unix ms time as text with ms, empty for 0.
func rfc3339(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
