package detect

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"pulse/detect/alert"
	"pulse/detect/algo"
)

// Limits of a rule. They bound what one rule can cost before it runs.
const (
	maxID          = 128
	maxExpr        = 8 << 10
	maxStep        = Duration(24 * hour)
	minGrace       = Duration(100)
	maxGrace       = Duration(10 * minute)
	maxWait        = Duration(7 * 24 * hour)
	maxSeverity    = 64
	maxLabels      = 64
	maxLabelKey    = 128
	maxLabelValue  = 1 << 10
	maxAnnotations = 32
	maxAnnotation  = 4 << 10
	maxNotify      = 16
)

// Rule is what a person writes: an expression, how to judge it, and whom to
// tell. The JSON of the API and the YAML of rule files have the same keys.
type Rule struct {
	ID    string
	Owner string // whose budget it uses; "default" when not given
	Expr  string // one ASL expression
	Step  Duration
	// Grace is how long after the end of a step late sources are waited for; 0
	// is the server's.
	Grace    Duration
	Detector algo.Spec // Kind "signal" when not given
	For      Duration
	Keep     Duration // 0 is one step
	Flap     Flap
	NoData   string // one of noDataPolicies; "auto" when not given
	// AbsenceAfter is how long without data raises the no-data alert; 0 is the
	// largest of 3 intervals of the source, 3 steps and 60 s.
	AbsenceAfter Duration
	Severity     string // "warn" when not given
	Labels       map[string]string
	Annotations  map[string]string // text/template, see Annotation data
	Notify       []string          // names of receivers; none: every receiver
}

// noDataPolicies maps the names of a rule's no_data to the state machine's.
var noDataPolicies = []struct {
	name   string
	policy alert.NoData
}{
	{"auto", alert.Auto}, {"ok", alert.OK}, {"alert", alert.Alert}, {"keep", alert.Keep}, {"zero", alert.Zero},
}

// noData returns the policy of r; Validate has checked the name.
func (r *Rule) noData() alert.NoData {
	for _, p := range noDataPolicies {
		if p.name == r.NoData {
			return p.policy
		}
	}
	return alert.Auto
}

// setDefaults fills what was not given and does not depend on the server.
func (r *Rule) setDefaults() {
	if r.Owner == "" {
		r.Owner = "default"
	}
	if r.Detector.Kind == "" {
		r.Detector.Kind = "signal"
	}
	if r.NoData == "" {
		r.NoData = "auto"
	}
	if r.Severity == "" {
		r.Severity = "warn"
	}
}

// stepMs returns the rule's step on a server with the given primary step.
func (r *Rule) stepMs(primary int64) int64 {
	if r.Step == 0 {
		return primary
	}
	return int64(r.Step)
}

// Validate checks every field but the expression against its limit, for a
// server with the given primary step in ms. The error names the rule, the
// field, what was given and what is allowed.
func (r *Rule) Validate(primary int64) error {
	err := r.validate(primary)
	if err == nil {
		_, err = algo.New(r.Detector, r.stepMs(primary))
	}
	return r.wrong(err)
}

// wrong names the rule in an error.
func (r *Rule) wrong(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("rule %q: %w", clip(r.ID, maxID), err)
}

// validate checks all but the detector.
func (r *Rule) validate(primary int64) error {
	if err := checkName("id", r.ID); err != nil {
		return err
	}
	if err := checkName("owner", r.Owner); err != nil {
		return err
	}
	if strings.TrimSpace(r.Expr) == "" {
		return fmt.Errorf("expr is missing")
	}
	if len(r.Expr) > maxExpr {
		return fmt.Errorf("expr has %d bytes, at most %d", len(r.Expr), maxExpr)
	}
	if s := r.stepMs(primary); s%primary != 0 || s < primary || Duration(s) > maxStep {
		return fmt.Errorf("step is %s, want a multiple of the server's step %s up to %s", r.Step, Duration(primary), maxStep)
	}
	if r.Grace != 0 && (r.Grace < minGrace || r.Grace > maxGrace) {
		return fmt.Errorf("grace is %s, want %s to %s", r.Grace, minGrace, maxGrace)
	}
	for _, d := range []struct {
		key   string
		value Duration
	}{{"for", r.For}, {"keep", r.Keep}, {"absence_after", r.AbsenceAfter}} {
		if d.value < 0 || d.value > maxWait {
			return fmt.Errorf("%s is %s, want 0s to %s", d.key, d.value, maxWait)
		}
	}
	if err := r.Flap.check(r.stepMs(primary)); err != nil {
		return err
	}
	if err := r.checkNoData(); err != nil {
		return err
	}
	if err := r.checkAbsence(); err != nil {
		return err
	}
	return r.validateText()
}

// checkAbsence refuses what contradicts a detector that judges having no data.
func (r *Rule) checkAbsence() error {
	if r.Detector.Kind != "absence" {
		return nil
	}
	if p := r.noData(); p != alert.Auto && p != alert.Keep {
		return fmt.Errorf("no_data is %s, want auto or keep: the detector absence says what no data means", r.NoData)
	}
	if r.AbsenceAfter != 0 {
		return fmt.Errorf("absence_after is %s, want detector.after instead", r.AbsenceAfter)
	}
	return nil
}

func (r *Rule) checkNoData() error {
	names := make([]string, 0, len(noDataPolicies))
	for _, p := range noDataPolicies {
		if p.name == r.NoData {
			return nil
		}
		names = append(names, p.name)
	}
	return fmt.Errorf("no_data is %q, want one of %s", clip(r.NoData, 40), strings.Join(names, ", "))
}

// validateText checks what is only passed on.
func (r *Rule) validateText() error {
	if err := checkText("severity", r.Severity, maxSeverity); err != nil {
		return err
	}
	if len(r.Labels) > maxLabels {
		return fmt.Errorf("labels has %d entries, at most %d", len(r.Labels), maxLabels)
	}
	for key, value := range r.Labels {
		if err := checkText("label key", key, maxLabelKey); err != nil {
			return err
		}
		if len(value) > maxLabelValue || !utf8.ValidString(value) {
			return fmt.Errorf("labels.%s has %d bytes, at most %d of valid UTF-8", key, len(value), maxLabelValue)
		}
	}
	if len(r.Annotations) > maxAnnotations {
		return fmt.Errorf("annotations has %d entries, at most %d", len(r.Annotations), maxAnnotations)
	}
	for key := range r.Annotations {
		if err := checkText("annotation key", key, maxLabelKey); err != nil {
			return err
		}
	}
	if _, err := parseAnnotations(r.Annotations); err != nil {
		return err
	}
	if len(r.Notify) > maxNotify {
		return fmt.Errorf("notify has %d entries, at most %d", len(r.Notify), maxNotify)
	}
	for _, name := range r.Notify {
		if err := checkName("notify", name); err != nil {
			return err
		}
	}
	return nil
}

// checkName accepts what is safe in a path, a file name and a URL.
func checkName(field, name string) error {
	if name == "" {
		return fmt.Errorf("%s is missing", field)
	}
	if len(name) > maxID {
		return fmt.Errorf("%s has %d bytes, at most %d", field, len(name), maxID)
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			continue
		}
		return fmt.Errorf("%s %q has the character %q, allowed are letters, digits and - . _ ~", field, name, name[i:i+1])
	}
	if strings.Trim(name, ".") == "" {
		return fmt.Errorf("%s %q has only dots", field, name)
	}
	return nil
}

// checkText accepts printable text of one line.
func checkText(field, text string, limit int) error {
	if text == "" {
		return fmt.Errorf("%s is empty", field)
	}
	if len(text) > limit {
		return fmt.Errorf("%s has %d bytes, at most %d", field, len(text), limit)
	}
	for _, c := range text {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return fmt.Errorf("%s %q has a control character or invalid UTF-8", field, text)
		}
	}
	return nil
}

// clip shortens text for an error message.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
