package detect_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulse/detect"
)

func TestParseValues(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := detect.ParseValues(text)
		if err != nil || strings.Trim(strings.ReplaceAll(fmt.Sprint(got), "NaN", "_"), "[]") != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	f("", "")
	f("5", "5")
	f(" 1  -2 3.5 ", "1 -2 3.5")
	f("5x3", "5 5 5 5")
	f("0+10x3", "0 10 20 30")
	f("100-5x2", "100 95 90")
	f("-1-1x2", "-1 -2 -3")
	f("1e-3+1e2x1", "0.001 100.001")
	f("1e+2x1", "100 100")
	f("0+10x5 _x3 stale", "0 10 20 30 40 50 _ _ _")
	f("_ 1 _", "_ 1 _")
	f("5x0", "5")
	for _, text := range []string{"x", "5x", "5x-1", "x5", "1+2", "stale 5", "NaN", "inf", "5x99999999", "1+NaNx3", "_x", "__", "5x1x2", "0x1p3x2x", "1,2", "5+-1x1"} {
		if got, err := detect.ParseValues(text); err == nil {
			t.Errorf("%q gives %v, want an error", text, got)
		}
	}
}

func FuzzParseValues(f *testing.F) {
	for _, s := range []string{"0+10x5 _x3 stale", "1e-3-1e+2x4", "5 _ 6x2", "+5-+3x2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := detect.ParseValues(text)
		again, errAgain := detect.ParseValues(" " + strings.Join(strings.Fields(text), "\t"))
		if len(values) > 1_000_000 || len(values) != len(again) || (err == nil) != (errAgain == nil) {
			t.Errorf("%q gives %d values, %v; with other blanks %d, %v", text, len(values), err, len(again), errAgain)
		}
	})
}

// runTests writes a file of tests and runs it.
func runTests(t *testing.T, text string) ([]detect.TestResult, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a_test.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return detect.TestRules(name)
}

const testedRules = `rules:
  - id: low
    expr: name,sps,:eq,:sum,(,region,),:by
    detector: {kind: static, below: 50}
    for: 20s
    severity: page
    labels: {team: playback}
    annotations: {summary: "{{.Tags.region}} has {{.Value}}"}
  - {id: ratio, expr: "name,errors,:eq,:sum,name,sps,:eq,:sum,:div,0.05,:gt"}
`

// TestRuleTests: alerts are found at their step, with their numbers and texts; a
// silent sender is told from a zero; coarser rules are judged at their steps.
func TestRuleTests(t *testing.T) {
	results, err := runTests(t, testedRules+`
  - {id: minute, expr: "name,sps,:eq,:sum", step: 1m, detector: {kind: static, below: 50}, grace: 5s}
tests:
  - name: a drop
    series:
      - {tags: {name: sps, region: eu}, values: "100x9 10x9 100x9"}
      - {tags: {name: sps, region: us}, values: "100x29"}
    expect:
      - {at: 90s, rule: low}
      - {at: 110s, rule: low, alerts: [{tags: {region: eu}, state: pending, since: 100s, value: 10}]}
      - at: 2m
        rule: low
        alerts:
          - tags: {region: eu}
            value: 5..15
            severity: page
            cause: limit
            since: 100s
            labels: {team: playback}
            annotations: {summary: eu has 10}
      - {at: 190s, rule: low, alerts: [{tags: {region: eu}}]}
      - {at: 210s, rule: low, alerts: []}
      - {at: 150s, rule: minute, alerts: []}
    pages: {low: 1, ratio: 0, minute: 0}
  - name: silence is no zero
    series:
      - {tags: {name: sps, region: eu, atlas.dstype: sum}, values: 100x9 _x20, source: a}
      - {tags: {name: sps, region: us, atlas.dstype: sum}, values: 100x9 _x20, source: b}
      - {tags: {name: latency, region: us}, values: 5x29, source: b}
    expect:
      - {at: 130s, rule: low, alerts: [{tags: {region: us}, value: 0}]}
      - {at: 200s, rule: low, alerts: [{state: nodata, tags: {region: eu}}, {tags: {region: us}}]}
    pages: {low: 2}
  - name: at a minute
    step: 1s
    series: [{tags: {name: sps}, values: "100x60 10x120"}]
    expect:
      - {at: 1m, rule: minute}
      - {at: 2m, rule: minute, alerts: [{state: firing, value: 10}]}
`)
	if err != nil || len(results) != 3 {
		t.Fatalf("%v, %d results", err, len(results))
	}
	for _, r := range results {
		for _, f := range r.Faults {
			t.Errorf("%s: %v", r.Name, f)
		}
	}
}

// TestRuleTestsFail: what differs is said with the line of the expectation.
func TestRuleTestsFail(t *testing.T) {
	results, err := runTests(t, testedRules+`tests:
  - name: wrong in every way
    series:
      - {tags: {name: sps, region: eu}, values: "10x29"}
      - {tags: {name: sps, region: us}, values: "20x29"}
    expect:
      - at: 60s
        rule: low
        alerts:
          - {tags: {region: eu}, value: 11..12, severity: warn, since: 10s, labels: {team: x}, annotations: {summary: y}}
          - {tags: {region: ap}, score: 0.5}
      - {at: 10s, rule: low, alerts: [{tags: {region: eu}, state: pending}, {tags: {region: us}, state: pending}]}
      - {at: 10s, rule: ratio, alerts: [{}]}
    pages: {low: 1}
`)
	if err != nil || len(results) != 1 || len(results[0].Faults) != 3 {
		t.Fatalf("%v, %+v", err, results)
	}
	want := []string{
		`a_test.yaml:22:10: test "wrong in every way": at 10s rule ratio has no alert (- wanted):
  - firing `,
		`a_test.yaml:16:9: test "wrong in every way": at 1m rule low has other alerts (- wanted, + got, ! differs):
  ! firing region=eu: value is 10, want 11..12; since 0s, want 10s; severity is "page", want "warn"; labels.team is "playback", want "x"; annotations.summary is "eu has 10", want "y"
  - firing region=ap score 0.5
  + firing region=us value 20 score 1 since 0s`,
		`a_test.yaml:23:13: test "wrong in every way": pages.low: it pages 2 times, want 1`,
	}
	for i, f := range results[0].Faults {
		if got := f.Error(); !strings.HasSuffix(got, want[i]) {
			t.Errorf("got  %s\nwant %s", got, want[i])
		}
	}
}

// TestRuleTestFaults: a file of tests that cannot be read says where and why.
func TestRuleTestFaults(t *testing.T) {
	f := func(line int, tests, want string) {
		t.Helper()
		_, err := runTests(t, "rules: [{id: a, expr: 'name,x,:eq,:sum'}]\n"+tests)
		var fault *detect.Fault
		if !errors.As(err, &fault) || fault.Line != line || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant line %d: %s", tests, err, line, want)
		}
	}
	const good = "{tags: {name: x}, values: 5}"
	f(1, "", "tests is missing")
	f(2, "testz: []", `key "testz" is unknown, did you mean "tests"?`)
	f(3, "tests:\n- 5", "tests[0] is a number")
	f(3, "tests:\n- {name: a}", "expect is missing")
	f(4, "tests:\n- name: a\n  expct: []", `test "a": key "expct" is unknown, did you mean "expect"?`)
	f(5, "tests:\n- name: a\n  series:\n    - {tags: {name: x}, values: 5y}\n  expect: [{at: 0s}]", `"5y" is none of`)
	f(5, "tests:\n- name: a\n  series:\n    - {tags: {region: x}, values: 5}\n  expect: [{at: 0s}]", "tags.name is missing")
	f(4, "tests:\n- name: a\n  expect: [{at: 5s}]\n  series: ["+good+"]", "at is 5s, want a multiple of the step 10s")
	f(4, "tests:\n- name: a\n  expect: [{at: 10s, rule: b}]", `rule "b" does not exist (a)`)
	f(4, "tests:\n- name: a\n  expect: [{at: 10s, alerts: [{state: on}]}]", `state is "on"`)
	f(4, "tests:\n- name: a\n  expect: [{at: 10s, alerts: [{value: 5...6}]}]", "neither a number nor a range")
	f(4, "tests:\n- name: a\n  pages: {a: many}", `pages.a is "many"`)
	f(4, "tests:\n- name: a\n  pages: {b: 1}", "pages.b: there is no such rule (a)")
	f(4, "tests:\n- name: a\n  step: 7s\n  pages: {a: 1}", "step is 7s")
	f(4, "tests:\n- name: a\n  start: soon\n  pages: {a: 1}", "start is")
	f(3, "tests:\n- {name: a, pages: {a: 1}, series: [{tags: {name: x}, values: 5x900000},{tags: {name: x}, values: 5x900000 5x900000}]}", "more than 1000000")
	f(3, "tests:\n- {name: a, pages: {a: 1}, series: ["+strings.Repeat("{tags: {name: x}, values: 5x999999},", 21)+"]}", "the file has more than 20000000")
	f(2, "rule_files: [nosuch.yaml]\ntests: [{pages: {a: 0}}]", "nosuch.yaml")
	f(2, "tests: [\n", "not YAML")
}

// FuzzReadTests: no file of tests panics or hangs, and every refusal says why.
func FuzzReadTests(f *testing.F) {
	f.Add([]byte(testedRules + "tests:\n- name: a\n  series: [{tags: {name: x}, values: '1 _x2 stale'}]\n  expect: [{at: 10s, rule: low, alerts: [{value: 1..2}]}]\n  pages: {low: 1}\n"))
	f.Add([]byte("rules: &a [{id: a, expr: x}]\ntests: *a\n"))
	f.Add([]byte("tests:\n  - {expect: [{at: 1}]}\n? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "rule_files") {
			return // reads other files
		}
		if err := detect.ReadTests(text); err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%q: an empty error", text)
		}
	})
}
