package algo_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pulse/detect/algo"
)

var seasonalKinds = []string{"seasonal", "auto"}

const monday = 1_704_067_200_000 // 2024-01-01

// weekly returns the starts per second in each of n minutes from monday on: a swing
// of four over the day, a third less on weekends, counts, and half a per cent
// that they have in common.
func weekly(n int, rate float64, zone *time.Location, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	values := make([]float64, n)
	for i := range values {
		at := time.UnixMilli(monday + int64(i)*60_000).In(zone)
		day := (float64(at.Hour()*60+at.Minute()) - 20*60) / 1440
		mean := rate * math.Exp(0.7*math.Cos(2*math.Pi*day)+0.2*math.Cos(4*math.Pi*day))
		into := min(1, float64(at.Hour()*60+at.Minute())/120) // days change within two hours
		switch at.Weekday() {
		case time.Saturday:
			mean *= 1 - 0.33*into
		case time.Sunday:
			mean *= 0.67
		case time.Monday:
			mean *= 0.67 + 0.33*into
		}
		values[i] = poisson(r, mean*60*math.Exp(0.005*r.NormFloat64())) / 60
	}
	return values
}

// pages feeds a minute at a time and returns those at which out begins.
func pages(d algo.Detector, values []float64) (at []int, causes []algo.Cause) {
	out := false
	for i, v := range values {
		verdict := d.Step(monday+int64(i+1)*60_000, v)
		if verdict.Out && !out {
			at, causes = append(at, i), append(causes, verdict.Cause)
		}
		out = verdict.Out
	}
	return at, causes
}

func factOf(t *testing.T, d algo.Detector, name string) float64 {
	t.Helper()
	v, ok := algo.Find(d.Facts(nil), name)
	if !ok {
		t.Fatalf("no fact %s", name)
	}
	return v
}

const week = 7 * 24 * 60 // minutes

func TestSeasonalPagesWhatHappensToAWeeklyStream(t *testing.T) {
	const at = 3*week + 2*24*60 + 11*60 // a Wednesday, as it rises
	cases := []struct {
		name   string
		rate   float64
		happen func(values []float64)
		within int // minutes; 0: must not page
		cause  algo.Cause
	}{
		{"nothing", 500, func([]float64) {}, 0, algo.CauseNone},
		{"drop of 10 %", 500, func(v []float64) { scale(v, at, at+40, 0.9) }, 3, algo.CauseDrop},
		{"drop of 20 %", 500, func(v []float64) { scale(v, at, at+40, 0.8) }, 3, algo.CauseDrop},
		{"half at a low volume", 10, func(v []float64) { scale(v, at, at+40, 0.45) }, 2, algo.CauseDrop},
		{"outage", 10, func(v []float64) { scale(v, at, at+40, 0) }, 1, algo.CauseDrop},
		{"outage at a high volume", 50_000, func(v []float64) { scale(v, at, at+40, 0) }, 1, algo.CauseDrop},
		{"spike", 500, func(v []float64) { scale(v, at, at+20, 1.4) }, 3, algo.CauseRise},
		{"frozen", 500, func(v []float64) {
			for i := at; i < at+40; i++ {
				v[i] = v[at-1]
			}
		}, 10, algo.CauseFrozen},
		{"leak to half", 500, func(v []float64) {
			for i := range 240 {
				v[at+i] *= 1 - 0.5*float64(i)/240
			}
		}, 240, algo.CauseDrift},
		{"deploy", 500, func(v []float64) { scale(v, at, at+2, 0.62) }, 0, algo.CauseNone},
		{"deploy within minutes", 500, func(v []float64) { scale(v, at, at+1, 0.8); scale(v, at+1, at+2, 0.6); scale(v, at+2, at+3, 0.8) }, 0, algo.CauseNone},
		{"gap", 500, func(v []float64) { scale(v, at, at+9, nan); scale(v, at+9, at+10, 0.6) }, 0, algo.CauseNone},
		{"lost samples", 500, func(v []float64) {
			for i := at; i < at+120; i += 7 {
				v[i] = nan
			}
		}, 0, algo.CauseNone},
		{"another level for a day", 500, func(v []float64) { // from midnight on, within two hours
			for i := range 24 * 60 {
				v[3*week+24*60+i] *= 1 - 0.2*min(1, float64(i)/120, float64(24*60-i)/120)
			}
		}, 0, algo.CauseNone},
	}
	for _, kind := range seasonalKinds {
		for _, c := range cases {
			values := weekly(4*week, c.rate, time.UTC, 1)
			c.happen(values)
			values = values[:3*week+4*24*60]
			got, causes := pages(newDetector(t, algo.Spec{Kind: kind}, 60_000), values)
			var late []int
			for k, i := range got {
				switch {
				case i < 3*week: // it still learns what a weekend is
				case c.within > 0 && i >= at && i < at+c.within && len(late) == 0 && causes[k] == c.cause:
					c.within = -1
				case c.within >= 0 || i < at:
					late = append(late, i-at)
				}
			}
			if c.within > 0 || len(late) > 0 {
				t.Errorf("%s, %s: pages %v minutes after, causes %v", kind, c.name, late, causes)
			}
		}
	}
}

func TestAutoChoosesTheSeason(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	noise, days := make([]float64, 3*week), make([]float64, 3*week)
	for i := range noise {
		noise[i] = 100 + 5*r.NormFloat64()
		days[i] = 100 + 40*math.Sin(2*math.Pi*float64(i)/1440) + 5*r.NormFloat64()
	}
	for _, c := range []struct {
		name   string
		values []float64
		hours  float64
	}{{"noise", noise, 0}, {"days", days, 24}, {"weeks", weekly(3*week, 200, time.UTC, 2), 168}} {
		d := newDetector(t, algo.Spec{Kind: "auto"}, 60_000)
		pages(d, c.values)
		if got := factOf(t, d, "season_hours"); got != c.hours {
			t.Errorf("%s: season of %v hours, want %v", c.name, got, c.hours)
		}
	}
	d := newDetector(t, algo.Spec{Kind: "seasonal", Params: map[string]any{"season": []any{"day"}}}, 60_000)
	pages(d, weekly(3*week, 200, time.UTC, 2))
	if got := factOf(t, d, "season_hours"); got != 24 {
		t.Errorf("asked for the day, season of %v hours", got)
	}
}

// TestSeasonalKnowsItsTimeZone feeds a stream by the clocks of Berlin over the last
// Sunday in March, when they are put forward.
func TestSeasonalKnowsItsTimeZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	values := weekly(14*week, 2000, berlin, 3)
	changed := int((time.Date(2024, 3, 31, 1, 0, 0, 0, time.UTC).UnixMilli() - monday) / 60_000)
	values = values[10*week : changed+3*24*60]
	missed := func(params map[string]any) float64 { // by how much on average
		d := newDetector(t, algo.Spec{Kind: "seasonal", Params: params}, 60_000)
		sum, n := 0.0, 0.0
		for i, v := range values {
			got := d.Step(monday+int64(10*week+i+1)*60_000, v)
			if i >= changed-10*week+60 {
				sum, n = sum+math.Abs(math.Log(got.Expected/v)), n+1
			}
		}
		return sum / n
	}
	with, without := missed(map[string]any{"timezone": "Europe/Berlin"}), missed(nil)
	if !(with < 0.015) || without < 1.5*with {
		t.Errorf("off by %.4f with the time zone and by %.4f without", with, without)
	}
}

// TestLearnWarmsUpFromCoarserSteps gives three weeks of five minutes or of hours, and
// then a day of minutes.
func TestLearnWarmsUpFromCoarserSteps(t *testing.T) {
	values := weekly(4*week, 800, time.UTC, 4)
	for _, width := range []int{5, 60} {
		d := newDetector(t, algo.Spec{Kind: "seasonal"}, 60_000)
		for i := 0; i < 3*week; i += width {
			sum := 0.0
			for _, v := range values[i : i+width] {
				sum += v
			}
			d.(algo.Learner).Learn(monday+int64(i+width)*60_000, sum/float64(width), int64(width)*60_000)
		}
		worst, out := 0.0, false
		for i := 3 * week; i < 3*week+30*60; i++ {
			v := values[i]
			if i >= 3*week+26*60 {
				v *= 0.75
			}
			got := d.Step(monday+int64(i+1)*60_000, v)
			if i >= 3*week+12*60 && i < 3*week+26*60 {
				worst = max(worst, math.Abs(math.Log(got.Expected/v)))
				if got.Out {
					t.Fatalf("width %d: out %d minutes after", width, i-3*week)
				}
			}
			out = out || got.Out
		}
		if !(worst < 0.05) || !out {
			t.Errorf("width of %d minutes: off by %.3f, a drop of 25 %% found: %v", width, worst, out)
		}
	}
}

// TestSeasonalTakesAnyValues feeds ratios, negative values and latencies at steps
// from 100 ms to an hour.
func TestSeasonalTakesAnyValues(t *testing.T) {
	for _, step := range []int64{100, 1000, 10_000, 60_000, 420_000, 3_600_000} {
		for name, value := range map[string]func(wave, noise float64) float64{
			"ratio":    func(w, e float64) float64 { return 0.02 + 0.01*w + 0.001*e },
			"negative": func(w, e float64) float64 { return -5 + 10*w + e },
			"latency":  func(w, e float64) float64 { return 180 * math.Exp(0.3*w+0.05*e) },
			"zeros":    func(w, e float64) float64 { return math.Max(0, math.Round(w+e)) },
		} {
			r := rand.New(rand.NewPCG(6, uint64(step)))
			d := newDetector(t, algo.Spec{Kind: "auto"}, step)
			n := min(4000, int(30*86_400_000/step))
			count, out := 0, false
			for i := range n {
				at := monday + int64(i+1)*step
				got := d.Step(at, value(math.Sin(2*math.Pi*float64(at)/86_400_000), r.NormFloat64()))
				if got.Out && !out {
					count++
				}
				out = got.Out
				if got.Lower > got.Expected || got.Upper < got.Expected || math.IsInf(got.Upper, 0) {
					t.Fatalf("%s at steps of %d ms: %+v", name, step, got)
				}
			}
			if count > 8 {
				t.Errorf("%s at steps of %d ms: %d pages", name, step, count)
			}
		}
	}
}

func TestSeasonalStepDoesNotAllocate(t *testing.T) {
	values := weekly(2*week, 300, time.UTC, 7)
	for _, kind := range seasonalKinds {
		d := newDetector(t, algo.Spec{Kind: kind, Params: map[string]any{"timezone": "America/New_York"}}, 60_000)
		pages(d, values)
		i := len(values)
		if n := testing.AllocsPerRun(1500, func() { // two rounds of fits
			i++
			d.Step(monday+int64(i)*60_000, values[i%len(values)])
		}); n != 0 {
			t.Errorf("%s: %v allocations per step", kind, n)
		}
	}
}

func TestSensitivityIsTheThresholdByAnotherName(t *testing.T) {
	threshold := func(params map[string]any) float64 {
		return factOf(t, newDetector(t, algo.Spec{Kind: "auto", Params: params}, 60_000), algo.FactThreshold)
	}
	usual := threshold(nil)
	if got := threshold(map[string]any{"sensitivity": 0.5}); math.Abs(got-usual) > 1e-9 {
		t.Errorf("at a sensitivity of 0.5 the threshold is %v, want %v", got, usual)
	}
	if less, more := threshold(map[string]any{"sensitivity": 0}), threshold(map[string]any{"sensitivity": 1}); !(more < usual && usual < less) {
		t.Errorf("thresholds %v, %v, %v at sensitivities of 0, 0.5, 1", less, usual, more)
	}
}
