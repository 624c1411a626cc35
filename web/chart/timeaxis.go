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

// clockTicks marks the multiples of gap since local midnight, day by day, so
// that a change of clocks shifts nothing.
func clockTicks(start, end int64, zone *time.Location, gap int64) []timeTick {
	layout := "15:04"
	switch {
	case gap < 1000:
		layout = "15:04:05.0"
	case gap < 60_000:
		layout = "15:04:05"
	}
	var out []timeTick
	for midnight := midnightOf(start, zone); midnight.UnixMilli() <= end; midnight = midnight.AddDate(0, 0, 1) {
		next := midnight.AddDate(0, 0, 1).UnixMilli()
		last := ""
		from := midnight.UnixMilli()
		if from < start {
			from += (start - from) / gap * gap
		}
		for at := from; at < next && at <= end+2*hourMs; at += gap {
			t := time.UnixMilli(at).In(zone)
			if !round(t, gap) {
				t = t.Add(time.Duration(offset(midnight)-offset(t)) * time.Second)
			}
			ms := t.UnixMilli()
			label := t.Format(layout)
			if ms < start || ms > end || ms >= next || label == last || !round(t, gap) {
				continue
			}
			last = label
			tick := timeTick{at: ms, label: label}
			if ms == midnight.UnixMilli() {
				tick.label, tick.day = t.Format("Jan 2"), true
			}
			out = append(out, tick)
		}
	}
	return out
}

// round tells whether t is a multiple of gap on the local clock.
func round(t time.Time, gap int64) bool {
	h, m, s := t.Clock()
	return (int64(h*3600+m*60+s)*1000+int64(t.Nanosecond()/1e6))%gap == 0
}

func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

func midnightOf(ms int64, zone *time.Location) time.Time {
	y, m, d := time.UnixMilli(ms).In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// dayTicks marks every days-th local midnight; weeks begin on Monday.
func dayTicks(start, end int64, zone *time.Location, days int) []timeTick {
	t := midnightOf(start, zone)
	if days%7 == 0 {
		t = t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
	}
	return calendarTicks(start, end, t, "Jan 2", func(t time.Time) time.Time { return t.AddDate(0, 0, days) })
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
