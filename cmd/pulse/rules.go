package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"pulse/detect"
)

type rulesCmd struct {
	Check    rulesCheckCmd    `cmd:"" help:"Read rule files and report every fault and doubt, with file, line, column and rule."`
	Test     rulesTestCmd     `cmd:"" help:"Run unit tests of rules: series in, alerts out."`
	Export   rulesExportCmd   `cmd:"" help:"Print the rules, receivers, routes, inhibit rules and mutes of a server as a rule file, with secrets masked."`
	Backtest rulesBacktestCmd `cmd:"" help:"Ask a server what the rules of a file would have paged for on its history."`
	Why      rulesWhyCmd      `cmd:"" help:"Ask a server why a rule did, or did not, page somebody about a group at a time."`
}

type rulesExportCmd struct {
	Target string `help:"The server." default:"http://127.0.0.1:7101" env:"PULSE_RULES_TARGET" placeholder:"URL"`
}

// Run prints what the server exports.
func (c *rulesExportCmd) Run(ctx context.Context, e *env) error {
	server, err := newClient(c.Target)
	if err != nil {
		return err
	}
	text, err := server.get(ctx, "/api/v1/export")
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(text)
	return err
}

type rulesCheckCmd struct {
	Files  []string `arg:"" name:"file" help:"YAML files with rules and receivers."`
	Step   span     `help:"Primary step of the server that will run them [10s]." default:"10s" env:"PULSE_RULES_STEP" placeholder:"D"`
	Target string   `help:"A running server: also look there for rules that match nothing, were on all of last week or have very many groups." env:"PULSE_RULES_TARGET" placeholder:"URL"`
	Strict bool     `help:"Warnings make the exit code 1, too." env:"PULSE_RULES_STRICT"`
	JSON   bool     `name:"json" help:"Print JSON." env:"PULSE_RULES_JSON"`
}

// Run prints the findings, one per line, and one line per file. The exit code is
// 1 when a server would refuse a file, or with --strict on any finding.
func (c *rulesCheckCmd) Run(ctx context.Context, e *env) error {
	file, findings, err := detect.LintFiles(c.Files, c.Step.ms())
	if err != nil {
		return err
	}
	if c.Target != "" {
		more, err := c.ask(ctx, &file, findings)
		if err != nil {
			return err
		}
		findings = append(findings, more...)
	}
	if c.JSON {
		err = printFindingsJSON(e.stdout, findings)
	} else {
		c.print(e.stdout, &file, findings)
	}
	faults, warnings := countFindings(findings, "")
	if err != nil {
		return err
	}
	if faults > 0 || c.Strict && warnings > 0 {
		bad := map[string]bool{}
		for _, f := range findings {
			if !f.Warning || c.Strict {
				bad[f.File] = true
			}
		}
		return fmt.Errorf("%d of %d files have faults", len(bad), len(c.Files))
	}
	return nil
}

func (c *rulesCheckCmd) print(w io.Writer, file *detect.File, findings []detect.Finding) {
	for _, f := range findings {
		level := "error"
		if f.Warning {
			level = "warning"
		}
		fmt.Fprintf(w, "%s [%s, %s]\n", f.Error(), level, f.Check)
	}
	for _, name := range c.Files {
		rules, receivers := file.Count(name)
		faults, warnings := countFindings(findings, name)
		fmt.Fprintf(w, "%s: %s, %s, %s, %s\n", name, count(rules, "rule"), count(receivers, "receiver"), count(faults, "fault"), count(warnings, "warning"))
	}
}

// countFindings counts those of a file, or of all for "".
func countFindings(findings []detect.Finding, name string) (faults, warnings int) {
	for _, f := range findings {
		switch {
		case name != "" && f.File != name:
		case f.Warning:
			warnings++
		default:
			faults++
		}
	}
	return faults, warnings
}

// count is `no fault`, `1 fault`, `2 faults`.
func count(n int, of string) string {
	switch n {
	case 0:
		return "no " + of
	case 1:
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func printFindingsJSON(w io.Writer, findings []detect.Finding) error {
	type finding struct {
		File    string `json:"file"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Rule    string `json:"rule,omitempty"`
		Level   string `json:"level"`
		Check   string `json:"check"`
		Message string `json:"message"`
	}
	out := []finding{}
	for _, f := range findings {
		level := "error"
		if f.Warning {
			level = "warning"
		}
		out = append(out, finding{f.File, f.Line, f.Column, f.Rule, level, f.Check, f.Err.Error()})
	}
	return writeJSON(w, map[string]any{"findings": out})
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// What a server is asked about a rule: the last week, and how many groups are too
// many to be told apart by people.
const (
	lintRange  = 7 * 24 * time.Hour
	manyGroups = 1000
	alwaysOn   = 0.95 // of the time that a group was judged
)

// ask looks at the last week of every rule that has no fault.
func (c *rulesCheckCmd) ask(ctx context.Context, file *detect.File, findings []detect.Finding) ([]detect.Finding, error) {
	server, err := newBacktester(c.Target)
	if err != nil {
		return nil, err
	}
	bad := map[string]bool{}
	for _, f := range findings {
		if !f.Warning {
			bad[f.Rule] = true
		}
	}
	now := time.Now()
	var out []detect.Finding
	for i := range file.Rules {
		r := &file.Rules[i]
		if bad[r.ID] {
			continue
		}
		answer, err := server.run(ctx, r, nil, now.Add(-lintRange), now, nil)
		if refused := (*refusal)(nil); asRefusal(err, &refused) {
			check := detect.CheckRule
			if refused.tooLarge() {
				check = detect.CheckGroups
			}
			out = append(out, file.Warn(r.ID, check, refused.message))
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, weekFindings(file, r.ID, answer)...)
	}
	return out, nil
}

func weekFindings(file *detect.File, id string, o *outcome) (out []detect.Finding) {
	if o.GroupsJudged == 0 {
		return []detect.Finding{file.Warn(id, detect.CheckMatches, "expr matched nothing in the last week: no series that it selects had a value")}
	}
	if o.GroupsJudged > manyGroups {
		out = append(out, file.Warn(id, detect.CheckGroups, fmt.Sprintf("expr gave %d groups in the last week, each with an alert of its own; group by fewer tags", o.GroupsJudged)))
	}
	always := 0
	named := ""
	for _, g := range o.Groups {
		if g.MinutesJudged >= 60 && g.MinutesFiring >= alwaysOn*g.MinutesJudged {
			if always++; named == "" {
				named = tagsText(g.Tags)
			}
		}
	}
	if always > 0 {
		out = append(out, file.Warn(id, detect.CheckFires, fmt.Sprintf("was firing all of the last week for %d of %d groups, such as %s: a page that is always on tells nobody anything",
			always, o.GroupsJudged, named)))
	}
	return out
}
