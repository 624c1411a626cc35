package gen_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pulse/bench/gen"
)

func few() gen.StreamsOptions { return gen.StreamsOptions{Minute: 3, Families: 1, Fine: 1, Weeks: 1} }

func TestStreamsFollowFromTheirSeed(t *testing.T) {
	a, b := gen.Streams(3, few()), gen.Streams(3, few())
	for i := range a {
		if !reflect.DeepEqual(a[i].Events, b[i].Events) || !slices.Equal(bits(a[i].Values()), bits(b[i].Values())) {
			t.Errorf("%s differs from itself", a[i].Name)
		}
	}
	if slices.Equal(bits(a[0].Values()), bits(a[1].Values())) || slices.Equal(bits(a[0].Values()), bits(gen.Streams(4, few())[0].Values())) {
		t.Error("two streams are alike")
	}
}

func bits(values []float64) []uint64 {
	out := make([]uint64, len(values))
	for i, v := range values {
		out[i] = math.Float64bits(v)
	}
	return out
}

func TestStreamsCoverAllVolumes(t *testing.T) {
	low, high, fine := 0, 0, 0
	for _, s := range gen.Streams(1, gen.StreamsOptions{}) {
		if s.Judged-s.Start != 21*day || s.End <= s.Judged || s.Start%s.Step != 0 {
			t.Errorf("%s learns from %d to %d and ends at %d", s.Name, s.Start, s.Judged, s.End)
		}
		if s.Level < 5 || s.Level > 200_000 {
			t.Errorf("%s has %v starts per second", s.Name, s.Level)
		}
		switch {
		case s.Step == 10_000:
			fine++
		case s.Level < 50:
			low++
		case s.Level > 5000:
			high++
		}
	}
	if low < 8 || high < 8 || fine != 8 {
		t.Errorf("%d streams below 50/s, %d above 5000/s, %d at 10 s", low, high, fine)
	}
}

// Events never overlap, come after the weeks of learning, and do what they say
// to the rate: the values around each are compared with those a week away.
func TestEventsDoWhatTheySay(t *testing.T) {
	seen := map[string]int{}
	for _, seed := range []uint64{1, 2} {
		for _, s := range gen.Streams(seed, gen.StreamsOptions{Minute: 8, Families: 1, Fine: -1}) {
			values := s.Values()
			last := s.Judged
			for _, e := range s.Events {
				if e.Start < last {
					t.Errorf("%s: %s begins at %d, before %d", s.Name, e.Class, e.Start, last)
				}
				over, ends := e.End()
				if last = over; !ends {
					last = e.Start + 12*hour
				}
				seen[e.Class]++
				if s.Level > 100 {
					check(t, s, values, e)
				}
			}
		}
	}
	for _, class := range []string{"drop", "leak", "shift", "spike", "frozen", "dip", "gap", "lost", "holiday", "restart",
		"region lost", "region lost with failover", "region of the sum lost", "failover on the sum"} {
		if seen[class] == 0 {
			t.Errorf("no %s", class)
		}
	}
}

func check(t *testing.T, s *gen.Stream, values []float64, e gen.Event) {
	t.Helper()
	at := func(from, to int64) []float64 { return values[(from-s.Start)/s.Step : (to-s.Start)/s.Step] }
	whole := s.Whole(&e)
	before := mean(at(e.Start-6*minute, e.Start-minute))
	end := min(whole+5*minute, e.Start+e.Duration)
	if e.Duration == 0 {
		end = whole + 5*minute
	}
	want := math.NaN()
	switch e.Class {
	case "dip", "lost", "holiday", "restart", "failover from elsewhere":
		return
	case "drop", "region lost", "region of the sum lost":
		want = 1 - e.Depth
	case "shift", "spike":
		want = 1 + e.Depth
	case "leak", "region lost with failover":
		whole, end, want = e.Start+e.Ramp-5*minute, e.Start+e.Ramp, 1-e.Depth
		if e.Duration-e.Fade-e.Ramp > 10*minute {
			whole, end = whole+10*minute, end+10*minute
		}
	case "failover on the sum":
		whole, end, want = e.Start+e.Duration-e.Fade-5*minute, e.Start+e.Duration-e.Fade, 1
	case "frozen":
		inside := at(whole, e.Start+e.Duration)
		for _, v := range inside {
			if v != inside[0] {
				t.Errorf("%s: frozen at %v and %v", s.Name, inside[0], v)
				return
			}
		}
		return
	case "gap":
		// The first report after it says something of the step before.
		for at := whole; at+2*s.Step < e.Start+e.Duration; at += s.Step {
			if v := values[(at-s.Start)/s.Step]; !math.IsNaN(v) {
				t.Errorf("%s: %v in a gap", s.Name, v)
			}
		}
		return
	}
	// Hours and slow ramps change the rate too, by something like a half per hour.
	slack := 0.08 + 0.6*float64(end-e.Start)/float64(hour)
	if got := mean(at(whole, end)) / before; !math.IsNaN(want) && math.Abs(math.Log((got+0.05)/(want+0.05))) > slack {
		t.Errorf("%s: %s of %v at %d leaves %.3f, want %.3f", s.Name, e.Class, e.Depth, e.Start, got, want)
	}
}

func TestASumIsItsRegions(t *testing.T) {
	streams := gen.Streams(2, gen.StreamsOptions{Minute: -1, Fine: -1, Families: 1, Weeks: 1})
	sum, regions := streams[len(streams)-1], streams[:len(streams)-1]
	if !strings.HasSuffix(sum.Name, "/sum") || len(regions) != 3 {
		t.Fatalf("a family of %d with %s", len(streams), sum.Name)
	}
	parts := make([][]float64, len(regions))
	for i, r := range regions {
		parts[i] = r.Values()
	}
	for i, v := range sum.Values() {
		if total := parts[0][i] + parts[1][i] + parts[2][i]; math.Abs(v-total) > 1e-9*v {
			t.Fatalf("step %d: the sum is %v, the regions have %v", i, v, total)
		}
	}
}

// Over all kinds of noise, what remains beside the course scatters at least as
// counts do and not many times as much.
func TestStreamsScatterAsCountsDo(t *testing.T) {
	for _, s := range gen.Streams(5, gen.StreamsOptions{Minute: 16, Families: -1, Fine: -1, Weeks: 1}) {
		if s.Level > 1000 || s.Level < 20 {
			continue
		}
		values := s.Values()[:10_000]
		squares, counts := 0.0, 0.0
		for i := 2; i < len(values); i++ {
			d := values[i] - 2*values[i-1] + values[i-2]
			squares, counts = squares+d*d/6*3600, counts+values[i-1]*60
		}
		if ratio := squares / counts; ratio < 0.2 || ratio > 40 {
			t.Errorf("%s at %.0f/s: variance ÷ mean of %.2f", s.Name, s.Level, ratio)
		}
	}
}

// A restart costs what one instance counted since its last report, at most a
// part of one or two steps, and a total that is reported more often than once a
// step costs less.
func TestRestartedTotalsLoseLittle(t *testing.T) {
	n := 0
	for seed := range uint64(3) {
		for _, s := range gen.Streams(seed, gen.StreamsOptions{Minute: 12, Families: -1, Fine: -1, Weeks: 2}) {
			if s.Level < 200 || !slices.ContainsFunc(s.Events, func(e gen.Event) bool { return e.Kind == gen.Restart }) {
				continue
			}
			values := s.Values()
			for _, e := range s.Events {
				if e.Kind != gen.Restart {
					continue
				}
				n++
				k := int((e.Start - s.Start) / s.Step)
				before := mean(values[k-10 : k-1])
				low := math.Inf(1)
				for _, v := range values[k-1 : k+3] {
					low = min(low, v/before)
				}
				switch {
				case e.Trial && low > 0.9, !e.Trial && low < 0.5:
					t.Errorf("%s: a restart at %d leaves %.2f of the rate (a whole step: %t)", s.Name, e.Start, low, e.Trial)
				case math.IsNaN(mean(values[k+3 : k+10])):
					t.Errorf("%s: no data after a restart", s.Name)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d restarts", n)
	}
}
