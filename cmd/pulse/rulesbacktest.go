package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"pulse/detect"
	"pulse/query/when"
)

type rulesBacktestCmd struct {
	File      string `arg:"" help:"YAML file with rules."`
	Target    string `help:"The server whose history is judged [http://127.0.0.1:7101]." default:"http://127.0.0.1:7101" env:"PULSE_RULES_TARGET" placeholder:"URL"`
	Start     string `help:"Start, excluded: e-3h, now-1d, Unix time or ISO date [e-1w]." default:"e-1w" env:"PULSE_RULES_START" placeholder:"T"`
	End       string `help:"End, included [now]." default:"now" env:"PULSE_RULES_END" placeholder:"T"`
	Rule      string `help:"Only the rule of this id." env:"PULSE_RULES_RULE" placeholder:"ID"`
	Against   string `help:"Another version of the file, to compare with rule by rule." env:"PULSE_RULES_AGAINST" placeholder:"FILE"`
	Incidents string `help:"Known incidents, a list of {start, end, tags}: how soon was each found?" env:"PULSE_RULES_INCIDENTS" placeholder:"FILE"`
	JSON      bool   `name:"json" help:"Print the server's answers, one object per rule." env:"PULSE_RULES_JSON"`
}

// Run judges the history by every rule and prints what would have happened.
func (c *rulesBacktestCmd) Run(ctx context.Context, e *env) error {
	file, rules, err := c.rules()
	if err != nil {
		return err
	}
	t, err := c.trial()
	if err != nil {
		return err
	}
	done, failed, err := t.run(ctx, &file, rules)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printBacktestsJSON(e.stdout, done)
	} else {
		err = printBacktests(e.stdout, done, t.start, t.end, c.Against != "")
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d rules could not be judged", failed, len(rules))
	}
	return err
}

// rules reads the file, and chooses the rules of it that are asked for.
func (c *rulesBacktestCmd) rules() (file detect.File, rules []detect.Rule, err error) {
	if file, err = loadRules(c.File); err != nil {
		return file, nil, err
	}
	rules = slices.DeleteFunc(slices.Clone(file.Rules), func(r detect.Rule) bool { return c.Rule != "" && r.ID != c.Rule })
	switch {
	case len(rules) > 0:
		return file, rules, nil
	case c.Rule != "":
		return file, nil, fmt.Errorf("%s has no rule %q", c.File, c.Rule)
	}
	return file, nil, fmt.Errorf("%s has no rules", c.File)
}

// ruleTrial is what rules are judged over and compared with.
type ruleTrial struct {
	server     *backtester
	start, end int64 // Unix ms
	against    map[string]*detect.Rule
	incidents  []detect.Marked
}

// trial reads what the flags name.
func (c *rulesBacktestCmd) trial() (t ruleTrial, err error) {
	t.against = map[string]*detect.Rule{}
	if c.Against != "" {
		other, err := loadRules(c.Against)
		if err != nil {
			return t, err
		}
		for i := range other.Rules {
			t.against[other.Rules[i].ID] = &other.Rules[i]
		}
	}
	if c.Incidents != "" {
		text, err := os.ReadFile(c.Incidents)
		if err != nil {
			return t, err
		}
		if t.incidents, err = detect.ParseIncidents(text); err != nil {
			return t, fmt.Errorf("%s: %w", c.Incidents, err)
		}
	}
	if t.start, t.end, err = when.ParseRange(c.Start, c.End, time.Now().UnixMilli(), time.UTC); err != nil {
		return t, fmt.Errorf("--start and --end: %w", err)
	}
	if t.start >= t.end {
		return t, fmt.Errorf("--start %s is not before --end %s", minuteText(t.start), minuteText(t.end))
	}
	t.server, err = newBacktester(c.Target)
	return t, err
}

// run judges by each rule. Those that cannot be are among the others, with what is
// wrong, and counted.
func (t *ruleTrial) run(ctx context.Context, file *detect.File, rules []detect.Rule) (done []judged, failed int, err error) {
	for i := range rules {
		r := &rules[i]
		o, err := t.server.run(ctx, r, t.against[r.ID], time.UnixMilli(t.start), time.UnixMilli(t.end), t.incidents)
		if refused := (*refusal)(nil); asRefusal(err, &refused) {
			err = file.Place(&detect.RuleError{ID: r.ID, Err: errors.New(refused.message)})
			failed++
		} else if err != nil {
			return nil, 0, err
		}
		done = append(done, judged{r.ID, o, err})
	}
	return done, failed, nil
}

// loadRules reads one rule file.
func loadRules(name string) (detect.File, error) {
	file, findings, err := detect.LintFiles([]string{name}, 1)
	if err != nil {
		return file, err
	}
	for _, f := range findings {
		if f.Check == detect.CheckSyntax {
			return file, &f
		}
	}
	return file, nil
}

// judged is a rule with the server's answer, or why there is none.
type judged struct {
	id  string
	o   *outcome
	err error
}
