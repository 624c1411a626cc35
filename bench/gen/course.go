package gen

import (
	"math"
	"math/rand/v2"
)

// course is the expected rate of one source of a Stream: a daily shape out of
// several families, another shape at weekends, growth, a level of its own for
// each day, and slow wander.
type course struct {
	level, swing   float64 // per second in the middle of the day; peak ÷ trough
	phase          float64 // when the day begins here, as a part of it
	weekday, relax shapeOf // the two shapes
	relaxed        float64 // part of the second shape at weekends
	weekend        float64 // factor on Saturday and Sunday
	growth         float64 // change per week, as a part, from origin on
	origin         int64   // Unix ms
	daily, wander  float64 // deviations of logarithms
	nights         float64 // hours of the night in which a day's level changes; negative: it changes all the time

	days, wanders, ripples noise

	holidays []Incident
	soft     float64 // part of a day in which a holiday's level comes and goes
	festive  float64 // part of a weekend's shape that holidays have
}

const dayMs = 86_400_000

// newCourse draws a course. The level is given; everything else varies.
func newCourse(r *rand.Rand, fields noise, level float64, origin int64) *course {
	c := &course{
		level: level, origin: origin, swing: 3 + 5*r.Float64(), phase: r.Float64(),
		weekend: math.Exp((r.Float64() - 0.35) * 0.4), growth: -0.01 + 0.05*r.Float64(),
		daily: 0.01 + 0.03*r.Float64(), wander: 0.005 + 0.015*r.Float64(), nights: -1,
		days: fields.child(11), wanders: fields.child(12), ripples: fields.child(13),
	}
	if r.IntN(2) == 0 {
		c.nights = 2
	}
	c.weekday = drawShape(r)
	c.relax, c.relaxed = c.weekday.late(0.02+0.05*r.Float64()), 1
	if r.IntN(2) == 0 {
		c.relax, c.relaxed = drawShape(r), 0.2+0.4*r.Float64()
	}
	c.soft = (1 + 4*r.Float64()) / 24
	if r.IntN(3) == 0 {
		c.festive = 0.5 + 0.5*r.Float64()
	}
	return c
}

// log returns the logarithm of the expected rate per second at t.
func (c *course) log(t int64) float64 {
	x := float64(t)/dayMs + c.phase
	free := weekend(x)
	log := math.Log(c.level) + math.Log1p(c.growth)*float64(t-c.origin)/float64(week)
	for _, h := range c.holidays {
		w := edges(float64(t-h.Start)/dayMs, float64(h.Duration)/dayMs, c.soft)
		log += w * math.Log1p(h.Depth)
		free = max(free, w*c.festive)
	}
	free *= c.relaxed
	log += math.Log(c.swing) / 2 * ((1-free)*c.weekday.at(x) + free*c.relax.at(x))
	log += math.Log(c.weekend) * weekend(x)
	if c.nights < 0 {
		log += c.daily * c.days.smooth(x)
	} else {
		log += c.daily * stepped(c.days, x, c.nights/24)
	}
	return log + c.wander*(c.wanders.smooth(x*5)*0.8+c.ripples.smooth(x*17)*0.6)
}

// stepped is a normal number per day that changes within a part of it, at night.
func stepped(n noise, x, soft float64) float64 {
	const from = 4.0 / 24
	x -= from
	day := math.Floor(x)
	w := 1.0
	if x-day < soft {
		w = (x - day) / soft
	}
	return n.normal(int64(day)-1)*(1-w) + n.normal(int64(day))*w
}

// edges is 1 inside [0, length] and 0 outside, and takes soft at both ends to
// get from one to the other.
func edges(x, length, soft float64) float64 {
	return max(0, min(1, x/soft, (length-x)/soft))
}

// shapeOf is the course of a day: a sum of bumps and waves, scaled to [-1, 1].
type shapeOf struct {
	bumps     []bump
	waves     [4]struct{ size, turn float64 } // of one, two, three and four cycles a day
	low, high float64
}

// bump is the exponential of a cosine around a time of day.
type bump struct{ at, size, sharp float64 }

// plain makes the course one of StreamsOptions.Plain.
func (c *course) plain(r *rand.Rand) {
	c.weekday, c.relaxed = evening(r), 0
	c.soft = (0.3 + 3*r.Float64()) / 24
	c.wander = 0.02 * r.Float64()
}

// evening is high in the evening and low in the small hours.
func evening(r *rand.Rand) shapeOf {
	for {
		if s := drawShape(r); len(s.bumps) == 0 && s.waves[2].size == 0 {
			return s
		}
	}
}

// drawShape draws one of several families.
func drawShape(r *rand.Rand) shapeOf {
	var s shapeOf
	about := func(x, spread float64) float64 { return x + spread*(r.Float64()-0.5) }
	switch r.IntN(5) {
	case 0: // as evening says
		s.waves[0].size, s.waves[0].turn = 1, -2*math.Pi*about(0.84, 0.1)
		s.waves[1].size, s.waves[1].turn = about(0.25, 0.2), -4*math.Pi*about(0.84, 0.1)
	case 1: // noon and evening
		s.bumps = []bump{{about(0.52, 0.08), about(0.8, 0.4), 4}, {about(0.86, 0.06), 1.2, 6}}
	case 2: // the hours of an office
		s.bumps = []bump{{about(0.40, 0.04), 1, 4}, {about(0.52, 0.04), about(0.7, 0.3), 4}, {about(0.66, 0.04), 1, 4}}
	case 3: // prime time
		s.bumps = []bump{{about(0.86, 0.06), 1.5, about(7, 4)}, {about(0.6, 0.1), 0.8, 1.2}}
	default: // anything
		for k := range s.waves {
			s.waves[k].size = r.NormFloat64() / math.Pow(float64(k+1), 1.5)
			s.waves[k].turn = 2 * math.Pi * r.Float64()
		}
		s.waves[0].size += 0.7
	}
	s.scale()
	return s
}

func (s *shapeOf) scale() {
	s.low, s.high = math.Inf(1), math.Inf(-1)
	for i := range 288 {
		v := s.raw(float64(i) / 288)
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

func (s *shapeOf) raw(x float64) float64 {
	v := 0.0
	for _, b := range s.bumps {
		v += b.size * math.Exp(b.sharp*(math.Cos(2*math.Pi*(x-b.at))-1))
	}
	for k, w := range s.waves {
		if w.size != 0 {
			v += w.size * math.Cos(2*math.Pi*float64(k+1)*x+w.turn)
		}
	}
	return v
}

func (s *shapeOf) at(x float64) float64 { return 2*(s.raw(x)-s.low)/(s.high-s.low) - 1 }

// late returns the shape, everything happening later by a part of the day.
func (s shapeOf) late(by float64) shapeOf {
	bumps := s.bumps
	s.bumps = nil
	for _, b := range bumps {
		b.at += by
		s.bumps = append(s.bumps, b)
	}
	for k := range s.waves {
		s.waves[k].turn -= 2 * math.Pi * float64(k+1) * by
	}
	return s
}
