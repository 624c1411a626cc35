package query

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"pulse/query/expr"
	"pulse/store"
	"pulse/store/step"
	"pulse/store/tags"
)

// gather puts lines together whose parts come from different tiers, at the
// step of the query.
type gather struct {
	reading
	start   int64
	step    int64
	primary int64
	steps   int // of the query
	lines   []*gathered
	byTags  map[string]int
	mixed   bool // a line was not in the part that was read first
}

// gathered is one line. Of each step of the query it has the values folded so
// far, and how many primary steps had one.
type gathered struct {
	tags  tags.Tags
	gauge bool
	acc   []float64
	count []float64
}

func newGather(r reading, start, end, stepMs, primary int64) *gather {
	return &gather{reading: r, start: start, step: stepMs, primary: primary, steps: int((end - start) / stepMs), byTags: map[string]int{}}
}

// fresh returns how many of the lines were in no part before.
func (g *gather) fresh(lines []store.Line) (n int64) {
	if len(g.lines) == 0 {
		return int64(len(lines))
	}
	var key []byte
	for i := range lines {
		key = lines[i].Tags.AppendKey(key[:0])
		if _, found := g.byTags[string(key)]; !found {
			n++
		}
	}
	return n
}

// line returns the line with the given tags, which it makes if need be.
func (g *gather) line(l *store.Line, first bool) *gathered {
	key := string(l.Tags.AppendKey(nil))
	i, found := g.byTags[key]
	if !found {
		i = len(g.lines)
		g.byTags[key] = i
		both := make([]float64, 2*g.steps)
		fresh := &gathered{tags: l.Tags, gauge: true, acc: both[:g.steps:g.steps], count: both[g.steps:]}
		for k := range fresh.acc {
			fresh.acc[k] = math.NaN()
		}
		g.lines = append(g.lines, fresh)
		g.mixed = g.mixed || !first
	}
	g.lines[i].gauge = g.lines[i].gauge && l.Gauge
	return g.lines[i]
}

// fold takes v, which is not NaN, into the step of the query that has the
// stamp t; count is how many values v is made of.
func (g *gather) fold(l *gathered, t int64, v, count float64) {
	i := (t - g.start - 1) / g.step
	switch {
	case g.low:
		l.acc[i] = expr.MinNaN(l.acc[i], v)
	case g.high:
		l.acc[i] = expr.MaxNaN(l.acc[i], v)
	default:
		l.acc[i] = expr.AddNaN(l.acc[i], v)
	}
	l.count[i] += count
}

// addPrimary takes up the lines of a part of the primary tier.
func (g *gather) addPrimary(p segment, lines []store.Line, first bool) {
	for i := range lines {
		l := g.line(&lines[i], first)
		for k, v := range lines[i].Values {
			if v == v {
				g.fold(l, p.start+int64(k+1)*p.step, v, 1)
			}
		}
	}
}

// addTier takes up the lines of a part of a coarser tier, whose first step is
// the one that has the part's beginning. counts are how many values they are
// made of, nil when that plays no part.
func (g *gather) addTier(p segment, lines, counts []store.Line, first bool) {
	countOf := map[string][]float64{}
	for i := range counts {
		countOf[string(counts[i].Tags.AppendKey(nil))] = counts[i].Values
	}
	before, whole := step.Floor(p.start, p.step), p.divides(g.start, g.step)
	for i := range lines {
		l := g.line(&lines[i], first)
		count := countOf[string(lines[i].Tags.AppendKey(nil))]
		for k, v := range lines[i].Values {
			if v != v {
				continue
			}
			n := 0.0
			if k < len(count) && count[k] == count[k] {
				n = count[k]
			}
			t := before + int64(k+1)*p.step
			if whole {
				g.fold(l, t, v, n)
			} else {
				g.repeat(l, p, t, v, n, lines[i].Gauge)
			}
		}
	}
}

// repeat spreads the value of the coarse step stamped t over its time: sums and
// counts evenly, a minimum or a maximum as it is. Where steps of gauges are
// added up, each has the mean.
func (g *gather) repeat(l *gathered, p segment, t int64, v, count float64, gauge bool) {
	each := gcd(gcd(g.step, p.step), g.start-step.Floor(g.start, p.step))
	share := float64(p.step / each)
	switch {
	case g.low || g.high:
	case gauge && g.data.CF() == expr.CFSum && count > 0:
		v = v / count * float64(each/g.primary)
	default:
		v /= share
	}
	for at := max(t-p.step, p.start) + each; at <= min(t, p.end); at += each {
		g.fold(l, at, v, count/share)
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// finish returns the lines in the order of d.
func (g *gather) finish() []expr.Line {
	if g.mixed {
		g.sort()
	}
	lines := make([]expr.Line, len(g.lines))
	average := !g.low && !g.high && g.data.CF() == expr.CFAvg
	for i, l := range g.lines {
		for k, v := range l.acc {
			switch {
			case !average || v != v:
			case !l.gauge:
				l.acc[k] = v / float64(g.step/g.primary)
			case l.count[k] > 0:
				l.acc[k] = v / l.count[k]
			}
		}
		if g.perSeries {
			lines[i] = expr.Line{Tags: l.tags, Gauge: l.gauge}
		} else {
			lines[i] = LineOf(g.data, l.tags, l.gauge)
		}
		lines[i].Values = l.acc
	}
	if g.perSeries {
		lines = expr.FoldSeries(g.data, lines)
	}
	return lines
}

// sort puts the lines into the order in which a scan returns them.
func (g *gather) sort() {
	if g.scan.Agg == store.AggAll {
		slices.SortStableFunc(g.lines, func(a, b *gathered) int { return a.tags.Compare(b.tags) })
		return
	}
	text := func(l *gathered) string {
		var b strings.Builder
		for _, k := range g.scan.By {
			v, _ := l.tags.Get(k)
			b.WriteString(" " + k + "=" + v)
		}
		return b.String()
	}
	slices.SortStableFunc(g.lines, func(a, b *gathered) int { return cmp.Compare(text(a), text(b)) })
}
