package route

import (
	"math"
	"slices"

	"pulse/store/step"
)

// Mute is a named set of times, such as weekends or office hours: those of any of its
// intervals. Routes say whether they are silent during it or outside of it.
//
// Times are what clocks in the zone show. Where clocks go forward over a part of a
// window, the window begins when they have, or that day has none if all of it is gone
// over; where they go back, what they show twice is in the window twice.
type Mute struct {
	Name      string
	Timezone  Zone
	Intervals []Interval
}

// Active reports whether it is a time of the mute at t (Unix ms).
func (m *Mute) Active(t int64) bool {
	return slices.ContainsFunc(m.Intervals, func(v Interval) bool { return v.at(m.zone(&v), t) })
}

func (m *Mute) zone(v *Interval) Zone {
	if v.Timezone != nil {
		return *v.Timezone
	}
	return m.Timezone
}

// at reports whether t is in the interval.
func (v *Interval) at(z Zone, t int64) bool {
	offset, _ := z.offset(t, t)
	return v.contains(t + offset)
}

const (
	minuteMs = 60_000
	dayMs    = midnight * minuteMs

	// farAhead is how far Next looks: in a year, time enough to ask again.
	farAhead = 366 * dayMs
)

// Next returns the first time after t (Unix ms) at which Active changes. Where it does
// not within 366 days, that is the time returned: then it is time to ask again.
func (m *Mute) Next(t int64) int64 {
	was, until := m.Active(t), t+farAhead
	for at := t; ; {
		next := until
		for i := range m.Intervals {
			v := &m.Intervals[i]
			next = min(next, v.next(m.zone(v), at, until))
		}
		if next >= until || m.Active(next) != was {
			return next
		}
		at = next
	}
}

// next returns the first time after t at which the interval begins or ends, until if
// there is none before.
func (v *Interval) next(z Zone, t, until int64) int64 {
	if len(v.Times)+len(v.Weekdays)+len(v.DaysOfMonth)+len(v.Months)+len(v.Years) == 0 {
		return until
	}
	was, minutes := v.at(z, t), v.minutes()
	for from := t; ; {
		offset, end := z.offset(from, until)
		end = min(end, until)
		for day := step.Floor(from+offset, dayMs); day-offset < end; day += dayMs {
			for _, m := range minutes {
				at := day + m*minuteMs - offset
				if at > t && at < end && v.contains(at+offset) != was {
					return at
				}
			}
		}
		if end == until || v.at(z, end) != was {
			return end
		}
		from = end
	}
}

// minutes returns the minutes of the day at which the interval can begin or end, in
// ascending order.
func (v *Interval) minutes() []int64 {
	out := []int64{0}
	for _, x := range v.Times {
		out = append(out, int64(x.Start), int64(x.End%midnight))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Next returns the first time after t (Unix ms) at which any mute that a route refers
// to begins or ends, math.MaxInt64 when no route refers to one.
func (c *Config) Next(t int64) int64 {
	used, next := map[string]bool{}, int64(math.MaxInt64)
	use(c.Routes, used)
	for i := range c.Mute {
		if m := &c.Mute[i]; used[m.Name] {
			next = min(next, m.Next(t))
		}
	}
	return next
}

func use(routes []Route, used map[string]bool) {
	for i := range routes {
		for _, names := range [][]string{routes[i].Mute, routes[i].Active} {
			for _, name := range names {
				used[name] = true
			}
		}
		use(routes[i].Routes, used)
	}
}

// muted returns which of the mutes of a route are on, and its active times when it is
// none of them. What there is not holds nobody back.
func (o *options) muted(find func(name string) muteState) (by, outside []string) {
	for _, name := range o.mute {
		if find(name) == muteOn {
			by = append(by, name)
		}
	}
	for _, name := range o.active {
		if find(name) != muteOff {
			return by, nil
		}
	}
	return by, o.active
}

// muteState is how a mute is at some time.
type muteState uint8

const (
	muteAbsent muteState = iota // there is none of the name
	muteOff
	muteOn
)

// stateAt returns how the mute of a name is at t.
func (c *Config) stateAt(name string, t int64) muteState {
	switch m := c.mute(name); {
	case m == nil:
		return muteAbsent
	case m.Active(t):
		return muteOn
	}
	return muteOff
}

// mute returns the mute of a name, nil when there is none.
func (c *Config) mute(name string) *Mute {
	if i := slices.IndexFunc(c.Mute, func(m Mute) bool { return m.Name == name }); i >= 0 {
		return &c.Mute[i]
	}
	return nil
}
