package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"pulse/detect/algo"
	"pulse/store/step"
	"pulse/store/tags"
)

// maxBandRows bounds the answer of Band over all groups.
const maxBandRows = 500_000

// ErrRange is returned for a band that is empty or too long.
var ErrRange = errors.New("band")

// BandRow is what was expected of one step.
type BandRow struct {
	T     int64 // Unix ms of the step
	Value float64
	algo.Verdict
	// Facts are what the detector knew after the step, as BandGroup.Facts names
	// them; nil when not asked for.
	Facts []float64
}

// BandGroup is the band of one group.
type BandGroup struct {
	Tags  tags.Tags
	Facts []string  // names, in Explained only
	Rows  []BandRow // one per step of (start, end]
}

// Band judges stored history again and returns value, band, score and verdict of
// every step in (start, end], for each group whose tags contain filter. Steps that
// have not been judged yet are left out. The detectors go on from the nearest
// checkpoint before start, or from where the rule began to read. The rows are
// those of the live rule, and of `pulse score` on the same values, save where a
// step received points after its close: they show it with these.
func (e *Engine) Band(ctx context.Context, id string, start, end int64, filter tags.Tags) ([]BandGroup, error) {
	return e.band(ctx, id, start, end, filter, false)
}

// Explained is Band with what the detector knew after each step, its thresholds
// and how far its hold had come, for who asks why a rule paged or stayed quiet. It
// answers with at most a tenth of the rows.
func (e *Engine) Explained(ctx context.Context, id string, start, end int64, filter tags.Tags) ([]BandGroup, error) {
	return e.band(ctx, id, start, end, filter, true)
}

func (e *Engine) band(ctx context.Context, id string, start, end int64, filter tags.Tags, facts bool) ([]BandGroup, error) {
	if start >= end {
		return nil, fmt.Errorf("%w: start %d is not before end %d", ErrRange, start, end)
	}
	e.mu.Lock()
	r := e.rules[id]
	if r == nil {
		e.mu.Unlock()
		return nil, fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
	}
	b, err := e.bandUpTo(r, start, end)
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if b.most = maxBandRows; facts {
		b.most, b.facts = maxBandRows/10, true
	}
	h, err := e.openFor(b.c, true)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if err := e.prepare(ctx, b); err != nil {
		return nil, fmt.Errorf("band of rule %q: %w", id, err)
	}
	err = e.replay(ctx, h, b.judge, span{b.from, b.end}, b.blind, func(t int64) error {
		if err := b.remember(t); err != nil {
			return err
		}
		return b.rows(t, filter)
	})
	e.mu.Lock()
	if e.rules[id] == r && r.origin == b.origin {
		e.kept.merge(&r.trail, &b.found) // also after an error, so that a later try gets further
	}
	e.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("band of rule %q: %w", id, err)
	}
	return b.out, nil
}

// bandRun is a judge on its way through history.
type bandRun struct {
	c          *compiled
	judge      *judge
	blind      span
	origin     int64
	from       int64  // the judge has seen this step
	taught     lesson // what it is to know before; width 0: nothing
	start, end int64  // rows wanted, (start, end]
	final      int64  // values up to here can no longer change

	found  trail
	memory checkpointBudget // of found
	out    []BandGroup
	index  []int // judge's group → out, -1: not wanted
	count  int   // rows in out
	most   int   // of these
	facts  bool  // rows have facts
	known  []algo.Fact
}

// bandUpTo prepares a run for the rows in (start, end]. The caller holds e.mu.
func (e *Engine) bandUpTo(r *running, start, end int64) (*bandRun, error) {
	j, err := newJudge(r.c)
	if err != nil {
		return nil, err
	}
	b := &bandRun{
		c: r.c, judge: j, blind: r.blind, origin: r.origin,
		from: max(r.origin, e.oldest(e.now, r.c.step)), final: e.final(), memory: e.kept.share(),
	}
	b.start = step.Floor(max(start, b.from), r.c.step)
	b.end = step.Floor(min(end, r.judged), r.c.step)
	if b.end < b.start {
		b.from, b.start, b.end = r.judged, r.judged, r.judged
		return b, nil
	}
	for i := len(r.trail.list) - 1; i >= 0; i-- {
		if at := &r.trail.list[i]; at.t <= b.start && at.t >= b.from {
			state, err := at.state()
			if err == nil {
				_, err = j.restore(state)
			}
			if err != nil {
				return nil, fmt.Errorf("band of rule %q: %w", r.c.rule.ID, err)
			}
			b.from = at.t
			return b, nil
		}
	}
	if b.from == r.origin {
		b.taught = r.taught
	}
	return b, nil
}

// prepare teaches the judge of a run what it is to know before its first step.
func (e *Engine) prepare(ctx context.Context, b *bandRun) error {
	if b.taught.width == 0 {
		return nil
	}
	p, err := e.study(b.c, b.judge, b.taught)
	if err != nil {
		return err
	}
	defer p.close()
	for done := false; !done; {
		if done, err = p.learn(ctx); err != nil {
			return err
		}
	}
	b.taught = lesson{}
	return nil
}

// remember keeps the state after step t when a checkpoint is due and the state is
// final.
func (b *bandRun) remember(t int64) error {
	if t/b.c.step%checkpointSteps == 0 && t <= b.final {
		b.memory.keep(&b.found, t, b.judge)
	}
	return nil
}

// rows appends the rows of step t.
func (b *bandRun) rows(t int64, filter tags.Tags) error {
	b.index = without(b.index, b.judge.left)
	if t <= b.start {
		return nil
	}
	for i := range b.judge.groups {
		g := &b.judge.groups[i]
		if i == len(b.index) {
			b.index = append(b.index, -1)
			if contains(g.tags, filter) {
				if b.count += int((t-b.start)/b.c.step) - 1; b.count > b.most {
					return b.tooMany()
				}
				b.index[i] = len(b.out)
				b.out = append(b.out, newBandGroup(g.tags, b.start, t, b.c.step))
			}
		}
		if at := b.index[i]; at >= 0 {
			b.add(&b.out[at], g, t)
		}
	}
	if b.count > b.most {
		return b.tooMany()
	}
	return nil
}

// add appends the row of step t, the last of g.
func (b *bandRun) add(out *BandGroup, g *group, t int64) {
	row := BandRow{T: t, Value: g.value, Verdict: g.verdict}
	row.Cause = causeOf(g)
	if b.facts && g.detector != nil {
		b.known = g.detector.Facts(b.known[:0])
		if out.Facts == nil {
			for _, f := range b.known {
				out.Facts = append(out.Facts, f.Name)
			}
		}
		for _, f := range b.known {
			row.Facts = append(row.Facts, f.Value)
		}
	}
	out.Rows = append(out.Rows, row)
	b.count++
}

func (b *bandRun) tooMany() error {
	return fmt.Errorf("%w: more than %d rows; ask for fewer groups or a shorter range", ErrRange, b.most)
}

// newBandGroup returns a group whose rows before step t have no data.
func newBandGroup(g tags.Tags, start, t, s int64) BandGroup {
	b := BandGroup{Tags: g}
	for at := start + s; at < t; at += s {
		b.Rows = append(b.Rows, BandRow{T: at, Value: math.NaN(), Verdict: unknown()})
	}
	return b
}

// contains reports whether t has every tag of part.
func contains(t, part tags.Tags) bool {
	for _, tag := range part {
		if v, ok := t.Get(tag.Key); !ok || v != tag.Value {
			return false
		}
	}
	return true
}

// AppendCSV appends the row in the form of `pulse score`; the timestamp is Unix
// ms.
func (r *BandRow) AppendCSV(dst []byte) []byte {
	var stamp [20]byte
	return algo.AppendRow(dst, string(strconv.AppendInt(stamp[:0], r.T, 10)), r.Value, r.Verdict)
}
