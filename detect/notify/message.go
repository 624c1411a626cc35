package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"pulse/detect/label"
	"pulse/detect/text"
)

// page is what people are told, before a kind gives it its form.
type page struct {
	Title string // one line
	Text  string // of the receiver's template; "" when the parts say it
	Parts []part // an alert each
	More  int    // alerts that are left out
	Link  string // to the alert, or to all of them; "" or http(s)
	Graph string // of the alert, when there is one; "" or http(s)
	Tone  tone
}

// part tells of one alert.
type part struct {
	Head  string // one line; "" when the title says it
	Body  string // lines of the rule's own words
	Facts []fact
	Link  string // to the alert; "" or http(s)
	Graph string // "" or http(s), and not Link
	Tone  tone
}

// fact is a name and its value, each one line.
type fact struct{ Name, Value string }

// tone is how serious it is.
type tone uint8

const (
	toneInfo tone = iota
	toneGood
	toneUnknown
	toneWarning
	toneError
	toneCritical
)

// toneOf reads severities as people write them.
func toneOf(n *Notification) tone {
	switch n.Type {
	case TypeResolved:
		return toneGood
	case TypeTest:
		return toneInfo
	}
	switch strings.ToLower(n.Severity) {
	case "page", "critical", "crit", "fatal", "emergency", "high", "p1", "sev1":
		return toneCritical
	case "error", "major", "p2", "sev2":
		return toneError
	case "info", "informational", "notice", "low", "debug", "p4", "p5":
		return toneInfo
	case "warn", "warning", "minor", "p3", "sev3":
		return toneWarning
	}
	if n.Type == TypeNoData {
		return toneUnknown
	}
	return toneWarning
}

// newPage renders a bundle for people with the receiver's templates, or else by
// default. Titles have at most titleRunes runes.
func newPage(r *Receiver, b *bundle, titleRunes int) page {
	shown := b.limited(r.MaxAlerts)
	p := page{More: shown.Truncated, Link: webLink(b.Page), Tone: toneInfo}
	for i := range shown.Alerts {
		n := &shown.Alerts[i]
		one := part{Body: ownWords(n), Facts: facts(n, b.Now), Tone: toneOf(n)}
		one.Link, one.Graph = b.links(n)
		if len(shown.Alerts) > 1 {
			one.Head = "[" + state(n) + "] " + headline(n)
		}
		p.Parts = append(p.Parts, one)
	}
	for i := range b.Alerts {
		if t := toneOf(&b.Alerts[i]); i == 0 || t > p.Tone && !b.Alerts[i].over() {
			p.Tone = t
		}
	}
	if len(p.Parts) == 1 && p.More == 0 && p.Parts[0].Link != "" {
		p.Link, p.Graph = p.Parts[0].Link, p.Parts[0].Graph
	}
	p.Title = text.Clip(oneLine(r.said.title.or(b, b.title)), titleRunes)
	p.Text = r.said.text.or(b, func() string { return "" })
	return p
}

// links are where people see an alert, and its graph. What was stored without a link to
// its page leads to the graph.
func (b *bundle) links(n *Notification) (page, graph string) {
	if graph = webLink(n.Graph); graph == webLink(b.Link) { // what has no graph names the server
		graph = ""
	}
	if page = webLink(n.Link); page == "" || page == graph {
		return cmp.Or(page, graph), ""
	}
	return page, graph
}

// title is the default title: what the rule says in its annotation `summary`.
func (b *bundle) title() string {
	if len(b.Alerts) == 1 && b.Truncated == 0 {
		n := &b.Alerts[0]
		return "[" + state(n) + "] " + headline(n)
	}
	return b.heading()
}

// subject is the default subject of mails: the same at every transition but for the
// state, since mail programs thread by it too.
func (b *bundle) subject() string {
	if len(b.Alerts) == 1 && b.Truncated == 0 {
		n := &b.Alerts[0]
		if n.Type == TypeSummary || n.Type == TypeTest {
			return b.title()
		}
		return "[" + state(n) + "] " + called(n)
	}
	return b.heading()
}

// heading names a group: how many fire, the rules, and the group's labels.
func (b *bundle) heading() string {
	word := "RESOLVED"
	if n := b.firing(); n > 0 {
		word = fmt.Sprintf("FIRING:%d", n+b.Truncated)
	}
	rules := b.rules()
	if len(rules) > 3 {
		rules = append(slices.Clone(rules[:3]), fmt.Sprintf("%d more rules", len(rules)-3))
	}
	labels := pairs(b.Labels).Remove([]string{label.AlertName, label.Rule})
	return strings.TrimSpace("[" + word + "] " + strings.Join(rules, ", ") + " " + listed(labels))
}

// state is the word at the front of a title.
func state(n *Notification) string {
	switch n.Type {
	case TypeResolved:
		return "RESOLVED"
	case TypeNoData:
		return "NO DATA"
	case TypeTest:
		return "TEST"
	case TypeSummary:
		return "SUMMARY"
	}
	if n.Flapping {
		return "FLAPPING"
	}
	return "FIRING"
}

// called is the rule and the group's tags.
func called(n *Notification) string { return strings.TrimSpace(n.Rule + " " + listed(n.Tags)) }

// listed is pairs in order of their keys.
func listed(m map[string]string) string {
	out := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"="+m[key])
	}
	return strings.Join(out, " ")
}

// headline is what an alert says of itself in a line.
func headline(n *Notification) string {
	if n.Type == TypeSummary {
		return fmt.Sprintf("%s: %s", n.Annotations["summary"], n.Annotations["rules"])
	}
	if line := oneLine(n.Annotations["summary"]); line != "" {
		if n.Type == TypeTest {
			return line
		}
		return n.Rule + ": " + line
	}
	return called(n)
}

// ownWords is the rule's own words: description first, then the others by name.
func ownWords(n *Notification) string {
	var lines []string
	if d := strings.TrimSpace(n.Annotations["description"]); d != "" {
		lines = append(lines, d)
	}
	for _, key := range slices.Sorted(maps.Keys(n.Annotations)) {
		value := strings.TrimSpace(n.Annotations[key])
		if value == "" || key == "summary" || key == "description" || n.Type == TypeSummary {
			continue
		}
		lines = append(lines, key+": "+value)
	}
	return strings.Join(lines, "\n")
}

// factRunes bounds a value of facts.
const factRunes = 500

// facts are the numbers of an alert, without those that are not known.
func facts(n *Notification, now int64) []fact {
	var out []fact
	add := func(name, value string) {
		if value = oneLine(value); value != "" {
			out = append(out, fact{name, text.Clip(value, factRunes)})
		}
	}
	if n.Type == TypeSummary || n.Type == TypeTest {
		add("At", clockTime(n.EvaluatedAt))
		return out
	}
	add("Rule", n.Rule)
	add("Severity", n.Severity)
	for _, key := range slices.Sorted(maps.Keys(n.Tags)) {
		add(key, n.Tags[key])
	}
	add("Value", value(n))
	add("Cause", n.Cause)
	var carriers []string
	for _, c := range n.Contributors {
		carriers = append(carriers, carrier(c))
	}
	add("Carried by", strings.Join(carriers, ", "))
	add("Began", clockTime(n.StartsAt))
	if n.over() {
		add("Ended", clockTime(n.EndsAt)+lasted(n))
	}
	return out
}

// value says what was measured and what was expected.
func value(n *Notification) string {
	v, expected, lower, upper := text.Number(n.Value), text.Number(n.Expected), text.Number(n.Lower), text.Number(n.Upper)
	var said []string
	if expected.Known() {
		said = append(said, "expected "+expected.String())
	}
	switch {
	case lower.Known() && upper.Known():
		said = append(said, lower.String()+" to "+upper.String())
	case lower.Known():
		said = append(said, "at least "+lower.String())
	case upper.Known():
		said = append(said, "at most "+upper.String())
	}
	out := ""
	if v.Known() {
		out = v.String()
	} else if len(said) > 0 {
		out = "none"
	}
	if len(said) > 0 {
		out += " (" + strings.Join(said, ", ") + ")"
	}
	return out
}

// carrier names a contributor and its part in the change.
func carrier(c Contributor) string {
	out := listed(c.Tags)
	if !math.IsNaN(c.Share) && !math.IsInf(c.Share, 0) {
		out += fmt.Sprintf(" %.0f%%", c.Share*100)
	}
	return out
}

func clockTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC")
}

func lasted(n *Notification) string {
	if n.StartsAt == 0 || n.EndsAt <= n.StartsAt {
		return ""
	}
	return " after " + (time.Duration(n.EndsAt-n.StartsAt) * time.Millisecond).String()
}

// oneLine joins the lines of a text, and drops other control characters.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0x2028 || c == 0x2029 || c == 0x85 }), " ")
}

const maxLink = 2000 // bytes of a link that is shown

// webLink returns a URL that may be shown as a link, "" for any other.
func webLink(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(s) > maxLink {
		return ""
	}
	return u.String()
}

// runbook is the page that the rule names for its alert.
func runbook(n *Notification) string {
	return webLink(cmp.Or(n.Annotations["runbook_url"], n.Annotations["runbook"]))
}

// plain writes the parts of a page as lines of text, at most limit runes.
func (p *page) plain(limit int) string {
	if p.Text != "" {
		return text.Clip(p.Text, limit)
	}
	var w strings.Builder
	for i, one := range p.Parts {
		if i > 0 {
			w.WriteString("\n")
		}
		if one.Head != "" {
			w.WriteString(one.Head + "\n")
		}
		if one.Body != "" {
			w.WriteString(one.Body + "\n")
		}
		for _, f := range one.Facts {
			w.WriteString(f.Name + ": " + f.Value + "\n")
		}
		if one.Link != "" {
			w.WriteString(one.Link + "\n")
		}
		if one.Graph != "" {
			w.WriteString("Graph: " + one.Graph + "\n")
		}
	}
	if p.More > 0 {
		fmt.Fprintf(&w, "\nand %d more\n", p.More)
	}
	return text.Clip(strings.TrimRight(w.String(), "\n"), limit)
}

// peopleAlerts is how many alerts a message for people tells of by default.
const peopleAlerts = 10

// tellPeople fills in the defaults of kinds that people read.
func (r *Receiver) tellPeople() {
	if r.MaxAlerts == 0 {
		r.MaxAlerts = peopleAlerts
	}
}

func more(n int) string { return fmt.Sprintf("and %d more", n) }

// dedupKey is the key of a group in systems whose keys have at most n characters.
func dedupKey(key string, n int) string {
	if len(key) <= n && strings.IndexFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) < 0 {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
