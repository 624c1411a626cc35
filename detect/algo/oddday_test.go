package algo_test

import (
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
