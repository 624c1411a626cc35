package gen_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"pulse/bench/gen"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
	monday = 1_704_067_200_000 // 2024-01-01
)

func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

func TestSampleDependsOnItsTimeAlone(t *testing.T) {
	a, b := gen.NewService(7, gen.Options{}), gen.NewService(7, gen.Options{})
	for at := int64(monday + 1000*10_000); at > monday; at -= 10_000 * 100 {
		a.Step(at)
	}
	if got, want := a.Step(monday+10_000), b.Step(monday+10_000); !reflect.DeepEqual(got, want) {
		t.Errorf("after other steps %v, want %v", got, want)
	}
	if reflect.DeepEqual(gen.NewService(8, gen.Options{}).Step(monday), b.Step(monday)) {
		t.Error("two seeds give the same sample")
	}
	total := 0.0
	for _, c := range b.Step(monday + 10_000) {
		total += float64(c.Starts) / 10
	}
	if got := b.Series(monday, monday+10_000, "", "")[0]; got != total {
		t.Errorf("Series says %v, Step says %v", got, total)
	}
}

func TestTheDayHasItsShape(t *testing.T) {
	for _, swing := range []float64{3, 5, 8} {
		s := gen.NewService(1, gen.Options{Regions: []string{"eu"}, Step: minute, Swing: swing, Daily: -1, Wander: -1})
		low, high := math.Inf(1), 0.0
		for at := int64(monday + day); at < monday+2*day; at += 10 * minute {
			r := s.Expected(at, "", "")
			low, high = min(low, r), max(high, r)
		}
		if got := high / low; math.Abs(got-swing) > 0.05*swing {
			t.Errorf("swing of %v, want %v", got, swing)
		}
	}
	s := gen.NewService(1, gen.Options{Regions: []string{"eu"}, Weekend: 1.5, Daily: -1, Wander: -1})
	noon := int64(monday + 12*hour)
	if got := s.Expected(noon+5*day, "", "") / s.Expected(noon, "", ""); math.Abs(got-1.5) > 1e-9 {
		t.Errorf("Saturday is %v times Monday, want 1.5", got)
	}
	if got := s.Expected(noon+7*day, "", "") / s.Expected(noon, "", ""); math.Abs(got-1) > 1e-9 {
		t.Errorf("the next Monday is %v times this one, want 1", got)
	}
}

// TestCountsAreOverDispersed compares mean and variance of counts with what
// the options promise.
func TestCountsAreOverDispersed(t *testing.T) {
	for _, starts := range []float64{5, 500, 100_000} {
		for _, dispersion := range []float64{-1, 0.01} {
			s := gen.NewService(3, gen.Options{
				Regions: []string{"eu"}, Devices: []string{"tv"}, Starts: starts, Step: 1000,
				Swing: 1, Weekend: 1, Daily: -1, Wander: -1, Dispersion: dispersion,
			})
			values := s.Series(monday, monday+20_000*1000, "", "")
			m, v := mean(values), 0.0
			for _, x := range values {
				v += (x - m) * (x - m) / float64(len(values)-1)
			}
			want := starts + max(dispersion, 0)*starts*starts
			if math.Abs(m-starts) > 4*math.Sqrt(want/20_000) {
				t.Errorf("mean %v, want %v", m, starts)
			}
			if v < 0.93*want || v > 1.07*want {
				t.Errorf("starts %v, dispersion %v: variance %v, want %v", starts, dispersion, v, want)
			}
		}
	}
}

func TestIncidents(t *testing.T) {
	quiet := gen.Options{Starts: 5000, Step: minute, Daily: -1, Wander: -1, Dispersion: -1}
	start := int64(monday + 20*hour)
	// ratio compares starts in (from, to] with the same service unharmed.
	ratio := func(i gen.Incident, from, to int64, region string) float64 {
		calm, hurt := gen.NewService(5, quiet), gen.NewService(5, quiet)
		i.Start = start
		hurt.Inject(i)
		return mean(hurt.Series(start+from, start+to, region, "")) / mean(calm.Series(start+from, start+to, region, ""))
	}
	f := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.02 {
			t.Errorf("%s: %.3f of the usual starts, want %.3f", name, got, want)
		}
	}
	half := gen.Incident{Kind: gen.Drop, Depth: 0.5, Duration: hour}
	f("before a drop", ratio(half, -hour, 0, ""), 1)
	f("during a drop", ratio(half, 0, hour, ""), 0.5)
	f("after a drop", ratio(half, hour, 2*hour, ""), 1)
	f("an endless outage", ratio(gen.Incident{Kind: gen.Drop, Depth: 1}, 0, 9*hour, ""), 0)
	f("a leak at its end", ratio(gen.Incident{Kind: gen.Leak, Depth: 0.4, Duration: 2 * hour}, 110*minute, 2*hour, ""), 1-0.4*115/120)
	f("a spike", ratio(gen.Incident{Kind: gen.Spike, Depth: 2, Duration: hour}, 0, hour, ""), 3)
	f("a shift", ratio(gen.Incident{Kind: gen.Shift, Depth: -0.1}, 5*hour, 9*hour, ""), 0.9)
	lost := gen.Incident{Kind: gen.Drop, Depth: 1, Duration: hour, Region: "eu-west"}
	f("the region that is lost", ratio(lost, 0, hour, "eu-west"), 0)
	f("another region", ratio(lost, 0, hour, "us-east"), 1)
	over := gen.Incident{Kind: gen.Failover, Depth: 1, Duration: hour, Region: "eu-west"}
	f("the region that fails over", ratio(over, 0, hour, "eu-west"), 0)
	f("the sum of a failover", ratio(over, 0, hour, ""), 1)
	if got := ratio(over, 0, hour, "us-east"); got < 1.1 {
		t.Errorf("a region that takes over has %.3f of its starts", got)
	}

	s := gen.NewService(5, quiet)
	s.Inject(gen.Incident{Kind: gen.Frozen, Start: start, Duration: 10 * minute},
		gen.Incident{Kind: gen.Gap, Start: start + hour, Duration: 5 * minute},
		gen.Incident{Kind: gen.Lost, Start: start + 2*hour, Duration: 5 * hour, Depth: 0.2, Region: "us-east", Device: "tv"})
	frozen := s.Series(start-minute, start+11*minute, "", "")
	for i := 1; i <= 10; i++ {
		if frozen[i] != frozen[0] {
			t.Errorf("frozen step %d is %v, want %v", i, frozen[i], frozen[0])
		}
	}
	if frozen[11] == frozen[0] {
		t.Error("still frozen after the end")
	}
	for i, v := range s.Series(start+hour-minute, start+hour+6*minute, "", "") {
		if missing := i >= 1 && i <= 5; math.IsNaN(v) != missing {
			t.Errorf("step %d of the gap is %v", i, v)
		}
	}
	missing := 0
	for _, v := range s.Series(start+2*hour, start+7*hour, "us-east", "tv") {
		if math.IsNaN(v) {
			missing++
		}
	}
	if missing < 35 || missing > 85 {
		t.Errorf("%d of 300 steps lost, want about 60", missing)
	}
}

func TestErrorsAndLatencies(t *testing.T) {
	s := gen.NewService(9, gen.Options{Starts: 2000, Swing: 1})
	s.Inject(gen.Incident{Kind: gen.Errors, Start: monday + hour, Duration: hour, Depth: 0.1},
		gen.Incident{Kind: gen.Slow, Start: monday + hour, Duration: hour, Depth: 3})
	type sums struct{ starts, errors, nanos, count float64 }
	during := func(from int64) (out sums) {
		for at := from + 10_000; at <= from+hour; at += 10_000 {
			for _, c := range s.Step(at) {
				out.starts += float64(c.Starts)
				out.errors += float64(c.Errors)
				out.nanos += float64(c.Latency.TotalNanos)
				out.count += float64(c.Latency.Count)
				if c.Latency.Count != c.Starts || c.Errors > c.Starts {
					t.Fatalf("inconsistent cell %+v", c)
				}
				if c.Latency.Count > 0 && float64(c.Latency.MaxNanos) < float64(c.Latency.TotalNanos)/float64(c.Latency.Count)*0.99 {
					t.Fatalf("maximum below the mean: %+v", c)
				}
			}
		}
		return out
	}
	calm, hurt := during(monday), during(monday+hour)
	if got := calm.errors / calm.starts; got < 0.0018 || got > 0.0022 {
		t.Errorf("error rate %v, want 0.002", got)
	}
	if got := hurt.errors / hurt.starts; got < 0.1 || got > 0.104 {
		t.Errorf("error rate during errors %v, want 0.102", got)
	}
	if got := calm.nanos / calm.count / 1e6; got < 185 || got > 197 {
		t.Errorf("mean latency %v ms, want about 191", got)
	}
	if got := hurt.nanos / hurt.count / (calm.nanos / calm.count); got < 3.95 || got > 4.05 {
		t.Errorf("latency grew %v times, want 4", got)
	}
}

func TestPlan(t *testing.T) {
	kinds := []gen.Kind{gen.Drop, gen.Leak, gen.Shift, gen.Spike, gen.Frozen, gen.Failover,
		gen.Errors, gen.Slow, gen.Dip, gen.Gap, gen.Lost, gen.Holiday}
	plan := gen.Plan(4, monday, monday+28*day, 6*hour, kinds...)
	if len(plan) != len(kinds) {
		t.Fatalf("%d incidents, want %d", len(plan), len(kinds))
	}
	seen := map[gen.Kind]bool{}
	for n, i := range plan {
		seen[i.Kind] = true
		end, ends := i.End()
		if !ends || i.Start < monday || end > monday+28*day {
			t.Errorf("%+v is outside of the plan", i)
		}
		if n > 0 {
			if before, _ := plan[n-1].End(); i.Start < before+6*hour {
				t.Errorf("%+v comes too soon after %+v", i, plan[n-1])
			}
		}
	}
	if len(seen) != len(kinds) {
		t.Errorf("kinds %v", seen)
	}
	if !reflect.DeepEqual(plan, gen.Plan(4, monday, monday+28*day, 6*hour, kinds...)) {
		t.Error("the same seed gives another plan")
	}
	if got := gen.Plan(4, monday, monday+hour, hour, gen.Leak, gen.Leak); len(got) != 0 {
		t.Errorf("%v fit into an hour", got)
	}
	if !gen.Holiday.Benign() || gen.Drop.Benign() || gen.Slow.String() != "slow" || gen.Holiday.String() != "holiday" {
		t.Error("names or judgements of kinds are mixed up")
	}
}

func TestTotals(t *testing.T) {
	nan := math.NaN()
	got := gen.Totals([]float64{0.3, nan, 0.5, 0.1, 0.2}, 10_000, 3)
	for i, want := range []float64{3, nan, 8, 1, 3} {
		if got[i] != want && !(math.IsNaN(want) && math.IsNaN(got[i])) {
			t.Errorf("total %d is %v, want %v", i, got[i], want)
		}
	}
}

// Series beyond the courses have those of others, with tags of their own.
func TestFleetSharesCourses(t *testing.T) {
	f := gen.NewFleet(1, gen.FleetOptions{Series: 500, PerNode: 50, Steps: 8, Courses: 100, Apps: 3})
	apps := map[string]bool{}
	for i := range f.Len() {
		app, _ := f.Tags(i).Get("nf.app")
		apps[app] = true
		name, _ := f.Tags(i).Get("name")
		other, _ := f.Tags(i % 110).Get("name")
		if name != other {
			t.Fatalf("series %d is %s, that of its course %s", i, name, other)
		}
		for at := int64(monday); at < monday+80_000; at += 10_000 {
			if v, want := f.Value(i, at), f.Value(i%110, at); math.Float64bits(v) != math.Float64bits(want) {
				t.Fatalf("series %d has %v, that of its course %v", i, v, want)
			}
		}
	}
	if len(apps) != 3 {
		t.Errorf("applications %v", apps)
	}
}

func TestFleetBodies(t *testing.T) {
	f := gen.NewFleet(1, gen.FleetOptions{Series: 2300, PerNode: 500, Steps: 8})
	if f.Nodes() != 5 || f.Len() != 2300 {
		t.Fatalf("%d nodes, %d series", f.Nodes(), f.Len())
	}
	const at = monday + 3*10_000
	seen, series := 0, map[string]bool{}
	for node := range f.Nodes() {
		body, points := f.AppendBody([]byte("x"), node, at)
		var got struct {
			Tags    map[string]string
			Metrics []struct {
				Tags      map[string]string
				Timestamp int64
				Value     float64
			}
		}
		if err := json.Unmarshal(body[1:], &got); err != nil {
			t.Fatalf("node %d: %v", node, err)
		}
		if len(got.Metrics) != points {
			t.Errorf("node %d: %d metrics, said %d", node, len(got.Metrics), points)
		}
		i := node * 500
		for _, m := range got.Metrics {
			for math.IsNaN(f.Value(i, at)) {
				i++
			}
			for k, v := range got.Tags {
				m.Tags[k] = v
			}
			if want := f.Tags(i).Map(); !reflect.DeepEqual(m.Tags, want) {
				t.Fatalf("series %d has tags %v, want %v", i, m.Tags, want)
			}
			if m.Value != f.Value(i, at) || m.Timestamp != at {
				t.Fatalf("series %d: %v at %d, want %v at %d", i, m.Value, m.Timestamp, f.Value(i, at), int64(at))
			}
			series[f.Tags(i).String()] = true
			i, seen = i+1, seen+1
		}
	}
	if len(series) != seen {
		t.Errorf("%d points, but %d different series", seen, len(series))
	}
}

// TestClassesAreDealtByWeight: the mix of a fleet is the mix of the classes.
func TestClassesAreDealtByWeight(t *testing.T) {
	want, total := map[string]int{}, 0
	for _, c := range gen.Classes() {
		if c.Weight <= 0 || want["app."+c.Name] != 0 {
			t.Errorf("class %q has weight %d, or is there twice", c.Name, c.Weight)
		}
		want["app."+c.Name] = c.Weight
		total += c.Weight
	}
	f := gen.NewFleet(1, gen.FleetOptions{Series: total, Steps: 2})
	got := map[string]int{}
	for i := range f.Len() {
		name, _ := f.Tags(i).Get("name")
		got[name]++
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("dealt %v, want %v", got, want)
	}
}
