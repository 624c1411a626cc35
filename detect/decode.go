package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"pulse/detect/algo"
	"pulse/detect/scalar"
)

// ruleKeys are the keys of a rule in the order of the documentation.
var ruleKeys = []string{
	"id", "owner", "expr", "step", "grace", "detector", "for", "keep", "flap", "no_data", "absence_after",
	"severity", "labels", "annotations", "notify",
}

// ParseRuleJSON reads one rule. Unknown keys, wrong types and trailing text are
// errors. Defaults are filled in; limits are checked by Validate.
func ParseRuleJSON(body []byte) (Rule, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return Rule{}, fmt.Errorf("rule is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Rule{}, fmt.Errorf("rule is followed by more text at byte %d", d.InputOffset())
	}
	return decodeRule(v)
}

// decodeRule reads the tree that JSON or YAML gave.
func decodeRule(v any) (Rule, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Rule{}, fmt.Errorf("rule is %s, want an object with the keys %s", scalar.TypeName(v), strings.Join(ruleKeys, ", "))
	}
	f := fields{m: m}
	f.known(ruleKeys...)
	r := Rule{
		ID:           f.text("id"),
		Owner:        f.text("owner"),
		Expr:         f.text("expr"),
		Step:         f.duration("step"),
		Grace:        f.duration("grace"),
		Detector:     f.detector("detector"),
		For:          f.duration("for"),
		Keep:         f.duration("keep"),
		Flap:         f.flap("flap"),
		NoData:       f.text("no_data"),
		AbsenceAfter: f.duration("absence_after"),
		Severity:     f.text("severity"),
		Labels:       f.texts("labels"),
		Annotations:  f.texts("annotations"),
		Notify:       f.list("notify"),
	}
	if f.err != nil {
		if id, ok := m["id"].(string); ok && id != "" {
			return Rule{}, fmt.Errorf("rule %q: %w", clip(id, maxID), f.err)
		}
		return Rule{}, fmt.Errorf("rule: %w", f.err)
	}
	r.setDefaults()
	return r, nil
}

// fields reads an object key by key and keeps the first error.
type fields struct {
	m   map[string]any
	err error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

func (f *fields) known(keys ...string) {
	given := make([]string, 0, len(f.m))
	for key := range f.m {
		given = append(given, key)
	}
	sort.Strings(given)
next:
	for _, key := range given {
		for _, k := range keys {
			if k == key {
				continue next
			}
		}
		f.fail("key %q is unknown%s (known: %s)", clip(key, 60), algo.Meant(key, keys), strings.Join(keys, ", "))
	}
}

// get returns the value of key; null counts as not given.
func (f *fields) get(key string) (any, bool) {
	v, ok := f.m[key]
	return v, ok && v != nil
}

func (f *fields) text(key string) string {
	v, ok := f.get(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.fail("%s is %s, want text", key, scalar.TypeName(v))
	}
	return s
}

func (f *fields) duration(key string) Duration {
	v, ok := f.get(key)
	if !ok {
		return 0
	}
	s, isText := scalar.Text(v)
	if !isText {
		f.fail("%s is %s, want a duration such as 30s", key, scalar.TypeName(v))
		return 0
	}
	d, err := ParseDuration(s)
	if err != nil {
		f.fail("%s: %w", key, err)
	}
	return d
}

// whole reads a whole number.
func (f *fields) whole(key string) int {
	v, ok := f.get(key)
	if !ok {
		return 0
	}
	text, isText := scalar.Text(v)
	n, err := strconv.Atoi(text)
	if _, quoted := v.(string); quoted || !isText || err != nil {
		f.fail("%s is %s, want a whole number", key, shownValue(v))
	}
	return n
}

// texts reads an object of texts; numbers and booleans are taken as written.
func (f *fields) texts(key string) map[string]string {
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		f.fail("%s is %s, want an object of texts", key, scalar.TypeName(v))
		return nil
	}
	out := make(map[string]string, len(m))
	for k, x := range m {
		s, ok := scalar.Text(x)
		if !ok {
			f.fail("%s.%s is %s, want text", key, clip(k, 60), scalar.TypeName(x))
		}
		out[k] = s
	}
	return out
}

// list reads a list of texts; a single text is a list of one.
func (f *fields) list(key string) []string {
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	if s, ok := v.(string); ok {
		return []string{s}
	}
	items, ok := v.([]any)
	if !ok {
		f.fail("%s is %s, want a list of texts", key, scalar.TypeName(v))
		return nil
	}
	out := make([]string, 0, len(items))
	for i, x := range items {
		s, ok := x.(string)
		if !ok {
			f.fail("%s[%d] is %s, want text", key, i, scalar.TypeName(x))
		}
		out = append(out, s)
	}
	return out
}

func (f *fields) detector(key string) algo.Spec {
	v, ok := f.get(key)
	if !ok {
		return algo.Spec{}
	}
	if kind, ok := v.(string); ok {
		return algo.Spec{Kind: kind}
	}
	m, ok := v.(map[string]any)
	if !ok {
		f.fail("%s is %s, want an object such as {kind: static, above: 100}", key, scalar.TypeName(v))
		return algo.Spec{}
	}
	spec := algo.Spec{Params: make(map[string]any, len(m))}
	for k, x := range m {
		spec.Params[k] = x
	}
	kind, ok := m["kind"].(string)
	if !ok {
		f.fail("%s.kind is missing", key)
	}
	spec.Kind = kind
	delete(spec.Params, "kind")
	return spec
}

// MarshalJSON writes the rule with the keys of the documentation in their
// order; what was not given and has no default is left out.
func (r Rule) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	put := func(key string, value any, given bool) error {
		if !given {
			return nil
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("marshal %s of rule %q: %w", key, r.ID, err)
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", key, text)
		return nil
	}
	flap, flaps := r.Flap.value()
	err := errors.Join(
		put("id", r.ID, true),
		put("owner", r.Owner, r.Owner != ""),
		put("expr", r.Expr, true),
		put("step", r.Step.String(), r.Step != 0),
		put("grace", r.Grace.String(), r.Grace != 0),
		put("detector", specJSON(r.Detector), r.Detector.Kind != ""),
		put("for", r.For.String(), true),
		put("keep", r.Keep.String(), r.Keep != 0),
		put("flap", flap, flaps),
		put("no_data", r.NoData, r.NoData != ""),
		put("absence_after", r.AbsenceAfter.String(), r.AbsenceAfter != 0),
		put("severity", r.Severity, r.Severity != ""),
		put("labels", r.Labels, len(r.Labels) > 0),
		put("annotations", r.Annotations, len(r.Annotations) > 0),
		put("notify", r.Notify, len(r.Notify) > 0),
	)
	if err != nil {
		return nil, err
	}
	return append(append([]byte{'{'}, b.Bytes()...), '}'), nil
}

// UnmarshalJSON is ParseRuleJSON.
func (r *Rule) UnmarshalJSON(body []byte) error {
	parsed, err := ParseRuleJSON(body)
	if err == nil {
		*r = parsed
	}
	return err
}

// specJSON returns the detector as the object that a rule holds.
func specJSON(s algo.Spec) map[string]any {
	m := make(map[string]any, len(s.Params)+1)
	for k, v := range s.Params {
		m[k] = v
	}
	m["kind"] = s.Kind
	return m
}
