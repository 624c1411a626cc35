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
}

// BandGroup is the band of one group.
type BandGroup struct {
	Tags tags.Tags
	Rows []BandRow // one per step of (start, end]
}

// Band judges stored history again and returns value, band, score and verdict of
// every step in (start, end], for each group whose tags contain filter. Steps that
// have not been judged yet are left out. The detectors go on from the nearest
// checkpoint before start, or from where the rule began to read, so the rows are
// those of the live rule unless a step received points after its close.
func (e *Engine) Band(ctx context.Context, id string, start, end int64, filter tags.Tags) ([]BandGroup, error) {
	b, err := e.bandFrom(id, start, end)
	if err != nil {
		return nil, err
	}
	h, err := e.open(b.c)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if len(b.stream) > 0 {
		if _, err := h.Restore(b.stream); err != nil {
			return nil, fmt.Errorf("band of rule %q: %w", id, err)
		}
	}
	var out []BandGroup
	index := map[int]int{} // group → out
	rows := 0
	err = e.replay(ctx, h, b.judge, span{b.from, b.end}, b.blind, func(t int64) error {
		if t <= b.start {
			return nil
		}
		for i := range b.judge.groups {
			g := &b.judge.groups[i]
			at, ok := index[i]
			if !ok {
				at = -1
				if contains(g.tags, filter) {
					at = len(out)
					out = append(out, newBandGroup(g.tags, b.start, t, b.c.step))
				}
				index[i] = at
			}
			if at >= 0 {
				out[at].Rows = append(out[at].Rows, BandRow{t, g.value, g.verdict})
				rows++
			}
		}
		if rows > maxBandRows {
			return fmt.Errorf("%w: more than %d rows; ask for fewer groups or a shorter range", ErrRange, maxBandRows)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("band of rule %q: %w", id, err)
	}
	return out, nil
}

// bandRun is a judge and the steps it has to read for a band.
type bandRun struct {
	c          *compiled
	judge      *judge
	stream     []byte // state of a stream that has seen from, empty: none
	blind      span
	from       int64 // the judge has seen this step
	start, end int64 // rows wanted, (start, end]
}

// bandFrom prepares the judge of a band under the engine's lock.
func (e *Engine) bandFrom(id string, start, end int64) (*bandRun, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rules[id]
	if r == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
	}
	if start >= end {
		return nil, fmt.Errorf("%w: start %d is not before end %d", ErrRange, start, end)
	}
	j, err := newJudge(r.c)
	if err != nil {
		return nil, err
	}
	oldest := step.Floor(e.now-e.o.Store.Options().Retention, r.c.step)
	b := &bandRun{c: r.c, judge: j, blind: r.blind, from: max(r.origin, oldest)}
	b.start = step.Floor(max(start, b.from), r.c.step)
	b.end = step.Floor(min(end, r.judged), r.c.step)
	if b.end <= b.start {
		b.from, b.start, b.end = r.judged, r.judged, r.judged
		return b, nil
	}
	for i := len(r.checkpoints) - 1; i >= 0; i-- {
		if at := r.checkpoints[i]; at.t <= b.start && at.t >= b.from {
			if b.stream, err = j.restore(at.state); err != nil {
				return nil, fmt.Errorf("band of rule %q: %w", id, err)
			}
			b.from = at.t
			break
		}
	}
	return b, nil
}

// newBandGroup returns a group whose rows before step t have no data.
func newBandGroup(g tags.Tags, start, t, s int64) BandGroup {
	b := BandGroup{Tags: g}
	for at := start + s; at < t; at += s {
		b.Rows = append(b.Rows, BandRow{at, math.NaN(), unknown()})
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
