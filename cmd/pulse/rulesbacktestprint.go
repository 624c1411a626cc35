package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pulse/detect"
)

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
	if p.Flapping {
		why += ", flapping"
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
