package chart

import "math"

// extent is what the lines on an axis cover.
type extent struct {
	lowest, highest float64 // lowest above highest: there is no value
	least           float64 // the smallest distance from zero that is not zero, 0 for none
	filled          bool    // something is drawn down to zero
	timer           bool    // buckets of a heat map are of timers: seconds, counted in ns
}

func (e extent) empty() bool { return e.lowest > e.highest }

func (e *extent) add(v float64) {
	if !finite(v) {
		return
	}
	if e.empty() {
		e.lowest, e.highest = v, v
	}
	e.lowest, e.highest = min(e.lowest, v), max(e.highest, v)
	if a := math.Abs(v); a > 0 && (e.least == 0 || a < e.least) {
		e.least = a
	}
}

// extentOf measures the lines of an axis.
func extentOf(lines []Line, base [][]float64, axis int) extent {
	e := extent{lowest: 1, highest: 0}
	for i, l := range lines {
		if l.Axis != axis || l.Style == StyleVspan {
			continue
		}
		e.filled = e.filled || l.Style == StyleArea || l.Style == StyleStack
		for j, v := range l.Values {
			switch {
			case l.Style == StyleHeatmap && l.Bucket != nil:
				if v > 0 && finite(v) {
					e.add(l.Bucket[0])
					e.add(l.Bucket[1])
					e.timer = e.timer || l.Bucket[1] > 0 && l.Bucket[1] < 1
				}
			case base[i] != nil:
				e.add(v + base[i][j])
			default:
				e.add(v)
			}
		}
	}
	return e
}

// stackBases returns, for every stacked line, what its values stand on: the
// sum of the earlier ones of the same sign on the same axis.
func stackBases(lines []Line) [][]float64 {
	out := make([][]float64, len(lines))
	var up, down [MaxAxes][]float64
	for i, l := range lines {
		if l.Style != StyleStack {
			continue
		}
		for _, sums := range []*[]float64{&up[l.Axis], &down[l.Axis]} {
			if n := len(l.Values) - len(*sums); n > 0 {
				*sums = append(*sums, make([]float64, n)...)
			}
		}
		base := make([]float64, len(l.Values))
		for j, v := range l.Values {
			sums := up[l.Axis]
			if v < 0 {
				sums = down[l.Axis]
			}
			base[j] = sums[j]
			if finite(v) {
				sums[j] += v
			}
		}
		out[i] = base
	}
	return out
}
