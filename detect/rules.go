package detect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pulse/query"
	"pulse/query/stream"
	"pulse/store/step"
	"pulse/store/tags"
)

// brokenRule is a stored rule that could not be started.
type brokenRule struct {
	stored storedRule
	err    error
}

// tagsOf returns the tags of m.
func tagsOf(m map[string]string) tags.Tags { return tags.FromMap(m) }

// Check compiles r against this server as PutRule would, without keeping it.
func (e *Engine) Check(r Rule) error {
	c, err := e.compiler.compile(r)
	if err != nil {
		return err
	}
	s, err := e.openFor(c, true)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// fits refuses a rule whose expression gives more groups, of the series that there
// are, than are judged. It takes a while where they are many.
func (e *Engine) fits(c *compiled, now int64) error {
	e.mu.Lock()
	old := e.rules[c.rule.ID]
	known := old != nil && old.c.sameStream(c) && old.c.baseText() == c.baseText()
	e.mu.Unlock()
	if known {
		return nil
	}
	s, err := e.openFor(c, true)
	if err != nil {
		return err
	}
	defer s.Close()
	lines, err := s.Step(step.Floor(now, c.step))
	tooMany := func(what, got, of string) error {
		return fmt.Errorf("rule %q: %s gives %s %s, at most %d; group by fewer tags or select fewer series", c.rule.ID, what, got, of, c.maxGroups)
	}
	if errors.Is(err, query.ErrLimit) {
		return tooMany("expr", "more lines than there is memory for", "groups")
	}
	groups, baseline := split(lines)
	if len(groups) > c.maxGroups {
		return tooMany("expr", strconv.Itoa(len(groups)), "groups")
	}
	if len(baseline) > c.maxGroups {
		return tooMany("detector.baseline", strconv.Itoa(len(baseline)), "lines")
	}
	return nil // what else fails is told when it is judged
}

// open opens the stream of a rule.
func (e *Engine) open(c *compiled) (*stream.Stream, error) { return e.openFor(c, false) }

// openFor opens it over stored values, or over those that come.
func (e *Engine) openFor(c *compiled, stored bool) (*stream.Stream, error) {
	s, err := e.o.Hub.Open(c.exprs(), c.step, c.streamOptions(stored))
	if err != nil {
		return nil, fmt.Errorf("rule %q: expr: %w", c.rule.ID, err)
	}
	return s, nil
}

// streamOptions leave room for more lines than are judged: those that are too many
// are not to end the others.
func (c *compiled) streamOptions(stored bool) stream.Options {
	const perLine = 2 << 10 // with the values of a window of history
	most := int64(c.lines(c.maxGroups))
	return stream.Options{Rule: true, ZeroFill: c.zeroFill, Stored: stored, MaxLines: c.lines(2 * maxGroups), MemoryBytes: max(64<<20, most*perLine)}
}

// PutRule stores r and judges it from the step that covers now (Unix ms) on. It
// replaces a rule of the same id:
//
//   - Other texts, labels, receivers or times: everything goes on.
//   - Another detector: it starts with history; alerts stay as they are until it
//     judges.
//   - Another expression, step or no_data: these are other values, so open alerts
//     are resolved with that reason and the rule starts afresh.
//
// A rule that comes from a file is refused with an *OwnedError, and one that names a
// receiver that there is not.
func (e *Engine) PutRule(r Rule, now int64) error {
	return e.PutRuleIf(r, now, nil)
}

// ErrChanged is returned when a rule is not the one that somebody meant to change.
var ErrChanged = errors.New("the rule has been changed by somebody else since it was read")

// PutRuleIf is PutRule, but fails with ErrChanged unless the rule in force, nil for none,
// is the one that is meant.
func (e *Engine) PutRuleIf(r Rule, now int64, meant func(old *Rule) bool) error {
	c, err := e.check(r, now)
	if err != nil {
		return err
	}
	e.routingMu.Lock() // so that no receiver goes meanwhile
	defer e.routingMu.Unlock()
	if e.o.Receivers != nil {
		if err := r.checkNotify(e.o.Receivers()); err != nil {
			return r.wrong(err)
		}
	}
	return e.put(c, "", now, meant)
}

// check compiles a rule and looks at the series that there are.
func (e *Engine) check(r Rule, now int64) (*compiled, error) {
	c, err := e.compiler.compile(r)
	if err != nil {
		return nil, err
	}
	return c, e.fits(c, now)
}

// put is PutRuleIf of a rule that was checked, from a file or, "", over the API.
func (e *Engine) put(c *compiled, file string, now int64, meant func(old *Rule) bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if file == "" {
		if err := e.owned(c.rule.ID); err != nil {
			return err
		}
	}
	if !e.isMeant(c.rule.ID, meant) {
		return ErrChanged
	}
	if err := e.settled(); err != nil {
		return fmt.Errorf("put rule %q: %w", c.rule.ID, err)
	}
	old := e.rules[c.rule.ID]
	if old == nil && len(e.rules) >= maxRules && file == "" { // those of files were counted together
		return fmt.Errorf("rule %q: there are %d rules, at most %d", c.rule.ID, len(e.rules), maxRules)
	}
	if old != nil && old.c.sameStream(c) && old.c.sameDetector(c) {
		if old.file == file && sameRule(old.c.rule, c.rule) {
			return nil
		}
		return e.amend(old, c, file)
	}
	r, err := e.start(c, now)
	if err != nil {
		return err
	}
	r.file = file
	r.inTurn(e.turn)
	goesOn := old != nil && old.c.sameStream(c)
	if goesOn {
		r.identify(old.created, now)
	}
	if err := e.store(r); err != nil {
		r.stream.Close()
		return err
	}
	if goesOn {
		r.inherit(old)
		e.reflap(r)
		e.reviewed.lookAgainAt(e.now)
	}
	e.engage(r) // before the old one leaves, or its owner would be forgotten, with what it has used up
	if old != nil {
		if !goesOn {
			e.endAll(old, now, "the rule's expression changed")
		}
		e.remove(old)
	}
	e.endLoose(c.rule.ID, now, "the rule was replaced")
	e.insert(r)
	e.commit()
	e.Wake()
	return nil
}

// isMeant asks whether the rule in force is the one that somebody means. The caller holds e.mu.
func (e *Engine) isMeant(id string, meant func(old *Rule) bool) bool {
	if meant == nil {
		return true
	}
	if r := e.rules[id]; r != nil {
		return meant(&r.c.rule)
	}
	if b, ok := e.broken[id]; ok {
		return meant(&b.stored.Rule)
	}
	return meant(nil)
}

// amend replaces what does not touch judging.
func (e *Engine) amend(r *running, c *compiled, file string) error {
	before, wasFile, wasEarlier := r.c, r.file, r.earlier
	r.goneBy()
	r.c, r.file = c, file
	if err := e.store(r); err != nil {
		r.c, r.file, r.earlier = before, wasFile, wasEarlier
		return err
	}
	if r.owner.name != c.rule.Owner { // or it would get a new slice of time, and forget what it had
		e.disengage(r)
		e.engage(r)
	}
	r.stats.Owner = c.rule.Owner
	e.reflap(r)
	e.reviewed.lookAgainAt(e.now) // who is to be told of what is held back may be somebody else
	e.commit()
	return nil
}

// settled writes what an earlier failure left, so that what follows is stored
// after it.
func (e *Engine) settled() error {
	if e.commit(); !e.entry.empty() {
		return ErrNotStored
	}
	return nil
}

// store writes the rule before it takes effect.
func (e *Engine) store(r *running) error {
	var w entry
	if err := w.rule(r.stored()); err != nil {
		return err
	}
	_, err := e.journal.commit(&w)
	return err
}

func (r *running) stored() *storedRule {
	s := &storedRule{Rule: r.c.rule, Created: r.created, Began: r.began, Origin: r.origin, Source: r.file, Earlier: r.earlier}
	if l := r.taught; l.width > 0 {
		s.Taught = &[3]int64{l.start, l.end, l.width}
	}
	return s
}

func sameRule(a, b Rule) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// inherit takes over the groups and alerts of the rule before; detectors start
// anew.
func (r *running) inherit(old *running) {
	for i := range old.judge.groups {
		r.judge.add(old.judge.groups[i].tags)
	}
	r.next = max(r.next, old.next)
	r.clocks = turnStep{r.turn, r.next - r.c.step}
	old.moveClocks(r.clocks)
	r.alerts, old.alerts = old.alerts, nil
	r.pending, r.firing, r.absent, r.marked = old.pending, old.firing, old.absent, old.marked
}

// insert puts a rule to work that an owner pays for.
func (e *Engine) insert(r *running) {
	delete(e.broken, r.c.rule.ID)
	e.rules[r.c.rule.ID] = r
	at, _ := slices.BinarySearchFunc(e.order, r.c.rule.ID, byID)
	e.order = slices.Insert(e.order, at, r)
}

func byID(r *running, id string) int { return strings.Compare(r.c.rule.ID, id) }

// remove takes a rule out of work.
func (e *Engine) remove(r *running) {
	if at, ok := slices.BinarySearchFunc(e.order, r.c.rule.ID, byID); ok {
		e.order = slices.Delete(e.order, at, at+1)
	}
	delete(e.rules, r.c.rule.ID)
	e.disengage(r)
	e.kept.dropIf(&r.trail, func(checkpoint) bool { return true })
	e.saves.drop(r)
	delete(e.doubted, r)
	r.pupil.close()
	r.stream.Close()
}

// DeleteRule ends a rule. Its open alerts are resolved, with the deletion as
// the reason in the annotation `reason`, so that no page stays open for a rule
// that nobody judges any more; pending ones end without a word. A rule that comes
// from a file is refused with an *OwnedError.
func (e *Engine) DeleteRule(id string, now int64) error { return e.DeleteRuleIf(id, now, nil) }

// DeleteRuleIf is DeleteRule, but fails with ErrChanged unless the rule is the one that is meant.
func (e *Engine) DeleteRuleIf(id string, now int64, meant func(old *Rule) bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if err := e.owned(id); err != nil {
		return err
	}
	if !e.isMeant(id, meant) {
		return ErrChanged
	}
	return e.delete(id, now)
}

func (e *Engine) delete(id string, now int64) error {
	r, broken := e.rules[id], e.broken[id].err != nil
	if r == nil && !broken {
		return fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
	}
	if err := e.settled(); err != nil {
		return fmt.Errorf("delete rule %q: %w", id, err)
	}
	const reason = "the rule was deleted"
	if r != nil {
		e.endAll(r, now, reason)
		e.remove(r)
	}
	e.endLoose(id, now, reason)
	delete(e.broken, id)
	e.entry.deleted = append(e.entry.deleted, id)
	e.commit()
	if !e.entry.empty() {
		return fmt.Errorf("rule %q is not judged any more, but: %w", id, ErrNotStored)
	}
	return nil
}

// endAll ends every incident of r, telling those who were told of it.
func (e *Engine) endAll(r *running, now int64, reason string) {
	for i := range r.alerts {
		e.endGroup(r, i, now, reason)
	}
}

// endGroup does the same for one group.
func (e *Engine) endGroup(r *running, i int, now int64, reason string) {
	a := &r.alerts[i]
	if a.breach != nil {
		if a.breach.State == StatePending {
			r.pending--
		} else {
			r.firing--
		}
		e.end(a.breach, now, reason)
	}
	if a.absence != nil {
		r.absent--
		e.end(a.absence, now, reason)
	}
	a.state.Clear()
	a.breach, a.absence = nil, nil
}

// endLoose does the same for the incidents of a rule that could not be started.
func (e *Engine) endLoose(rule string, now int64, reason string) {
	e.loose = slices.DeleteFunc(e.loose, func(in *incident) bool {
		if in.Rule == rule {
			e.end(in, now, reason)
		}
		return in.Rule == rule
	})
}

// end resolves an incident for a reason that is not in the data.
func (e *Engine) end(in *incident, now int64, reason string) {
	if in.State == StatePending {
		e.forget(in)
		return
	}
	in.end(now)
	in.Sent.EvaluatedAt = now
	annotated := map[string]string{"reason": reason}
	for k, v := range in.Sent.Annotations {
		if k != "reason" {
			annotated[k] = v
		}
	}
	in.Sent.Annotations = annotated
	in.note(now, StateResolved, reason)
	e.tellEnd(in, now)
	if err := e.entry.resolve(in); err != nil {
		e.o.Log.Error().Err(err).Msg("incident not stored")
	}
}

// Rules returns all rules in order of their ids.
func (e *Engine) Rules() []Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Rule, 0, len(e.order)+len(e.broken))
	for _, r := range e.order {
		out = append(out, r.c.rule)
	}
	for _, b := range e.broken {
		out = append(out, b.stored.Rule)
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// RulesVersion is another text when Rules has other rules than it had.
func (e *Engine) RulesVersion() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := sha256.New()
	for _, r := range e.order {
		all.Write(r.c.sum[:])
	}
	for _, id := range slices.Sorted(maps.Keys(e.broken)) { // they can be replaced and deleted, not changed
		fmt.Fprintf(all, "%q", id)
	}
	return hex.EncodeToString(all.Sum(nil)[:16])
}

// Rule returns the rule of an id and whether there is one.
func (e *Engine) Rule(id string) (Rule, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rules[id]; r != nil {
		return r.c.rule, true
	}
	b, ok := e.broken[id]
	return b.stored.Rule, ok
}

// RuleStats returns what judging a rule has counted and cost. For a rule that
// could not be started only LastError is set.
func (e *Engine) RuleStats(id string) (RuleStats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rules[id]; r != nil {
		return r.standing(), nil
	}
	if b, ok := e.broken[id]; ok {
		return b.stats(), nil
	}
	return RuleStats{}, fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
}

// standing is the rule's stats as of now.
func (r *running) standing() RuleStats {
	s := r.stats
	s.File = r.file
	s.Groups, s.Series, s.CatchingUp = len(r.judge.groups), r.stream.Series(), r.behind
	s.ExprLookback, s.DetectorLookback = r.stream.Lookback(), r.c.lookback
	if s.FedFrom = r.origin; r.taught.width > 0 {
		s.TaughtFrom = r.taught.start
	}
	return s
}

func (b *brokenRule) stats() RuleStats {
	return RuleStats{Owner: b.stored.Rule.Owner, File: b.stored.Source, LastError: b.err.Error()}
}
