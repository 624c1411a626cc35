package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"pulse/query/asl"
	"pulse/store/step"
	"pulse/store/tags"
)

// maxSamples is how many groups a RuleCheck lists.
const maxSamples = 200

// RuleCheck is what this server makes of the text of one rule, which need not be in force.
type RuleCheck struct {
	Rule     *Rule // nil: it cannot be read
	Written  any   // it as it is written, a tree of JSON; nil: that is no rule
	Findings []Finding
	// Of a rule that can be judged.
	Valid    bool
	Step     int64    // ms
	Lookback int64    // ms of history that its detector begins with
	Keys     []string // tags that tell its groups apart; nil: all
	Groups   int      // that there are now
	Samples  []Sample // the first of them, by tags
	Texts    map[string]string
}

// Sample is a group with its newest value.
type Sample struct {
	Tags  tags.Tags
	Value float64
}

// RuleText returns the JSON object of a rule as a rule file, with the keys in the order
// that they have.
func RuleText(rule json.RawMessage) ([]byte, error) {
	if p := tooDeep(rule); p.known() {
		return nil, errNesting
	}
	d := json.NewDecoder(bytes.NewReader(rule))
	d.UseNumber()
	w := yamlWriter{json: d, out: []byte("rules:\n  -")}
	if err := w.value(2, true); err != nil {
		return nil, fmt.Errorf("rule is not JSON: %w", err)
	}
	return append(w.out, '\n'), nil
}

// CheckText reads the text of a rule file with one rule and nothing else, and says what is
// wrong with it on this server as of now (Unix ms), and what is probably not meant: what
// LintFiles finds, and what only the server knows, which is other rules, receivers and series.
func (e *Engine) CheckText(text []byte, now int64) RuleCheck {
	var file File
	var out RuleCheck
	for _, f := range file.read("", text) {
		out.Findings = append(out.Findings, Finding{Fault: *f, Check: CheckSyntax})
	}
	out.Written = file.written()
	if rules, receivers := file.Count(""); len(out.Findings) == 0 && (rules != 1 || receivers > 0 || len(file.routing.parts) > 0) {
		out.Findings = []Finding{{Fault: Fault{Err: errors.New("the text is to have one rule under rules, and nothing else")}, Check: CheckSyntax}}
	}
	if len(out.Findings) > 0 {
		return out
	}
	out.Rule = &file.Rules[0]
	c, err := e.compiler.compile(*out.Rule)
	if err == nil {
		err = e.fits(c, now)
	}
	if err == nil && e.o.Receivers != nil {
		err = out.Rule.wrong(out.Rule.checkNotify(e.o.Receivers()))
	}
	if err != nil {
		out.Findings = append(out.Findings, file.finding(out.Rule.ID, CheckRule, err))
		return out
	}
	out.Valid, out.Step, out.Lookback, out.Keys = true, c.step, c.lookback, c.keys
	found := func(check string, err error) {
		out.Findings = append(out.Findings, file.finding(out.Rule.ID, check, err))
	}
	for _, err := range c.unknownTags() {
		found(CheckTemplate, err)
	}
	if other := e.alike(c); other != "" {
		found(CheckDuplicate, twice(other))
	}
	c.advise(found)
	if err := out.sample(e, c, now); err != nil {
		found(CheckMatches, fmt.Errorf("expr cannot be looked at: %w", err))
	} else if out.Groups == 0 && !c.absence() {
		found(CheckMatches, errors.New("expr selects no series that has had a value lately: there is nothing to judge"))
	}
	return out
}

// alike returns another rule in force that judges the same in the same way, "" for none.
func (e *Engine) alike(c *compiled) string {
	e.mu.Lock()
	others := make([]*compiled, 0, len(e.order))
	for _, r := range e.order {
		others = append(others, r.c)
	}
	e.mu.Unlock()
	judges := c.judges()
	for _, o := range others {
		if o.text == c.text && o.rule.ID != c.rule.ID && o.judges() == judges {
			return o.rule.ID
		}
	}
	return ""
}

// sampleSteps is how many steps are looked at where the last whole one has no value.
const sampleSteps = 30

// sample looks for the groups that there are, and for the texts that an alert of the first
// would have, with a dash for what is expected where no rule in force judges alike.
func (out *RuleCheck) sample(e *Engine, c *compiled, now int64) error {
	last := step.Floor(now-c.grace, c.step)
	for _, steps := range []int64{1, sampleSteps} {
		if err := out.look(e, c, last, steps); err != nil {
			return err
		}
		if out.Groups > 0 {
			break
		}
	}
	d := TemplateData{Rule: c.rule.ID, Severity: c.rule.Severity, Labels: c.rule.Labels, StartsAt: rfc3339(now), Cause: "drop", why: func() string { return "" }}
	nan := Number(math.NaN())
	d.Value, d.Expected, d.Lower, d.Upper, d.Score = nan, nan, nan, nan, nan
	if len(out.Samples) > 0 {
		d.Tags, d.Value = out.Samples[0].Tags.Map(), Number(out.Samples[0].Value)
		e.figures(c, out.Samples[0].Tags, &d)
	}
	out.Texts = c.notes.render(&d)
	return nil
}

// figures fills in what the rule in force with the id of c judged last of a group, if it
// judges as c does.
func (e *Engine) figures(c *compiled, of tags.Tags, d *TemplateData) {
	e.mu.Lock()
	defer e.mu.Unlock()
	live := e.rules[c.rule.ID]
	if live == nil || live.c.judges() != c.judges() {
		return
	}
	i, ok := live.judge.index[string(of.AppendKey(nil))]
	if !ok || math.IsNaN(live.judge.groups[i].value) {
		return
	}
	s, _ := judgedStep(live.judge, i, live.judged, nil)
	d.Value, d.Expected, d.Lower, d.Upper, d.Score = s.Value, s.Expected, s.Lower, s.Upper, s.Score
}

// look takes the groups with a value in the steps up to last, and the newest of each.
func (out *RuleCheck) look(e *Engine, c *compiled, last, steps int64) error {
	s, err := e.openFor(c, true)
	if err != nil {
		return err
	}
	defer s.Close()
	at := map[string]int{}
	for t := last - (steps-1)*c.step; t <= last; t += c.step {
		lines, err := s.Step(t)
		if err != nil {
			return err
		}
		lines, _ = split(lines)
		for _, l := range lines {
			if math.IsNaN(l.Value) {
				continue
			}
			id := identity(nil, l.Tags, c.keys)
			key := string(id.AppendKey(nil))
			i, ok := at[key]
			if !ok {
				i = len(out.Samples)
				at[key], out.Samples = i, append(out.Samples, Sample{Tags: id})
			}
			out.Samples[i].Value = l.Value
		}
	}
	out.Groups = len(out.Samples)
	slices.SortFunc(out.Samples, func(a, b Sample) int { return a.Tags.Compare(b.Tags) })
	out.Samples = out.Samples[:min(len(out.Samples), maxSamples)]
	return nil
}

// written is the first rule of a text as a tree of JSON, nil when it is no object.
func (file *File) written() any {
	for _, s := range file.sources {
		if m, ok := s.first.(map[string]any); ok {
			return m
		}
	}
	return nil
}

var (
	namesRule = regexp.MustCompile(`^(rule( "(\\.|[^"])*")?: )+`)
	ofKind    = regexp.MustCompile(`^detector [a-z-]+: (key "([^"]*)"|[a-z_]+)`)
	atKey     = regexp.MustCompile(`^(id|owner|expr|step|grace|detector|for|keep|flap|no_data|absence_after|severity|labels|annotations|notify)((\.[A-Za-z0-9_-]+)|\[[0-9]+\])?`)
)

// Field is the path of what the finding is about within its rule, such as detector.above or
// annotations.runbook; "" when it is about all of it, or not known.
func (f *Finding) Field() string {
	text := namesRule.ReplaceAllString(f.Err.Error(), "")
	if m := ofKind.FindStringSubmatch(text); m != nil {
		if m[2] != "" {
			return "detector." + m[2]
		}
		return "detector." + m[1]
	}
	text = strings.Replace(strings.Replace(text, "label key", "labels", 1), "annotation key", "annotations", 1)
	switch {
	case f.Check == CheckHold && strings.HasPrefix(text, "expr and"):
		return "for"
	case strings.HasPrefix(text, `key "`):
		key, _, _ := strings.Cut(text[len(`key "`):], `"`)
		return key
	case strings.HasPrefix(text, "detector kind "):
		return "detector.kind"
	}
	return atKey.FindString(text)
}

// Offset is the byte of the expression at which it does not fit, -1 when it is not known
// or not about that.
func (f *Finding) Offset() int {
	var program *asl.Error
	if errors.As(f.Err, &program) {
		return program.Offset
	}
	return -1
}
