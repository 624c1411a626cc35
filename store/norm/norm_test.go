package norm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pulse/store/norm"
)

func rate(step, heartbeat int64) func(*norm.State, int64, float64) (norm.Emit, bool) {
	p := norm.Params{Step: step, Heartbeat: heartbeat}
	return func(s *norm.State, t int64, v float64) (norm.Emit, bool) { return s.Rate(p, t, v) }
}

func counter(step, heartbeat int64) func(*norm.State, int64, float64) (norm.Emit, bool) {
	p := norm.Params{Step: step, Heartbeat: heartbeat}
	return func(s *norm.State, t int64, v float64) (norm.Emit, bool) { return s.Counter(p, t, v) }
}

type point struct {
	t int64
	v float64
}

// points lists what an Emit stands for.
func points(e norm.Emit, step int64) []point {
	if e.N == 0 {
		return nil
	}
	out := []point{{e.First, e.FirstValue}}
	for i := range e.Count {
		out = append(out, point{e.First + (i+1)*step, e.Value})
	}
	if len(out) != e.N {
		panic(fmt.Sprintf("N is %d, but %d steps follow", e.N, len(out)))
	}
	return out
}

// TestSteadySenderOffTheBoundary is a sender that reports every 10 s at :07,
// some milliseconds early or late, a true rate of 100.
func TestSteadySenderOffTheBoundary(t *testing.T) {
	for _, v := range []float64{100, 1.0 / 60, 0.1, 12.7, 1e300, 5e-324} {
		rng := rand.New(rand.NewPCG(7, 7))
		var s norm.State
		next := int64(1_700_000_010_000)
		first := true
		for i := range 1000 {
			at := 1_700_000_007_000 + int64(i)*10_000 + rng.Int64N(41) - 20
			e, changed := s.Rate(norm.Params{Step: 10_000}, at, v)
			if !changed {
				t.Fatalf("report %d at %d was ignored", i, at)
			}
			for _, p := range points(e, 10_000) {
				if first {
					first = false // the step before the first report is covered in part only
					continue
				}
				if p.t != next || p.v != v {
					t.Fatalf("report %d at %d gives %v at %d, want %v at %d", i, at, p.v, p.t, v, next)
				}
				next += 10_000
			}
		}
		if want := int64(1_700_000_010_000 + 999*10_000); next != want {
			t.Fatalf("the next step is %d, want %d", next, want)
		}
	}
}

// TestRateKeepsTheArea compares any sequence of joined reports with the area
// under its curve.
func TestRateKeepsTheArea(t *testing.T) {
	const step = 10_000
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var s norm.State
		at, area, got := int64(0), 0.0, 0.0
		s.Rate(norm.Params{Step: step}, at, 5)
		for range 100 {
			v, gap := float64(rng.IntN(1000))/7, rng.Int64N(25_000)+1
			at += gap
			e, _ := s.Rate(norm.Params{Step: step}, at, v)
			area += v * float64(gap) / 1000
			for _, p := range points(e, step) {
				got += p.v * step / 1000
			}
		}
		rest := step - at%step // a last report at the end of the open step, adding nothing
		if rest != step {
			e, _ := s.Rate(norm.Params{Step: step}, at+rest, 0)
			for _, p := range points(e, step) {
				got += p.v * step / 1000
			}
		}
		if math.Abs(got-area) > 1e-9*area {
			t.Fatalf("area %v, want %v", got, area)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	f := func(heartbeat, gap int64, want ...point) {
		t.Helper()
		var s norm.State
		step := rate(10_000, heartbeat)
		step(&s, 7000, 100)
		e, _ := step(&s, 7000+gap, 100)
		got := points(e, 10_000)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("heartbeat %d, gap %d: %v, want %v", heartbeat, gap, got, want)
		}
	}
	f(0, 10_020, point{10_000, 100})
	f(0, 20_000, point{10_000, 100}, point{20_000, 100})
	f(0, 25_000, point{10_000, 100}, point{20_000, 100}, point{30_000, 100})
	f(0, 25_001, point{30_000, 100 * 7999.0 / 10_000})
	f(norm.AtlasHeartbeat(norm.Rate, 10_000), 10_000, point{10_000, 100})
	f(norm.AtlasHeartbeat(norm.Rate, 10_000), 10_020, point{10_000, 100 * 2980.0 / 10_000})
	f(1, 3000, point{10_000, 100}) // never shorter than a step

	if got := norm.AtlasHeartbeat(norm.Counter, 10_000); got != 120_000 {
		t.Errorf("counter below a minute: %d", got)
	}
	if got := norm.AtlasHeartbeat(norm.Counter, 60_000); got != 120_000 {
		t.Errorf("counter at a minute: %d", got)
	}
	if got := norm.Heartbeat(100); got != 250 {
		t.Errorf("heartbeat of 100 ms: %d", got)
	}
}

func TestCounter(t *testing.T) {
	f := func(step int64, in []point, want ...point) {
		t.Helper()
		var s norm.State
		var got []point
		for _, p := range in {
			e, _ := counter(step, 0)(&s, p.t, p.v)
			got = append(got, points(e, step)...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v gives %v, want %v", in, got, want)
		}
	}
	const s = 1000
	f(10*s, []point{{10 * s, 500}})
	f(10*s, []point{{10 * s, 500}, {20 * s, 620}, {30 * s, 5}, {40 * s, 45}},
		point{20 * s, 120}, point{30 * s, 0}, point{40 * s, 40})
	// Off the boundary: growth is shared out by time.
	f(10*s, []point{{7 * s, 0}, {17 * s, 100}, {27 * s, 200}}, point{10 * s, 30}, point{20 * s, 100})
	// A lost report: two steps share its growth.
	f(10*s, []point{{10 * s, 0}, {30 * s, 50}}, point{20 * s, 25}, point{30 * s, 25})
	// Several reports in a step.
	f(10*s, []point{{10 * s, 0}, {12 * s, 3}, {15 * s, 4}, {20 * s, 9}}, point{20 * s, 9})
	// Beyond the heartbeat only the last step's share is known well enough.
	f(10*s, []point{{10 * s, 0}, {110 * s, 1000}, {120 * s, 1001}}, point{110 * s, 100}, point{120 * s, 1})
	f(10*s, []point{{10 * s, 0}, {115 * s, 1050}, {125 * s, 1060}}, point{110 * s, 50}, point{120 * s, 55})
	// Repeated and out of order: nothing happens.
	f(10*s, []point{{10 * s, 0}, {20 * s, 7}, {20 * s, 8}, {15 * s, 1}, {30 * s, 9}}, point{20 * s, 7}, point{30 * s, 2})
	// Values that are no total.
	f(10*s, []point{{10 * s, 0}, {15 * s, math.NaN()}, {16 * s, math.Inf(1)}, {20 * s, 7}}, point{20 * s, 7})
	f(10*s, []point{{10 * s, -1e308}, {20 * s, 1e308}, {30 * s, 1e308}}, point{20 * s, 0}, point{30 * s, 0})
}

// TestCounterKeepsTheCount: the amounts of aligned reports are exactly the
// differences, and those of any reports add up to the growth.
func TestCounterKeepsTheCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const step = 10_000
	for _, aligned := range []bool{true, false} {
		var s norm.State
		at, total, got := int64(0), 0.0, 0.0
		s.Counter(norm.Params{Step: step}, 0, 0)
		for range 10_000 {
			grown := float64(rng.IntN(100_000))
			gap := int64(step)
			if !aligned {
				gap = rng.Int64N(25_000) + 1
			}
			at, total = at+gap, total+grown
			e, _ := s.Counter(norm.Params{Step: step}, at, total)
			for _, p := range points(e, step) {
				got += p.v
			}
			if aligned && (e.N != 1 || e.FirstValue != grown || e.First != at) {
				t.Fatalf("grew by %v, emitted %+v", grown, e)
			}
		}
		end := (at/step + 1) * step
		if e, _ := s.Counter(norm.Params{Step: step}, end, total); end != at {
			for _, p := range points(e, step) {
				got += p.v
			}
		}
		if math.Abs(got-total) > 1e-9*total {
			t.Errorf("aligned %v: amounts add up to %v, want %v", aligned, got, total)
		}
	}
}

func TestIgnoredReportsChangeNothing(t *testing.T) {
	var s norm.State
	if _, ok := s.Rate(norm.Params{Step: 10}, 0, math.NaN()); ok || s != (norm.State{}) {
		t.Errorf("NaN changed the state: %+v", s)
	}
	s.Rate(norm.Params{Step: 10}, 5, 1)
	was := s
	for _, at := range []int64{5, 4, -100} {
		if e, ok := s.Rate(norm.Params{Step: 10}, at, 9); ok || e.N != 0 || s != was {
			t.Errorf("report at %d: %+v, %v", at, e, ok)
		}
	}
}

// TestInfinityDoesNotStay: an infinite rate marks the steps that it touches
// and no others.
func TestInfinityDoesNotStay(t *testing.T) {
	var s norm.State
	step := rate(10, 0)
	step(&s, 5, math.Inf(1))
	step(&s, 15, 3)
	e, _ := step(&s, 25, 3)
	if e.FirstValue != 3 {
		t.Errorf("the step after reads %v", e.FirstValue)
	}
	e, _ = step(&s, 34, math.MaxFloat64)
	e, _ = step(&s, 45, -math.MaxFloat64)
	if math.IsInf(e.FirstValue, 0) || math.IsNaN(e.FirstValue) {
		t.Errorf("finite reports gave %v", e.FirstValue)
	}
}

func TestStateIsSmall(t *testing.T) {
	if size := reflect.TypeFor[norm.State]().Size(); size > 40 {
		t.Errorf("State takes %d bytes, want at most 40", size)
	}
}

func TestStateAllocatesNothing(t *testing.T) {
	var r, c norm.State
	p := norm.Params{Step: 10_000}
	at := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		at += 9_999
		r.Rate(p, at, 3)
		c.Counter(p, at, float64(at))
	}); n != 0 {
		t.Errorf("%v allocations per report", n)
	}
}

func TestKind(t *testing.T) {
	for _, k := range []norm.Kind{norm.Rate, norm.Counter, norm.Gauge, norm.Sum} {
		if got := norm.KindOf(k.String()); got != k {
			t.Errorf("KindOf(%q) = %v", k, got)
		}
	}
	for _, s := range []string{"", "Gauge", "histogram"} {
		if got := norm.KindOf(s); got != norm.Rate {
			t.Errorf("KindOf(%q) = %v, want rate", s, got)
		}
	}
}

func TestAddMax(t *testing.T) {
	nan := math.NaN()
	f := func(name string, got, want float64) {
		t.Helper()
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	f("1+2", norm.Add(1, 2), 3)
	f("NaN+2", norm.Add(nan, 2), 2)
	f("1+NaN", norm.Add(1, nan), 1)
	f("NaN+NaN", norm.Add(nan, nan), nan)
	f("max(1,2)", norm.Max(1, 2), 2)
	f("max(2,1)", norm.Max(2, 1), 2)
	f("max(NaN,-1)", norm.Max(nan, -1), -1)
	f("max(-1,NaN)", norm.Max(-1, nan), -1)
	f("max(NaN,NaN)", norm.Max(nan, nan), nan)
}

// BenchmarkState measures reports on the step and off it.
func BenchmarkState(b *testing.B) {
	for _, c := range []struct {
		name    string
		off     int64
		counter bool
	}{{"rate/aligned", 0, false}, {"rate/off", 7000, false}, {"counter/aligned", 0, true}, {"counter/off", 7000, true}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			p := norm.Params{Step: 10_000}
			states := make([]norm.State, 1024)
			at := c.off
			for i := 0; b.Loop(); i++ {
				if i&1023 == 0 {
					at += 10_000
				}
				if c.counter {
					states[i&1023].Counter(p, at, float64(at))
				} else {
					states[i&1023].Rate(p, at, 100)
				}
			}
		})
	}
}
