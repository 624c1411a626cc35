package index

import "pulse/store/match"

// KeyCount is how much a key has among series.
type KeyCount struct {
	Key    string
	Values int // distinct
	Series int // that have the key
}

// stopEvery is how many values are counted between two looks at whether to go on.
const stopEvery = 4096

// CountKeys returns the keys of the series that q selects, in no order, with how many
// values each has among them. It ends with the error of stop, as SelectUntil does. Of all
// series it is known at once; of a part, every value of its keys is looked at.
func (x *Index) CountKeys(q match.Query, stop func() error) (out []KeyCount, err error) {
	p, err := x.plan(q, stop)
	if err != nil {
		return nil, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	selected := p.run(x).bits
	looked := 0
	for name, k := range x.keys {
		if selected == x.all {
			if k.live > 0 {
				out = append(out, KeyCount{name, k.live, int(k.series.GetCardinality())})
			}
			continue
		}
		n := int(k.series.AndCardinality(selected))
		if n == 0 {
			continue
		}
		values := 0
		for _, v := range k.values {
			if looked++; looked%stopEvery == 0 && stop != nil {
				if err := stop(); err != nil {
					return nil, err
				}
			}
			if v.series.countIn(selected) > 0 {
				values++
			}
		}
		out = append(out, KeyCount{name, values, n})
	}
	return out, nil
}
