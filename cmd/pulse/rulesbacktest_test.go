package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// command runs pulse and returns its exit code and standard output, with standard
// error behind it.
func command(args ...string) (int, string) {
	var out, errs bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String() + errs.String()
}

// past imports a value per minute into a server, the last a minute before end.
func past(t *testing.T, url, region string, end int64, values []float64) {
	t.Helper()
	line := map[string]any{"tags": map[string]string{"name": "sps", "region": region}, "step": "1m", "values": values}
	times := make([]int64, len(values))
	for i := range times {
		times[i] = end - int64(len(values)-i)*60_000
	}
	line["timestamps"] = times
	body, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url+"/api/v1/import", "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("import: %d %s", res.StatusCode, answer)
	}
}

// TestAboutRule: a server that is busy says nothing about a rule.
func TestAboutRule(t *testing.T) {
	for _, c := range []struct {
		status int
		answer string
		want   bool
	}{
		{400, `{"message":"expr: unknown word"}`, true},
		{503, `{"message":"deadline exceeded before all of it was judged; shorten the range"}`, true},
		{503, `{"message":"too many back-tests are running; this one waited 2s"}`, false},
		{200, `{}`, false},
		{500, `{"message":"shorten the range"}`, false},
	} {
		if got := aboutRule(c.status, []byte(c.answer)); got != c.want {
			t.Errorf("%d %s: %v", c.status, c.answer, got)
		}
	}
}

// TestBacktestCommand: what the rules of a file would have done, compared with
// incidents and with another version, and what a check against the server says.
func TestBacktestCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--log-level", "info")
	url := waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]
	end := time.Now().UnixMilli()/60_000*60_000 - 60_000
	eu, us := make([]float64, 300), make([]float64, 300)
	for i := range eu {
		eu[i], us[i] = 100, 40
		if i >= 200 && i < 230 {
			eu[i] = 20
		}
		if i >= 100 && i < 102 {
			eu[i] = 60
		}
	}
	past(t, url, "eu", end, eu)
	past(t, url, "us", end, us)
	at := func(i int) int64 { return end - int64(300-i)*60_000 } // stamp of a value
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const file = `rules:
  - id: floor
    expr: name,sps,:eq,:sum,(,region,),:by
    step: 1m
    detector: {kind: static, below: %s}
    for: %s
    annotations: {runbook: "https://wiki.example.com"}
  - {id: none, expr: "name,nosuch,:eq,:sum", for: 1m, annotations: {runbook: "https://wiki.example.com"}}
`
	rules, other := write("rules.yaml", fmt.Sprintf(file, "50", "2m")), write("other.yaml", fmt.Sprintf(file, "70", "1m"))
	incidents := write("incidents.yaml", fmt.Sprintf("- {start: %d, end: %d, tags: {region: eu}}\n- {start: %d, end: %d, tags: {region: eu}}\n", at(199), at(229), at(99), at(101)))
	want := func(code int, args []string, expressions ...string) {
		t.Helper()
		got, text := command(append([]string{"rules"}, args...)...)
		if got != code {
			t.Errorf("%v: exit code %d, want %d\n%s", args, got, code, text)
		}
		for _, x := range expressions {
			if !regexp.MustCompile(x).MatchString(text) {
				t.Errorf("%v: no %s in\n%s", args, x, text)
			}
		}
	}
	stamp := func(i int) string { return time.UnixMilli(at(i)).UTC().Format("2006-01-02 15:04:05") }
	common := []string{"--target", url, "--start", fmt.Sprint(at(0) - 60_000), "--end", fmt.Sprint(end - 60_000)}
	want(0, append([]string{"backtest", rules}, common...),
		`RULE +GROUP +PAGES +FIRING\n`,
		`floor +2 groups +2 +5h26m\n +region=us +1 +4h58m\n +region=eu +1 +28m\n`,
		`none +no group +0 +-\n`,
		`\nfloor\n  `+stamp(2)+`  still on at the end  region=us  limit: 40\n  `+stamp(202)+`  for 28m +region=eu  limit: 20\n`,
		`\nnone\n  note: no series that the expression selects`)
	want(0, append([]string{"backtest", rules, "--rule", "floor", "--against", other, "--incidents", incidents}, common...),
		`floor +2 groups +2 +5h26m +1 of 2 +3m +1\n`,
		`against the other version: 2 pages instead of 3, 5h26m firing instead of 5h29m; 0 the same\n`,
		`  - `+stamp(101)+`  for 1m +region=eu  limit: 60\n`,
		`  ~ `+stamp(202)+`  for 28m +region=eu  limit: 20 +\(was `+stamp(201)[11:]+`, for 29m\)\n`,
		`incident .* region=eu  found after 3m\n  incident .* region=eu  MISSED\n`)
	want(1, append([]string{"backtest", rules, "--rule", "nosuch"}, common...), `has no rule "nosuch"`)
	want(1, append([]string{"backtest", write("bad.yaml", "rules:\n  - {id: a, expr: 'name,sps,:eq'}\n  - id: b\n    expr: name,sps,:eq,:integral\n")}, common...),
		`bad.yaml:4:5: rule "b": .*integral`, `1 of 2 rules could not be judged`, `b +not judged`)
	want(1, append([]string{"backtest", write("syntax.yaml", "rules:\n  - {id: a, exprr: 'name,sps,:eq'}\n")}, common...), `syntax.yaml:2:13: .*did you mean "expr"`)
	want(1, []string{"backtest", rules, "--target", "http://127.0.0.1:1"}, `refused`)
	want(1, []string{"backtest", rules, "--target", url, "--start", "then"}, `--start .* is not before --end`)
	want(1, []string{"backtest", rules, "--target", url, "--start", "5 o'clock"}, `--start and --end`)

	code, text := command(append([]string{"rules", "backtest", rules, "--rule", "floor", "--json"}, common...)...)
	var answer struct {
		Rules []struct {
			Rule   string
			Result outcome
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); code != 0 || err != nil || len(answer.Rules) != 1 || answer.Rules[0].Result.PageCount != 2 || answer.Rules[0].Result.MinutesFiring != 326 {
		t.Errorf("json: %d, %v\n%s", code, err, text)
	}

	want(0, []string{"check", rules, "--target", url},
		`rules.yaml:2:5: rule "floor": was firing all of the last week for 1 of 2 groups, such as region=us`,
		`rules.yaml:8:16: rule "none": expr matched nothing in the last week`,
		`rules.yaml: 2 rules, no receiver, no fault, 2 warnings`)
	want(1, []string{"check", rules, "--target", url, "--strict"}, `1 of 1 files`)
}
