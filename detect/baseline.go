package detect

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"pulse/detect/algo"
	"pulse/query/expr"
	"pulse/query/stream"
	"pulse/store/tags"
)

// A rule that compares has a second expression, evaluated by the same stream as
// the first, so that both are of one moment and wait for the sources of both. Every
// group is compared with the baseline's line that has the same values of the keys
// that the baseline is grouped by; one without grouping serves all groups.

// baselineOf interprets the baseline of a rule whose groups have the given keys,
// nil for all, if its detector compares.
func (c *compiler) baselineOf(r *Rule, groups []string) (e expr.TimeSeries, keys []string, err error) {
	if r.Detector.Kind != "compare" {
		return nil, nil, nil
	}
	text, _ := r.Detector.Params["baseline"].(string)
	if len(text) > maxExpr {
		return nil, nil, fmt.Errorf("has %d bytes, at most %d", len(text), maxExpr)
	}
	if e, err = c.expression(text); err != nil {
		return nil, nil, err
	}
	keys = groupKeys(e)
	if groups == nil {
		return e, keys, nil
	}
	if keys == nil {
		return nil, nil, fmt.Errorf("gives a line per series, but expr is grouped; group it by some of the keys of expr, or by none")
	}
	for _, key := range keys {
		if !slices.Contains(groups, key) {
			have := "not grouped"
			if len(groups) > 0 {
				have = "grouped by " + strings.Join(groups, ", ")
			}
			return nil, nil, fmt.Errorf("is grouped by %s, but expr is %s", key, have)
		}
	}
	return e, keys, nil
}

// exprs are the expressions of the rule's stream: the judged one, and the baseline
// where there is one.
func (c *compiled) exprs() []expr.TimeSeries {
	if c.baseline == nil {
		return []expr.TimeSeries{c.expr}
	}
	return []expr.TimeSeries{c.expr, c.baseline}
}

// lines is how many lines the stream of so many groups may have.
func (c *compiled) lines(groups int) int {
	if c.baseline == nil {
		return groups
	}
	return 2 * groups
}

// baseText is the canonical baseline, "" without one.
func (c *compiled) baseText() string {
	if c.baseline == nil {
		return ""
	}
	return c.baseline.String()
}

// baselines finds the value that a group is compared with.
type baselines struct {
	keys   []string // tags that tell the lines apart; nil: all
	lines  []tags.Tags
	values []float64
	index  map[string]int // identity of a line → its number
	turn   uint32         // changes with lines

	id  tags.Tags
	key []byte
}

// split tells the lines of the baseline from those that are judged, which come
// first.
func split(lines []stream.Line) (judged, baseline []stream.Line) {
	n := len(lines)
	for n > 0 && lines[n-1].Expr > 0 {
		n--
	}
	return lines[:n], lines[n:]
}

// take holds the values of a step's lines.
func (b *baselines) take(lines []stream.Line) {
	same := len(lines) == len(b.lines)
	for i := range lines {
		same = same && sameTags(b.lines[i], lines[i].Tags)
	}
	if !same {
		b.turn++
		b.lines, b.values, b.index = b.lines[:0], b.values[:0], make(map[string]int, len(lines))
		for i := range lines {
			b.id = identity(b.id[:0], lines[i].Tags, b.keys)
			b.key = b.id.AppendKey(b.key[:0])
			b.lines, b.values = append(b.lines, lines[i].Tags), append(b.values, 0)
			b.index[string(b.key)] = i
		}
	}
	for i := range lines {
		b.values[i] = lines[i].Value
	}
}

// of returns the value that a group of tags t is compared with, NaN when there is
// none. It remembers the line in ref.
func (b *baselines) of(t tags.Tags, ref *baselineRef) float64 {
	if ref.turn != b.turn {
		b.id = identity(b.id[:0], t, b.keys)
		b.key = b.id.AppendKey(b.key[:0])
		at, ok := b.index[string(b.key)]
		if !ok {
			at = -1
		}
		*ref = baselineRef{b.turn, int32(at)}
	}
	if ref.line < 0 || len(b.values) == 0 {
		return math.NaN()
	}
	return b.values[ref.line]
}

// baselineRef remembers the line of a group.
type baselineRef struct {
	turn uint32
	line int32
}

// stepDetector feeds a value to d, with its baseline if d compares.
func stepDetector(d algo.Detector, t int64, v, baseline float64) algo.Verdict {
	if p, ok := d.(algo.Pair); ok {
		return p.StepPair(t, v, baseline)
	}
	return d.Step(t, v)
}

// peekDetector is stepDetector without a change.
func peekDetector(d algo.Detector, t int64, v, baseline float64) algo.Verdict {
	if p, ok := d.(algo.Pair); ok {
		return p.PeekPair(t, v, baseline)
	}
	return d.Peek(t, v)
}
