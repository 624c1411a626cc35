package expr

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"pulse/store/tags"
)

const (
	distinctKey = "distinct"
	registers   = 64
)

// ApproxDistinct estimates how many distinct values were recorded, from the
// registers of a HyperLogLog kept as gauges with the tag `distinct`. It is
// written over an aggregate or a grouping, or over what stateful words make of
// one; Expand puts the maximum of each register in the aggregate's place.
type ApproxDistinct struct{ Expr TimeSeries }

// NewApproxDistinct estimates over t. Whatever aggregate it has will be a
// maximum.
func NewApproxDistinct(t TimeSeries) (*ApproxDistinct, error) {
	if _, err := perRegister(t); err != nil {
		return nil, err
	}
	return &ApproxDistinct{Expr: t}, nil
}

// perRegister returns t with the maximum per register in place of its aggregate.
func perRegister(t TimeSeries) (TimeSeries, error) {
	switch x := t.(type) {
	case *Aggregate:
		return maximumPerRegister(x, nil), nil
	case *GroupBy:
		return maximumPerRegister(x, x.keys), nil
	case *Stateful:
		in, err := perRegister(x.Expr)
		if err != nil {
			return nil, err
		}
		return x.withInputs([]TimeSeries{in})
	}
	return nil, errors.New(":approx-distinct can only be used with :sum and :by")
}

func maximumPerRegister(d DataExpr, keys []string) *GroupBy {
	top := NewAggregate(AggMax, d.Query()).WithOffsetMs(d.OffsetMs()).(*Aggregate)
	return NewGroupBy(top, mergeKeys([]string{distinctKey}, keys))
}

func (a *ApproxDistinct) String() string { return operationText(a) }
func (a *ApproxDistinct) Grouped() bool  { return len(a.Keys()) > 0 }
func (a *ApproxDistinct) Keys() []string {
	return slices.DeleteFunc(slices.Clone(a.Expr.Keys()), func(k string) bool { return k == distinctKey })
}
func (a *ApproxDistinct) inputs() []TimeSeries { return []TimeSeries{a.Expr} }
func (a *ApproxDistinct) identity() string     { return ":approx-distinct" }
func (a *ApproxDistinct) withInputs(in []TimeSeries) (TimeSeries, error) {
	out, err := NewApproxDistinct(in[0])
	if err != nil {
		return nil, err
	}
	return out, nil
}
func (a *ApproxDistinct) kernel() kernel { return &distinctKernel{expr: a} }

type distinctKernel struct {
	expr   *ApproxDistinct
	groups [][]int32
}

func (k *distinctKernel) shape(in []*result, out *result) error {
	keys := k.expr.Keys()
	order, members := groupLines(in[0].lines, keys)
	k.groups = k.groups[:0]
	var lines []Line
	for _, key := range order {
		if err := checkRegisters(in[0].lines, members[key]); err != nil {
			return err
		}
		k.groups = append(k.groups, members[key])
		t := in[0].lines[members[key][0]].Tags.Without(distinctKey)
		if len(t) == 0 {
			t = tags.Of("name", "unknown")
		}
		label := key
		if len(keys) == 0 {
			label = "approx-distinct(" + DataExprs(k.expr)[0].Query().Label() + ")"
		}
		lines = append(lines, Line{Tags: t, Label: label, Gauge: true})
	}
	out.reset(lines)
	return nil
}

// checkRegisters fails when a line's tag names no register, or the register of
// another line.
func checkRegisters(lines []Line, members []int32) error {
	var byIndex [registers][]string
	for _, m := range members {
		tag, _ := lines[m].Tags.Get(distinctKey)
		index, err := strconv.ParseUint(tag[min(1, len(tag)):], 16, 16)
		if err != nil || index >= registers {
			return errRequire("invalid distinct encoding: [%s]", tag)
		}
		if byIndex[index] = append(byIndex[index], tag); len(byIndex[index]) > 1 {
			return errRequire("invalid distinct encoding: [%s]", strings.Join(byIndex[index], ","))
		}
	}
	return nil
}

func (k *distinctKernel) run(w Window, in []*result, out *result) error {
	for gi, members := range k.groups {
		dst := out.lines[gi].Values
		for i := range dst {
			sum, used := 0.0, 0
			for _, m := range members {
				if v := in[0].lines[m].Values[i]; v > 0 {
					used++
					sum += math.Exp2(-v)
				}
			}
			dst[i] = distinctEstimate(sum, used)
		}
	}
	return nil
}

// distinctEstimate is the HyperLogLog estimate for the sum of 2^-r over the
// used registers; the others are zero. Few values are counted by the share of
// registers still zero. A sketch that was published uses at least one, so none
// is no data.
func distinctEstimate(sum float64, used int) float64 {
	const m = registers
	if used == 0 {
		return math.NaN()
	}
	zeros := m - used
	alpha := 0.7213 / (1 + 1.079/m)
	estimate := alpha * m * m / (sum + float64(zeros))
	if estimate <= 2.5*m && zeros > 0 {
		return m * math.Log(float64(m)/float64(zeros))
	}
	return estimate
}
