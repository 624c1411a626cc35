package expr

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const percentileKey = "percentile"

// Percentiles estimates percentiles from bucket counters: a sum grouped by the
// tag `percentile` and perhaps by other keys. The result has a line for each
// wanted percentile and combination of the other keys.
type Percentiles struct {
	Data  *GroupBy
	Wants []float64 // distinct, ascending, 0 to 100
}

// NewPercentiles estimates over d, an aggregate or a grouping of one. Whatever
// aggregate it was becomes a sum.
func NewPercentiles(d DataExpr, wants []float64) (*Percentiles, error) {
	var keys []string
	switch x := d.(type) {
	case *Aggregate:
	case *GroupBy:
		keys = x.keys
	default:
		return nil, fmt.Errorf(":percentiles can only be used with :sum and :by")
	}
	for _, p := range wants {
		if !(p >= 0 && p <= 100) {
			return nil, errRequire("invalid percentile %s, value must be 0.0 <= p <= 100.0", FormatDouble(p))
		}
	}
	sum := NewAggregate(AggSum, d.Query()).WithOffsetMs(d.OffsetMs()).(*Aggregate)
	wants = slices.Clone(wants)
	slices.Sort(wants)
	return &Percentiles{
		Data:  NewGroupBy(sum, mergeKeys([]string{percentileKey}, keys)),
		Wants: slices.Compact(wants),
	}, nil
}

// userKeys are the keys of the grouping besides `percentile`.
func (p *Percentiles) userKeys() []string {
	return slices.DeleteFunc(slices.Clone(p.Data.keys), func(k string) bool { return k == percentileKey })
}

func (p *Percentiles) word() string { return listText(doubleList(p.Wants)) + ",:percentiles" }

func (p *Percentiles) String() string {
	s := p.Data.Query().String()
	if keys := p.userKeys(); len(keys) > 0 {
		s += "," + listText(keys) + ",:by"
	}
	return shifted(s+","+p.word()+p.Data.Aggregate.cfText(), p.Data.OffsetMs())
}

func (p *Percentiles) Grouped() bool        { return true }
func (p *Percentiles) Keys() []string       { return p.Data.keys }
func (p *Percentiles) inputs() []TimeSeries { return []TimeSeries{p.Data} }
func (p *Percentiles) identity() string     { return p.word() }
func (p *Percentiles) withInputs(in []TimeSeries) (TimeSeries, error) {
	g, ok := in[0].(*GroupBy)
	if !ok {
		return nil, fmt.Errorf(":percentiles can only be used with :sum and :by")
	}
	return &Percentiles{Data: g, Wants: p.Wants}, nil
}
func (p *Percentiles) kernel() kernel {
	return &percentileKernel{expr: p, table: newBucketTable()}
}

// bucketGroup is the lines of one combination of the user's keys.
type bucketGroup struct {
	lines   []int32 // input line of each used bucket
	buckets []int   // bucket of each
	factor  float64 // 1e-9 for timers: nanoseconds to seconds
}

type percentileKernel struct {
	expr   *Percentiles
	table  *bucketTable
	groups []bucketGroup
	counts [Buckets]float64
	dst    []float64
}

func (k *percentileKernel) shape(in []*result, out *result) error {
	keys := k.expr.userKeys()
	order, members := groupLines(in[0].lines, keys)
	k.groups = k.groups[:0]
	k.dst = make([]float64, len(k.expr.Wants))
	var lines []Line
	for _, key := range order {
		g, err := newBucketGroup(in[0].lines, members[key])
		if err != nil {
			return err
		}
		k.groups = append(k.groups, g)
		base := key
		if len(keys) == 0 {
			base = k.expr.Data.Query().Label()
		}
		first := in[0].lines[members[key][0]].Tags
		for _, p := range k.expr.Wants {
			lines = append(lines, Line{
				Tags:  first.With(percentileKey, PercentileTag(p)),
				Label: PercentileLabel(base, p), Gauge: true,
			})
		}
	}
	out.reset(lines)
	return nil
}

func newBucketGroup(lines []Line, members []int32) (bucketGroup, error) {
	g := bucketGroup{factor: 1}
	byIndex := map[int][]string{}
	for _, m := range members {
		tag, _ := lines[m].Tags.Get(percentileKey)
		index, timer, ok := parseBucketTag(tag)
		byIndex[index] = append(byIndex[index], tag)
		if !ok || len(byIndex[index]) > 1 {
			return g, errRequire("invalid percentile encoding: [%s]", strings.Join(byIndex[index], ","))
		}
		if timer && len(g.lines) == 0 {
			g.factor = 1e-9
		}
		g.lines = append(g.lines, m)
		g.buckets = append(g.buckets, index)
	}
	return g, nil
}

func (k *percentileKernel) run(w Window, in []*result, out *result) error {
	wants := k.expr.Wants
	for gi, g := range k.groups {
		clear(k.counts[:])
		for i := range w.Len() {
			for j, m := range g.lines {
				v := in[0].lines[m].Values[i]
				if math.IsNaN(v) || math.IsInf(v, 0) {
					v = 0
				}
				k.counts[g.buckets[j]] = v
			}
			k.table.percentiles(k.dst, k.counts[:], wants)
			for q, v := range k.dst {
				out.lines[gi*len(wants)+q].Values[i] = v * g.factor
			}
		}
	}
	return nil
}
