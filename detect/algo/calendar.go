package algo

import "time"

// calendar turns Unix ms into local time of a time zone. It remembers the
// stretch of time in which the offset last asked for holds, so that the zone's
// table is read twice a year.
type calendar struct {
	from, until int64 // Unix ms, [from, until) has this offset
	offset      int64 // ms east of Greenwich
}

const (
	dayMs  = 86_400_000
	weekMs = 7 * dayMs
	// monday is how long after the start of a week the epoch lies: it was a Thursday.
	monday = 3 * dayMs
)

// local returns t on the clocks of loc, in ms since the epoch.
func (c *calendar) local(loc *time.Location, t int64) int64 {
	if loc == nil {
		return t
	}
	if t < c.from || t >= c.until {
		at := time.UnixMilli(t).In(loc)
		_, seconds := at.Zone()
		begin, end := at.ZoneBounds()
		c.offset, c.from, c.until = int64(seconds)*1000, -1<<62, 1<<62
		if !begin.IsZero() {
			c.from = begin.UnixMilli()
		}
		if !end.IsZero() {
			c.until = end.UnixMilli()
		}
	}
	return t + c.offset
}

// within returns how far the local time lies in a cycle of the given length,
// days from midnight and weeks from Monday.
func within(local, cycle int64) int64 {
	if cycle == weekMs {
		local += monday
	}
	if at := local % cycle; at >= 0 {
		return at
	} else {
		return at + cycle
	}
}
