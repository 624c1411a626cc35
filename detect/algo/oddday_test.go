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
