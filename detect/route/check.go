package route

import (
	"fmt"
	"slices"
	"strconv"

	"pulse/detect/duration"
)

// Check returns what is wrong with c, an *Error whose path names the place, or nil.
//
//	known   reports whether there is a receiver of a name; nil: every name is one
func (c *Config) Check(known func(receiver string) bool) error {
	k := &checker{config: c, known: known}
	k.mutes()
	k.inhibits()
	k.routes(c.Routes, "routes", nil, 1)
	if k.err == nil {
		return nil
	}
	return k.err
}

// checker goes over a configuration and keeps the first error.
type checker struct {
	config *Config
	known  func(string) bool
	n      int // routes seen
	err    *Error
}

func (k *checker) fail(path, format string, args ...any) {
	if k.err == nil {
		k.err = &Error{path, fmt.Errorf(format, args...)}
	}
}

// atMost refuses a list that is too long.
func (k *checker) atMost(path string, n, limit int) {
	if n > limit {
		k.fail(path, "has %d entries, at most %d", n, limit)
	}
}

// name refuses what is no name, or is one of those before.
func (k *checker) name(path, name string, before map[string]bool) {
	switch {
	case name == "":
		k.fail(path, "name is missing: alerts that are held back tell it")
	case !validName(name):
		k.fail(path, "name %.70q must be 1 to %d characters of A-Z a-z 0-9 . _ -", name, MaxName)
	case before[name]:
		k.fail(path, "name %q is that of two", name)
	}
	before[name] = true
}

func validName(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(name) <= MaxName
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func (k *checker) mutes() {
	k.atMost("mute", len(k.config.Mute), MaxMute)
	names := map[string]bool{}
	for i := range k.config.Mute {
		m, at := &k.config.Mute[i], indexed("mute", i)
		k.name(at, m.Name, names)
		if len(m.Intervals) == 0 {
			k.fail(at, "has no intervals and so is never")
		}
		k.atMost(at+".intervals", len(m.Intervals), MaxIntervals)
		for j := range m.Intervals {
			k.interval(indexed(at+".intervals", j), &m.Intervals[j])
		}
		if k.err != nil {
			return
		}
	}
}

func (k *checker) interval(at string, v *Interval) {
	k.atMost(at+".times", len(v.Times), MaxRanges)
	for i, x := range v.Times {
		if x.Start < 0 || x.Start >= midnight || x.End < 0 || x.End > midnight {
			k.fail(indexed(at+".times", i), "is not from a time of day to another")
		}
		if x.Start == x.End {
			k.fail(indexed(at+".times", i), `begins and ends at %s; the whole day is from "00:00" to "24:00"`, formatClock(x.Start))
		}
	}
	for _, l := range []struct {
		key    string
		ranges []Range
		list   *list
	}{{"weekdays", v.Weekdays, &weekdayList}, {"days_of_month", v.DaysOfMonth, &dayList}, {"months", v.Months, &monthList}, {"years", v.Years, &yearList}} {
		k.atMost(at+"."+l.key, len(l.ranges), MaxRanges)
		for i, r := range l.ranges {
			if _, err := l.list.parse(l.list.format(r)); err != nil {
				k.fail(indexed(at+"."+l.key, i), "%w", err)
			}
		}
	}
}

func (k *checker) inhibits() {
	k.atMost("inhibit", len(k.config.Inhibit), MaxInhibit)
	names := map[string]bool{}
	for i := range k.config.Inhibit {
		r, at := &k.config.Inhibit[i], indexed("inhibit", i)
		k.name(at, r.Name, names)
		if len(r.Source) == 0 {
			k.fail(at, "source has no matchers, so that every alert would hold others back")
		}
		if len(r.Target) == 0 {
			k.fail(at, "target has no matchers, so that every alert would be held back")
		}
		k.labels(at+".equal", r.Equal)
		if k.err != nil {
			return
		}
	}
}

// labels checks names of labels.
func (k *checker) labels(path string, keys []string) {
	k.atMost(path, len(keys), MaxLabels)
	for i, key := range keys {
		if key == "" || len(key) > 128 {
			k.fail(indexed(path, i), "%.40q is no name of a label", key)
		}
		if slices.Contains(keys[:i], key) {
			k.fail(indexed(path, i), "%.40q is there twice", key)
		}
	}
}

func (k *checker) routes(routes []Route, path string, inherited []string, depth int) {
	if depth > MaxDepth && len(routes) > 0 {
		k.fail(path, "routes within routes more than %d deep", MaxDepth)
		return
	}
	for i := range routes {
		if k.n++; k.n > MaxRoutes {
			k.fail(path, "more than %d routes", MaxRoutes)
		}
		if k.err != nil {
			return
		}
		r, at := &routes[i], indexed(path, i)
		k.route(at, r, inherited)
		receivers := r.Receivers
		if receivers == nil {
			receivers = inherited
		}
		k.routes(r.Routes, at+".routes", receivers, depth+1)
	}
}

func (k *checker) route(at string, r *Route, inherited []string) {
	if r.Receivers == nil && inherited == nil {
		k.fail(at, "names no receiver, and no route around it does; receivers: [] tells nobody")
	}
	k.receivers(at+".receivers", r.Receivers)
	k.labels(at+".group_by", r.GroupBy)
	if slices.Contains(r.GroupBy, All) && len(r.GroupBy) > 1 {
		k.fail(at+".group_by", "has %q, which is all labels, and others", All)
	}
	k.length(at+".group_wait", r.GroupWait, 0, duration.Hour)
	k.length(at+".group_interval", r.GroupInterval, duration.Second, 7*duration.Day)
	if r.RepeatInterval != nil && *r.RepeatInterval != 0 {
		k.length(at+".repeat_interval", r.RepeatInterval, duration.Second, 30*duration.Day)
	}
	k.times(at+".mute", r.Mute)
	k.times(at+".active", r.Active)
}

func (k *checker) receivers(path string, names []string) {
	k.atMost(path, len(names), MaxReceivers)
	for i, name := range names {
		at := indexed(path, i)
		switch {
		case name == "":
			k.fail(at, "is empty; receivers: [] tells nobody")
		case slices.Contains(names[:i], name):
			k.fail(at, "receiver %.70q is there twice", name)
		case k.known != nil && !k.known(name):
			k.fail(at, "there is no receiver of alerts %.70q", name)
		}
	}
}

func (k *checker) length(path string, d *duration.Duration, least, most duration.Duration) {
	if d != nil && (*d < least || *d > most) {
		k.fail(path, "is %s, want %s to %s", *d, least, most)
	}
}

// times checks references to mutes.
func (k *checker) times(path string, names []string) {
	k.atMost(path, len(names), MaxMute)
	for i, name := range names {
		if k.config.mute(name) == nil {
			k.fail(indexed(path, i), "there is no mute %.70q", name)
		}
		if slices.Contains(names[:i], name) {
			k.fail(indexed(path, i), "mute %.70q is there twice", name)
		}
	}
}

// Warnings returns what is allowed and yet seldom meant: routes that are never
// reached, and alerts that no route would take.
func (c *Config) Warnings() []string {
	if len(c.Routes) == 0 {
		return nil
	}
	out, ends := warnings(c.Routes, "routes")
	if !ends {
		out = append(out, "routes: an alert that none of them takes is told to nobody; a last route without matchers takes the rest")
	}
	return out
}

// warnings also reports whether one of the routes takes every alert and ends the search.
func warnings(routes []Route, path string) (out []string, ends bool) {
	for i := range routes {
		at := indexed(path, i)
		if ends {
			out = append(out, fmt.Sprintf("%s: is never reached, since one before it takes every alert and does not continue", at))
			break
		}
		more, _ := warnings(routes[i].Routes, at+".routes")
		out = append(out, more...)
		ends = len(routes[i].Matchers) == 0 && !routes[i].Continue
	}
	return out, ends
}
