package detect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pulse/detect/algo"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/step"
	"pulse/store/tags"
)

// Limits of a back-test. A verdict is one group at one step.
const (
	maxBacktestSteps    = 10_000_000
	maxBacktestGroups   = 10_000
	maxBacktestVerdicts = 100_000_000
	maxPages            = 10_000 // listed; more are counted
	maxMarked           = 1_000  // incidents of a request
)

// Limits of a back-test that a server shows.
const (
	MaxBacktestGroups   = maxBacktestGroups
	MaxBacktestVerdicts = maxBacktestVerdicts
)

// ErrBacktest is what every refusal of a back-test is for its size.
var ErrBacktest = errors.New("back-test is too large")

// Backtest says which rule is judged on stored history, and over which time.
type Backtest struct {
	Rule       Rule
	Against    *Rule // another version of it to compare with; nil: none
	Start, End int64 // Unix ms, (Start, End]
	Incidents  []Marked
	// Group, if set, is the one group that is judged: as fast as it gets for who draws it.
	Group *tags.Tags
	// Trace, unless 0, is of how many points at most the Trace of a group has.
	Trace int
	// Reserve, if set, is told of memory before it is taken, and ends the
	// back-test with its error.
	Reserve func(bytes int64) error
}

// Marked is an incident that people know of.
type Marked struct {
	Start, End int64 // Unix ms
	Tags       tags.Tags
}

// Page is one alert that would have been raised.
type Page struct {
	Tags     tags.Tags
	NoData   bool  // the alert says that there is no data
	Flapping bool  // it stays on until it is calm
	StartsAt int64 // the step at which it fires
	EndsAt   int64 // the step at which it is resolved; 0: it is on at the end
	// At StartsAt; NaN where there is none.
	Value, Expected, Lower, Upper, Score float64
	Cause                                string
}

// StepRange is a part of a back-test that is judged at one step.
type StepRange struct {
	Start, End int64 // (Start, End]
	Step       int64 // ms
}

// GroupTotal is what a group adds up to.
type GroupTotal struct {
	Tags     tags.Tags
	Pages    int   // no-data alerts among them
	FiringMs int64 // within (Start, End], no-data alerts not counted
	JudgedMs int64 // within it, since the group was first seen
}

// Delay is how one marked incident was met.
type Delay struct {
	Marked
	Pages int   // that began in it or were on when it began
	First *Page // the earliest of them; nil: it was missed
	Ms    int64 // from the incident's start to First, 0 when that was on before
}

// Outcome is what a rule would have done.
type Outcome struct {
	Pages     []Page // in order of StartsAt, at most 10,000
	PageCount int
	Firing    int64        // ms that alerts were on, over all groups
	Groups    []GroupTotal // those with a page, most firing first
	Judged    int          // groups in all
	Steps     []StepRange  // ascending, without holes
	Verdicts  int64
	Delays    []Delay // one per incident, in their order
	Needless  int     // pages that belong to no incident, when incidents are given
	Notices   []string
	// Incomplete is the steps that the rule in force, when it judges alike, closed
	// before all of its sources had reported, as far as the server remembers: points
	// that came later are judged here, and were not then.
	Incomplete []StepRange
	// Trace is that of Backtest.Group, or of the group that was seen first; nil when it
	// was not asked for, or there is no group.
	Trace *Trace
}

// BacktestResult is the outcome of the rule and, when there was something to
// compare with, of that and how they differ.
type BacktestResult struct {
	Outcome
	Against *Outcome
	Diff    *Diff
}

// Backtest judges stored history by a rule that may not be in force, with the
// code of the live engine in virtual time: what it would have paged for, and when.
//
// A rule that judges as one in force with its id, put before Start, goes on from
// that one's checkpoints, and gives its verdicts to the last bit, save where steps
// received points after their close. Any other, and that one over a time that begins
// before it was put, is judged as if it had been put at Start: its detectors read the
// look-back before that, its alerts begin there.
//
// Each part of the time is judged at the finest step that its values are kept at
// and that is a multiple of the rule's; Steps says which, a notice why.
func (e *Engine) Backtest(ctx context.Context, b Backtest) (BacktestResult, error) {
	var out BacktestResult
	if b.Start >= b.End {
		return out, fmt.Errorf("start %d is not before end %d", b.Start, b.End)
	}
	if len(b.Incidents) > maxMarked {
		return out, fmt.Errorf("%w: %d incidents, at most %d", ErrBacktest, len(b.Incidents), maxMarked)
	}
	if b.Trace < 0 || b.Trace > MaxTracePoints {
		return out, fmt.Errorf("trace is %d points, want 1 to %d", b.Trace, MaxTracePoints)
	}
	for i, m := range b.Incidents {
		if m.Start >= m.End {
			return out, fmt.Errorf("incidents[%d]: start %d is not before end %d", i, m.Start, m.End)
		}
	}
	rule, err := e.compiler.compile(b.Rule)
	if err != nil {
		return out, err
	}
	out.Outcome, err = e.try(ctx, rule, &b)
	if err != nil || b.Against == nil {
		return out, err
	}
	against, err := e.compiler.compile(*b.Against)
	if err != nil {
		return out, fmt.Errorf("against: %w", err)
	}
	other, err := e.try(ctx, against, &b)
	if err != nil {
		return out, fmt.Errorf("against: %w", err)
	}
	out.Against, out.Diff = &other, difference(&out.Outcome, &other)
	return out, nil
}

// try runs one rule over the time of b.
func (e *Engine) try(ctx context.Context, c *compiled, b *Backtest) (Outcome, error) {
	e.mu.Lock()
	now, closed := e.now, e.closed
	e.mu.Unlock()
	if closed {
		return Outcome{}, ErrClosed
	}
	checked, err := e.history(c) // also when there is nothing to judge
	if err != nil {
		return Outcome{}, fmt.Errorf("rule %q: %w", c.rule.ID, err)
	}
	checked.Close()
	now = max(now, e.o.Clock.Now().UnixMilli())
	end := step.Floor(min(b.End, now-c.grace), c.step) // what is later may not be complete
	if judged, ok := e.judgedAlike(c); ok && end-judged < maxBacklog*c.step {
		end = min(end, judged)
	}
	start := step.Floor(min(b.Start, end), c.step)
	if start >= end {
		out := Outcome{Pages: []Page{}, Groups: []GroupTotal{}, Notices: []string{"nothing of this time has closed yet"}}
		out.meet(b.Incidents)
		return out, nil
	}
	ranges, notices := c.ranges(e.o.Store.Tiers(), start, end)
	steps := int64(0)
	for _, r := range ranges {
		steps += (r.End - r.Start) / r.Step
	}
	if steps > maxBacktestSteps {
		return Outcome{}, fmt.Errorf("%w: %d steps, at most %d; shorten the range, or give the rule a longer step", ErrBacktest, steps, maxBacktestSteps)
	}
	t := &trial{engine: e, rule: c, start: start, steps: steps, reserve: b.Reserve, byKey: map[string]int{}, notices: notices}
	if b.Group != nil {
		t.only = map[string]bool{string(b.Group.AppendKey(nil)): true}
	}
	if b.Trace > 0 {
		coarsest := int64(0)
		for _, r := range ranges {
			coarsest = max(coarsest, r.Step)
		}
		t.trace = newTrace(start, end, coarsest, b.Trace)
	}
	for _, r := range ranges {
		if err := t.run(ctx, r); err != nil {
			return Outcome{}, fmt.Errorf("back-test of rule %q: %w", c.rule.ID, explain(err))
		}
	}
	out := t.outcome()
	out.Steps = ranges
	out.meet(b.Incidents)
	return out, nil
}

// judgedAlike returns up to where the rule in force with the id of c has judged, if
// it judges as c does.
func (e *Engine) judgedAlike(c *compiled) (t int64, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	live := e.rules[c.rule.ID]
	if live == nil || live.judged == 0 || live.c.judges() != c.judges() {
		return 0, false
	}
	return live.judged, true
}

// explain says what to do about an error that comes from below.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w before all of it was judged; shorten the range, or give the rule a longer step or fewer groups", err)
	}
	return err
}

// ranges says at which step each part of (start, end] is judged. A finer tier is
// used from where its values reach back far enough for the detectors to know the
// stream.
func (c *compiled) ranges(tiers []store.TierRange, start, end int64) ([]StepRange, []string) {
	var out []StepRange // newest first
	var notices, gone []string
	for k := 0; k < len(tiers) && end > start; k++ {
		every := lcm(c.step, tiers[k].Step)
		out, end = wholeSteps(out, end, every)
		from, last := step.Floor(start, every), k+1 == len(tiers)
		if tiers[k].From > from {
			from = step.Ceil(tiers[k].From, every)
			if last && tiers[k].From > start {
				gone = append(gone, fmt.Sprintf("nothing is kept from before %s", instant(from)))
			} else if !last {
				from = join(from, end, every, lcm(c.step, tiers[k+1].Step), c.warm(every), tiers[k+1].To)
			}
		}
		if from >= end {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Step == every {
			out[n-1].Start = from
		} else {
			out = append(out, StepRange{from, end, every})
		}
		if every != c.step {
			notices = append(notices, fmt.Sprintf("values up to %s are kept at a step of %s: the rule is judged at that step there, and what it counts in steps covers longer times",
				instant(end), Duration(every)))
		}
		end = from
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, append(notices, gone...)
}

// wholeSteps moves the end of what is not judged yet to a step of a coarser range.
// The finer range after it, if there is one, begins later or not at all.
func wholeSteps(out []StepRange, end, every int64) ([]StepRange, int64) {
	for n := len(out); n > 0; n = len(out) {
		if at := step.Ceil(end, every); at < out[n-1].End || at == end {
			out[n-1].Start = at
			return out, at
		}
		out, end = out[:n-1], out[n-1].End
	}
	return out, step.Floor(end, every)
}

// join returns where a tier that begins at from takes over from a coarser one: at
// a step of both, as late as the detectors need to know the stream at the finer
// step, but not beyond what the coarser one has.
func join(from, end, every, next, warm, has int64) int64 {
	at := from
	if next > every { // the detectors begin anew here
		at += min(warm, max(0, end-from)/2)
	}
	at = step.Ceil(at, next)
	if at > has && step.Floor(has, next) >= from {
		at = step.Floor(has, next)
	}
	return at
}

// warm is the look-back of the rule's detector at another step, 0 when it cannot
// be had.
func (c *compiled) warm(every int64) int64 {
	at, err := c.at(every)
	if err != nil {
		return 0
	}
	return at.lookback
}

func lcm(a, b int64) int64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }

// at returns the rule as it is judged at another step.
func (c *compiled) at(every int64) (*compiled, error) {
	if every == c.step {
		return c, nil
	}
	rule := c.rule
	rule.Step = Duration(every)
	out := *c
	out.rule, out.step = rule, every
	out.config.Step = every
	out.config.Keep = max(int64(rule.Keep), every)
	rule.Flap.apply(&out.config, every)
	var err error
	out.lookback, err = algo.Lookback(rule.Detector, every)
	return &out, err
}

// historySteps is how many steps are read at once: decoding whole blocks costs less.
const historySteps = 480

// history opens the stream of a rule at its step over stored values.
func (e *Engine) history(c *compiled) (*stream.Stream, error) {
	s, err := e.o.Hub.Open(c.exprs(), c.step, stream.Options{
		Rule: true, ZeroFill: c.zeroFill, MaxLines: c.lines(maxBacktestGroups), HistorySteps: historySteps, Stored: true,
	})
	if err != nil {
		return nil, fmt.Errorf("expr: %w", err)
	}
	return s, nil
}
