package algo

import (
	"fmt"
	"maps"
	"math"
	"time"
)

// readAuto makes the detector that chooses: no season, the day or the week,
// whichever predicted buckets best, by an error that forgets over days. Choices
// and fits are made every fitEvery steps of the clock, from what came up to then,
// and are put to use fitDelay steps later, so that any two runs over the same
// values agree.
func readAuto(p *params) func() Detector {
	if p.has("sensitivity") && p.has("threshold") {
		p.fail("threshold", p.values["threshold"], "no sensitivity beside it")
	}
	if p.has("sensitivity") {
		// Half is the default threshold; a step to either end is a factor of chance.
		x := p.number("sensitivity", 0.5, 0, 1)
		values := maps.Clone(p.values)
		values["threshold"] = 1 - math.Pow(10, -1.7-2.6*(1-x))
		p.values = values
	}
	s := readSeasonSettings(p)
	s.auto = true
	s.allowed = [seasons]bool{true, true, true}
	return s.new
}

const (
	fitEvery = 720 // steps
	fitDelay = 64

	stageIdle   = 0
	stageChosen = 1
	stageFitted = 2
)

// schedule makes choices and fits at their step indices and puts them to use.
func (d *seasonal) schedule(index int64) {
	round := floorDiv(index, fitEvery)
	into := index - round*fitEvery
	if d.fitted == math.MinInt64 {
		d.fitted = round
	}
	if d.stage != stageIdle {
		if d.stage == stageChosen && (into >= d.turn() || round != d.fitted) {
			d.windows.noise.fit(d.perEvent())
			d.stage = stageFitted
		}
		if d.stage == stageFitted && (into >= fitDelay || round != d.fitted) {
			d.windows.noise.adopt()
			d.begin = d.beginNext
			if !d.out() {
				d.follow(d.next)
			}
			d.stage = stageIdle
		}
	}
	if round == d.fitted {
		return
	}
	d.fitted = round
	d.next = d.choice
	if c := d.profile.best(&d.set.shape, d.set.allowed, d.choice); d.set.auto || c != seasonNone {
		d.next = c
	}
	d.beginNext = -1
	if d.next != seasonNone {
		d.beginNext = d.profile.dayBegin(&d.set.shape)
	}
	d.stage = stageChosen
}

// turn spreads the work of fits over the steps of the delay.
func (d *seasonal) turn() int64 {
	x := math.Float64bits(d.windows.noise.center+d.profile.tracks[seasonNone].slow) * 0x9E3779B97F4A7C15
	return int64(1 + x>>58%(fitDelay-2))
}

// zone reads a time zone by its IANA name.
func (p *params) zone(key string) *time.Location {
	given, ok := p.values[key]
	if !ok {
		return nil
	}
	name, ok := given.(string)
	loc, err := time.LoadLocation(name)
	if !ok || name == "" || name == "Local" || err != nil {
		p.fail(key, given, "the name of a time zone such as Europe/Berlin")
		return nil
	}
	return loc
}

// seasons reads a list of day and week.
func (p *params) seasons(key string, given any) (allowed [seasons]bool) {
	list, ok := given.([]any)
	if text, one := given.(string); one {
		list, ok = []any{text}, true
	}
	if texts, some := given.([]string); some {
		ok = true
		for _, x := range texts {
			list = append(list, x)
		}
	}
	for _, x := range list {
		switch x {
		case "day":
			allowed[seasonDay] = true
		case "week":
			allowed[seasonWeek] = true
		case "day,week":
			allowed[seasonDay], allowed[seasonWeek] = true, true
		default:
			ok = false
		}
	}
	if !ok || len(list) == 0 {
		p.fail(key, fmt.Sprint(given), "a list of day and week")
	}
	return allowed
}
