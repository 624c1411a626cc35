package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"pulse/store/tags"
)

// Const is a line with one value everywhere.
type Const struct {
	noInputs
	ungrouped
	Value float64
}

func (c *Const) String() string                              { return FormatDouble(c.Value) + ",:const" }
func (c *Const) withInputs([]TimeSeries) (TimeSeries, error) { return c, nil }
func (c *Const) identity() string                            { return c.String() }
func (c *Const) kernel() kernel {
	text := FormatDouble(c.Value)
	return &generated{name: text, value: func(int64) float64 { return c.Value }}
}

// Random is noise in [0, 1) that depends on nothing but the time and the seed.
type Random struct {
	noInputs
	ungrouped
	// Seed varies the noise when Seeded.
	Seed   int32
	Seeded bool
}

func (r *Random) String() string {
	if r.Seeded {
		return strconv.Itoa(int(r.Seed)) + ",:srandom"
	}
	return ":random"
}

func (r *Random) withInputs([]TimeSeries) (TimeSeries, error) { return r, nil }
func (r *Random) identity() string                            { return r.String() }
func (r *Random) kernel() kernel {
	name := "random"
	if r.Seeded {
		name = fmt.Sprintf("seeded-random(%d)", r.Seed)
	}
	seed := int64(r.Seed)
	return &generated{name: name, value: func(t int64) float64 { return random(t ^ seed) }}
}

// random maps a time to [0, 1) in steps of a thousandth.
func random(t int64) float64 {
	h := int32(lowBias32(uint32(t)) ^ lowBias32(uint32(uint64(t)>>32)))
	if h < 0 {
		h = -h
	}
	return float64(h%1000) / 1000
}

// lowBias32 is Wellons' integer hash of that name.
func lowBias32(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7FEB352D
	x ^= x >> 15
	x *= 0x846CA68B
	return x ^ x>>16
}

// Time is a line derived from the time of each value, in UTC.
type Time struct {
	noInputs
	ungrouped
	Mode string
}

// NewTime returns the line of a mode, a name such as hourOfDay or the name of
// a Java ChronoField. Other modes are an error.
func NewTime(mode string) (*Time, error) {
	if timeMode(mode) == nil {
		return nil, fmt.Errorf("unknown time mode: %s", mode)
	}
	return &Time{Mode: mode}, nil
}

func (x *Time) String() string                              { return x.Mode + ",:time" }
func (x *Time) withInputs([]TimeSeries) (TimeSeries, error) { return x, nil }
func (x *Time) identity() string                            { return x.String() }
func (x *Time) kernel() kernel {
	f := timeMode(x.Mode)
	return &generated{name: x.Mode, value: f}
}

// timeMode returns the function of a mode, nil for an unknown one.
func timeMode(mode string) func(ms int64) float64 {
	if unit, ok := map[string]float64{
		"seconds": 1e3, "minutes": 60e3, "hours": 3600e3, "days": 86400e3, "weeks": 7 * 86400e3,
	}[mode]; ok {
		return func(ms int64) float64 { return float64(ms) / unit }
	}
	field, ok := map[string]string{
		"secondOfMinute": "SECOND_OF_MINUTE", "secondOfDay": "SECOND_OF_DAY",
		"minuteOfHour": "MINUTE_OF_HOUR", "minuteOfDay": "MINUTE_OF_DAY",
		"hourOfDay": "HOUR_OF_DAY", "dayOfWeek": "DAY_OF_WEEK", "dayOfMonth": "DAY_OF_MONTH",
		"dayOfYear": "DAY_OF_YEAR", "monthOfYear": "MONTH_OF_YEAR",
		"yearOfCentury": "YEAR", "yearOfEra": "YEAR_OF_ERA",
	}[mode]
	if !ok {
		field = mode
	}
	f := chronoField(field)
	if f == nil {
		return nil
	}
	return func(ms int64) float64 { return float64(f(time.UnixMilli(ms).UTC())) }
}

// chronoField returns the value of a java.time.temporal.ChronoField at a UTC
// time for the fields that fit a double, nil for names that are none.
func chronoField(name string) func(time.Time) int64 {
	ofDay := func(t time.Time) int64 { return int64(t.Hour()*3600 + t.Minute()*60 + t.Second()) }
	weekday := func(t time.Time) int64 { return int64((t.Weekday()+6)%7) + 1 }
	return map[string]func(time.Time) int64{
		"NANO_OF_SECOND":               func(t time.Time) int64 { return int64(t.Nanosecond()) },
		"NANO_OF_DAY":                  func(t time.Time) int64 { return ofDay(t)*1e9 + int64(t.Nanosecond()) },
		"MICRO_OF_SECOND":              func(t time.Time) int64 { return int64(t.Nanosecond() / 1e3) },
		"MICRO_OF_DAY":                 func(t time.Time) int64 { return ofDay(t)*1e6 + int64(t.Nanosecond()/1e3) },
		"MILLI_OF_SECOND":              func(t time.Time) int64 { return int64(t.Nanosecond() / 1e6) },
		"MILLI_OF_DAY":                 func(t time.Time) int64 { return ofDay(t)*1e3 + int64(t.Nanosecond()/1e6) },
		"SECOND_OF_MINUTE":             func(t time.Time) int64 { return int64(t.Second()) },
		"SECOND_OF_DAY":                ofDay,
		"MINUTE_OF_HOUR":               func(t time.Time) int64 { return int64(t.Minute()) },
		"MINUTE_OF_DAY":                func(t time.Time) int64 { return ofDay(t) / 60 },
		"HOUR_OF_AMPM":                 func(t time.Time) int64 { return int64(t.Hour() % 12) },
		"CLOCK_HOUR_OF_AMPM":           func(t time.Time) int64 { return int64((t.Hour()+11)%12) + 1 },
		"HOUR_OF_DAY":                  func(t time.Time) int64 { return int64(t.Hour()) },
		"CLOCK_HOUR_OF_DAY":            func(t time.Time) int64 { return int64((t.Hour()+23)%24) + 1 },
		"AMPM_OF_DAY":                  func(t time.Time) int64 { return int64(t.Hour() / 12) },
		"DAY_OF_WEEK":                  weekday,
		"ALIGNED_DAY_OF_WEEK_IN_MONTH": func(t time.Time) int64 { return int64((t.Day()-1)%7) + 1 },
		"ALIGNED_DAY_OF_WEEK_IN_YEAR":  func(t time.Time) int64 { return int64((t.YearDay()-1)%7) + 1 },
		"DAY_OF_MONTH":                 func(t time.Time) int64 { return int64(t.Day()) },
		"DAY_OF_YEAR":                  func(t time.Time) int64 { return int64(t.YearDay()) },
		"EPOCH_DAY":                    func(t time.Time) int64 { return floorDiv(t.UnixMilli(), 86400e3) },
		"ALIGNED_WEEK_OF_MONTH":        func(t time.Time) int64 { return int64((t.Day()-1)/7) + 1 },
		"ALIGNED_WEEK_OF_YEAR":         func(t time.Time) int64 { return int64((t.YearDay()-1)/7) + 1 },
		"MONTH_OF_YEAR":                func(t time.Time) int64 { return int64(t.Month()) },
		"PROLEPTIC_MONTH":              func(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 },
		"YEAR_OF_ERA":                  func(t time.Time) int64 { return int64(t.Year()) },
		"YEAR":                         func(t time.Time) int64 { return int64(t.Year()) },
		"ERA":                          func(time.Time) int64 { return 1 },
		"OFFSET_SECONDS":               func(time.Time) int64 { return 0 },
	}[name]
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// generated is the kernel of lines that need no data. value must be pure.
type generated struct {
	name  string
	value func(t int64) float64
}

func (g *generated) shape(_ []*result, out *result) error {
	out.reset([]Line{{Tags: tags.Of("name", g.name), Label: g.name, Gauge: true}})
	return nil
}

func (g *generated) run(w Window, _ []*result, out *result) error {
	dst := out.lines[0].Values
	for i := range dst {
		dst[i] = g.value(w.Start + int64(i)*w.Step)
	}
	return nil
}

// constantOf returns the value of t if it is a constant.
func constantOf(t TimeSeries) (float64, bool) {
	c, ok := t.(*Const)
	if !ok {
		return math.NaN(), false
	}
	return c.Value, true
}

// TimeModes returns the names :time understands besides ChronoField names.
func TimeModes() []string {
	return strings.Fields(`secondOfMinute secondOfDay minuteOfHour minuteOfDay hourOfDay dayOfWeek
		dayOfMonth dayOfYear monthOfYear yearOfCentury yearOfEra seconds minutes hours days weeks`)
}
