package algo_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pulse/detect/algo"
)

// A day that comes to another level within an hour or so and leaves it again the
// same way is seldom taken for an incident, at whatever time of the day it comes.
func TestRampsAreSeldomPaged(t *testing.T) {
	cases := []struct {
		name   string
		rate   float64
		ramp   int // minutes
		factor float64
		most   int // of twelve days that may page
	}{
		{"up by a quarter within 45 minutes", 5000, 45, 1.25, 1},
		{"down by 15 % within an hour, few events", 300, 60, 0.85, 1},
		{"down by a quarter within an hour and a half, few events", 300, 90, 0.75, 4},
	}
	const at = 3*week + 2*24*60
	for _, c := range cases {
		paged := 0
		for hour := 0; hour < 24; hour += 2 {
			values, begin := weekly(4*week, c.rate, time.UTC, uint64(hour)), at+60*hour
			for i := range 1440 {
				values[begin+i] *= 1 + (c.factor-1)*min(1, float64(min(i, 1440-i))/float64(c.ramp))
			}
			got, _ := pages(newDetector(t, algo.Spec{Kind: "auto"}, 60_000), values[:begin+1440])
			if len(got) > 0 && got[len(got)-1] >= begin {
				paged++
			}
		}
		if paged > c.most {
			t.Errorf("%s: %d of 12 days paged", c.name, paged)
		}
	}
}

// A fall that begins with the day, or within half an hour, is a holiday, however many hours it
// takes; one to a half is a leak.
func TestAFallThatBeginsWithTheDay(t *testing.T) {
	const at = 3*week + 2*24*60 + 30
	for _, rate := range []float64{100, 3000} {
		for _, hours := range []int{3, 4, 6} {
			for _, factor := range []float64{0.8, 0.5} {
				paged := 0
				for seed := range uint64(6) {
					values := weekly(4*week, rate, time.UTC, seed)
					for i := range 8 * 60 {
						values[at+i] *= 1 + (factor-1)*min(1, float64(i)/float64(60*hours))
					}
					got, _ := pages(newDetector(t, algo.Spec{Kind: "auto"}, 60_000), values[:at+8*60])
					if len(got) > 0 && got[len(got)-1] >= at {
						paged++
					}
				}
				if factor == 0.8 && hours < 6 && paged > 1 || factor == 0.5 && paged < 6 {
					t.Errorf("%v events a second, to %v within %d hours: %d of 6 paged", rate, factor, hours, paged)
				}
			}
		}
	}
}

// A working day that goes the way of a Saturday is no fall, though it be one against
// the course of a working day and waver a little.
func TestADayOffIsNoFall(t *testing.T) {
	const at = 3*week + 2*24*60
	for _, seed := range []uint64{2, 8} {
		for _, factor := range []float64{0.9, 1} {
			r := rand.New(rand.NewPCG(seed, 5))
			late, turn := 0.05*r.Float64(), 60+20*float64(seed%3)
			values := make([]float64, at+1440)
			for i := range values {
				day, x := i/1440%7, float64(i%1440)/1440
				busy := 0.8 * math.Cos(2*math.Pi*(x-0.8))
				calm := 0.3*math.Cos(2*math.Pi*(x-0.85-late)) + 0.2*math.Cos(4*math.Pi*(x-0.6-late))
				off, in := 0.0, min(1, 12*x) // days change within two hours
				switch {
				case i >= at:
					off = min(in, 12*(1-x))
					calm += math.Log1p((factor - 1) * off)
					busy += math.Log1p((factor - 1) * off)
				case day == 5:
					off = in
				case day == 6:
					off = 1
				case day == 0 && i > 1440:
					off = 1 - in
				}
				log := (1-off)*busy + off*calm + 0.005*r.NormFloat64() + 0.02*math.Sin(float64(i)/turn+float64(seed))
				values[i] = poisson(r, 60*40*math.Exp(log)) / 60
			}
			got, causes := pages(newDetector(t, algo.Spec{Kind: "auto"}, 60_000), values)
			if n := len(got); n > 0 && got[n-1] >= at {
				t.Errorf("seed %d, %v of the level: %v %d minutes into the day", seed, factor, causes[n-1], got[n-1]-at)
			}
		}
	}
}

// An odd day ends as it began, in its own time: after a quiet day and a busy one, the fall in the
// last hours leads back to where the stream lay before, and one that leads further is a leak.
func TestAnOddDayEnds(t *testing.T) {
	const at, quiet = 3*week + 2*24*60, 0.85
	for _, c := range []struct {
		hours int
		to    float64 // of the usual level, at the end
		paged bool
	}{{2, quiet, false}, {3, quiet, false}, {4, quiet, false}, {4, 0.6, true}} {
		for _, rate := range []float64{200, 3000} {
			paged := 0
			for seed := range uint64(6) {
				values := weekly(4*week, rate, time.UTC, seed)
				for i := range 1440 {
					values[at+i-1440] *= 1 + (quiet-1)*min(1, float64(i)/180)
				}
				for i := range 1500 {
					from := quiet + 0.2*min(1, float64(i)/180)
					share := max(0, min(1, float64(i-1440+60*c.hours)/float64(60*c.hours)))
					values[at+i] *= from + (c.to-from)*share
				}
				got, _ := pages(newDetector(t, algo.Spec{Kind: "auto"}, 60_000), values[:at+1500])
				if len(got) > 0 && got[len(got)-1] >= at {
					paged++
				}
			}
			if !c.paged && paged > 0 || c.paged && paged < 6 {
				t.Errorf("%v events a second, within %d hours to %v: %d of 6 paged", rate, c.hours, c.to, paged)
			}
		}
	}
}
