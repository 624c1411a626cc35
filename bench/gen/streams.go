package gen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"pulse/store/norm"
)

// Stream is the starts per second of a service, of one of its regions, or of all
// its regions together. Its first weeks are for learning; from Judged on things
// go wrong. It is immutable and safe for concurrent use.
type Stream struct {
	Name               string
	Level              float64 // per second in the middle of the day, all sources
	Step               int64   // ms
	Start, Judged, End int64   // Unix ms
	Events             []Event // ascending
	sources            []*source
}

// Values returns one value per step, stamped Start+Step to End, in starts per
// second, NaN where nothing was reported. They are made anew by each call.
func (s *Stream) Values() []float64 {
	n := int((s.End - s.Start) / s.Step)
	var out []float64
	for k, src := range s.sources {
		values := src.values(s.Start, s.Step, n)
		if k == 0 {
			out = values
			continue
		}
		for i, v := range values {
			out[i] = norm.Add(out[i], v)
		}
	}
	seconds := float64(s.Step) / 1000
	for i := range out {
		out[i] /= seconds
	}
	return out
}

// StreamsOptions says how many streams there are. The zero value of a field
// means its default; a negative count is none.
type StreamsOptions struct {
	Minute   int // streams at a step of 1 min; default 40
	Families int // of three regions and their sum, at 1 min; default 4
	Fine     int // streams at a step of 10 s; default 8
	Weeks    int // judged, after three of learning; default 3, at 10 s at most 2
	// Plain makes streams of another kind, to see what was fitted to the first:
	// one daily shape, weekends that are a factor, holidays that come and go
	// faster, noise that is stronger and lasts.
	Plain bool
	// Abrupt lets days change their level from one moment to the next, which
	// services do not.
	Abrupt bool
}

const (
	minute   = int64(60_000)
	hour     = 60 * minute
	week     = 7 * dayMs
	learning = 3 * week
	// lowest and highest are the volumes of streams, per second.
	lowest, highest = 5.0, 100_000.0
)

// Streams returns the streams of a seed: volumes spread evenly on a logarithmic
// scale, everything else drawn.
func Streams(seed uint64, o StreamsOptions) []*Stream {
	set := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
		*v = max(*v, 0)
	}
	set(&o.Minute, 40)
	set(&o.Families, 4)
	set(&o.Fine, 8)
	set(&o.Weeks, 3)
	root := noise(mix(seed + 0x5D5))
	var out []*Stream
	for i := range o.Minute {
		out = append(out, single(root.child(uint64(i)), fmt.Sprintf("%d/minute-%02d", seed, i), minute, o, volume(root, i, o.Minute)))
	}
	for i := range o.Fine {
		out = append(out, single(root.child(uint64(1000+i)), fmt.Sprintf("%d/fine-%02d", seed, i), 10_000, o, volume(root.child(1), i, o.Fine)))
	}
	for i := range o.Families {
		out = append(out, family(root.child(uint64(2000+i)), fmt.Sprintf("%d/family-%02d", seed, i), o, volume(root.child(2), i, o.Families))...)
	}
	return out
}

// reshape makes of a source what options ask for beyond the usual.
func (s *source) reshape(r *rand.Rand, o StreamsOptions) {
	if o.Plain {
		s.course.plain(r)
		s.grain = plainGrain(r)
	}
	if o.Abrupt {
		s.course.nights = 0
	}
}

// volume returns a level in the i-th of n parts of the range.
func volume(fields noise, i, n int) float64 {
	u := (float64(i) + fields.rand(int64(i)).Float64()) / float64(n)
	return lowest * math.Pow(highest/lowest, u)
}

// begin returns when streams start: any hour of a year, a multiple of every step.
func begin(r *rand.Rand) int64 { return 1_704_067_200_000 + hour*r.Int64N(365*24) }

// single returns a stream of one source with one of everything.
func single(fields noise, name string, step int64, o StreamsOptions, level float64) *Stream {
	weeks := o.Weeks
	if step < minute {
		weeks = min(weeks, 2)
	}
	r := fields.rand(0)
	start := begin(r)
	s := &Stream{Name: name, Level: level, Step: step, Start: start, Judged: start + learning, End: start + learning + int64(weeks)*week}
	src := &source{seed: fields, course: newCourse(r, fields, level, start), grain: drawGrain(r, level)}
	src.reshape(fields.child(9).rand(0), o)
	if r.IntN(3) == 0 {
		src.reports(r, step)
	}
	p := plan{r: r, step: step, start: s.Judged + 6*hour, end: s.End - 6*hour}
	p.holiday(src.course)
	p.must()
	p.benign(src.instances > 0, whole(src, step))
	sort.Slice(p.events, func(a, b int) bool { return p.events[a].Start < p.events[b].Start })
	src.events, s.Events, s.sources = p.events, p.events, []*source{src}
	return s
}

// reports makes the source publish totals.
func (s *source) reports(r *rand.Rand, step int64) {
	s.instances, s.interval = []int{1, 4, 12}[r.IntN(3)], step
	if s.instances == 1 && step == minute && r.IntN(2) == 0 {
		s.interval = 10_000
	}
	if r.IntN(2) == 0 {
		s.offset = 1000 * r.Int64N(s.interval/1000)
	}
}

// whole reports whether a restart takes all of one long step: a minute that reads
// 0 is then all there is to see, as in an outage.
func whole(s *source, step int64) bool {
	return s.instances == 1 && s.interval == step && step >= minute
}

// family returns three regions and their sum. Regions are lost, and the others
// take their load or do not.
func family(fields noise, name string, o StreamsOptions, level float64) []*Stream {
	r := fields.rand(0)
	start := begin(r)
	s := Stream{Step: minute, Start: start, Judged: start + learning, End: start + learning + int64(o.Weeks)*week}
	const regions = 3
	var sources []*source
	parts := shares(regions)
	base := newCourse(r, fields.child(77), level, start)
	for i := range regions {
		own := fields.child(uint64(100 + i))
		c := *base
		c.level, c.phase = level*parts[i], base.phase+0.12*r.Float64()*float64(i)
		c.wanders, c.ripples = own.child(12), own.child(13)
		src := &source{seed: own, course: &c, grain: drawGrain(r, c.level)}
		src.reshape(own.child(9).rand(0), o)
		sources = append(sources, src)
	}
	p := plan{r: r, step: minute, start: s.Judged + 6*hour, end: s.End - 6*hour}
	streams := make([]*Stream, regions+1)
	for i := range streams {
		own := s
		own.Name, own.Level, own.sources = fmt.Sprintf("%s/region-%d", name, i), level, sources
		if i < regions {
			own.Level, own.sources = sources[i].course.level, sources[i:i+1]
		} else {
			own.Name = name + "/sum"
		}
		streams[i] = &own
	}
	for k := range 2 * o.Weeks {
		if e, ok := p.place(Event{Incident: Incident{Kind: Drop, Depth: 1, Duration: minute * (20 + r.Int64N(100))}}, 6*hour); ok {
			lose(r, streams, sources, r.IntN(regions), e, k%2 == 0)
		}
	}
	for _, own := range streams {
		sort.Slice(own.Events, func(a, b int) bool { return own.Events[a].Start < own.Events[b].Start })
	}
	return streams
}

// lose lets a region go: e is what happens there. With failover its load comes
// back elsewhere, either a minute or two later or as it goes.
func lose(r *rand.Rand, streams []*Stream, sources []*source, lost int, e Event, failover bool) {
	const remarkable = 0.2 // share of the sum that must be missed
	share := 0.0
	for t := e.Start; t < e.Start+e.Duration; t += 10 * minute {
		share = max(share, sources[lost].portion(sources, t))
	}
	least := sources[lost].portion(sources, e.Start)
	sum := e
	e.Class, sum.Class, sum.Depth = "region lost", "region of the sum lost", least
	var lag int64
	if failover {
		e.Class, sum.Class, sum.Want = "region lost with failover", "failover on the sum", Silence
		e.Fade = minute * (5 + r.Int64N(10))
		if lag = 10_000 * r.Int64N(12); share > 0.35 {
			lag, e.Ramp = 0, minute*(3+r.Int64N(5))
		}
	} else if least < remarkable {
		sum.Want = Either
	}
	sources[lost].events = append(sources[lost].events, e)
	last := len(streams) - 1
	streams[lost].Events = append(streams[lost].Events, e)
	streams[last].Events = append(streams[last].Events, sum)
	for i, s := range sources {
		if i == lost {
			continue
		}
		other := e
		other.Class, other.Want = "failover from elsewhere", Either
		if failover {
			came := e
			came.Start, came.Duration = e.Start+lag, e.Duration-lag
			s.taken = append(s.taken, taking{sources[lost], came, func(t int64) float64 { return s.portionBut(sources, lost, t) }})
			streams[i].Events = append(streams[i].Events, other)
		}
	}
}

// portion returns the share of s in all sources at t.
func (s *source) portion(all []*source, t int64) float64 { return s.portionBut(all, -1, t) }

// portionBut leaves one of them out.
func (s *source) portionBut(all []*source, but int, t int64) float64 {
	own, total := math.Exp(s.course.log(t)), 0.0
	for i, o := range all {
		if i != but {
			total += math.Exp(o.course.log(t))
		}
	}
	return own / total
}
