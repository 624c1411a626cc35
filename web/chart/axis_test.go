package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func labels(ticks []tick) string {
	var out []string
	for _, t := range ticks {
		if !t.minor {
			out = append(out, t.label)
		}
	}
	return strings.Join(out, " ")
}

// leastOf is the smallest of two distances from zero that is not zero.
func leastOf(a, b float64) float64 {
	a, b = math.Abs(a), math.Abs(b)
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func TestValueTicks(t *testing.T) {
	f := func(a Axis, low, high float64, filled bool, height float64, want string) {
		t.Helper()
		least := leastOf(low, high)
		if low <= 0 {
			least = 1
		}
		s := newScale(a, extent{low, high, least, filled, false}, height)
		if got := labels(s.ticks); got != want {
			t.Errorf("%+v %v to %v: %s, want %s", a, low, high, got, want)
		}
	}
	fixed := func(low, high float64) Axis {
		return Axis{Lower: Bound{BoundValue, low}, Upper: Bound{BoundValue, high}}
	}
	f(fixed(0, 10), 0, 1, false, 200, "0 2 4 6 8 10")
	f(fixed(0, 1500), 0, 1, false, 200, "0 250 500 750 1k 1.25k 1.5k")
	f(fixed(0, 1), 0, 1, false, 200, "0 0.2 0.4 0.6 0.8 1")
	f(fixed(0, 0.005), 0, 1, false, 200, "0 1m 2m 3m 4m 5m")
	f(fixed(-2e6, 2e6), 0, 1, false, 200, "-2M -1M 0 1M 2M")
	f(fixed(1_000_000, 1_000_004), 0, 1, false, 200, "1M +1 +2 +3 +4")
	f(fixed(1e9, 1e9+1), 0, 1, false, 100, "1G +0.25 +0.5 +0.75 +1")
	f(fixed(200026.23, 200026.2371654), 0, 1, false, 200, "200.02623k +2m +4m +6m")
	f(fixed(-200027, -200026), 0, 1, false, 100, "-200.027k +0.25 +0.5 +0.75 +1")
	f(fixed(2026, 2027), 0, 1, false, 100, "2.026k 2.02625k 2.0265k 2.02675k 2.027k")
	f(fixed(0, 8.4e12), 0, 1, false, 100, "0 2.5T 5T 7.5T")
	f(fixed(-1e300, 1e300), 0, 1, false, 100, "-1e+300 -5e+299 0 5e+299 1e+300")
	f(Axis{}, 950, 1490, false, 300, "1k 1.1k 1.2k 1.3k 1.4k 1.5k")
	f(Axis{}, 400, 1000, true, 200, "0 200 400 600 800 1k")
	f(Axis{Lower: Bound{Kind: BoundAutoData}}, 400, 1000, true, 200, "400 500 600 700 800 900 1k")
	f(Axis{}, 5, 5, false, 150, "4.5 5 5.5")
	f(Axis{}, 0, 0, false, 150, "-1 0 1")
	f(Axis{}, 1, 0, false, 150, "0 0.5 1")

	binary := fixed(0, 4096)
	binary.TickLabels = TicksBinary
	f(binary, 0, 1, false, 200, "0 1Ki 2Ki 3Ki 4Ki")
	binary = fixed(9991234563, 9991234567)
	binary.TickLabels = TicksBinary
	f(binary, 0, 1, false, 150, "9991234563 +1 +2 +3 +4")
	duration := fixed(0, 300)
	duration.TickLabels = TicksDuration
	f(duration, 0, 1, false, 200, "0 1m 2m 3m 4m 5m")
	duration.Upper.Value = 0.3
	f(duration, 0, 1, false, 200, "0 50ms 100ms 150ms 200ms 250ms 300ms")
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{59, 61, "59s 59.5s 60s 60.5s 61s"},
		{0, 90, "0 30s 1m 1.5m"},
		{0, 61, "0 30s 1m"},
		{0, 7200, "0 30m 1h 1.5h 2h"},
		{0, 86_400, "0 6h 12h 18h 24h"},
		{86_400, 86_490, "1d +30s +1m +1.5m"},
		{339.861, 339.877, "339.865s +5ms +10ms"},
		{0, 30 * 86_400, "0 2w 4w"},
		{0, 365 * 86_400, "0 16w 32w 48w"},
		{0, 3e9, "0 25y 50y 75y"},
	} {
		duration := fixed(c.low, c.high)
		duration.TickLabels = TicksDuration
		f(duration, 0, 1, false, 100, c.want)
	}

	log := Axis{Scale: ScaleLog}
	f(log, 1, 1e6, false, 300, "1 10 100 1k 10k 100k 1M")
	f(log, 1, 1e12, false, 150, "1 1k 1M 1G 1T")
	f(log, 0, 1000, false, 300, "0 1 2 5 10 20 50 100 200 500 1k")
	f(log, 0, 1000, false, 150, "0 1 10 100 1k")
	f(log, -100, 100, false, 300, "0 1 5 10 20 50 100 -1 -5 -10 -20 -50 -100")
	f(log, 950, 1490, false, 300, "950 1k 1.05k 1.1k 1.15k 1.2k 1.3k 1.4k 1.5k")
	log.TickLabels = TicksDuration
	f(log, 1e-3, 1e5, false, 300, "1ms 10ms 100ms 1s 10s 1m 10m 1h 10h 1d")
	for kind, want := range map[Scale]string{ScaleLogLinear: "0 1 10 100 1k", ScalePercentile: "0 1 10 100 1k", ScalePow2: "0 500 800 1k", ScaleSqrt: "0 50 200 500 1k"} {
		f(Axis{Scale: kind}, 0, 1000, false, 150, want)
	}
	f(Axis{Scale: ScalePow2}, -1000, 1000, false, 150, "-1k -700 0 700 1k")
	log.TickLabels = TicksBinary
	f(log, 1, 1<<30, false, 200, "1 1Ki 1Mi 1Gi")
	f(log, 10, 1e12, false, 100, "1Mi 1Ti")
}

func TestFormatStat(t *testing.T) {
	f := func(v float64, kind TickLabels, want string) {
		t.Helper()
		if got := formatStat(v, kind); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	f(0, TicksDecimal, "0")
	f(math.NaN(), TicksDecimal, "NaN")
	f(math.Inf(-1), TicksDecimal, "-∞")
	f(412.53, TicksDecimal, "412.5")
	f(-98.765, TicksDecimal, "-98.77")
	f(1234.6, TicksDecimal, "1.235k")
	f(999.99, TicksDecimal, "1000")
	f(0.25, TicksDecimal, "0.25")
	f(0.0015, TicksDecimal, "1.5m")
	f(3.2e-7, TicksDecimal, "320n")
	f(1e30, TicksDecimal, "1.00e+30")
	f(1e-30, TicksDecimal, "1.00e-30")
	f(1536, TicksBinary, "1.5Ki")
	f(90, TicksDuration, "1.5m")
	f(0.0125, TicksDuration, "12.5ms")
}

func clocks(ticks []timeTick) string {
	var out []string
	for _, t := range ticks {
		label := t.label
		if t.day {
			label = "*" + label
		}
		out = append(out, label)
	}
	return strings.Join(out, " ")
}

func TestTimeTicks(t *testing.T) {
	f := func(zone, from, to string, count int, want string) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.ParseInLocation("2006-01-02 15:04:05", from, loc)
		if err != nil {
			t.Fatal(err)
		}
		end, err := time.ParseInLocation("2006-01-02 15:04:05", to, loc)
		if err != nil {
			t.Fatal(err)
		}
		if got := clocks(timeTicks(start.UnixMilli(), end.UnixMilli(), loc, count)); got != want {
			t.Errorf("%s %s to %s: %s, want %s", zone, from, to, got, want)
		}
	}
	f("UTC", "2026-11-21 13:02:00", "2026-11-21 14:02:00", 6, "13:10 13:20 13:30 13:40 13:50 14:00")
	f("UTC", "2026-11-21 13:00:00", "2026-11-21 13:00:01", 5, "13:00:00.0 13:00:00.2 13:00:00.4 13:00:00.6 13:00:00.8 13:00:01.0")
	f("UTC", "2026-11-21 13:00:00", "2026-11-21 13:01:00", 4, "13:00:00 13:00:15 13:00:30 13:00:45 13:01:00")
	f("UTC", "2026-11-20 20:00:00", "2026-11-21 04:00:00", 4, "20:00 22:00 *Nov 21 02:00 04:00")
	f("Asia/Kolkata", "2026-11-20 20:00:00", "2026-11-21 04:00:00", 4, "20:00 22:00 *Nov 21 02:00 04:00")
	f("UTC", "2026-11-18 12:00:00", "2026-11-21 12:00:00", 4, "*Nov 19 *Nov 20 *Nov 21")
	f("UTC", "2026-11-01 12:00:00", "2026-11-29 12:00:00", 4, "*Nov 2 *Nov 9 *Nov 16 *Nov 23")
	f("UTC", "2026-01-15 00:00:00", "2026-11-15 00:00:00", 6, "*Mar 2026 *May 2026 *Jul 2026 *Sep 2026 *Nov 2026")
	f("UTC", "2019-06-01 00:00:00", "2026-06-01 00:00:00", 8, "*2020 *2021 *2022 *2023 *2024 *2025 *2026")

	// Clocks go forward at 02:00 and back at 02:00: labels stay round.
	f("America/New_York", "2026-03-08 00:00:00", "2026-03-08 12:00:00", 6, "*Mar 8 04:00 06:00 08:00 10:00 12:00")
	f("America/New_York", "2026-03-08 00:00:00", "2026-03-08 06:00:00", 7, "*Mar 8 01:00 03:00 04:00 05:00 06:00")
	f("America/New_York", "2026-11-01 00:00:00", "2026-11-01 12:00:00", 7, "*Nov 1 02:00 04:00 06:00 08:00 10:00 12:00")
	f("America/New_York", "2026-11-01 00:00:00", "2026-11-01 04:00:00", 5, "*Nov 1 01:00 02:00 03:00 04:00")
	f("America/New_York", "2026-11-01 12:00:00", "2026-11-02 06:00:00", 6, "12:00 15:00 18:00 21:00 *Nov 2 03:00 06:00")
	f("Australia/Lord_Howe", "2026-04-04 18:00:00", "2026-04-05 06:00:00", 7, "18:00 20:00 22:00 *Apr 5 02:00 04:00 06:00")
	f("America/Sao_Paulo", "2018-11-03 18:00:00", "2018-11-04 06:00:00", 4, "18:00 21:00 *Nov 4 03:00 06:00")

	// Days that never were.
	f("Pacific/Apia", "2011-12-28 12:00:00", "2012-01-01 12:00:00", 4, "*Dec 29 *Dec 31 *Jan 1")
	f("Asia/Manila", "1844-12-29 12:00:00", "1845-01-02 12:00:00", 4, "*Dec 30 *Jan 1 *Jan 2")
}

// Drawing at a height that is no number takes for ever.
func TestScaleSpreads(t *testing.T) {
	for _, ends := range [][2]float64{{1e16, 1e16 + 2}, {1e200, 2e200}, {-1e300, 1e300}, {1e300, math.Nextafter(1e300, 2e300)}, {5e-324, 1e-320}, {7, 7}} {
		for _, kind := range []Scale{ScaleLinear, ScaleLog, ScaleLogLinear, ScalePow2, ScaleSqrt, ScalePercentile} {
			s := newScale(Axis{Scale: kind}, extent{ends[0], ends[1], leastOf(ends[0], ends[1]), false, false}, 300)
			low, high := s.part(ends[0]), s.part(ends[1])
			if !(low >= 0 && low <= high && high <= 1) {
				t.Errorf("scale %d, data %v: axis [%v, %v], at %v and %v", kind, ends, s.lower, s.upper, low, high)
			}
		}
	}
}

// FuzzAxes holds that ticks are few, in order, inside the axis and labelled,
// whatever the data.
func FuzzAxes(f *testing.F) {
	f.Add(0.0, 1.0, uint8(0), uint8(0), int64(0), int64(3_600_000))
	f.Add(-1e300, 1e300, uint8(1), uint8(1), int64(1_700_000_000_000), int64(1))
	f.Add(1e-320, 3e-320, uint8(3), uint8(2), int64(-1e14), int64(2e14))
	f.Add(1e16, 1e16+2, uint8(2), uint8(0), int64(1_762_000_000_000), int64(86_400_000*200))
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Manila", "Pacific/Apia"} {
		if zone, err := time.LoadLocation(name); err == nil {
			zones = append(zones, zone)
		}
	}
	f.Fuzz(func(t *testing.T, low, high float64, kind, units uint8, start, length int64) {
		if !finite(low) || !finite(high) || start < -maxTime || start > maxTime || length <= 0 || length > maxTime {
			return
		}
		a := Axis{Scale: Scale(kind >> 4 % 6), TickLabels: TickLabels(units % 3)}
		if kind&1 != 0 {
			a.Lower = Bound{BoundValue, low}
		}
		if kind&2 != 0 {
			a.Upper = Bound{BoundValue, high}
		}
		s := newScale(a, extent{min(low, high), max(low, high), leastOf(low, high), kind&4 != 0, kind&8 != 0}, 300)
		if len(s.ticks) > 700 {
			t.Fatalf("%d ticks", len(s.ticks))
		}
		for _, v := range []float64{low, high, 0, -1e300} {
			if at := s.part(v); math.IsNaN(at) {
				t.Fatalf("%v stands nowhere on [%v, %v]", v, s.lower, s.upper)
			}
		}
		for _, v := range s.ticks {
			if !v.minor && v.label == "" || math.IsNaN(v.value) || math.IsInf(v.value, 0) {
				t.Fatalf("tick %+v", v)
			}
		}
		ticks := timeTicks(start, start+length, zones[int(units)%len(zones)], 10)
		if len(ticks) > 40 || !slices.IsSortedFunc(ticks, func(a, b timeTick) int { return int(a.at - b.at) }) {
			t.Fatalf("%d time ticks: %v", len(ticks), ticks)
		}
		for _, v := range ticks {
			if v.at < start || v.at > start+length || v.label == "" {
				t.Fatal(fmt.Sprint("time tick ", v))
			}
		}
	})
}
