package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pulse/detect/algo"
)

// Whom rules name. The notify of a rule wins over all routes, so a name that no receiver
// has would be a rule that pages nobody. No rule is put with one, and no receiver is
// deleted while a rule names it.

// ErrNotified refuses to delete a receiver that a rule names.
var ErrNotified = errors.New("a rule's notify names it")

// checkNotify refuses a rule that names a receiver which is not among those.
func (r *Rule) checkNotify(receivers []string) error {
	for i, name := range r.Notify {
		if !slices.Contains(receivers, name) {
			return fmt.Errorf("notify[%d] names %q, which is no receiver of alerts%s (%s)", i, clip(name, 60), algo.Meant(name, receivers), listedNames(receivers))
		}
	}
	return nil
}

// listedNames shows the first of some names.
func listedNames(names []string) string {
	const shown = 10
	switch n := len(names); {
	case n == 0:
		return "there is none"
	case n > shown:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), n-shown)
	}
	return strings.Join(names, ", ")
}

// CheckNotify refuses rules that name a receiver which is not among those that there
// will be, with a *RuleError.
func (rules CheckedRules) CheckNotify(receivers []string) error {
	for _, c := range rules {
		if err := c.rule.checkNotify(receivers); err != nil {
			return &RuleError{c.rule.ID, c.rule.wrong(err)}
		}
	}
	return nil
}

// CheckOthers refuses that a receiver which there is goes, when a rule that does not come
// from the files with these rules names it; receivers are those that there will be.
func (e *Engine) CheckOthers(rules CheckedRules, receivers []string) error {
	if e.o.Receivers == nil {
		return nil
	}
	filed := make(map[string]bool, len(rules))
	for _, c := range rules {
		filed[c.rule.ID] = true
	}
	for _, name := range e.o.Receivers() {
		if slices.Contains(receivers, name) {
			continue
		}
		by := e.naming(name, func(id, file string) bool { return file == "" && !filed[id] })
		if len(by) > 0 {
			return fmt.Errorf("receiver %q is in no file any more: %w, %s, made over the API", clip(name, maxID), ErrNotified, listedNames(by))
		}
	}
	return nil
}

// naming returns the ids of the rules that name a receiver, of those which count.
func (e *Engine) naming(receiver string, counts func(id, file string) bool) (ids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.order {
		if slices.Contains(r.c.rule.Notify, receiver) && counts(r.c.rule.ID, r.file) {
			ids = append(ids, r.c.rule.ID)
		}
	}
	for id, b := range e.broken {
		if slices.Contains(b.stored.Rule.Notify, receiver) && counts(id, b.stored.Source) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
