package detect

import (
	"fmt"
	"strings"

	"pulse/detect/label"
	"pulse/detect/notify"
)

// AlertFilter chooses alerts. Its zero value means all.
type AlertFilter struct {
	States   []string       // any of them; none: all
	Matchers label.Matchers // of the labels that silences go by
	Text     string         // part of the rule, or of a tag, label, annotation or the cause; in any case of letters
}

// maxAlertText bounds AlertFilter.Text, in bytes.
const maxAlertText = 1024

// NewAlertFilter reads a filter: states with commas between them, and matchers as text.
func NewAlertFilter(states, matchers, text string) (*AlertFilter, error) {
	f := &AlertFilter{Text: strings.ToLower(strings.TrimSpace(text))}
	if len(f.Text) > maxAlertText {
		return nil, fmt.Errorf("text has %d bytes, at most %d", len(f.Text), maxAlertText)
	}
	for state := range strings.SplitSeq(states, ",") {
		if state != "" {
			f.States = append(f.States, state)
		}
	}
	var err error
	f.Matchers, err = label.ParseAll(matchers)
	return f, err
}

// means reports whether the alert is one of those, whatever its state.
func (f *AlertFilter) means(a *Alert) bool {
	return (len(f.Matchers) == 0 || f.Matchers.Matches(a.Set())) && (f.Text == "" || mentions(&a.Notification, f.Text))
}

// mentions reports whether what people read of an alert has the text, which is in lower case.
func mentions(n *notify.Notification, text string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	if has(n.Rule) || has(n.Cause) || has(n.Owner) || has(n.Severity) {
		return true
	}
	for _, m := range [...]map[string]string{n.Tags, n.Labels, n.Annotations} {
		for key, value := range m {
			if has(key + "=" + value) {
				return true
			}
		}
	}
	return false
}
