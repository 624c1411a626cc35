package algo

import "math"

// profile is what a stream usually does at each time of the day and of the week:
// a value per bucket of some minutes, on the stream's scale (see scale.go), and
// how the stream now lies to it. It is the seasonal part of Holt and Winters
// (P. R. Winters, "Forecasting sales by exponentially weighted moving averages",
// Management Science 6, 1960) on buckets instead of steps, which keeps a week in
// 8 KB at any step, with updates clipped as in smoothing.go, and with two levels
// instead of level and trend: a fast one for what comes next and a slow one that
// the buckets are learned against, so that an odd day does not bend the profile.
//
// It has three candidates, the choice between which is auto.go's.
type profile struct {
	tracks [seasons]track
	day    [bucketsPerDay]float32
	week   [7 * bucketsPerDay]float32
}

// season is the cycle that a prediction follows.
type season uint8

const (
	seasonNone season = iota
	seasonDay
	seasonWeek
	seasons
)

// track is how the stream lies to one candidate.
type track struct {
	fast, slow float64
	usual      float64 // level of the last days
	miss       float64 // mean distance of a bucket from the prediction one bucket before
	square     float64 // mean of its square
	predicted  int32   // buckets that had a prediction
}

const (
	bucketsPerDay  = 288
	leastBucketMs  = dayMs / bucketsPerDay
	unknownBucket  = math.MaxFloat32
	fastBuckets    = 45 * 60_000 // ms, memory of the fast level
	slowBuckets    = 8 * 3_600_000
	missMemory     = 14 * dayMs // ms
	profileLeast   = 0.25       // weight of a new cycle in the long run
	profileClip    = 6          // mean misses that a bucket may teach
	profileOut     = 2          // the same while the stream is out
	coarseFast     = 0.2        // weight of a bucket in the fast level, where buckets are long
	profileEdge    = 6          // mean misses from which two buckets are not blended
	usualBuckets   = 4 * dayMs
	seamBuckets    = 12
	probationBkt   = 12 // predictions before misses are believed
	squareClip     = 30 // mean misses that one bucket counts for in a choice
	seasonStays    = 0.85
	seasonMustGain = 0.95 // of the miss of the simpler candidate
)

func (p *profile) reset() {
	*p = profile{}
	for i := range p.day {
		p.day[i] = unknownBucket
	}
	for i := range p.week {
		p.week[i] = unknownBucket
	}
}

// shape is the grid of a profile.
type shape struct {
	bucket int64 // ms
	days   int   // buckets of a day
	fast   float64
	slow   float64
	usual  float64
	miss   float64
}

func shapeOf(step int64) shape {
	bucket := max(leastBucketMs, step)
	if step < leastBucketMs && leastBucketMs%step != 0 {
		bucket = (leastBucketMs + step - 1) / step * step
	}
	s := shape{bucket: bucket, days: int((dayMs + bucket - 1) / bucket)}
	b := float64(bucket)
	s.fast, s.slow, s.miss = -math.Expm1(-b/fastBuckets), -math.Expm1(-b/slowBuckets), -math.Expm1(-b/missMemory)
	s.usual = max(-math.Expm1(-b/usualBuckets), 0.001)
	s.fast, s.slow, s.miss = min(s.fast, coarseFast), max(min(s.slow, 0.05), 0.003), max(min(s.miss, 0.01), 0.001)
	return s
}

// cell returns the place of the bucket that holds local time at in the profile
// of c, or nil when c has none.
func (p *profile) cell(s *shape, c season, at int64) *float32 {
	switch c {
	case seasonDay:
		return &p.day[within(at, dayMs)/s.bucket]
	case seasonWeek:
		i := within(at, weekMs)
		return &p.week[int(i/dayMs)*s.days+int(i%dayMs/s.bucket)]
	}
	return nil
}

// at returns the profile of c at local time at, between the middles of two
// buckets in proportion, and whether it is known.
func (p *profile) at(s *shape, c season, at int64) (float64, bool) {
	if c == seasonNone {
		return 0, true
	}
	before := at - s.bucket/2
	into := within(before, dayMs) % s.bucket
	a, b := *p.cell(s, c, before), *p.cell(s, c, before-into+s.bucket)
	switch {
	case a == unknownBucket:
		return float64(b), b != unknownBucket
	case b == unknownBucket:
		return float64(a), true
	}
	share := float64(into) / float64(s.bucket)
	if math.Abs(float64(b)-float64(a)) > profileEdge*p.tracks[c].miss {
		share = math.Round(share) // something that goes by the clock
	}
	return float64(a) + float64(share*(float64(b)-float64(a))), true
}

// learn takes the mean y of the bucket that holds local time at, of which a share has
// come. While the stream is out only what is unknown is learned.
func (p *profile) learn(s *shape, at int64, y, share float64, out bool) {
	for c := range seasons {
		cell, base := p.cell(s, c, at), 0.0
		t := &p.tracks[c]
		if cell != nil {
			if *cell == unknownBucket {
				*cell = float32(p.guess(s, c, at, y, share) - t.slow)
				continue
			}
			base = float64(*cell)
		} else if t.predicted == 0 {
			t.fast, t.slow, t.usual, t.predicted = y, y, y, 1
			continue
		}
		t.learn(s, y-base, out)
		if cell != nil && t.predicted == seamBuckets {
			p.join(s, c, at)
		}
		if cell == nil {
			continue
		}
		cycle := s.days
		if c == seasonWeek {
			cycle *= 7
		}
		weight := share * max(profileLeast, 1/float64(2+int(t.predicted)/cycle))
		clip := profileClip * t.miss
		if out {
			clip = profileOut * t.miss
		}
		off := clamp(y-t.slow-base, clip+1e-9)
		*cell += float32(weight * off)
	}
}

// guess is what to put into an unknown cell of c: y, but what the day says for the part
// that has not come.
func (p *profile) guess(s *shape, c season, at int64, y, share float64) float64 {
	t := &p.tracks[seasonDay]
	if day := *p.cell(s, seasonDay, at); share < 1 && c == seasonWeek && day != unknownBucket && t.predicted > seamBuckets {
		y = float64(day) + t.fast + float64(share*(y-float64(day)-t.fast))
	}
	return y
}

// learn takes the distance x of a bucket from the profile.
func (t *track) learn(s *shape, x float64, out bool) {
	r := x - t.fast
	weight := max(s.miss, 1/float64(t.predicted+2))
	if t.predicted > probationBkt {
		most := squareClip * t.miss
		t.square += weight * (min(r*r, most*most) - t.square)
		t.miss += weight * (min(math.Abs(r), 8*t.miss+1e-12) - t.miss)
		r = clamp(r, 4*t.miss)
	} else {
		t.miss += weight * (math.Abs(r) - t.miss)
		t.square += weight * (r*r - t.square)
	}
	if t.predicted < seenMax {
		t.predicted++
	}
	if out {
		return
	}
	start := 0.0
	if t.predicted <= seamBuckets {
		start = 1 / float64(t.predicted)
	}
	t.fast += max(s.fast, start) * r
	t.slow += max(s.slow, start) * clamp(x-t.slow, 8*t.miss+1e-12)
	t.usual += max(s.usual, start) * clamp(x-t.usual, 8*t.miss+1e-12)
}

// join makes the end of the first cycle of c meet its beginning, local time at
// being an hour into the second: what the stream has grown by since is spread
// over the cycle and left to the level.
func (p *profile) join(s *shape, c season, at int64) {
	cells := p.day[:s.days]
	if c == seasonWeek {
		cells = p.week[:7*s.days]
	}
	n := int64(len(cells))
	grown := p.tracks[c].slow
	for i := range n {
		cell := p.cell(s, c, at+(i-seamBuckets+1)*s.bucket)
		if *cell != unknownBucket {
			*cell -= float32(grown * float64(i) / float64(n))
		}
	}
}

// best returns the candidate with the least miss among those allowed that had
// enough predictions. A season must be clearly better than what is simpler.
func (p *profile) best(s *shape, allowed [seasons]bool, now season) season {
	best, least := seasonNone, math.Inf(1)
	for c := range seasons {
		t := &p.tracks[c]
		if !allowed[c] || int(t.predicted) < max(probationBkt, s.days/2) {
			continue
		}
		miss := math.Sqrt(t.miss * math.Sqrt(t.square)) // of the usual and of the worst hours alike
		if c == now {
			miss *= seasonStays
		}
		if least < math.Inf(1) {
			least *= seasonMustGain
		}
		if miss < least {
			best, least = c, miss
		}
	}
	return best
}

// middle returns the mean of the known buckets of c.
func (p *profile) middle(s *shape, c season) float64 {
	cells := p.day[:s.days]
	if c == seasonWeek {
		cells = p.week[:7*s.days]
	}
	sum, n := 0.0, 0.0
	for _, x := range cells {
		if x != unknownBucket {
			sum, n = sum+float64(x), n+1
		}
	}
	return sum / max(n, 1)
}

// freeDay returns the same time on a free day, and false where that is the time
// itself or the week is not known. It is the Saturday, or the Sunday where that is
// clearly less like a Wednesday: without a time zone neither may be free all day.
func (p *profile) freeDay(s *shape, c season, at int64) (int64, bool) {
	const wednesday, saturday, sunday = 2, 5, 6
	if c != seasonWeek {
		return at, false
	}
	i := within(at, weekMs)
	day, bucket := i/dayMs, int(i%dayMs/s.bucket)
	usual, first, second := p.week[wednesday*s.days+bucket], p.week[saturday*s.days+bucket], p.week[sunday*s.days+bucket]
	if usual == unknownBucket || first == unknownBucket || second == unknownBucket {
		return at, false
	}
	free := int64(saturday)
	if math.Abs(float64(second-usual)) > freeClearly*math.Abs(float64(first-usual))+freeMargin {
		free = sunday
	}
	return at + (free-day)*dayMs, free != day
}

const (
	freeClearly = 1.5
	freeMargin  = 0.05
)
