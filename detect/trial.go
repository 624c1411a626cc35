package detect

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"pulse/detect/alert"
	"pulse/detect/algo"
	"pulse/query/stream"
	"pulse/store/step"
)

// trial is a rule on its way through stored history in virtual time. Steps are
// read in order and judged in blocks: a worker takes a few groups and brings each
// through the whole block, so that a detector's state stays in the cache. Groups do
// not depend on each other, so the verdicts are those of the live order.
type trial struct {
	engine  *Engine
	rule    *compiled
	start   int64 // alerts count from here
	steps   int64 // in all ranges
	reserve func(int64) error
	notices []string
	hurried []span          // steps that the rule in force closed with a source missing
	only    map[string]bool // key of the one group that is judged; nil: all
	trace   *Trace          // of the first group; nil: not wanted

	// Of the range being judged.
	c      *compiled
	judge  *judge
	stream *stream.Stream
	block  block
	alerts []*tried // one per judge.groups
	quiet  int64    // no alert before the step after this one
	born   int64    // the step before the first one that a live rule would have judged
	awake  bool     // alerts are run
	excess bool     // there were more groups than a rule has judged

	groups   []*tried // of all ranges, in order of appearance
	byKey    map[string]int
	judged   int64 // verdicts
	listing  int   // pages in the lists of the groups
	reserved int   // groups of this range whose memory is reserved
}

// tried is the alert of one group over all ranges.
type tried struct {
	groupAlert
	GroupTotal
	open   *Page // the breach that fires, nil: none
	lost   *Page // the no-data alert, nil: none
	after  int64 // ms without data until that; 0: not asked yet
	listed []*Page

	carried bool // it was firing when the time asked for began
}

// blockSteps is how many steps are judged together. Groups may leave after each.
const blockSteps = checkpointSteps

// block is the values of consecutive steps.
type block struct {
	times  []int64
	values []float64 // blockSteps per group
	bases  []float64 // the same of the baseline, where groups are compared
	first  []int     // step of the block in which a group appeared
}

// leadMs is how much earlier than the range a rule in force is judged, so that
// alerts which were on at its start are on. The rule's own times come on top.
const leadMs = 6 * hour

// run judges one range. Ranges come in order of time.
func (t *trial) run(ctx context.Context, r StepRange) error {
	c, err := t.rule.at(r.Step)
	if err != nil {
		return fmt.Errorf("at a step of %s: %w", Duration(r.Step), err)
	}
	j, err := newJudge(c)
	if err != nil {
		return fmt.Errorf("at a step of %s: %w", Duration(r.Step), err)
	}
	s, err := t.engine.history(c)
	if err != nil {
		return err
	}
	defer s.Close()
	j.only = t.only
	t.c, t.judge, t.stream = c, j, s
	t.alerts, t.block, t.reserved, t.awake = nil, block{}, 0, false
	from, blind, err := t.begin(ctx, r)
	if err != nil {
		return err
	}
	if err := t.fit(); err != nil {
		return err
	}
	if err := replayLines(ctx, s, c.step, span{from, r.End}, blind, t.take); err != nil {
		return err
	}
	t.flush()
	return nil
}

// begin sets the judge to where it starts and returns which step that is, with
// the steps that count as no data.
func (t *trial) begin(ctx context.Context, r StepRange) (from int64, blind span, err error) {
	e := t.engine
	if t.judged == 0 {
		b, err := t.goOn(r)
		if err != nil {
			return 0, span{}, err
		}
		if b != nil {
			if t.judge = b.judge; t.only != nil {
				t.judge.keep(t.only)
			}
			return b.from, b.blind, e.prepare(ctx, b)
		}
		t.born = r.Start
	}
	t.quiet = r.Start
	oldest := e.oldest(r.Start, r.Step)
	for _, tier := range e.o.Store.Tiers() {
		if r.Step%tier.Step == 0 { // the finest that has this step: values that are repeated would teach wrong
			oldest = max(oldest, step.Ceil(max(tier.From, 0), r.Step))
			break
		}
	}
	b := bandRun{c: t.c, judge: t.judge, from: min(max(step.Floor(r.Start-t.c.lookback, r.Step), oldest), r.Start)}
	if l, found := e.lessonFor(t.c, t.judge, step.Floor(r.Start-t.c.lookback, r.Step), min(oldest, r.Start)); found && l.end <= r.Start {
		b.taught, b.from = l, l.end
	}
	return b.from, span{}, e.prepare(ctx, &b)
}

// goOn returns a run from a state of the rule in force that judges alike, if that was
// put before the range and has such a state. What it read of the time before it was
// put is no verdict of it.
func (t *trial) goOn(r StepRange) (*bandRun, error) {
	e := t.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	live := e.rules[t.rule.rule.ID]
	if live == nil || r.Step != t.rule.step || live.c.judges() != t.rule.judges() || live.judged < r.End || live.origin == 0 {
		return nil, nil
	}
	born := step.Ceil(live.began, r.Step) - r.Step
	if born > r.Start {
		return nil, nil
	}
	lead := leadMs + int64(t.rule.rule.For+t.rule.rule.Keep) + t.rule.config.Calm
	b, err := e.bandUpTo(live, r.Start-lead, r.End)
	if err != nil || b.from > r.Start {
		return nil, err
	}
	t.born, t.quiet = born, max(b.from, born)
	t.hurried = live.hurried.within(r.Start, r.End)
	return b, nil
}

// take adds the lines of the step stamped at to the block.
func (t *trial) take(at int64, lines []stream.Line) error {
	if at/t.c.step%checkpointSteps == 0 {
		t.flush()
		t.leave(at)
	}
	if at > t.quiet && !t.awake {
		t.flush()
		t.wake()
	}
	t.judge.past = !t.awake
	t.judge.take(lines)
	t.excess = t.excess || t.judge.excess > 0
	if err := t.fit(); err != nil {
		return err
	}
	k := len(t.block.times)
	t.block.times = append(t.block.times, at)
	for i := range t.judge.groups {
		t.block.values[i*blockSteps+k] = t.judge.groups[i].value
	}
	for i := 0; t.c.baseline != nil && i < len(t.judge.groups); i++ {
		t.block.bases[i*blockSteps+k] = t.judge.groups[i].baseline
	}
	return nil
}

// leave takes out the groups that have long been gone.
func (t *trial) leave(at int64) {
	left := t.judge.leave(at)
	for _, i := range left {
		a := t.alerts[i]
		a.close(&a.open, at)
		a.close(&a.lost, at)
		a.groupAlert = groupAlert{}
	}
	t.alerts = without(t.alerts, left)
	t.block.first = without(t.block.first, left)
}

// wake ends the look-back: the alerts are run from here on.
func (t *trial) wake() {
	t.awake = true
	retention := t.engine.o.Store.Options().Retention
	for i := range t.judge.groups {
		g := &t.judge.groups[i]
		if g.detector != nil && int64(g.absent)*t.c.step <= retention {
			t.alerts[i].state.HadData = true
		}
	}
}

// fit makes room for the groups that the judge has now.
func (t *trial) fit() error {
	n := len(t.judge.groups)
	if len(t.alerts) == n {
		return nil
	}
	if n > maxBacktestGroups {
		return fmt.Errorf("%w: more than %d groups; group by fewer tags or select fewer series", ErrBacktest, maxBacktestGroups)
	}
	if v := int64(n) * t.steps; v > maxBacktestVerdicts {
		return fmt.Errorf("%w: %d groups at %d steps are %d verdicts, at most %d; shorten the range, give the rule a longer step, or group by fewer tags",
			ErrBacktest, n, t.steps, v, maxBacktestVerdicts)
	}
	if t.reserve != nil && n > t.reserved {
		if err := t.reserve(int64(n-t.reserved) * t.perGroup()); err != nil {
			return err
		}
		t.reserved = n
	}
	for i := len(t.alerts); i < n; i++ {
		g := &t.judge.groups[i]
		at, ok := t.byKey[g.key]
		if !ok {
			at = len(t.groups)
			t.byKey[g.key] = at
			t.groups = append(t.groups, &tried{GroupTotal: GroupTotal{Tags: g.tags}})
		}
		a := t.groups[at]
		a.after = 0
		t.alerts = append(t.alerts, a)
		t.block.first = append(t.block.first, len(t.block.times))
	}
	if need := n * blockSteps; need > len(t.block.values) {
		t.block.values = append(t.block.values, make([]float64, max(need, min(2*len(t.block.values), maxBacktestGroups*blockSteps))-len(t.block.values))...)
	}
	if t.c.baseline != nil {
		t.block.bases = append(t.block.bases, make([]float64, len(t.block.values)-len(t.block.bases))...)
	}
	return nil
}

// perGroup is about how many bytes a group takes.
func (t *trial) perGroup() int64 {
	const plain, values, profile = 1 << 10, blockSteps * 8, 24 << 10
	n := int64(plain + values)
	if t.c.baseline != nil {
		n += plain + values
	}
	if t.c.lookback > 2*24*hour { // it knows the season
		n += profile
	}
	return n
}

// flush judges the block.
func (t *trial) flush() {
	n := len(t.judge.groups)
	t.engine.crew.each(n, t.through)
	t.listing = 0
	for i := range t.groups {
		t.listing += len(t.groups[i].listed)
	}
	t.judged += int64(n) * int64(len(t.block.times))
	t.block.times = t.block.times[:0]
	clear(t.block.first)
}

// through brings group i through the block.
func (t *trial) through(i int) {
	g, a := &t.judge.groups[i], t.alerts[i]
	values := t.block.values[i*blockSteps:]
	for k := t.block.first[i]; k < len(t.block.times); k++ {
		at := t.block.times[k]
		g.value = values[k]
		if t.c.baseline != nil {
			g.baseline = t.block.bases[i*blockSteps+k]
		}
		t.judge.decide(g, at)
		if t.awake {
			t.settle(g, a, at)
			if t.trace != nil && a == t.groups[0] && at > t.start {
				t.trace.add(t.start, at, g, a.state.Phase)
			}
		}
	}
}

// settle is Engine.settle for one group, with a list instead of incidents.
func (t *trial) settle(g *group, a *tried, at int64) {
	if at > t.start {
		a.JudgedMs += t.c.step
	}
	o := t.judge.observation(g)
	if a.gone(g.value, t.c.step, t.engine.o.Store.Options().Retention) {
		a.state.Clear()
		a.close(&a.open, at)
		a.close(&a.lost, at)
		return
	}
	config := t.c.config
	fresh := (at-t.born)/t.c.step - 1
	if fresh < holdSteps {
		config.NoData = alert.Keep
	}
	if o == alert.Out && t.c.absence() && a.state.Phase == alert.Inactive && fresh < t.c.lookback/t.c.step+holdSteps {
		o = alert.Missing
	}
	if o == alert.Missing {
		if a.after == 0 {
			a.after = t.c.absenceAfter(t.stream, g.tags)
		}
		config.AbsenceAfter = a.after
	}
	change := a.state.Step(&config, at, o)
	if a.state.Phase == alert.Firing && at > t.start {
		a.FiringMs += t.c.step
		a.carried = a.carried || a.open != nil && a.open.StartsAt <= t.start
	}
	if change == 0 {
		return
	}
	if change.Has(alert.Fired) {
		a.open = t.page(g, a, at, false)
	}
	if change.Has(alert.Resolved) {
		a.close(&a.open, at)
	}
	if change.Has(alert.DataLost) {
		a.lost = t.page(g, a, at, true)
	}
	if change.Has(alert.DataReturn) {
		a.close(&a.lost, at)
	}
}

// page notes that an alert fires. Of one that fires before the time asked for
// nobody is told in it.
func (t *trial) page(g *group, a *tried, at int64, noData bool) *Page {
	v := g.verdict
	p := &Page{
		Tags: g.tags, NoData: noData, StartsAt: at, Flapping: a.state.Fires.Flapping(&t.c.config),
		Value: g.value, Expected: v.Expected, Lower: v.Lower, Upper: v.Upper, Score: v.Score, Cause: v.Cause.String(),
	}
	if math.IsNaN(g.value) {
		p.Score = math.NaN()
	}
	if noData {
		p.Score, p.Cause, p.Flapping = math.NaN(), algo.CauseMissing.String(), a.state.Losses.Flapping(&t.c.config)
	}
	if at <= t.start {
		return p
	}
	a.Pages++
	if t.listing < maxPages && len(a.listed) < maxPages {
		a.listed = append(a.listed, p)
	}
	return p
}

func (a *tried) close(p **Page, at int64) {
	if *p != nil {
		(*p).EndsAt = at
		*p = nil
	}
}

// outcome adds up what was found.
func (t *trial) outcome() Outcome {
	out := Outcome{Judged: len(t.groups), Verdicts: t.judged, Notices: t.notices, Pages: []Page{}, Groups: []GroupTotal{}}
	if t.trace != nil && len(t.groups) > 0 {
		out.Trace, t.trace.Tags = t.trace, t.groups[0].Tags
	}
	for _, s := range t.hurried {
		out.Incomplete = append(out.Incomplete, StepRange{s.start, s.end, t.rule.step})
	}
	carried := 0
	for _, a := range t.groups {
		if a.carried {
			carried++
		}
		out.PageCount += a.Pages
		out.Firing += a.FiringMs
		if a.Pages > 0 || a.FiringMs > 0 {
			out.Groups = append(out.Groups, a.GroupTotal)
		}
		for _, p := range a.listed {
			out.Pages = append(out.Pages, *p)
		}
	}
	slices.SortStableFunc(out.Pages, func(a, b Page) int {
		if c := cmp.Compare(a.StartsAt, b.StartsAt); c != 0 {
			return c
		}
		return a.Tags.Compare(b.Tags)
	})
	slices.SortStableFunc(out.Groups, func(a, b GroupTotal) int {
		if c := cmp.Compare(b.FiringMs, a.FiringMs); c != 0 {
			return c
		}
		if c := cmp.Compare(b.Pages, a.Pages); c != 0 {
			return c
		}
		return a.Tags.Compare(b.Tags)
	})
	if len(out.Pages) > maxPages {
		out.Pages = out.Pages[:maxPages]
	}
	if out.PageCount > len(out.Pages) {
		out.Notices = append(out.Notices, fmt.Sprintf("%d of %d pages are listed", len(out.Pages), out.PageCount))
	}
	if t.excess {
		out.Notices = append(out.Notices, fmt.Sprintf("expr gives more than the %d groups that a rule has judged; those that came later are left out", t.rule.maxGroups))
	}
	if carried > 0 {
		out.Notices = append(out.Notices, fmt.Sprintf("%d alerts were firing already when the time began; they are no pages of it", carried))
	}
	if out.Judged == 0 {
		out.Notices = append(out.Notices, "no series that the expression selects has a value in this time")
	}
	return out
}
