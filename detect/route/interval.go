package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Interval is a set of times: those that fit every list that is not empty. An Interval
// without lists is all the time.
type Interval struct {
	Times       []Times // of the day
	Weekdays    []Range // 0 is Sunday; from 6 to 1 is Saturday to Monday
	DaysOfMonth []Range // -1 is the last day
	Months      []Range // 1 to 12; from 11 to 2 is November to February
	Years       []Range
	Timezone    *Zone // nil: that of the mute
}

// Times is a part of the day, [Start, End), in minutes since midnight as clocks show
// them. One that does not end after it starts goes on into the next day, and belongs
// to the day on which it starts.
type Times struct{ Start, End int }

// midnight is the last minute of a day that can be an end, 24:00.
const midnight = 24 * 60

// overnight reports whether the times end on the next day.
func (x Times) overnight() bool { return x.End <= x.Start }

// Range is from From to To, both included.
type Range struct{ From, To int }

// within reports whether v lies in the range; one that ends before it begins goes
// round.
func (r Range) within(v int) bool {
	if r.From <= r.To {
		return r.From <= v && v <= r.To
	}
	return v >= r.From || v <= r.To
}

// Zone is a time zone by its name in the IANA database. The zero value is UTC.
type Zone struct {
	name     string
	location *time.Location
}

// ParseZone finds a zone such as Europe/Berlin; the empty name is UTC. The machine's
// own zone is none: a configuration means the same everywhere.
func ParseZone(name string) (Zone, error) {
	if name == "" || name == "UTC" {
		return Zone{name: name}, nil
	}
	if name == "Local" || len(name) > MaxName {
		return Zone{}, fmt.Errorf("%.70q is no time zone, want a name such as Europe/Berlin", name)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return Zone{}, fmt.Errorf("%.70q is no time zone, want a name such as Europe/Berlin", name)
	}
	return Zone{name, location}, nil
}

// String returns the name, UTC for the zero value.
func (z Zone) String() string {
	if z.name == "" {
		return "UTC"
	}
	return z.name
}

// offset returns how many ms clocks are ahead of UTC at time t, and the time at which
// that changes next, or a time after until.
func (z Zone) offset(t, until int64) (ms, end int64) {
	if z.location == nil {
		return 0, until + 1
	}
	at := time.UnixMilli(t).In(z.location)
	_, seconds := at.Zone()
	if _, change := at.ZoneBounds(); !change.IsZero() {
		return int64(seconds) * 1000, change.UnixMilli()
	}
	return int64(seconds) * 1000, until + 1
}

// contains reports whether the clock shows a time of the interval when it shows the
// ms since 1970 as if it were in UTC.
func (v *Interval) contains(clock int64) bool {
	at := time.UnixMilli(clock).UTC()
	today := v.day(at)
	if len(v.Times) == 0 {
		return today
	}
	now := at.Hour()*60 + at.Minute()
	return slices.ContainsFunc(v.Times, func(x Times) bool {
		if !x.overnight() {
			return today && x.Start <= now && now < x.End
		}
		return today && now >= x.Start || now < x.End && v.day(at.AddDate(0, 0, -1))
	})
}

// day reports whether the day of at, in UTC, is one of the interval.
func (v *Interval) day(at time.Time) bool {
	year, month, day := at.Date()
	return fits(v.Weekdays, int(at.Weekday())) && fits(v.Months, int(month)) && fits(v.Years, year) &&
		(len(v.DaysOfMonth) == 0 || slices.ContainsFunc(v.DaysOfMonth, func(r Range) bool {
			last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
			return fromStart(r.From, last) <= day && day <= fromStart(r.To, last)
		}))
}

func fits(ranges []Range, v int) bool {
	return len(ranges) == 0 || slices.ContainsFunc(ranges, func(r Range) bool { return r.within(v) })
}

// fromStart counts a day of a month with so many days from the start; what is before
// the first or after the last stays so.
func fromStart(day, last int) int {
	if day < 0 {
		return last + 1 + day
	}
	return day
}

// weekdays and months are the names, the index being the number.
var (
	weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	months   = []string{"", "january", "february", "march", "april", "may", "june",
		"july", "august", "september", "october", "november", "december"}
)

// list is what the ranges of one list may be.
type list struct {
	names    []string // nil: numbers only
	min, max int      // numbers; min > max: names only
	round    bool     // a range may go round
	what     string   // an example for errors
}

var (
	weekdayList = list{weekdays, 1, 0, true, `"monday:friday"`}
	monthList   = list{months, 1, 12, true, `"january:march" or "1:3"`}
	dayList     = list{nil, -31, 31, false, `"1:5", "-1" or "-3:-1", days from -31 to 31 but 0`}
	yearList    = list{nil, 1970, 9999, false, `"2026:2028"`}
)

// parse reads `from:to` or one value.
func (l *list) parse(text string) (Range, error) {
	bad := fmt.Errorf("%.40q is no range, want one such as %s", text, l.what)
	from, to, ranged := strings.Cut(text, ":")
	if !ranged {
		to = from
	}
	a, known := l.value(from)
	b, alsoKnown := l.value(to)
	switch {
	case !known || !alsoKnown:
		return Range{}, bad
	case a < 0 && b > 0:
		return Range{}, fmt.Errorf("%.40q begins at a day counted from the end of the month and so must end", text)
	case a > b && !l.round && (a < 0) == (b < 0):
		return Range{}, fmt.Errorf("%.40q ends before it begins", text)
	}
	return Range{a, b}, nil
}

func (l *list) value(text string) (int, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if i := slices.Index(l.names, text); i >= 0 && text != "" {
		return i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n != 0 && l.min <= n && n <= l.max
}

// format is the inverse of parse.
func (l *list) format(r Range) string {
	name := func(v int) string {
		if v >= 0 && v < len(l.names) {
			return l.names[v]
		}
		return strconv.Itoa(v)
	}
	if r.From == r.To {
		return name(r.From)
	}
	return name(r.From) + ":" + name(r.To)
}

// parseClock reads 09:00 to 24:00 as minutes.
func parseClock(text string) (int, error) {
	var hours, minutes int
	ok := len(text) == 5 && text[2] == ':'
	if ok {
		for i, c := range []byte(text) {
			ok = ok && (i == 2 || '0' <= c && c <= '9')
		}
	}
	if ok {
		hours, minutes = int(text[0]-'0')*10+int(text[1]-'0'), int(text[3]-'0')*10+int(text[4]-'0')
	}
	if !ok || minutes > 59 || hours*60+minutes > midnight {
		return 0, fmt.Errorf(`%.20q is no time of day, want one from "00:00" to "24:00"`, text)
	}
	return hours*60 + minutes, nil
}

func formatClock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
