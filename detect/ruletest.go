package detect

import (
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"pulse/detect/scalar"
	"pulse/store/tags"
)

// Limits of a file of rule tests.
const (
	maxTests       = 1_000
	maxTestSteps   = 1_000_000
	maxTestPoints  = 20_000_000 // steps × series of a test, values of a file
	minTestStep    = Duration(second)
	testEpoch      = 1_767_225_600_000 // 2026-01-01T00:00:00Z
	maxExpectTests = 10_000
)

// TestResult is how one test of a file ended.
type TestResult struct {
	Name   string
	Faults []*Fault // empty: it passed
}

// ruleTest is one test: series in, alerts out.
type ruleTest struct {
	name   string
	step   Duration
	start  int64 // stamp of the first values
	series []testSeries
	expect []expectation
	pages  map[string]int // rule → how often it pages

	source *source
	index  int // in the file
}

type testSeries struct {
	tags   tags.Tags
	source string
	values []float64
}

// expectation is the alerts of a rule after a step.
type expectation struct {
	at     Duration
	rule   string
	alerts []wantedAlert
	index  int // in the test
}

// wantedAlert is an alert as a test wants it; what is not given may be anything.
type wantedAlert struct {
	tags                   tags.Tags
	state                  string
	value, expected, score between
	severity, cause        string
	since                  *Duration // its first step out of band
	labels, annotations    map[string]string
}

// TestRules runs the tests of a file. The error is a *Fault for a file that cannot
// be read; tests that fail are results.
func TestRules(name string) ([]TestResult, error) {
	text, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	s := &source{name: name, text: text}
	rules, tests, err := s.readTests()
	if err != nil {
		return nil, err
	}
	var out []TestResult
	for i := range tests {
		faults, err := tests[i].run(rules)
		if err != nil {
			return nil, tests[i].fault(err, "tests", i)
		}
		out = append(out, TestResult{tests[i].name, faults})
	}
	return out, nil
}

// readTests reads the rules and the tests of a file.
func (s *source) readTests() ([]Rule, []ruleTest, error) {
	if p := tooDeep(s.text); p.known() {
		return nil, nil, &Fault{File: s.name, Place: p, Err: errNesting}
	}
	var v any
	if err := yaml.Unmarshal(s.text, &v); err != nil {
		return nil, nil, s.syntax(err)
	}
	if countNodes(v, 0) > maxNodes {
		return nil, nil, &Fault{File: s.name, Err: fmt.Errorf("aliases expand to more than %d items", maxNodes)}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, nil, &Fault{File: s.name, Place: placeOf(s.root()), Err: fmt.Errorf("content is %s, want the keys rule_files, rules, step and tests", scalar.TypeName(v))}
	}
	f := fields{m: m}
	f.known("rule_files", "rules", "step", "tests")
	files, step, items := f.list("rule_files"), f.duration("step"), f.items("tests")
	if f.err == nil && len(items) == 0 {
		f.fail("tests is missing")
	}
	if len(items) > maxTests {
		f.fail("tests has %d entries, at most %d", len(items), maxTests)
	}
	if f.err != nil {
		return nil, nil, &Fault{File: s.name, Place: placeIn(s.root(), f.err.Error()), Err: f.err}
	}
	rules, err := s.testedRules(files, f.items("rules"))
	if err != nil {
		return nil, nil, err
	}
	known := map[string]bool{}
	for _, r := range rules {
		known[r.ID] = true
	}
	tests := make([]ruleTest, len(items))
	for i, item := range items {
		t := &tests[i]
		t.source, t.index, t.step = s, i, step
		if err := t.read(item, known); err != nil {
			return nil, nil, err
		}
	}
	return rules, tests, nil
}

// testedRules reads the rules of other files, by names relative to this one, and
// those of this one.
func (s *source) testedRules(files []string, items []any) ([]Rule, error) {
	var all File
	var faults []*Fault
	for _, name := range files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(s.name), name)
		}
		text, err := readBounded(name)
		if err != nil {
			return nil, s.at(err, "rule_files")
		}
		faults = append(faults, all.read(name, text)...)
	}
	faults = append(faults, all.readRules(s, items)...)
	if len(faults) > 0 {
		return nil, first(faults)
	}
	if len(all.Rules) == 0 {
		return nil, &Fault{File: s.name, Place: Place{1, 1}, Err: errors.New("there are no rules: name files under rule_files, or write rules")}
	}
	return all.Rules, nil
}

// at is a fault at a place of the file: keys and indexes from the top.
func (s *source) at(err error, path ...any) *Fault {
	f := &Fault{File: s.name, Err: err}
	node := s.root()
	for _, p := range path {
		var next ast.Node
		switch p := p.(type) {
		case string:
			next = child(node, p)
		case int:
			if list, ok := plain(node).(*ast.SequenceNode); ok && p < len(list.Values) {
				next = list.Values[p]
			}
		}
		if next == nil {
			break
		}
		node = next
		if p := placeOf(node); p.known() {
			f.Place = p
		}
	}
	if p := placeIn(node, err.Error()); p.known() {
		f.Place = p
	}
	return f
}

// fault is at a place of the test.
func (t *ruleTest) fault(err error, path ...any) *Fault {
	if t.name != "" {
		err = fmt.Errorf("test %q: %w", t.name, err)
	}
	place := t.source.at(errors.Unwrap(wrapped(err)), path...)
	place.Err = err
	return place
}

// wrapped makes sure that there is something to unwrap.
func wrapped(err error) error {
	if errors.Unwrap(err) != nil {
		return err
	}
	return fmt.Errorf("%w", err)
}

// read reads one test. The step of the file holds where the test has none.
func (t *ruleTest) read(item any, known map[string]bool) error {
	here := []any{"tests", t.index}
	m, ok := item.(map[string]any)
	if !ok {
		return t.fault(fmt.Errorf("tests[%d] is %s, want an object with name, series and expect", t.index, scalar.TypeName(item)), here...)
	}
	f := fields{m: m}
	f.known("name", "step", "start", "series", "expect", "pages")
	t.name = f.text("name")
	if t.name == "" {
		t.name = fmt.Sprintf("tests[%d]", t.index)
	}
	if d := f.duration("step"); d != 0 {
		t.step = d
	}
	if t.step == 0 {
		t.step = Duration(10 * second)
	}
	if t.step < minTestStep || t.step > Duration(minute) || Duration(minute)%t.step != 0 {
		f.fail("step is %s, want one from %s to 1m that a minute is a multiple of", t.step, minTestStep)
	}
	t.start = testEpoch
	if _, given := f.get("start"); given {
		t.start = f.instant("start")
	}
	if f.err == nil && t.start%int64(t.step) != 0 {
		f.fail("start is no multiple of the step %s", t.step)
	}
	series, expect := f.items("series"), f.items("expect")
	t.pages = f.counts("pages", known)
	if f.err == nil && len(expect)+len(t.pages) == 0 {
		f.fail("expect is missing, and pages, too: the test wants nothing")
	}
	if len(expect) > maxExpectTests {
		f.fail("expect has %d entries, at most %d", len(expect), maxExpectTests)
	}
	if f.err != nil {
		return t.fault(f.err, here...)
	}
	for i, x := range series {
		if err := t.readSeries(x); err != nil {
			return t.fault(err, append(here, "series", i)...)
		}
	}
	for i, x := range expect {
		if err := t.readExpectation(i, x, known); err != nil {
			return t.fault(err, append(here, "expect", i)...)
		}
	}
	sort.SliceStable(t.expect, func(i, j int) bool { return t.expect[i].at < t.expect[j].at })
	return nil
}

// counts reads how often each rule pages.
func (f *fields) counts(key string, known map[string]bool) map[string]int {
	out := map[string]int{}
	texts := f.texts(key)
	for _, rule := range sortedKeys(texts) {
		var n int
		if _, err := fmt.Sscanf(texts[rule], "%d", &n); err != nil || fmt.Sprint(n) != texts[rule] || n < 0 {
			f.fail("%s.%s is %q, want how often the rule pages", key, clip(rule, 60), clip(texts[rule], 40))
		}
		if !known[rule] {
			f.fail("%s.%s: there is no such rule (%s)", key, clip(rule, 60), strings.Join(sortedKeys(known), ", "))
		}
		out[rule] = n
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func (t *ruleTest) readSeries(item any) error {
	m, ok := item.(map[string]any)
	if !ok {
		return fmt.Errorf("series is %s, want an object with tags and values", scalar.TypeName(item))
	}
	f := fields{m: m}
	f.known("tags", "values", "source")
	texts, source := f.texts("tags"), f.text("source")
	values, _ := f.get("values")
	text, ok := scalar.Text(values)
	if !ok {
		f.fail("values is %s, want text such as 5x10 _x3 stale", scalar.TypeName(values))
	}
	if f.err == nil && texts["name"] == "" {
		f.fail("tags.name is missing")
	}
	if f.err != nil {
		return f.err
	}
	numbers, err := parseValues(text)
	if err != nil {
		return err
	}
	if t.source.values += len(numbers); t.source.values > maxTestPoints {
		return fmt.Errorf("values: the file has more than %d", maxTestPoints)
	}
	ts := tags.FromMap(texts)
	if _, ok := ts.Get("atlas.dstype"); !ok {
		ts = ts.With("atlas.dstype", "gauge")
	}
	if source == "" {
		source = "test"
	}
	t.series = append(t.series, testSeries{ts, source, numbers})
	return nil
}

func (t *ruleTest) readExpectation(i int, item any, known map[string]bool) error {
	m, ok := item.(map[string]any)
	if !ok {
		return fmt.Errorf("expect is %s, want an object with at, rule and alerts", scalar.TypeName(item))
	}
	f := fields{m: m}
	f.known("at", "rule", "alerts")
	x := expectation{at: f.duration("at"), rule: f.text("rule"), index: i}
	if _, ok := f.get("at"); !ok {
		f.fail("at is missing")
	}
	if x.at%t.step != 0 {
		f.fail("at is %s, want a multiple of the step %s", x.at, t.step)
	}
	switch {
	case x.rule == "" && len(known) == 1:
		x.rule = sortedKeys(known)[0]
	case x.rule == "":
		f.fail("rule is missing")
	case !known[x.rule]:
		f.fail("rule %q does not exist (%s)", clip(x.rule, 60), strings.Join(sortedKeys(known), ", "))
	}
	for k, a := range f.items("alerts") {
		w, err := readWanted(a)
		if err != nil {
			f.fail("alerts[%d]: %w", k, err)
		}
		x.alerts = append(x.alerts, w)
	}
	t.expect = append(t.expect, x)
	return f.err
}

func readWanted(item any) (wantedAlert, error) {
	m, ok := item.(map[string]any)
	if !ok {
		return wantedAlert{}, fmt.Errorf("it is %s, want an object with tags and state", scalar.TypeName(item))
	}
	f := fields{m: m}
	f.known("tags", "state", "value", "expected", "score", "severity", "cause", "since", "labels", "annotations")
	w := wantedAlert{
		tags: tagsOf(f.texts("tags")), state: f.text("state"), severity: f.text("severity"), cause: f.text("cause"),
		value: f.between("value"), expected: f.between("expected"), score: f.between("score"),
		labels: f.texts("labels"), annotations: f.texts("annotations"),
	}
	if w.state == "" {
		w.state = StateFiring
	}
	if w.state != StateFiring && w.state != StatePending && w.state != StateNoData {
		f.fail("state is %q, want firing, pending or nodata", clip(w.state, 40))
	}
	if _, ok := f.get("since"); ok {
		d := f.duration("since")
		w.since = &d
	}
	return w, f.err
}

func (f *fields) between(key string) between {
	v, ok := f.get(key)
	if !ok {
		return between{}
	}
	text, ok := scalar.Text(v)
	if !ok {
		f.fail("%s is %s, want a number or a range such as 5..10", key, scalar.TypeName(v))
		return between{}
	}
	b, err := parseBetween(text)
	if err != nil {
		f.fail("%s: %w", key, err)
	}
	return b
}
