package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
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
	file, err := loadRules(c.File)
	if err != nil {
		return err
	}
	against := map[string]*detect.Rule{}
	if c.Against != "" {
		other, err := loadRules(c.Against)
		if err != nil {
			return err
		}
		for i := range other.Rules {
			against[other.Rules[i].ID] = &other.Rules[i]
		}
	}
	var incidents []detect.Marked
	if c.Incidents != "" {
		text, err := os.ReadFile(c.Incidents)
		if err != nil {
			return err
		}
		if incidents, err = detect.ParseIncidents(text); err != nil {
			return fmt.Errorf("%s: %w", c.Incidents, err)
		}
	}
	start, end, err := when.ParseRange(c.Start, c.End, time.Now().UnixMilli(), time.UTC)
	if err != nil {
		return fmt.Errorf("--start and --end: %w", err)
	}
	if start >= end {
		return fmt.Errorf("--start %s is not before --end %s", minuteText(start), minuteText(end))
	}
	server, err := newBacktester(c.Target)
	if err != nil {
		return err
	}
	rules := slices.DeleteFunc(file.Rules, func(r detect.Rule) bool { return c.Rule != "" && r.ID != c.Rule })
	if len(rules) == 0 {
		if c.Rule != "" {
			return fmt.Errorf("%s has no rule %q", c.File, c.Rule)
		}
		return fmt.Errorf("%s has no rules", c.File)
	}
	var done []judged
	failed := 0
	for i := range rules {
		r := &rules[i]
		o, err := server.run(ctx, r, against[r.ID], time.UnixMilli(start), time.UnixMilli(end), incidents)
		if refused := (*refusal)(nil); asRefusal(err, &refused) {
			err = file.Place(&detect.RuleError{ID: r.ID, Err: errors.New(refused.message)})
			failed++
		} else if err != nil {
			return err
		}
		done = append(done, judged{r.ID, o, err})
	}
	if c.JSON {
		err = printBacktestsJSON(e.stdout, done)
	} else {
		err = printBacktests(e.stdout, done, start, end, c.Against != "")
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d rules could not be judged", failed, len(rules))
	}
	return err
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

// outcome is the part of the server's answer that is printed.
type outcome struct {
	Pages         []page  `json:"pages"`
	PageCount     int     `json:"pageCount"`
	MinutesFiring float64 `json:"minutesFiring"`
	Delays        []delay `json:"delays"`
	Needless      *int    `json:"needless"`
	Steps         []struct{ Start, End, Step int64 }
	Groups        []struct {
		Tags                         map[string]string
		Pages                        int
		MinutesFiring, MinutesJudged float64
	}
	GroupsJudged int      `json:"groupsJudged"`
	Notices      []string `json:"notices"`
	Against      *outcome `json:"against"`
	Diff         *struct {
		Added, Removed []page
		Moved          []struct {
			page
			Against page
		}
		Same int
	}

	raw json.RawMessage
}

type page struct {
	Tags             map[string]string
	Type             string
	StartsAt, EndsAt *time.Time
	Value, Expected  *float64
	Cause            string
}

type delay struct {
	Start, End int64
	Tags       map[string]string
	Pages      int
	DelayMs    *int64
}

// backtester asks a server for back-tests.
type backtester struct{ *client }

func newBacktester(target string) (*backtester, error) {
	c, err := newClient(target)
	if err != nil {
		return nil, err
	}
	c.http.Timeout = 2 * time.Minute // the server ends it sooner
	return &backtester{c}, nil
}

// refusal is a server's answer that is about the rule and not about the server.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// tooLarge reports whether the rule gives more than a back-test may have.
func (r *refusal) tooLarge() bool {
	return strings.Contains(r.message, "too large") || strings.Contains(r.message, "too many") || strings.Contains(r.message, "shorten the range")
}

func asRefusal(err error, to **refusal) bool { return errors.As(err, to) }

// aboutRule reports whether an answer is about the rule: 503 is, too, when judging it
// took too long, but not when the server has no place.
func aboutRule(status int, answer []byte) bool {
	return status == http.StatusBadRequest || status == http.StatusServiceUnavailable && bytes.Contains(answer, []byte("shorten the range"))
}

// busyTries is how often a server that has no place now is asked again.
const busyTries = 10

func (b *backtester) run(ctx context.Context, rule, against *detect.Rule, start, end time.Time, incidents []detect.Marked) (*outcome, error) {
	type marked struct {
		Start int64             `json:"start"`
		End   int64             `json:"end"`
		Tags  map[string]string `json:"tags"`
	}
	body := map[string]any{"rule": rule, "start": start.UnixMilli(), "end": end.UnixMilli()}
	if against != nil {
		body["against"] = against
	}
	if incidents != nil {
		list := []marked{}
		for _, m := range incidents {
			list = append(list, marked{m.Start, m.End, m.Tags.Map()})
		}
		body["incidents"] = list
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		status, answer, err := b.do(ctx, http.MethodPost, "/api/v1/backtest", text)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusServiceUnavailable && try < busyTries && !aboutRule(status, answer):
			if err := pause(ctx, time.Now().Add(time.Second)); err != nil {
				return nil, err
			}
		case aboutRule(status, answer):
			return nil, &refusal{strings.TrimPrefix(serverError(status, answer).Error(), fmt.Sprintf("server answered %d: ", status))}
		case status != http.StatusOK:
			return nil, serverError(status, answer)
		default:
			o := outcome{raw: answer}
			if err := json.Unmarshal(answer, &o); err != nil {
				return nil, fmt.Errorf("read the server's answer: %w", err)
			}
			return &o, nil
		}
	}
}

func printBacktestsJSON(w io.Writer, done []judged) error {
	type entry struct {
		Rule   string          `json:"rule"`
		Result json.RawMessage `json:"result,omitempty"`
		Error  string          `json:"error,omitempty"`
	}
	out := []entry{}
	for _, d := range done {
		x := entry{Rule: d.id}
		if d.err != nil {
			x.Error = d.err.Error()
		} else {
			x.Result = d.o.raw
		}
		out = append(out, x)
	}
	return writeJSON(w, map[string]any{"rules": out})
}

// Rows of the tables; what is more is counted.
const (
	maxShownGroups = 10
	maxShownPages  = 10
)

// printBacktests prints one block per rule, and a summary.
func printBacktests(w io.Writer, done []judged, start, end int64, compared bool) error {
	fmt.Fprintf(w, "%s to %s (%s)\n\n", minuteText(start), minuteText(end), detect.Duration((end-start)/60_000*60_000))
	if err := printSummary(w, done); err != nil {
		return err
	}
	for _, d := range done {
		if d.err != nil {
			fmt.Fprintf(w, "\n%s\n  %v\n", d.id, d.err)
			continue
		}
		if len(d.o.Pages)+len(d.o.Delays)+len(d.o.Notices) == 0 && d.o.Diff == nil {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", d.id)
		for _, n := range d.o.Notices {
			fmt.Fprintf(w, "  note: %s\n", n)
		}
		if d.o.Diff != nil {
			printDiff(w, d.o)
		} else {
			printPages(w, d.o)
			if compared {
				fmt.Fprintf(w, "  the other file has no such rule\n")
			}
		}
		printDelays(w, d.o)
	}
	return nil
}

func printSummary(w io.Writer, done []judged) error {
	incidents := slices.ContainsFunc(done, func(d judged) bool { return d.o != nil && len(d.o.Delays) > 0 })
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "RULE\tGROUP\tPAGES\tFIRING"
	if incidents {
		head += "\tFOUND\tWORST DELAY\tNEEDLESS"
	}
	fmt.Fprintln(t, head)
	rest := "" // empty cells, so that the columns go on
	if incidents {
		rest = "\t\t\t"
	}
	for _, d := range done {
		if d.err != nil {
			fmt.Fprintf(t, "%s\tnot judged\t\t%s\n", d.id, rest)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s", d.id, count(d.o.GroupsJudged, "group"), d.o.PageCount, minutesText(d.o.MinutesFiring))
		if incidents {
			found, worst := d.o.found()
			fmt.Fprintf(t, "\t%d of %d\t%s\t%d", found, len(d.o.Delays), worst, *d.o.Needless)
		}
		fmt.Fprintln(t)
		if d.o.GroupsJudged < 2 {
			continue
		}
		for i, g := range d.o.Groups {
			if i == maxShownGroups {
				fmt.Fprintf(t, "\tand %d more\t\t%s\n", len(d.o.Groups)-i, rest)
				break
			}
			fmt.Fprintf(t, "\t%s\t%d\t%s%s\n", tagsText(g.Tags), g.Pages, minutesText(g.MinutesFiring), rest)
		}
	}
	return t.Flush()
}

// found returns how many incidents were met, and the longest delay.
func (o *outcome) found() (n int, worst string) {
	longest := int64(-1)
	for _, d := range o.Delays {
		if d.DelayMs != nil {
			n++
			longest = max(longest, *d.DelayMs)
		}
	}
	if longest < 0 {
		return n, "-"
	}
	return n, detect.Duration(longest).String()
}

func printPages(w io.Writer, o *outcome) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range o.Pages {
		if i == maxShownPages {
			fmt.Fprintf(t, "  and %d more\n", o.PageCount-i)
			break
		}
		fmt.Fprintf(t, "  %s\n", o.Pages[i].text())
	}
	_ = t.Flush() // of w
}

// text is a page in columns: when, for how long, whom, why.
func (p *page) text() string {
	lasts := "still on at the end"
	if p.EndsAt != nil {
		lasts = "for " + detect.Duration(p.EndsAt.Sub(*p.StartsAt).Milliseconds()).String()
	}
	why := p.Cause
	if p.Type == "alert.nodata" {
		why = "no data"
	} else if p.Value != nil {
		why += fmt.Sprintf(": %.6g", *p.Value)
		if p.Expected != nil {
			why += fmt.Sprintf(", expected %.6g", *p.Expected)
		}
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s", p.StartsAt.UTC().Format("2006-01-02 15:04:05"), lasts, tagsText(p.Tags), why)
}

func printDelays(w io.Writer, o *outcome) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range o.Delays {
		result := "MISSED"
		if d.DelayMs != nil && *d.DelayMs == 0 {
			result = "was on when it began"
		} else if d.DelayMs != nil {
			result = "found after " + detect.Duration(*d.DelayMs).String()
		}
		fmt.Fprintf(t, "  incident %s to %s\t%s\t%s\n", minuteText(d.Start), minuteText(d.End), tagsText(d.Tags), result)
	}
	_ = t.Flush()
}

// printDiff prints what the rule does otherwise than its other version.
func printDiff(w io.Writer, o *outcome) {
	d := o.Diff
	fmt.Fprintf(w, "  against the other version: %d pages instead of %d, %s firing instead of %s; %d the same\n",
		o.PageCount, o.Against.PageCount, minutesText(o.MinutesFiring), minutesText(o.Against.MinutesFiring), d.Same)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	list := func(sign string, pages []page) {
		for i := range pages {
			if i == maxShownPages {
				fmt.Fprintf(t, "  %s and %d more\n", sign, len(pages)-i)
				return
			}
			fmt.Fprintf(t, "  %s %s\n", sign, pages[i].text())
		}
	}
	list("+", d.Added)
	list("-", d.Removed)
	for i := range d.Moved {
		if i == maxShownPages {
			fmt.Fprintf(t, "  ~ and %d more\n", len(d.Moved)-i)
			break
		}
		m := &d.Moved[i]
		fmt.Fprintf(t, "  ~ %s\t(was %s%s)\n", m.text(), m.Against.StartsAt.UTC().Format("15:04:05"), m.Against.span())
	}
	_ = t.Flush()
}

// span is for how long a page is on.
func (p *page) span() string {
	if p.EndsAt == nil {
		return ", on at the end"
	}
	return ", for " + detect.Duration(p.EndsAt.Sub(*p.StartsAt).Milliseconds()).String()
}

func tagsText(m map[string]string) string {
	if len(m) == 0 {
		return "(no tags)"
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = k + "=" + m[k]
	}
	return strings.Join(keys, " ")
}

func minuteText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

// minutesText is a length of time in minutes, or hours where they are many.
func minutesText(minutes float64) string {
	if minutes == 0 {
		return "-"
	}
	return detect.Duration(minutes * 60_000).String()
}
