package chart

import "time"

// timeTick is a mark on the time axis.
type timeTick struct {
	at    int64 // Unix ms
	label string
	day   bool // the first moment of a local day
}

// gaps are the round distances between time ticks, in ms, below a month.
var gaps = []int64{100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
	hourMs, 2 * hourMs, 3 * hourMs, 4 * hourMs, 6 * hourMs, 8 * hourMs, 12 * hourMs, dayMs, 2 * dayMs, 7 * dayMs, 14 * dayMs}

const (
	hourMs = int64(3_600_000)
	dayMs  = 24 * hourMs
)

// timeTicks marks round local times in [start, end], at most count of them or
// a few more where clocks are changed.
func timeTicks(start, end int64, zone *time.Location, count int) []timeTick {
	least := (end - start) / int64(max(count, 1))
	for _, gap := range gaps {
		if gap < least {
			continue
		}
		if gap >= dayMs {
			return dayTicks(start, end, zone, int(gap/dayMs))
		}
		return clockTicks(start, end, zone, gap)
	}
	for _, months := range []int{1, 2, 3, 6, 12, 24, 60, 120, 600, 1200} {
		if int64(months)*30*dayMs >= least {
			return monthTicks(start, end, zone, months)
		}
	}
	return monthTicks(start, end, zone, 12_000)
}

// clockTicks marks the beginning of each local day and the round times between,
// day by day, so that a change of clocks shifts nothing.
func clockTicks(start, end int64, zone *time.Location, gap int64) []timeTick {
	layout := "15:04"
	switch {
	case gap < 1000:
		layout = "15:04:05.0"
	case gap < 60_000:
		layout = "15:04:05"
	}
	var out []timeTick
	for day := dayOf(start, zone, 0); day.UnixMilli() <= end; day = daysAfter(day, zone, 1) {
		begin, next := day.UnixMilli(), daysAfter(day, zone, 1).UnixMilli()
		if begin >= start {
			out = append(out, timeTick{at: begin, label: day.Format("Jan 2"), day: true})
		}
		last := ""
		at := begin - sinceMidnight(day)
		if at < start {
			at += (start - at) / gap * gap
		}
		for ; at < next && at <= end+2*hourMs; at += gap {
			t := time.UnixMilli(at).In(zone)
			if sinceMidnight(t)%gap != 0 { // clocks have changed since midnight
				t = t.Add(time.Duration(offset(day)-offset(t)) * time.Second)
			}
			ms, label := t.UnixMilli(), t.Format(layout)
			if ms > begin && ms >= start && ms <= end && ms < next && label != last && sinceMidnight(t)%gap == 0 {
				out = append(out, timeTick{at: ms, label: label})
				last = label
			}
		}
	}
	return out
}

// sinceMidnight returns what the local clock shows, in ms.
func sinceMidnight(t time.Time) int64 {
	h, m, s := t.Clock()
	return int64(h*3600+m*60+s)*1000 + int64(t.Nanosecond()/1e6)
}

func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

// dayOf returns the first moment of the local day of ms, plus so many days.
// Where clocks go forward at midnight that is one o'clock. A day that a zone
// left out, as Samoa did 30 December 2011, gives one of its neighbours.
func dayOf(ms int64, zone *time.Location, plus int) time.Time {
	y, m, d := time.UnixMilli(ms).In(zone).Date()
	noon := time.Date(y, m, d+plus, 12, 0, 0, 0, zone)
	y, m, d = noon.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	for t.Day() != d && t.Before(noon) {
		t = t.Add(time.Hour)
	}
	return t
}

// daysAfter returns the first moment of the local day so many days after day,
// or of a later one where that day was left out.
func daysAfter(day time.Time, zone *time.Location, days int) time.Time {
	for {
		if t := dayOf(day.UnixMilli(), zone, days); t.After(day) {
			return t
		}
		days++
	}
}

// dayTicks marks every days-th local midnight; weeks begin on Monday.
func dayTicks(start, end int64, zone *time.Location, days int) []timeTick {
	t := dayOf(start, zone, 0)
	if days%7 == 0 {
		t = dayOf(start, zone, -(int(t.Weekday())+6)%7)
	}
	return calendarTicks(start, end, t, "Jan 2", func(t time.Time) time.Time { return daysAfter(t, zone, days) })
}

// monthTicks marks the first of every months-th month.
func monthTicks(start, end int64, zone *time.Location, months int) []timeTick {
	y, m, _ := time.UnixMilli(start).In(zone).Date()
	n := (y*12 + int(m) - 1) / months * months
	layout := "Jan 2006"
	if months >= 12 {
		layout = "2006"
	}
	return calendarTicks(start, end, time.Date(n/12, time.Month(n%12+1), 1, 0, 0, 0, 0, zone), layout,
		func(t time.Time) time.Time { return t.AddDate(0, months, 0) })
}

func calendarTicks(start, end int64, t time.Time, layout string, next func(time.Time) time.Time) []timeTick {
	var out []timeTick
	for ; t.UnixMilli() <= end; t = next(t) {
		if t.UnixMilli() >= start {
			out = append(out, timeTick{at: t.UnixMilli(), label: t.Format(layout), day: true})
		}
	}
	return out
}
