package gen

import (
	"math"
	"math/rand/v2"
)

// plan places events into the judged weeks of one stream, never two at once.
type plan struct {
	r          *rand.Rand
	step       int64
	start, end int64
	events     []Event
	kept       []kept
}

// kept is the time that an event has for itself.
type kept struct{ from, to int64 }

const before = 2 * hour // that nothing has happened when something does

// place finds a time for e, after which nothing else happens for rest. It is
// false when there is none.
func (p *plan) place(e Event, rest int64) (Event, bool) {
	span := p.end - p.start - e.Duration
	for try := 0; try < 400 && span > 0; try++ {
		e.Start = p.start + p.r.Int64N(span)
		if p.r.IntN(10) < 7 {
			e.Start -= e.Start % p.step
			if e.Kind != Dip {
				e.Duration -= e.Duration % p.step
			}
		}
		if p.keep(e.Start-before, e.Start+e.Duration+rest) {
			p.events = append(p.events, e)
			return e, true
		}
	}
	return e, false
}

func (p *plan) keep(from, to int64) bool {
	for _, k := range p.kept {
		if from < k.to && k.from < to {
			return false
		}
	}
	p.kept = append(p.kept, kept{from, to})
	return true
}

func (p *plan) event(k Kind, depth float64, duration int64) Event {
	e := Event{Incident: Incident{Kind: k, Depth: depth, Duration: duration}, Class: k.String()}
	if k.Benign() {
		e.Want = Silence
	}
	return e
}

// minutes draws a duration.
func (p *plan) minutes(from, to int64) int64 { return minute*from + p.r.Int64N(minute*(to-from)+1) }

func (p *plan) pick(values ...float64) float64 { return values[p.r.IntN(len(values))] }

// holiday takes a day with another level, and often the shape of a weekend.
func (p *plan) holiday(c *course) {
	for range 100 {
		at := p.start + p.r.Int64N(p.end-p.start-2*dayMs)
		x := math.Ceil(float64(at)/dayMs + c.phase)
		e := p.event(Holiday, p.pick(-0.3, -0.2, -0.1, 0.1, 0.2, 0.35), dayMs)
		e.Start = int64((x - c.phase) * dayMs)
		if weekend(x+0.5) == 0 && p.keep(e.Start-before, e.Start+e.Duration+4*hour) {
			p.events = append(p.events, e)
			c.holidays = append(c.holidays, e.Incident)
			return
		}
	}
}

// must places what has to be found: long things first, since they need room.
func (p *plan) must() {
	const rest = 6 * hour
	for _, depth := range []float64{0.1, 0.2} {
		if p.r.IntN(2) == 0 {
			depth = -depth
		}
		if p.r.IntN(2) == 0 {
			p.place(p.event(Shift, depth, p.minutes(12*60, 20*60)), rest)
			continue
		}
		// One that stays: the time kept is that of its discovery.
		if _, ok := p.place(p.event(Shift, depth, 12*hour), 0); ok {
			p.events[len(p.events)-1].Duration = 0
		}
	}
	for _, depth := range []float64{0.1, 0.2, 0.5} {
		e := p.event(Leak, depth, p.minutes(2*60, 6*60))
		e.Ramp = e.Duration - p.minutes(0, 30)
		if p.r.IntN(3) == 0 {
			e.Fade = p.minutes(5, 30)
			e.Duration += e.Fade
		}
		p.place(e, rest)
	}
	p.place(p.event(Drop, 0.05, p.minutes(30, 90)), rest)
	p.place(p.event(Drop, 0.1, p.minutes(20, 60)), rest)
	p.place(p.event(Drop, 0.2, p.minutes(15, 60)), rest)
	p.place(p.event(Drop, 0.5, p.minutes(10, 40)), rest)
	p.place(p.event(Drop, 1, p.minutes(10, 40)), rest)
	p.place(p.event(Spike, p.pick(0.3, 0.5), p.minutes(4, 20)), rest)
	p.place(p.event(Spike, p.pick(1, 2, 4), p.minutes(4, 20)), rest)
	p.place(p.event(Frozen, 0, p.minutes(20, 60)), rest)
}

// benign places what must not page. A restart that takes all of a step is a trial.
func (p *plan) benign(totals, whole bool) {
	const rest = 2 * hour
	lost := p.pick(0.02, 0.05, 0.1, 0.2)
	if totals {
		lost = p.pick(0.02, 0.05) // of one of many instances is enough to make a step incomplete
	}
	p.place(p.event(Lost, lost, p.minutes(60, 6*60)), rest)
	for range 4 {
		e := p.event(Dip, 0.1+0.3*p.r.Float64(), p.minutes(1, 2))
		p.place(e, rest)
	}
	for range 3 {
		p.place(p.event(Gap, 0, p.minutes(1, 10)), rest)
	}
	if !totals {
		return
	}
	for range 4 {
		e := p.event(Restart, 0, 2*p.step)
		e.Trial = whole
		p.place(e, rest)
	}
}
