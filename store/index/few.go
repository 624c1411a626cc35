package index

import (
	"slices"
	"strings"

	"pulse/store/match"
)

// FewValues returns the values of the key name among the series that q selects,
// ascending, with the number of series that have each. It gives up when there are
// more than most, and says so: few is false.
func (x *Index) FewValues(name string, q match.Query, most int) (values []ValueCount, few bool) {
	p, _ := x.plan(q, nil) // nothing stops it
	x.mu.RLock()
	defer x.mu.RUnlock()
	k := x.keys[name]
	if k == nil {
		return nil, true
	}
	selected := p.run(x).bits
	for _, v := range k.values {
		n := v.series.countIn(selected)
		if n == 0 {
			continue
		}
		if len(values) == most {
			return nil, false
		}
		values = append(values, ValueCount{v.value, n})
	}
	slices.SortFunc(values, func(a, b ValueCount) int { return strings.Compare(a.Value, b.Value) })
	return values, true
}
