// Package gen makes data for demonstrations, benchmarks and judges of
// detectors: a streaming service with its starts, errors and latencies, in
// which things go wrong at known times, and the mix of series that a fleet of
// applications publishes. Everything follows from a seed.
package gen

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// Options describes a service. The zero value of a field means its default.
type Options struct {
	Regions []string // default us-east, us-west, eu-west, sa-east
	Devices []string // default tv, phone, web, console
	Step    int64    // ms between samples; default 10 s

	Starts  float64 // per second over the whole service, in the middle of the day; default 1200
	Day     int64   // length of a day in ms; default 24 h, a demonstration takes minutes
	Swing   float64 // peak of the day ÷ its trough; default 5
	Weekend float64 // factor on weekends; default 1.15
	Growth  float64 // per week, as a part; default 0
	Daily   float64 // how much days differ, deviation of the logarithm; default 0.02, negative = 0
	Wander  float64 // slow wander, deviation of the logarithm; default 0.02, negative = 0

	Dispersion float64 // of counts: variance = mean + Dispersion·mean²; default 0.0004, negative = 0
	ErrorRate  float64 // part of starts that fails; default 0.002, negative = 0
	LatencyMs  float64 // median time of a start; default 180
}

func (o Options) withDefaults() Options {
	set := func(v *float64, otherwise float64) {
		if *v == 0 {
			*v = otherwise
		}
		*v = max(*v, 0)
	}
	if len(o.Regions) == 0 {
		o.Regions = []string{"us-east", "us-west", "eu-west", "sa-east"}
	}
	if len(o.Devices) == 0 {
		o.Devices = []string{"tv", "phone", "web", "console"}
	}
	if o.Step <= 0 {
		o.Step = 10_000
	}
	if o.Day <= 0 {
		o.Day = 86_400_000
	}
	set(&o.Starts, 1200)
	set(&o.Swing, 5)
	set(&o.Weekend, 1.15)
	set(&o.Daily, 0.02)
	set(&o.Wander, 0.02)
	set(&o.Dispersion, 0.0004)
	set(&o.ErrorRate, 0.002)
	set(&o.LatencyMs, 180)
	o.Swing, o.Weekend = max(o.Swing, 1), max(o.Weekend, 0.01)
	return o
}

// Timer is what a client's timer knows about one step.
type Timer struct {
	Count         int64
	TotalNanos    int64
	SquaresNanos2 float64 // sum of the squares
	MaxNanos      int64
}

// Cell is one region and device in one step.
type Cell struct {
	Region, Device string
	Missing        bool  // nothing was reported
	Starts         int64 // attempts, failed ones included
	Errors         int64
	Latency        Timer
}

// Service is a streaming service. A sample depends on the seed, the options,
// the injected incidents and its time, and on nothing that was asked before.
// It is safe for concurrent use.
type Service struct {
	options Options
	cells   []cell

	mu        sync.RWMutex
	incidents []Incident
}

// cell is the unchanging part of a Cell.
type cell struct {
	region, device string
	curve          curve
	counts, timers noise
}

// NewService returns a service in which nothing has gone wrong yet.
func NewService(seed uint64, o Options) *Service {
	s := &Service{options: o.withDefaults()}
	o = s.options
	root := noise(mix(seed + 1))
	regionShares, deviceShares := shares(len(o.Regions)), shares(len(o.Devices))
	for i, region := range o.Regions {
		regional := root.child(uint64(i))
		for j, device := range o.Devices {
			own := regional.child(uint64(j))
			s.cells = append(s.cells, cell{
				region: region, device: device,
				counts: own.child(1), timers: own.child(2),
				curve: curve{
					level: o.Starts * regionShares[i] * deviceShares[j],
					swing: o.Swing, day: float64(o.Day), phase: 0.29 * float64(i) / float64(len(o.Regions)),
					weekend: o.Weekend, growth: o.Growth, daily: o.Daily, wander: o.Wander,
					// Days are alike in all of a region, the wander is a cell's own.
					days: regional.child(3), wanders: own.child(4), ripples: own.child(5),
				},
			})
		}
	}
	return s
}

// shares returns n falling parts of 1.
func shares(n int) []float64 {
	out := make([]float64, n)
	total := 0.0
	for i := range out {
		out[i] = 1 / (1 + 0.6*float64(i))
		total += out[i]
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

// Options returns the options with their defaults filled in.
func (s *Service) Options() Options { return s.options }

// Inject lets incidents happen, now or at any time, past or future.
func (s *Service) Inject(incidents ...Incident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incidents = append(s.incidents, incidents...)
}

// Incidents returns everything that was injected, in the order it was.
func (s *Service) Incidents() []Incident {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.incidents)
}

// Expected returns the expected starts per second at t of the cells that match
// region and device ("" = all), as they would be without incidents.
func (s *Service) Expected(t int64, region, device string) float64 {
	total := 0.0
	for i := range s.cells {
		if c := &s.cells[i]; matches(c, region, device) {
			total += c.curve.at(t - s.options.Step/2)
		}
	}
	return total
}

func matches(c *cell, region, device string) bool {
	return (region == "" || region == c.region) && (device == "" || device == c.device)
}

// Step returns what happened in (t-step, t], one cell per region and device,
// in the order of the options.
func (s *Service) Step(t int64) []Cell {
	incidents := s.Incidents()
	out := make([]Cell, len(s.cells))
	for i := range s.cells {
		out[i] = s.cell(&s.cells[i], t, incidents)
	}
	return out
}

// Series returns the starts per second of the cells that match region and
// device ("" = all), summed, for the steps start+step to end. A step in which
// no cell reported is NaN.
func (s *Service) Series(start, end int64, region, device string) []float64 {
	incidents := s.Incidents()
	seconds := float64(s.options.Step) / 1000
	var out []float64
	for t := start + s.options.Step; t <= end; t += s.options.Step {
		starts, reported := int64(0), false
		for i := range s.cells {
			c := &s.cells[i]
			if !matches(c, region, device) {
				continue
			}
			if n, missing := s.starts(c, t, incidents); !missing {
				starts, reported = starts+n, true
			}
		}
		v := math.NaN()
		if reported {
			v = float64(starts) / seconds
		}
		out = append(out, v)
	}
	return out
}

// Totals returns what a counter of such rates would show at each step: the sum
// so far, beginning anew at the given positions. NaN stays NaN.
func Totals(rates []float64, step int64, restarts ...int) []float64 {
	out := make([]float64, len(rates))
	total := 0.0
	for i, v := range rates {
		if slices.Contains(restarts, i) {
			total = 0
		}
		if out[i] = v; !math.IsNaN(v) {
			total += math.Round(v * float64(step) / 1000)
			out[i] = total
		}
	}
	return out
}

func (s *Service) cell(c *cell, t int64, incidents []Incident) Cell {
	out := Cell{Region: c.region, Device: c.device}
	if out.Starts, out.Missing = s.starts(c, t, incidents); out.Missing {
		return out
	}
	failing, slow := s.options.ErrorRate, 1.0
	for _, i := range incidents {
		if i.covers(t) && i.hits(c.region, c.device) {
			switch i.Kind {
			case Errors:
				failing += i.Depth
			case Slow:
				slow *= 1 + i.Depth
			}
		}
	}
	r := c.timers.rand(t)
	out.Errors = min(out.Starts, poisson(r, float64(out.Starts)*min(failing, 1)))
	out.Latency = latencies(r, out.Starts, s.options.LatencyMs*slow*1e6)
	return out
}

// starts draws the starts of a cell in (t-step, t].
func (s *Service) starts(c *cell, t int64, incidents []Incident) (n int64, missing bool) {
	seconds := float64(s.options.Step) / 1000
	mean := c.curve.at(t-s.options.Step/2) * seconds
	for _, i := range incidents {
		switch {
		case !i.covers(t):
		case i.Kind == Failover:
			mean *= s.failover(i, c, t)
		case !i.hits(c.region, c.device):
		case i.Kind == Gap, i.Kind == Lost && c.counts.child(9).rand(t).Float64() < i.Depth:
			return 0, true
		case i.Kind == Frozen:
			before := slices.DeleteFunc(slices.Clone(incidents), func(o Incident) bool { return o == i })
			steps := (t - i.Start + s.options.Step - 1) / s.options.Step
			return s.starts(c, t-steps*s.options.Step, before)
		default:
			mean *= i.factor(t)
		}
	}
	return count(c.counts.rand(t), mean, s.options.Dispersion), false
}

// failover returns the factor on a cell while Depth of the load of a region
// goes to the others, device by device.
func (s *Service) failover(i Incident, c *cell, t int64) float64 {
	if i.hits(c.region, c.device) {
		return max(0, 1-i.Depth)
	}
	moved, others := 0.0, 0.0
	for j := range s.cells {
		o := &s.cells[j]
		if o.device != c.device {
			continue
		}
		rate := o.curve.at(t - s.options.Step/2)
		if i.hits(o.region, o.device) {
			moved += rate * i.Depth
		} else {
			others += rate
		}
	}
	return 1 + moved/others
}

// latencies draws the timer of n starts around a median, log-normal. Few are
// drawn one by one; of many the sums are drawn as a whole.
func latencies(r *rand.Rand, n int64, medianNanos float64) Timer {
	const sigma, few = 0.35, 32
	out := Timer{Count: n}
	if n <= few {
		for range n {
			x := math.Round(medianNanos * math.Exp(sigma*r.NormFloat64()))
			out.TotalNanos += int64(x)
			out.SquaresNanos2 += x * x
			out.MaxNanos = max(out.MaxNanos, int64(x))
		}
		return out
	}
	mean := medianNanos * math.Exp(sigma*sigma/2)
	spread := math.Sqrt(math.Expm1(sigma * sigma))
	total := mean * float64(n) * max(0.1, 1+spread*r.NormFloat64()/math.Sqrt(float64(n)))
	out.TotalNanos = int64(total)
	out.SquaresNanos2 = math.Round(total * total / float64(n) * (1 + spread*spread))
	// The largest of n is at the quantile u^(1/n).
	quantile := min(math.Exp(math.Log(1-r.Float64())/float64(n)), 1-1e-12)
	out.MaxNanos = int64(medianNanos * math.Exp(sigma*math.Sqrt2*math.Erfinv(2*quantile-1)))
	return out
}
