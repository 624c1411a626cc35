package gen

import (
	"math"
	"math/rand/v2"

	"pulse/store/norm"
)

// source is what one stream, or one region of a sum, counts.
type source struct {
	seed   noise
	course *course
	grain  grain
	events []Event // that change what is counted here
	taken  []taking

	instances int   // 0: values are counts; else each has a total that restarts
	interval  int64 // ms between two reports of a total
	offset    int64 // ms of a report after the beginning of a step
}

// taking is load that comes here while another region is lost.
type taking struct {
	from  *source
	event Event
	share func(t int64) float64 // of the load of from that comes here
}

// grain is how counts scatter around what is expected.
type grain struct {
	excess     float64 // relative deviation that does not average out with volume, per step
	batch      float64 // variance ÷ mean of small counts, 1 for Poisson
	correlated float64 // relative deviation of noise that lasts
	lasting    float64 // ms for which it lasts
	bursts     float64 // chance of a step that is far too high
}

// drawGrain draws one of several kinds of noise. Batches are small where few
// things are counted.
func drawGrain(r *rand.Rand, level float64) grain {
	g := grain{batch: 1, excess: 0.003 + 0.004*r.Float64()}
	switch r.IntN(5) {
	case 0: // each step for itself
		g.excess = 0.005 + 0.015*r.Float64()
	case 1: // batches
		g.batch = 1 + 0.3*r.Float64()
		if level > 50 {
			g.batch = 1 + 2*r.Float64()
		}
	case 2: // minutes that are alike
		g.correlated, g.lasting = 0.004+0.008*r.Float64(), 60_000*(2+10*r.Float64())
	case 3: // steps of their own
		g.bursts = 1.0 / 2000
		g.excess = 0.003 + 0.01*r.Float64()
	default: // hardly any
	}
	return g
}

// plainGrain is the noise of StreamsOptions.Plain.
func plainGrain(r *rand.Rand) grain {
	return grain{batch: 1, excess: 0.005 + 0.025*r.Float64(), correlated: 0.005 + 0.015*r.Float64(), lasting: 60_000 * (10 + 80*r.Float64())}
}

// draw returns the count of one step.
func (g *grain) draw(r *rand.Rand, mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	if g.bursts > 0 && r.Float64() < g.bursts {
		mean *= 1.1 + 0.2*r.Float64()
	}
	return float64(count(r, mean, g.excess*g.excess+(g.batch-1)/mean))
}

// values returns what is stored of the steps start+step to start+n·step, in
// amounts, NaN where nothing is.
func (s *source) values(start, step int64, n int) []float64 {
	var out []float64
	if s.instances == 0 {
		out = s.amounts(rand.New(rand.NewPCG(uint64(s.seed), 1)), start, step, n, 1)
		s.lose(out, start, step)
	} else {
		out = s.totals(start, step, n)
	}
	for _, e := range s.events {
		if e.Kind != Frozen {
			continue
		}
		first := max(1, int((e.Start-start)/step))
		for i := first; i < n && e.covers(start+int64(i+1)*step); i++ {
			out[i] = out[first-1]
		}
	}
	return out
}

// amounts draws counts with a share of the rate.
func (s *source) amounts(r *rand.Rand, start, step int64, n int, share float64) []float64 {
	out := s.rates(start, step, n)
	lasting, keep := 0.0, 0.0
	if s.grain.correlated > 0 {
		keep = math.Exp(-float64(step) / s.grain.lasting)
		lasting = r.NormFloat64()
	}
	for i, rate := range out {
		if keep > 0 {
			lasting = keep*lasting + math.Sqrt(1-keep*keep)*r.NormFloat64()
			rate *= math.Exp(s.grain.correlated * lasting)
		}
		out[i] = s.grain.draw(r, rate*share*float64(step)/1000)
	}
	return out
}

// rates returns what is expected per second in each step, with what happens.
func (s *source) rates(start, step int64, n int) []float64 {
	out := s.course.rates(start, step, n)
	for _, e := range s.events {
		e.apply(start, step, n, func(i int, t int64) { out[i] *= e.over(t-step, t) })
	}
	for _, k := range s.taken {
		var from []float64
		k.event.apply(start, step, n, func(i int, t int64) {
			if from == nil {
				from = k.from.course.rates(start, step, n)
			}
			out[i] += from[i] * (1 - k.event.over(t-step, t)) * k.share(t)
		})
	}
	return out
}

// rates returns the expected rate per second at the middle of each step,
// interpolated between points 5 minutes apart.
func (c *course) rates(start, step int64, n int) []float64 {
	const grid = 300_000
	out := make([]float64, n)
	at, left, right := int64(math.MinInt64), 0.0, 0.0
	for i := range out {
		t := start + int64(i)*step + step/2
		if k := t / grid; k != at {
			left = right
			if k != at+1 {
				left = c.log(k * grid)
			}
			at, right = k, c.log((k+1)*grid)
		}
		w := float64(t-at*grid) / grid
		out[i] = math.Exp(left*(1-w) + right*w)
	}
	return out
}

// lose takes away the steps that are not reported.
func (s *source) lose(out []float64, start, step int64) {
	r := rand.New(rand.NewPCG(uint64(s.seed), 2))
	for _, e := range s.events {
		e.apply(start, step, len(out), func(i int, _ int64) {
			if e.Kind == Gap || e.Kind == Lost && r.Float64() < e.Depth {
				out[i] = math.NaN()
			}
		})
	}
}

// totals makes the counts of each instance a total, reports it at its own times,
// and normalizes the reports as the store does.
func (s *source) totals(start, step int64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	p := norm.Params{Step: step}
	reported := make([]int, n)
	put := func(t int64, v float64) {
		if i := (t-start)/step - 1; i >= 0 && i < int64(n) {
			out[i] = norm.Add(out[i], v)
			reported[i]++
		}
	}
	for k := range s.instances {
		r := rand.New(rand.NewPCG(uint64(s.seed.child(uint64(k))), 3))
		offset := (s.offset + int64(k)*7919) % s.interval
		from, reports := start+offset, int((int64(n)*step-offset)/s.interval)
		counted := s.amounts(r, from, s.interval, reports, 1/float64(s.instances))
		restarts := s.restarts(r, k, from)
		var state norm.State
		total := float64(r.IntN(1_000_000))
		for i, v := range counted {
			total += v
			if after, ok := restarts[i]; ok {
				total = math.Round(v * after)
			}
			t := from + int64(i+1)*s.interval
			if s.silent(r, t) {
				continue
			}
			e, _ := state.Counter(p, t, total)
			for j := range e.N {
				v := e.Value
				if j == 0 {
					v = e.FirstValue
				}
				put(e.First+int64(j)*step, v)
			}
		}
	}
	// Where reports are lost some instances have values and others have not. The
	// server knows that such a step is not complete, a detector of values cannot: it
	// is no data either.
	for _, e := range s.events {
		if e.Kind != Gap && e.Kind != Lost {
			continue
		}
		e.Start, e.Duration = e.Start-step, e.Duration+3*step
		e.apply(start, step, n, func(i int, _ int64) {
			if reported[i] < s.instances {
				out[i] = math.NaN()
			}
		})
	}
	return out
}

// lag is for how long after an event begins a step may still be made of what was
// counted before, since a report covers parts of two steps.
func (s *source) lag() int64 {
	if s.instances > 1 || s.instances == 1 && s.offset > 0 {
		return s.interval
	}
	return 0
}

// restarts returns the reports of instance k that are the first after its total
// began anew, with the part of their interval that the new total has counted.
func (s *source) restarts(r *rand.Rand, k int, from int64) map[int]float64 {
	out := map[int]float64{}
	for i, e := range s.events {
		if after := r.Float64(); e.Kind == Restart && i%s.instances == k {
			out[int((e.Start-from)/s.interval)] = after
		}
	}
	return out
}

// silent reports whether the report at t is lost.
func (s *source) silent(r *rand.Rand, t int64) bool {
	for _, e := range s.events {
		if e.covers(t) && (e.Kind == Gap || e.Kind == Lost && r.Float64() < e.Depth) {
			return true
		}
	}
	return false
}
