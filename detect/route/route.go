// Package route decides whom an alert is told to, and when not.
//
// A Config has three parts, each a pure function of an alert's labels (label.Set),
// the time of data and, for the second, the alerts that fire:
//
//	Routes    a tree: which receivers are told, and what is told together (Decide)
//	Inhibit   rules by which an alert that fires holds others back (Inhibitor)
//	Mute      named times of the week or the year; a route that refers to one is
//	          silent during it, or outside it (Mute.Active, Mute.Next)
//
// # Routes
//
// Routes are tried from the first. A route whose matchers mean the alert takes it;
// the search ends there unless the route says continue. Within the route the same is
// done with its own routes: those that take the alert stand in for it, and where none
// does, it is told to the route's receivers. What a route leaves out it has from the
// one around it. An alert that no route takes is told to nobody (Taken says so), so
// the last route should have no matchers.
//
// Alerts of one route with the same values of the labels in group_by are one group
// of a receiver. The first alert of a group is told after group_wait; what joins or
// ends later is told group_interval after the group was last told of; a group that
// goes on unchanged is told of again after repeat_interval. An alert that is a group
// of its own has nobody to wait for: its end is told at once.
//
// Meaning and names are those of Alertmanager but for this: routes are a list and
// need no root; without group_by every alert is a group of its own, so that the first
// notification of no alert waits for another's; group_wait is 0 and nothing is
// repeated where nothing else is said; mute and active are inherited as all else is;
// and an alert is told to a receiver once, however many routes name it.
//
// Nothing here does I/O or reads a clock, except that ParseZone reads the database of
// time zones. A Config is not changed by its methods and may be used from many
// goroutines; an Inhibitor has one owner.
package route

import (
	"slices"
	"strconv"
	"strings"

	"pulse/detect/duration"
	"pulse/detect/label"
)

// Limits of a configuration.
const (
	MaxRoutes    = 1000 // of the whole tree
	MaxDepth     = 20
	MaxInhibit   = 1000
	MaxMute      = 200
	MaxReceivers = 16 // of one route
	MaxLabels    = 20 // in group_by and equal
	MaxIntervals = 50 // of one mute
	MaxRanges    = 32 // of one list of an interval
	MaxName      = 64 // bytes
)

// All in group_by stands for all labels: every alert is a group of its own.
const All = "..."

// What a route has where neither it nor one around it says otherwise.
const (
	DefaultGroupWait      duration.Duration = 0
	DefaultGroupInterval                    = 5 * duration.Minute
	DefaultRepeatInterval duration.Duration = 0 // never
)

// Config is a set of routes, inhibit rules and mutes. The zero value has none.
type Config struct {
	Routes  []Route
	Inhibit []Inhibit
	Mute    []Mute
}

// Route takes the alerts that its matchers mean. A nil field is that of the route
// around it; an empty list is said to be empty.
type Route struct {
	Receivers []string // names; the empty list tells nobody
	Matchers  label.Matchers
	// GroupBy are names of labels, or All alone. Empty: all alerts of the route are
	// one group. nil at the top is All.
	GroupBy []string
	// GroupWait is how long the first notification of a group waits for company.
	GroupWait *duration.Duration
	// GroupInterval is the least time between two notifications of a group.
	GroupInterval *duration.Duration
	// RepeatInterval is after how long a group that still fires is told of again; 0
	// is never.
	RepeatInterval *duration.Duration
	Continue       bool     // go on to the next route; not inherited
	Mute           []string // names of mutes during which nothing is told
	Active         []string // names of mutes outside of which nothing is told
	Routes         []Route
}

// Leg is one receiver that an alert is told to.
type Leg struct {
	Receiver string
	// Path is the route, such as "routes[0].routes[2]".
	Path string
	// GroupKey names the group among those of the receiver: the matchers of the
	// routes on the path and the group's labels. It does not depend on the order of
	// routes or labels or on the process.
	GroupKey    string
	GroupLabels label.Set
	// Alone says that the alert is a group of its own, so that GroupInterval, which is
	// 0 then, has nothing to gather.
	Alone bool
	// In ms; RepeatInterval 0 is never.
	GroupWait, GroupInterval, RepeatInterval int64
	// MutedBy names the mutes that are on now.
	MutedBy []string
	// Outside names the active times of the route when it is none of them now.
	Outside []string
}

// Muted reports whether nothing is to be told now.
func (l *Leg) Muted() bool { return len(l.MutedBy)+len(l.Outside) > 0 }

// Decide returns whom an alert with these labels is told to at time t (Unix ms), one
// leg per receiver in order of the routes. Where several routes name a receiver, the
// first that is not muted counts, or the first if all are. No legs and nothing Taken
// means that no route wants the alert.
func (c *Config) Decide(set label.Set, t int64) []Leg {
	var legs []Leg
	c.walk(set, func(p path) {
		o := p.options()
		if len(o.receivers) == 0 {
			return
		}
		leg := o.base()
		leg.Path, leg.GroupLabels = p.String(), o.labels(set)
		leg.GroupKey = groupKey(p.groupPrefix(), leg.GroupLabels)
		leg.MutedBy, leg.Outside = o.muted(func(name string) muteState { return c.stateAt(name, t) })
		legs = leg.join(legs, o.receivers)
	})
	return legs
}

// join adds the leg to the legs of an alert, for each receiver.
func (l Leg) join(legs []Leg, receivers []string) []Leg {
	for _, receiver := range receivers {
		l.Receiver = receiver
		i := slices.IndexFunc(legs, func(o Leg) bool { return o.Receiver == receiver })
		if i < 0 {
			legs = append(legs, l)
		} else if legs[i].Muted() && !l.Muted() {
			legs[i] = l
		}
	}
	return legs
}

// Taken returns the paths of the routes that take an alert with these labels, those
// that tell nobody among them.
func (c *Config) Taken(set label.Set) []string {
	var paths []string
	c.walk(set, func(p path) { paths = append(paths, p.String()) })
	return paths
}

// Routed reports whether there are routes at all; where there are none, the caller
// knows whom to tell.
func (c *Config) Routed() bool { return len(c.Routes) > 0 }

// node is a step of a path: a route and its index among its siblings.
type node struct {
	index int
	*Route
}

// path leads from the top to a route.
type path []node

// walk calls take with the path to every route that takes the alert. The path is
// valid during the call.
func (c *Config) walk(set label.Set, take func(path)) {
	walk(c.Routes, set, make(path, 0, MaxDepth), take)
}

func walk(routes []Route, set label.Set, at path, take func(path)) (taken bool) {
	for i := range routes {
		r := &routes[i]
		if !r.Matchers.Matches(set) {
			continue
		}
		taken = true
		here := append(at, node{i, r})
		if !walk(r.Routes, set, here, take) {
			take(here)
		}
		if !r.Continue {
			break
		}
	}
	return taken
}

// String returns the path as it is written: routes[0].routes[2].
func (p path) String() string {
	var b []byte
	for i, n := range p {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, "routes["...)
		b = strconv.AppendInt(b, int64(n.index), 10)
		b = append(b, ']')
	}
	return string(b)
}

// options are those of a route with what it inherits.
type options struct {
	receivers, groupBy, mute, active []string
	wait, interval, repeat           duration.Duration
}

func (p path) options() options {
	o := options{
		groupBy: []string{All},
		wait:    DefaultGroupWait, interval: DefaultGroupInterval, repeat: DefaultRepeatInterval,
	}
	for _, n := range p {
		for _, list := range []struct {
			to *[]string
			by []string
		}{{&o.receivers, n.Receivers}, {&o.groupBy, n.GroupBy}, {&o.mute, n.Mute}, {&o.active, n.Active}} {
			if list.by != nil {
				*list.to = list.by
			}
		}
		for _, length := range []struct{ to, by *duration.Duration }{
			{&o.wait, n.GroupWait}, {&o.interval, n.GroupInterval}, {&o.repeat, n.RepeatInterval},
		} {
			if length.by != nil {
				*length.to = *length.by
			}
		}
	}
	return o
}

// base returns what a leg has of the route alone.
func (o *options) base() Leg {
	l := Leg{GroupWait: int64(o.wait), GroupInterval: int64(o.interval), RepeatInterval: int64(o.repeat)}
	if l.Alone = slices.Contains(o.groupBy, All); l.Alone {
		l.GroupInterval = 0
	}
	return l
}

// labels returns those of the group of an alert.
func (o *options) labels(set label.Set) label.Set {
	if slices.Contains(o.groupBy, All) {
		return set.Only(set.Keys())
	}
	return set.Only(o.groupBy)
}

// maxGroupKey bounds the bytes of a group key.
const maxGroupKey = 512

// groupPrefix returns what the routes of the path match: `{a="1"}/{b="2"}`.
func (p path) groupPrefix() string {
	var b strings.Builder
	for i, n := range p {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(sorted(n.Matchers).String())
	}
	return b.String()
}

// groupKey returns `{a="1"}/{b="2"}:{c="3"}`: what the routes of the path match and
// the labels of the group. A long one is shortened and ends in a hash of all of it.
func groupKey(prefix string, labels label.Set) string {
	return bounded(prefix + ":" + labels.String())
}

// sorted returns the matchers in order of their text, each once.
func sorted(ms label.Matchers) label.Matchers {
	if len(ms) < 2 {
		return ms
	}
	ms = slices.Clone(ms)
	slices.SortFunc(ms, func(a, b label.Matcher) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(ms, label.Matcher.Equal)
}
