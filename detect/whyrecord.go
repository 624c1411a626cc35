package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"pulse/detect/alert"
	"pulse/detect/algo"
	"pulse/store/clock"
	"pulse/store/tags"
)

// The recorder. What decisions were made on is gathered in memory as they are
// made, which costs next to nothing, and worked off a moment later by a goroutine of
// its own: it judges the steps before again, looks for who carries the change where
// the page had no time for that, and stores the result. The newest come first, since
// these are looked at; what does not fit is dropped, counted, and said in the answer.

const (
	maxUnsaved   = 1_000       // alerts whose decisions are in memory
	whyBatch     = 1_000       // alerts of one rule that are worked off together
	whyCommit    = 100         // of these stored in one transaction, since pages may wait for it
	whyPause     = time.Second // that pages go first
	lookBackMost = 5_000_000   // detector steps of one batch
	lookBackFar  = 20_000      // steps of history of one batch
)

// whys is what waits to be stored. It is used under the engine's lock.
type whys struct {
	byID      map[string]*unsaved
	order     []*unsaved // by their last decision, oldest first
	following []*unsaved
	lastOut   int64 // of the group that is being settled, before the step
	needs     int64 // how long its alert had to be in band to be over, as of then, ms
	scratch   []algo.Fact
	wake      chan struct{}
}

// unsaved is what is known about one alert and not stored yet.
type unsaved struct {
	id, rule  string
	began     int64  // the alert's first step
	group     string // its key
	tags      tags.Tags
	why       Why
	saving    Why     // what is being stored right now
	wanted    []span  // steps to judge again
	newest    int64   // step of the last decision
	seen      int64   // the last step that was kept as it closed
	pending   bool    // its last decision
	follow    int     // steps that are still to be kept as they close
	change    *change // when it fired and nobody has said yet who carries it
	forgotten bool
}

// open returns where to note a decision of step t about an alert, or nil when
// there is no room, and whether something older was dropped for it.
func (w *whys) open(in *incident, group tags.Tags, key string, t int64) (u *unsaved, dropped bool) {
	if u = w.byID[in.ID]; u != nil {
		at := slices.Index(w.order, u)
		w.order = append(slices.Delete(w.order, at, at+1), u)
		u.newest = t
		return u, false
	}
	if len(w.order) >= maxUnsaved {
		if w.order[0].newest >= t {
			return nil, false
		}
		dropped = w.order[0].holds()
		w.forget(w.order[0].id)
	}
	u = &unsaved{id: in.ID, rule: in.Rule, began: in.PendingSince, group: key, tags: group, newest: t}
	if w.byID == nil {
		w.byID = map[string]*unsaved{}
	}
	w.byID[in.ID] = u
	w.order = append(w.order, u)
	return u, dropped
}

// has reports whether more is kept of an alert than its notification.
func (w *whys) has(id string) bool { return w.byID[id] != nil }

// waits reports whether u has something that should be stored now. What is only
// pending may be over before anybody hears of it.
func (u *unsaved) waits() bool {
	return !u.pending && len(u.why.Decisions)+len(u.wanted) > 0 || u.follow == 0 && len(u.why.Steps) > 0
}

// holds reports whether u has something that is not stored yet.
func (u *unsaved) holds() bool {
	return len(u.why.Decisions)+len(u.why.Steps)+len(u.wanted) > 0
}

// forget drops what is known about an alert.
func (w *whys) forget(id string) {
	u := w.byID[id]
	if u == nil {
		return
	}
	delete(w.byID, id)
	u.forgotten = true
	at := slices.Index(w.order, u)
	w.order = slices.Delete(w.order, at, at+1)
}

// followOn has the next n steps of u kept as they close.
func (w *whys) followOn(u *unsaved, n int) {
	if u.follow == 0 && !slices.Contains(w.following, u) {
		w.following = append(w.following, u)
	}
	u.follow = n
}

// before notes how the alert of a group stands before a step.
func (w *whys) before(s *alert.State, c *alert.Config) {
	w.lastOut, w.needs = s.LastOut, s.Needs(c)
}

// ready makes the recorder look. It never blocks.
func (w *whys) ready() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// forget ends a pending alert that nobody was told about.
func (e *Engine) forget(in *incident) {
	e.entry.drop(in.ID)
	e.entry.unexplained = append(e.entry.unexplained, whyKey(in.PendingSince, in.ID))
	e.whys.forget(in.ID)
}

// lookAgain has the steps around an open alert judged again after a restart, since
// those that were not stored are lost, and goes on keeping the next ones.
func (e *Engine) lookAgain(r *running, i int, in *incident) {
	g := &r.judge.groups[i]
	u, dropped := e.whys.open(in, g.tags, g.key, in.At)
	if u == nil || dropped {
		e.stats.Unexplained++
	}
	if u == nil {
		return
	}
	u.wanted = in.around(r.c.step, math.MaxInt64)
	if left := stepsAfter - (r.judged-max(in.PendingSince, in.Sent.StartsAt))/r.c.step; left > 0 && !in.Absence {
		e.whys.followOn(u, int(min(left, stepsAfter)))
	}
	e.whys.ready()
}

// follow keeps step t of the alerts that are followed. It is called when the
// step's notifications are on their way.
func (e *Engine) follow(t int64) {
	w := &e.whys
	w.following = slices.DeleteFunc(w.following, func(u *unsaved) bool {
		r := e.rules[u.rule]
		if u.forgotten || u.follow == 0 || r == nil {
			u.follow = 0
			return true
		}
		i, known := r.judge.index[u.group]
		if r.judged != t || !known || max(u.newest, u.seen) >= t {
			return false
		}
		u.seen = t
		var step JudgedStep
		step, w.scratch = judgedStep(r.judge, i, t, w.scratch)
		r.closedOn.fill(&step)
		u.why.named(w.scratch)
		u.why.insert(step)
		if u.follow--; u.follow > 0 {
			return false
		}
		w.ready()
		return true
	})
}

// Explain works off a part of what waits to be stored about decisions, and
// reports whether there was something. It is called from one goroutine at a time;
// Run has one.
func (e *Engine) Explain(ctx context.Context) (more bool) {
	batch := e.takeUnsaved()
	if len(batch) == 0 {
		return false
	}
	looks := make([]*look, 0, len(batch))
	for i := range batch {
		looks = append(looks, &look{batch[i].group, batch[i].wanted, &batch[i].why})
	}
	if err := e.lookBack(ctx, batch[0].rule, looks); err != nil && ctx.Err() == nil {
		for i := range batch {
			batch[i].why.Note = "the steps before were not kept: " + err.Error()
		}
	}
	e.explainChanges(ctx, batch)
	if err := e.storeUnsaved(batch); err != nil {
		e.o.Log.Error().Err(err).Int("alerts", len(batch)).Msg("what alerts were decided on is not stored")
	}
	return true
}

// takeUnsaved takes the newest that waits, with others of its rule.
func (e *Engine) takeUnsaved() (batch []unsaved) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &e.whys
	for i := len(w.order) - 1; i >= 0 && len(batch) < whyBatch; i-- {
		u := w.order[i]
		if !u.waits() || len(batch) > 0 && u.rule != batch[0].rule {
			continue
		}
		batch = append(batch, *u)
		u.saving = u.why
		u.saving.Steps = slices.Clone(u.why.Steps)
		u.why, u.wanted, u.change = Why{}, nil, nil
	}
	return batch
}

// storeUnsaved stores a batch, but for what was forgotten meanwhile.
func (e *Engine) storeUnsaved(batch []unsaved) error {
	e.mu.Lock()
	j := *e.journal
	batch = slices.DeleteFunc(batch, func(x unsaved) bool { return e.whys.byID[x.id] == nil })
	e.mu.Unlock()
	var err error
	for part := range slices.Chunk(batch, whyCommit) {
		err = errors.Join(err, j.keepWhys(part))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range batch {
		u := e.whys.byID[batch[i].id]
		if u == nil {
			continue
		}
		if u.saving = (Why{}); u.follow == 0 && !u.waits() {
			e.whys.forget(u.id)
		}
	}
	return err
}

// look is what somebody wants to know about one group: the steps of spans, added to why.
type look struct {
	group string
	spans []span
	why   *Why
}

// lookBack judges steps of a rule's groups again, going on from the nearest
// checkpoint, and adds those that are not there yet.
func (e *Engine) lookBack(ctx context.Context, rule string, looks []*look) error {
	start, end := int64(0), int64(0)
	groups := make(map[string]bool, len(looks))
	for _, l := range looks {
		for _, s := range l.spans {
			if start == 0 || s.start < start {
				start = s.start
			}
			end = max(end, s.end)
			groups[l.group] = true
		}
	}
	if len(groups) == 0 || start >= end {
		return nil
	}
	b, closed, err := e.lookFrom(rule, start, end)
	if err != nil {
		return err
	}
	steps := (b.end - b.from) / b.c.step
	if steps > lookBackFar || steps*int64(len(groups)) > lookBackMost {
		return fmt.Errorf("the nearest checkpoint is %d steps away", steps)
	}
	b.judge.narrow(groups)
	h, err := e.openFor(b.c, true)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := e.prepare(ctx, b); err != nil {
		return err
	}
	for _, l := range looks {
		for _, s := range l.spans {
			l.why.lookedFrom(s.start)
		}
	}
	var scratch []algo.Fact
	return e.replay(ctx, h, b.judge, span{b.from, b.end}, b.blind, func(t int64) error {
		for _, l := range looks {
			i, known := b.judge.index[l.group]
			if !known || l.why.has(t) || !slices.ContainsFunc(l.spans, func(s span) bool { return s.has(t) }) {
				continue
			}
			var step JudgedStep
			step, scratch = judgedStep(b.judge, i, t, scratch)
			closed.fill(&step)
			step.Again = true
			l.why.named(scratch)
			l.why.insert(step)
		}
		return nil
	})
}

// lookFrom prepares a run for lookBack.
func (e *Engine) lookFrom(rule string, start, end int64) (*bandRun, closedSteps, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rules[rule]
	if r == nil {
		return nil, closedSteps{}, fmt.Errorf("%w %q", ErrUnknownRule, clip(rule, maxID))
	}
	b, err := e.bandUpTo(r, start, end)
	return b, r.closedOn.clone(), err
}

// narrow makes the judge judge only the given groups.
func (j *judge) narrow(groups map[string]bool) {
	j.only = groups
	for i := range j.groups {
		if !groups[j.groups[i].key] {
			j.groups[i].detector = nil
		}
	}
}

// recordWhys works off what waits until ctx ends, whyPause after it was told of
// something, and takes at most a quarter of one core.
func (e *Engine) recordWhys(ctx context.Context, c clock.Clock) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.whys.wake:
		}
		for wait, more := whyPause, true; more; {
			select {
			case <-ctx.Done():
				return
			case <-c.After(wait):
			}
			began := c.Now()
			more = e.Explain(ctx)
			wait = max(0, 3*c.Now().Sub(began))
		}
	}
}

// flushWhys stores what waits without looking back, at the end.
func (e *Engine) flushWhys() error {
	w := &e.whys
	batch := make([]unsaved, 0, len(w.order))
	for _, u := range w.order {
		if len(u.why.Decisions)+len(u.why.Steps) > 0 {
			batch = append(batch, *u)
		}
	}
	w.byID, w.order, w.following = nil, nil, nil
	return e.journal.keepWhys(batch)
}

// explainChanges looks for who carries the changes that were not explained when
// they fired. The alerts that are still open show it from then on.
func (e *Engine) explainChanges(ctx context.Context, batch []unsaved) {
	budget := int64(laterPoints)
	for i := range batch {
		if x := batch[i].change; x != nil {
			batch[i].why.Breakdown = e.breakdown(ctx, x, &budget)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range batch {
		u := &batch[i]
		r := e.rules[u.rule]
		if u.change == nil || u.why.Breakdown == nil || r == nil {
			continue
		}
		at, known := r.judge.index[u.group]
		if known && at < len(r.alerts) && r.alerts[at].breach != nil && r.alerts[at].breach.ID == u.id {
			r.alerts[at].breach.Sent.Contributors = u.why.Breakdown.contributors()
		}
	}
}
