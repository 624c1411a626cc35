package chart

import (
	"cmp"
	"math"
	"slices"
)

// labelRoom is the least distance of two labelled ticks, in pixels.
const labelRoom = 13.0

// minTick is the least height for each of three ticks that are wanted.
const minTick = 22.0

// chooseTicks marks round values on the scale, which is so many pixels high.
func (s *scale) chooseTicks(height float64) {
	count := max(2, int(height/40))
	if height >= 3*minTick {
		count = max(count, 3)
	}
	switch {
	case s.Scale.logarithmic():
		s.ticks = s.logTicks(count, height)
	case s.Scale == ScaleLinear:
		s.ticks = s.evenTicks(count)
	default:
		s.ticks = s.spreadTicks(count, height)
	}
	s.thin(height)
	s.fromBase()
}

// fromBase writes ticks that are very close for their size as distances from the
// lowest of them, which is written in full.
func (s *scale) fromBase() {
	shown := slices.Clone(s.ticks)
	shown = slices.DeleteFunc(shown, func(t tick) bool { return t.minor })
	if len(shown) < 2 || s.Scale.logarithmic() {
		return
	}
	low, high := shown[0].value, shown[len(shown)-1].value
	gap := shown[1].value - low
	part := maxDigits
	if s.TickLabels == TicksDuration {
		part *= 20 // 1d +30s, not 86430s
	}
	if low*high <= 0 || gap > s.most()*part {
		return
	}
	first := true
	for i := range s.ticks {
		switch t := &s.ticks[i]; {
		case t.minor:
		case first:
			t.label, first = formatBase(t.value, gap, s.TickLabels), false
		default:
			t.label = "+" + formatTick(t.value-low, gap, high-low, s.TickLabels)
		}
	}
}

// maxDigits is the smallest part of a value by which ticks may differ and still be
// written in full.
const maxDigits = 1e-4

// thin takes away labels that would touch, those of higher rank first.
func (s *scale) thin(height float64) {
	order := make([]int, len(s.ticks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return s.ticks[a].rank - s.ticks[b].rank })
	var taken []float64
	for _, i := range order {
		t := &s.ticks[i]
		if t.minor {
			continue
		}
		y := s.part(t.value) * height
		if slices.ContainsFunc(taken, func(v float64) bool { return math.Abs(v-y) < labelRoom }) {
			t.minor = true
			continue
		}
		taken = append(taken, y)
	}
}

// evenTicks returns about count ticks at equal distances in value.
func (s *scale) evenTicks(count int) []tick {
	gap := niceGap((s.upper-s.lower)/float64(count)*0.75, s.TickLabels) // rather a few more than too few
	if math.IsInf(gap, 0) || !(gap > 0) {
		return nil
	}
	var out []tick
	first := math.Ceil(s.lower/gap - 1e-9)
	for i := 0.0; i < 1000; i++ {
		v := (first + i) * gap
		if v > s.upper+gap*1e-9 {
			break
		}
		out = append(out, tick{value: v, label: formatTick(v, gap, s.most(), s.TickLabels)})
	}
	return out
}

// spreadTicks returns about count ticks at about equal heights: the roundest
// values first, the larger ones before the smaller, then finer ones wherever there
// is room.
func (s *scale) spreadTicks(count int, height float64) []tick {
	room := height / float64(count) * 0.6
	gap := niceGap((s.upper-s.lower)/4, s.TickLabels)
	var out []tick
	var taken []float64
	add := func(v float64) {
		y := s.part(v) * height
		if v < s.lower-gap*1e-9 || v > s.upper+gap*1e-9 || math.IsNaN(y) ||
			slices.ContainsFunc(taken, func(t float64) bool { return math.Abs(t-y) < room }) {
			return
		}
		taken = append(taken, y)
		out = append(out, tick{value: v, label: formatTick(v, gap, s.most(), s.TickLabels)})
	}
	add(0)
	for range 10 {
		if !finite(gap) || gap <= 0 || gap < (s.upper-s.lower)/25 {
			break
		}
		low, high := math.Ceil(s.lower/gap-1e-9), math.Floor(s.upper/gap+1e-9)
		for k := 0.0; k < 400; k++ {
			if v := high - k; v > 0 && v >= low {
				add(v * gap)
			}
			if v := low + k; v < 0 && v <= high {
				add(v * gap)
			}
		}
		gap = niceGap(gap*0.3, s.TickLabels)
	}
	slices.SortFunc(out, func(a, b tick) int { return cmp.Compare(a.value, b.value) })
	return out
}

// niceGap returns the smallest round distance that is at least gap.
func niceGap(gap float64, kind TickLabels) float64 {
	if kind == TicksDuration && gap > 1 {
		if gap > year/2 {
			return niceGap(gap/year, TicksDecimal) * year
		}
		for _, nice := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
			week, 2 * week, 4 * week, 8 * week, 16 * week} {
			if nice >= gap*(1-1e-9) {
				return nice
			}
		}
		return year / 2
	}
	unit := 1.0
	if kind == TicksBinary && gap > 1 {
		unit = math.Pow(2, math.Floor(math.Log2(gap)))
		if gap <= unit*(1+1e-9) {
			return unit
		}
		return 2 * unit
	}
	unit = math.Pow(10, math.Floor(math.Log10(gap)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if gap <= m*unit*(1+1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}

// logTicks marks powers, and values between them where there is room: decades,
// for binary labels powers of two, for durations 1 s, 10 s, 1 m, 10 m, 1 h and so
// on.
func (s *scale) logTicks(count int, height float64) []tick {
	low := s.unit
	if !s.symmetric {
		low = s.lower
	}
	if s.upper/low < 10 && !s.symmetric {
		return s.spreadTicks(count, height)
	}
	var out []tick
	if s.lower <= 0 && s.upper >= 0 {
		out = append(out, tick{value: 0, label: "0"})
	}
	most := s.most()
	powers, between := decades(low, most), []float64{2, 5}
	switch s.TickLabels {
	case TicksBinary:
		powers, between = binaryPowers(low, most, count), nil
	case TicksDuration:
		powers = durationPowers(low, most)
	}
	each := height
	if n := len(powers); n > 1 { // the distance of the largest two
		sign := 1.0
		if s.upper < most {
			sign = -1
		}
		each = math.Abs(s.part(sign*powers[n-1])-s.part(sign*powers[n-2])) * height
	}
	every := max(1, int(math.Ceil(30/max(each, 1e-9))))
	first := max(0, int(math.Round(math.Log10(powers[0])))+700*every) // so that labels stand at the same powers whatever the range
	for _, sign := range []float64{1, -1} {
		for i, p := range powers {
			add := func(v float64, minor bool, rank int) {
				if v*sign < s.lower-math.Abs(s.lower)*1e-9 || v*sign > s.upper+math.Abs(s.upper)*1e-9 {
					return
				}
				t := tick{value: v * sign, minor: minor, rank: rank}
				if !minor {
					t.label = formatTick(v*sign, v, v, s.TickLabels)
				}
				out = append(out, t)
			}
			add(p, (first+i)%every != 0, 1)
			for _, m := range between {
				if each >= 30 && (i+1 >= len(powers) || p*m < powers[i+1]) {
					add(p*m, each < 50, 2)
				}
			}
		}
	}
	return out
}

// decades returns the powers of ten from at most low to at least high.
func decades(low, high float64) []float64 {
	var out []float64
	for d := math.Floor(math.Log10(low) + 1e-9); d < 309 && len(out) < 700; d++ {
		v := math.Pow(10, d)
		out = append(out, v)
		if v >= high {
			break
		}
	}
	return out
}

// durationPowers returns decades of seconds, minutes, hours and days.
func durationPowers(low, high float64) []float64 {
	all := append(decades(min(low, 1), 1), 10, 60, 600, 3600, 36_000)
	for _, v := range decades(1, max(high/86_400, 1)) {
		all = append(all, v*86_400)
	}
	first, last := 0, len(all)-1
	for first+1 < len(all) && all[first+1] <= low {
		first++
	}
	for last > first && all[last-1] >= high {
		last--
	}
	return all[first : last+1]
}

// binaryPowers returns every so many powers of two.
func binaryPowers(low, high float64, count int) []float64 {
	from, to := math.Floor(math.Log2(low)+1e-9), math.Ceil(math.Log2(high)-1e-9)
	every := 1.0
	for _, n := range []float64{1, 2, 5, 10, 20, 50, 100, 200} {
		every = n
		if (to-from)/n <= float64(count) {
			break
		}
	}
	var out []float64
	for e := math.Floor(from/every) * every; e <= to+every && len(out) < 700; e += every {
		out = append(out, math.Pow(2, e))
	}
	return out
}
