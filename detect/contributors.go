package detect

import (
	"cmp"
	"context"
	"math"
	"slices"

	"pulse/detect/algo"
	"pulse/detect/notify"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/match"
	"pulse/store/step"
	"pulse/store/tags"
)

// Bounds of what explaining alerts may read and say.
const (
	maxContributed    = 16         // alerts explained per step of all rules, before they are sent
	contributorPoints = 1_000_000  // datapoints read for them
	laterPoints       = 40_000_000 // the same for a batch that is explained later

	contributorKeys     = 16
	contributorValues   = 50 // of one key
	contributorSteps    = 20 // primary steps of the recent past that a value is compared with
	fewSeries           = 2_000
	contributorFewSteps = 3 // of the past, of more series than that
	contributorTop      = 5

	leastShare    = 0.1  // of the change, for a value to be named
	enoughShare   = 0.67 // of the change, for the values of a key to explain it
	sameSurprise  = 0.9  // of the largest surprise: a key that is about as telling
	evenChange    = 0.3  // of the whole's relative change: values no further from it changed alike
	mostRescaling = 4    // of the recent past to what was expected
)

// Breakdown says which values of one tag key carry the change of a group.
//
// Of every key that splits the group, each value's part in the change is its
// explanatory power, and how differently the value behaved from the whole its
// surprise. A key's values are taken from the most surprising on until together they
// explain two thirds of the change, and the key is shown whose values surprise most, of
// those about as telling the one with the fewest values: Adtributor (R. Bhagwan and
// others, "Adtributor: Revenue Debugging in Advertising Systems", NSDI 2014), with
// its thresholds, 0.1 for a value and 0.67 for a key. It leaves open what is expected
// of a value; here that is its mean over the steps before the alert, scaled so
// that they add up to what the detector expected of the whole.
type Breakdown struct {
	Key       string        `json:"key"`
	Delta     Number        `json:"delta"`     // of the whole
	Explained Number        `json:"explained"` // share of it that the values below carry
	Even      bool          `json:"even"`      // by no key does a value stand out: all changed about alike
	Values    []Contributor `json:"values"`    // by share, at most 5
	Keys      []SplitKey    `json:"keys"`      // all keys looked at, the shown one first
}

// Contributor is one value of a key and its part in the change.
type Contributor struct {
	Value    string `json:"value"` // of the tag
	Now      Number `json:"now"`
	Expected Number `json:"expected"`
	Delta    Number `json:"delta"`
	Share    Number `json:"share"`
}

// SplitKey is how well a key explains the change.
type SplitKey struct {
	Key       string `json:"key"`
	Values    int    `json:"values"`    // that it takes
	Explained Number `json:"explained"` // share of the change that these carry
	Surprise  Number `json:"surprise"`  // of these
	Even      bool   `json:"even"`      // the values changed about as the whole did
	named     []Contributor
}

// change is what is to be explained: a group that was as expected until since
// and is out at t, steps of the rule.
type change struct {
	c        *compiled
	group    tags.Tags
	since, t int64
	value    float64 // at t
	expected float64 // NaN: unknown
}

// changeOf describes the change of group i of r, which fires at t.
func (r *running) changeOf(i int, t int64) change {
	g := &r.judge.groups[i]
	since := t
	if from := r.alerts[i].state.PendingSince; from != 0 {
		since = from
	}
	if g.detector != nil {
		facts := g.detector.Facts(nil)
		if held, ok := algo.Find(facts, algo.FactHeld); ok && held > 1 {
			since -= int64(held-1) * r.c.step // it was off before it counted
		}
	}
	return change{r.c, g.tags, since - r.c.step, t, g.value, g.verdict.Expected}
}

// breakdown explains a change from the stored values of the first summed or counted
// data expression of the rule, reading at most *budget datapoints, and takes off what it
// read. It returns nil where there is nothing to split.
func (e *Engine) breakdown(ctx context.Context, x *change, budget *int64) *Breakdown {
	query, agg, by, ok := subject(x.c.expr)
	if !ok {
		return nil
	}
	for _, tag := range x.group {
		if slices.Contains(by, tag.Key) {
			query = match.NewAnd(query, &match.Equal{Key: tag.Key, Value: tag.Value})
		}
	}
	p := parting{engine: e, change: x, budget: budget, scan: store.Scan{Query: query, Agg: agg, ZeroFill: x.c.zeroFill}}
	whole, keys, ok := p.read(ctx)
	if !ok {
		return nil
	}
	scale := scaleOf(x, whole.now, whole.before)
	expected := whole.before * scale
	delta := whole.now - expected
	if delta == 0 || math.IsNaN(delta) {
		return nil
	}
	var found []SplitKey
	for _, k := range keys {
		found = append(found, measure(k.key, k.parts, scale, whole.now, expected))
	}
	return choose(found, delta)
}

// scaleOf returns what the recent past is multiplied with to be what was
// expected, 1 where the rule judges something else than the values themselves.
func scaleOf(x *change, now, before float64) float64 {
	same := math.Abs(now-x.value) <= 1e-6*math.Abs(now)
	scale := x.expected / before
	if !same || !(scale >= 1.0/mostRescaling && scale <= mostRescaling) {
		return 1
	}
	return scale
}

// parting reads the parts of a change.
type parting struct {
	engine *Engine
	change *change
	budget *int64
	scan   store.Scan
}

// part is a value now, over the rule's step, and its mean before.
type part struct{ now, before float64 }

// keyParts are the parts by the values of a key.
type keyParts struct {
	key   string
	parts map[string]part
}

// read returns the whole and its parts by every key that splits it into a few,
// the keys with the fewest values first.
func (p *parting) read(ctx context.Context) (whole part, keys []keyParts, ok bool) {
	count := p.scan
	count.Start, count.End = p.change.t, p.change.t
	_, stats, err := p.engine.o.Store.Scan(ctx, count)
	if err != nil || stats.Series < 2 {
		return part{}, nil, false
	}
	if stats.Series <= fewSeries {
		return p.readSeries(ctx)
	}
	return p.readValues(ctx, int64(stats.Series))
}

// windows are the steps before the change and those of the rule's step that
// ends with it.
func (p *parting) windows(steps int64) (before, now span) {
	x, primary := p.change, p.engine.step
	past := step.Floor(x.since, primary)
	return span{past - steps*primary, past}, span{x.t - x.c.step, x.t}
}

// lines reads a window.
func (p *parting) lines(ctx context.Context, q store.Scan, w span) ([]store.Line, bool) {
	q.Start, q.End = w.start, w.end
	if q.MaxDatapoints = *p.budget; q.MaxDatapoints <= 0 {
		return nil, false
	}
	lines, read, err := p.engine.o.Store.Scan(ctx, q)
	if err != nil {
		return nil, false
	}
	*p.budget -= read.Datapoints
	return lines, true
}

// readSeries reads each series once and adds them up by every key.
func (p *parting) readSeries(ctx context.Context) (whole part, keys []keyParts, ok bool) {
	q, count := p.scan, p.scan.Agg == store.AggCount
	q.Agg = store.AggAll
	before, now := p.windows(contributorSteps)
	byKey := map[string]map[string]part{}
	for _, w := range []struct {
		span
		add func(*part, float64)
	}{{before, func(p *part, v float64) { p.before += v }}, {now, func(p *part, v float64) { p.now += v }}} {
		lines, ok := p.lines(ctx, q, w.span)
		if !ok {
			return part{}, nil, false
		}
		for _, line := range lines {
			v := mean(line.Values, count)
			w.add(&whole, v)
			for _, tag := range line.Tags {
				parts := byKey[tag.Key]
				if parts == nil {
					parts = map[string]part{}
					byKey[tag.Key] = parts
				}
				at := parts[tag.Value]
				w.add(&at, v)
				parts[tag.Value] = at
			}
		}
	}
	for key, parts := range byKey {
		if n := len(parts); n > 1 && n <= contributorValues && splits(key) {
			keys = append(keys, keyParts{key, parts})
		}
	}
	slices.SortFunc(keys, func(a, b keyParts) int {
		return cmp.Or(cmp.Compare(len(a.parts), len(b.parts)), cmp.Compare(a.key, b.key))
	})
	return whole, keys[:min(len(keys), contributorKeys)], true
}

// readValues reads the sum of each value of the keys that have a few, which for
// many series is cheaper than looking at the tags of each. It begins only when the
// budget allows for all of them.
func (p *parting) readValues(ctx context.Context, series int64) (whole part, keys []keyParts, ok bool) {
	named := p.keys()
	steps := contributorFewSteps + p.change.c.step/p.engine.step
	if int64(len(named)+1)*series*steps > *p.budget {
		return part{}, nil, false
	}
	if whole, ok = p.sum(ctx, p.scan.Query); !ok {
		return part{}, nil, false
	}
	for _, key := range named {
		parts := make(map[string]part, len(key.values))
		for _, v := range key.values {
			at, ok := p.sum(ctx, match.NewAnd(p.scan.Query, &match.Equal{Key: key.name, Value: v.Value}))
			if !ok {
				return part{}, nil, false
			}
			parts[v.Value] = at
		}
		keys = append(keys, keyParts{key.name, parts})
	}
	return whole, keys, true
}

// sum reads the series of one query.
func (p *parting) sum(ctx context.Context, query match.Query) (part, bool) {
	q := p.scan
	q.Query = query
	before, now := p.windows(contributorFewSteps)
	past, okPast := p.lines(ctx, q, before)
	recent, okNow := p.lines(ctx, q, now)
	if !okPast || !okNow {
		return part{}, false
	}
	var out part
	for _, line := range past {
		out.before = mean(line.Values, false)
	}
	for _, line := range recent {
		out.now = mean(line.Values, false)
	}
	return out, true
}

// namedValues are the values of a key.
type namedValues struct {
	name   string
	values []store.ValueCount
}

// keys returns the keys that have a few values each, those with the fewest first.
func (p *parting) keys() []namedValues {
	var keys []namedValues
	s, query := p.engine.o.Store, p.scan.Query
	for _, key := range s.Keys(query, "", 8*contributorKeys) {
		if !splits(key) {
			continue
		}
		if values, few := s.FewValues(key, query, contributorValues); few && len(values) > 1 {
			keys = append(keys, namedValues{key, values})
		}
	}
	slices.SortStableFunc(keys, func(a, b namedValues) int { return cmp.Compare(len(a.values), len(b.values)) })
	return keys[:min(len(keys), contributorKeys)]
}

// splits reports whether the values of a key can carry a change.
func splits(key string) bool { return key != "name" && key != "atlas.dstype" }

// measure says how well a key explains the change of the whole from
// expected to now.
func measure(key string, parts map[string]part, scale, now, expected float64) SplitKey {
	type scored struct {
		Contributor
		surprise float64
	}
	all := make([]scored, 0, len(parts))
	out := SplitKey{Key: key}
	for value, p := range parts {
		before := p.before * scale
		s := scored{surprise: surprise(before/expected, p.now/now)}
		s.Contributor = Contributor{value, Number(p.now), Number(before), Number(p.now - before), Number((p.now - before) / (now - expected))}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.surprise, a.surprise), cmp.Compare(b.Share, a.Share), cmp.Compare(a.Value, b.Value))
	})
	out.Even = true
	whole := (now - expected) / expected
	for _, s := range all {
		if s.Share < leastShare || out.Explained >= enoughShare {
			continue
		}
		out.Explained += s.Share
		out.Surprise += Number(s.surprise)
		alike := math.Abs(float64(s.Delta/s.Expected)-whole) <= evenChange*math.Abs(whole)
		out.Even = out.Even && alike
		out.named = append(out.named, s.Contributor)
	}
	out.Values = len(out.named)
	slices.SortStableFunc(out.named, func(a, b Contributor) int { return cmp.Compare(b.Share, a.Share) })
	out.named = out.named[:min(len(out.named), contributorTop)]
	return out
}

// surprise is the part of one value in the Jensen-Shannon divergence between the
// shares p that were expected and the shares q that are. When nothing is left,
// all have fallen alike.
func surprise(p, q float64) float64 {
	p, q = max(0, p), max(0, q)
	if math.IsNaN(p) || math.IsNaN(q) || math.IsInf(p, 0) || math.IsInf(q, 0) {
		return 0
	}
	of := func(x float64) float64 {
		if x == 0 {
			return 0
		}
		return x * math.Log(2*x/(p+q))
	}
	return max(0, of(p)+of(q)) / 2
}

// choose picks the key to show. Equal keys are in the order of their names.
func choose(found []SplitKey, delta float64) *Breakdown {
	found = slices.DeleteFunc(found, func(k SplitKey) bool { return k.Values == 0 })
	if len(found) == 0 {
		return nil
	}
	top := found[0].Surprise
	for _, k := range found {
		top = max(top, k.Surprise)
	}
	rank := func(k *SplitKey) (n int) {
		for i, good := range [...]bool{k.Surprise >= sameSurprise*top, k.Explained >= enoughShare, !k.Even} {
			if good {
				n += 1 << i
			}
		}
		return n
	}
	slices.SortStableFunc(found, func(a, b SplitKey) int {
		return cmp.Or(-cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Values, b.Values), -cmp.Compare(a.Explained, b.Explained), cmp.Compare(a.Key, b.Key))
	})
	best := &found[0]
	return &Breakdown{
		Key: best.Key, Delta: Number(delta), Explained: best.Explained, Even: best.Even,
		Values: best.named, Keys: found,
	}
}

// contributors returns what a notification says of b.
func (b *Breakdown) contributors() []notify.Contributor {
	if b == nil {
		return nil
	}
	out := make([]notify.Contributor, 0, len(b.Values))
	for _, v := range b.Values {
		out = append(out, notify.Contributor{Tags: map[string]string{b.Key: v.Value}, Delta: float64(v.Delta), Share: float64(v.Share)})
	}
	return out
}

// subject returns the query and aggregate of the first data expression of x
// whose parts add up, and the keys it is grouped by.
func subject(x expr.TimeSeries) (q match.Query, agg store.Agg, keys []string, ok bool) {
	expanded, err := expr.Expand(x)
	if err != nil {
		return nil, 0, nil, false
	}
	for _, d := range expr.DataExprs(expanded) {
		a, isAggregate := d.(*expr.Aggregate)
		if g, grouped := d.(*expr.GroupBy); grouped {
			a, isAggregate, keys = g.Aggregate, true, g.Keys()
		}
		if !isAggregate || d.OffsetMs() != 0 {
			continue
		}
		switch a.Agg {
		case expr.AggSum:
			return a.Query(), store.AggSum, keys, true
		case expr.AggCount:
			return a.Query(), store.AggCount, keys, true
		}
	}
	return nil, 0, nil, false
}

// mean is the sum over all steps ÷ their number; no data counts as nothing.
// With count each value counts one.
func mean(values []float64, count bool) float64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		switch {
		case math.IsNaN(v):
		case count:
			sum++
		default:
			sum += v
		}
	}
	return sum / float64(len(values))
}
