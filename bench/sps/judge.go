package main

import (
	"math"
	"slices"

	"pulse/bench/gen"
	"pulse/detect/algo"
)

// What counts, in ms. An event is found by the first onset stamped after its
// start and at most at its end, or within shiftWindow of its start when it is a
// level shift, which need not end. An onset later than that, but before echo has
// passed since then, belongs to the event too and is counted as an echo: the
// way back after an outage is as sudden as the way in. Every other onset in the
// judged weeks is a false page, those in benign events included.
const (
	minute      = int64(60_000)
	hour        = 60 * minute
	week        = 7 * 24 * hour
	shiftWindow = 4 * hour
	echo        = 3 * hour
	// benignEcho is for how long after its end a page is put down to a benign event.
	benignEcho = 15 * minute
	// repeat is how long the score must stay below a threshold before reaching it
	// is another page, when pages are made from scores.
	repeat = 30 * minute
)

// page is a moment at which somebody is called.
type page struct {
	t     int64 // stamp of the step that goes out
	until int64 // stamp of the first step after it that is not out
	cause algo.Cause
}

// course is what one detector said about one stream.
type course struct {
	stream *gen.Stream
	onsets []page
	scored []page // those that follow from the score alone
}

// watch feeds values to a new detector, whose score counts from threshold on.
func watch(s *gen.Stream, values []float64, d algo.Detector, threshold float64) *course {
	c := &course{stream: s}
	out, last := false, int64(math.MinInt64/2)
	for i, v := range values {
		t := s.Start + int64(i+1)*s.Step
		verdict := d.Step(t, v)
		switch {
		case verdict.Out && !out:
			c.onsets = append(c.onsets, page{t, s.End, verdict.Cause})
		case out && !verdict.Out:
			c.onsets[len(c.onsets)-1].until = t
		}
		out = verdict.Out
		if verdict.Score >= threshold {
			if t-last > repeat {
				c.scored = append(c.scored, page{t, t, verdict.Cause})
			}
			last = t
		}
	}
	return c
}

// judgeOnsets adds up what was paged on all of the streams.
func judgeOnsets(courses []*course) *outcome {
	o := &outcome{}
	for _, c := range courses {
		o.judge(c.stream, c.onsets)
	}
	return o
}

// fate is what became of one event.
type fate struct {
	stream *gen.Stream
	event  gen.Event
	found  bool  // or paged, when it is benign
	delay  int64 // ms from the first step that the event covers whole to the end of the step that paged
	cause  algo.Cause
	before bool // the stream was out when it began
}

// outcome is everything that is counted.
type outcome struct {
	fates    []fate
	false    []falsePage
	echoes   int     // pages after an incident that are its doing
	promptly int     // of these, those within half an hour of its end
	repeats  int     // further pages within an incident
	early    int     // pages in the weeks of learning, but not in the first
	out      int64   // ms out in the judged weeks
	weeks    float64 // judged
	learning float64 // weeks of learning, without the first
}

// falsePage is one in the judged weeks that nobody wanted.
type falsePage struct {
	stream *gen.Stream
	page
	benign string // class of the benign event that it belongs to, empty when nothing happened
}

// end returns until when an onset finds e.
func end(e *gen.Event) int64 {
	if e.Kind == gen.Shift {
		if e.Duration == 0 {
			return e.Start + shiftWindow
		}
		return e.Start + min(e.Duration, shiftWindow)
	}
	return e.Start + e.Duration
}

// excused reports whether a page at t, which does not find e, is the doing of e.
func excused(e *gen.Event, t int64) bool {
	if t <= e.Start {
		return false
	}
	over, ends := e.End()
	return t <= end(e)+echo || ends && t > over && t <= over+echo
}

// judge adds the pages of one stream.
func (o *outcome) judge(s *gen.Stream, pages []page) {
	o.weeks += float64(s.End-s.Judged) / float64(week)
	o.learning += float64(s.Judged-s.Start)/float64(week) - 1
	used := make([]bool, len(pages))
	for _, p := range pages {
		o.out += max(0, p.until-max(p.t, s.Judged))
	}
	for _, e := range s.Events {
		f := fate{stream: s, event: e}
		last := end(&e)
		if e.Want == gen.Silence {
			last += benignEcho
		}
		if e.Duration > 0 && e.Want != gen.Silence {
			last = max(last, (last+s.Step-1)/s.Step*s.Step) // the step that the event ends in
		}
		for i, p := range pages {
			f.before = f.before || p.t <= e.Start && p.until > e.Start
			if p.t <= e.Start || p.t > last {
				continue
			}
			switch {
			case !f.found:
				f.found, f.cause = true, p.cause
				f.delay = max(0, p.t-s.Whole(&e))
			case e.Want == gen.Page:
				o.repeats++
			}
			if e.Want == gen.Silence {
				if !e.Trial {
					o.false = append(o.false, falsePage{s, p, e.Class})
				}
			}
			used[i] = true
		}
		o.fates = append(o.fates, f)
	}
	for i, p := range pages {
		switch {
		case used[i] || p.t <= s.Start+week:
		case p.t <= s.Judged:
			o.early++
		case slices.ContainsFunc(s.Events, func(e gen.Event) bool { return e.Want != gen.Silence && excused(&e, p.t) }):
			o.echoes++
			if slices.ContainsFunc(s.Events, func(e gen.Event) bool { over, ends := e.End(); return ends && p.t > over && p.t <= over+repeat }) {
				o.promptly++
			}
		default:
			o.false = append(o.false, falsePage{stream: s, page: p})
		}
	}
}

// rate is the number of false pages per stream-week.
func (o *outcome) rate() float64 { return float64(len(o.false)) / o.weeks }

// byVolume returns the outcome of the streams of each bracket.
func byVolume(courses []*course) []*outcome {
	var out []*outcome
	for k := range brackets {
		out = append(out, judgeOnsets(slices.DeleteFunc(slices.Clone(courses), func(c *course) bool {
			return c.stream.Level < brackets[k].from || c.stream.Level >= brackets[k].to
		})))
	}
	return out
}

// share returns how many of the fates that pick takes were found.
func (o *outcome) share(pick func(f *fate) bool) share {
	var s share
	for i := range o.fates {
		f := &o.fates[i]
		if !pick(f) {
			continue
		}
		s.n++
		if f.found {
			s.found++
			s.delays = append(s.delays, f.delay)
		}
	}
	slices.Sort(s.delays)
	return s
}

// share is a part of events, with the delays of those found in ascending order.
type share struct {
	n, found int
	delays   []int64
}

// of returns the found part, NaN of nothing.
func (s share) of() float64 { return float64(s.found) / float64(s.n) }

// within returns the part found within a delay.
func (s share) within(ms int64) float64 {
	k := 0
	for _, d := range s.delays {
		if d <= ms {
			k++
		}
	}
	return float64(k) / float64(s.n)
}

// percentile returns a delay of those found in seconds, NaN of nothing.
func (s share) percentile(q float64) float64 {
	if len(s.delays) == 0 {
		return math.NaN()
	}
	return float64(s.delays[int(q*float64(len(s.delays)-1)+0.5)]) / 1000
}

// wanted takes the events that must page.
func wanted(f *fate) bool { return f.event.Want == gen.Page && !f.event.Trial }
