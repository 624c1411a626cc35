package detect

import (
	"fmt"
	"slices"

	"pulse/detect/notify"
)

// OwnedError refuses a change over the API of what comes from a file.
type OwnedError = notify.OwnedError

// fileOf returns the file that a rule comes from, "" for none.
func (e *Engine) fileOf(id string) string {
	if r := e.rules[id]; r != nil {
		return r.file
	}
	return e.broken[id].stored.Source
}

// owned refuses a change of a rule that comes from a file.
func (e *Engine) owned(id string) error {
	if file := e.fileOf(id); file != "" && !e.released {
		return &OwnedError{What: "rule", Name: id, File: file}
	}
	return nil
}

// ReleaseFiles lets the API change what came from files: there are none any more.
func (e *Engine) ReleaseFiles() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.released = true
	e.routing = e.routing.released()
}

// CheckedRules are rules of files that this engine can judge.
type CheckedRules []*compiled

// CheckRules refuses rules that cannot be judged, or would give too many groups of
// the series that there are, with a *RuleError.
func (e *Engine) CheckRules(rules []Rule, now int64) (CheckedRules, error) {
	out := make(CheckedRules, len(rules))
	for i, r := range rules {
		var err error
		if out[i], err = e.check(r, now); err != nil {
			return nil, &RuleError{r.ID, err}
		}
	}
	if n := e.withOthers(out); n > maxRules {
		return nil, fmt.Errorf("%d rules with those made over the API, at most %d", n, maxRules)
	}
	return out, nil
}

// withOthers counts rules with those that come from no file.
func (e *Engine) withOthers(rules CheckedRules) int {
	ids := make(map[string]bool, len(rules))
	for _, c := range rules {
		ids[c.rule.ID] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, r := range e.rules {
		if r.file == "" {
			ids[id] = true
		}
	}
	return len(ids)
}

// ReplaceFileRules makes the rules of files those that are given: new and changed
// ones are put, and those that came from a file before and are gone are deleted;
// their number is returned. file names the file of a rule; one that was made over the
// API becomes the file's.
func (e *Engine) ReplaceFileRules(rules CheckedRules, file func(id string) string, now int64) (removed int, err error) {
	keep := make(map[string]bool, len(rules))
	for _, c := range rules {
		keep[c.rule.ID] = true
	}
	for _, c := range rules {
		if err := e.put(c, file(c.rule.ID), now, nil); err != nil {
			return 0, &RuleError{c.rule.ID, err}
		}
	}
	return e.deleteGone(keep, now)
}

// deleteGone deletes the rules that came from a file and are not to be kept.
func (e *Engine) deleteGone(keep map[string]bool, now int64) (removed int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var gone []string
	for id, r := range e.rules {
		if r.file != "" && !keep[id] {
			gone = append(gone, id)
		}
	}
	for id, b := range e.broken {
		if b.stored.Source != "" && !keep[id] {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	for _, id := range gone {
		if err := e.delete(id, now); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
