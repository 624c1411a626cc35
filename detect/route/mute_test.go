package route_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pulse/detect/route"
)

// mute reads the intervals of a mute.
func mute(t testing.TB, zone, intervals string) *route.Mute {
	t.Helper()
	return &read(t, fmt.Sprintf("mute: [{name: m, timezone: %q, intervals: %s}]", zone, intervals)).Mute[0]
}

func TestActive(t *testing.T) {
	f := func(intervals string, on, off string) {
		t.Helper()
		m := mute(t, "", intervals)
		for _, x := range strings.Fields(on) {
			if !m.Active(at(t, x)) {
				t.Errorf("%s: not at %s", intervals, x)
			}
		}
		for _, x := range strings.Fields(off) {
			if m.Active(at(t, x)) {
				t.Errorf("%s: at %s", intervals, x)
			}
		}
	}
	f(`[{}]`, `1970-01-01T00:00:00Z 2026-12-31T23:59:59Z`, ``)
	// 2026-11-22 is a Sunday.
	f(`[{times: [{start: "09:00", end: "17:00"}], weekdays: ['monday:friday']}]`,
		`2026-11-23T09:00:00Z 2026-11-27T16:59:59.999Z`,
		`2026-11-23T08:59:59.999Z 2026-11-27T17:00:00Z 2026-11-22T12:00:00Z 2026-11-28T12:00:00Z`)
	f(`[{weekdays: [Saturday, sunday]}]`, `2026-11-22T00:00:00Z 2026-11-21T23:00:00Z`, `2026-11-23T00:00:00Z 2026-11-20T23:59:59Z`)
	f(`[{weekdays: ['saturday:monday']}]`, `2026-11-21T00:00:00Z 2026-11-22T00:00:00Z 2026-11-23T00:00:00Z`, `2026-11-24T00:00:00Z 2026-11-20T00:00:00Z`)
	f(`[{times: [{start_time: "00:00", end_time: "24:00"}], days_of_month: ['1:5']}]`, `2026-11-01T00:00:00Z 2026-11-05T23:59:59Z`, `2026-11-06T00:00:00Z`)
	f(`[{days_of_month: ['-3:-1']}]`, `2026-02-26T00:00:00Z 2026-02-28T00:00:00Z 2028-02-29T00:00:00Z 2028-02-27T00:00:00Z`, `2026-02-25T00:00:00Z 2028-02-26T00:00:00Z 2026-03-01T00:00:00Z`)
	f(`[{days_of_month: ['31']}]`, `2026-01-31T00:00:00Z`, `2026-02-28T00:00:00Z 2026-04-30T00:00:00Z`)
	f(`[{days_of_month: ['-31:-30']}]`, `2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 2026-04-01T00:00:00Z`, `2026-04-02T00:00:00Z 2026-02-01T00:00:00Z`)
	f(`[{days_of_month: ['20:-1', 1]}]`, `2026-02-20T00:00:00Z 2026-02-28T00:00:00Z 2026-02-01T00:00:00Z`, `2026-02-19T00:00:00Z 2026-02-02T00:00:00Z`)
	f(`[{months: ['december:january', 3, '5:june']}]`, `2026-12-01T00:00:00Z 2026-01-31T00:00:00Z 2026-03-01T00:00:00Z 2026-06-30T00:00:00Z`, `2026-02-01T00:00:00Z 2026-04-01T00:00:00Z 2026-07-01T00:00:00Z`)
	f(`[{years: ['2026:2027', 2030]}]`, `2026-01-01T00:00:00Z 2027-12-31T23:59:59Z 2030-01-01T00:00:00Z`, `2025-12-31T23:59:59Z 2028-01-01T00:00:00Z`)
	// A night belongs to the day on which it begins.
	f(`[{times: [{start: "22:00", end: "06:00"}], weekdays: [friday]}]`,
		`2026-11-20T22:00:00Z 2026-11-21T05:59:59Z`,
		`2026-11-20T21:59:59Z 2026-11-21T06:00:00Z 2026-11-20T05:00:00Z 2026-11-21T22:00:00Z`)
	f(`[{times: [{start: "22:00", end: "00:00"}]}]`, `2026-11-20T23:59:59Z`, `2026-11-20T00:00:00Z 2026-11-20T21:59:59Z`)
	f(`[{times: [{start: "22:00", end: "02:00"}], years: [2026], months: [december], days_of_month: [-1]}]`, `2026-12-31T23:00:00Z 2027-01-01T01:00:00Z`, `2026-12-31T01:00:00Z 2027-12-31T23:00:00Z`)
	// Any of the intervals; all lists of one.
	f(`[{weekdays: [monday]}, {times: [{start: "12:00", end: "13:00"}]}]`, `2026-11-23T00:00:00Z 2026-11-24T12:30:00Z`, `2026-11-24T11:00:00Z`)
	// An interval may have its own zone: 09:00 in Tokyo is midnight.
	f(`[{times: [{start: "09:00", end: "10:00"}], location: Asia/Tokyo}]`, `2026-11-23T00:30:00Z`, `2026-11-23T09:30:00Z`)
}

// TestDaylightSaving is about Berlin: on 2026-03-29 clocks go from 02:00 to 03:00, on
// 2026-10-25 from 03:00 back to 02:00.
func TestDaylightSaving(t *testing.T) {
	// changes lists the times at which the mute begins or ends, as clocks show them.
	f := func(times, from string, want ...string) {
		t.Helper()
		m := mute(t, "Europe/Berlin", "[{times: ["+times+"]}]")
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		x := at(t, from)
		if m.Active(x) {
			t.Fatalf("%s: at %s already", times, from)
		}
		for i, w := range want {
			if x = m.Next(x); m.Active(x) != (i%2 == 0) || m.Active(x-1) == m.Active(x) {
				t.Fatalf("%s: %s is no change", times, time.UnixMilli(x).In(berlin))
			}
			if got := time.UnixMilli(x).In(berlin).Format("02 15:04 MST"); got != w {
				t.Errorf("%s: change %d at %s, want %s", times, i, got, w)
			}
		}
	}
	spring, autumn := "2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"
	// There is no 02:30: the window begins when clocks have gone over it.
	f(`{start: "02:30", end: "03:30"}`, spring, "29 03:00 CEST", "29 03:30 CEST", "30 02:30 CEST", "30 03:30 CEST")
	f(`{start: "01:30", end: "02:30"}`, spring, "29 01:30 CET", "29 03:00 CEST", "30 01:30 CEST")
	f(`{start: "02:30", end: "02:45"}`, spring, "30 02:30 CEST") // all of it is gone over
	f(`{start: "22:00", end: "06:00"}`, spring, "28 22:00 CET", "29 06:00 CEST")
	f(`{start: "02:00", end: "03:00"}`, spring, "30 02:00 CEST")
	// There are two of 02:30.
	f(`{start: "02:30", end: "03:30"}`, autumn, "25 02:30 CEST", "25 02:00 CET", "25 02:30 CET", "25 03:30 CET", "26 02:30 CET")
	f(`{start: "02:30", end: "02:45"}`, autumn, "25 02:30 CEST", "25 02:45 CEST", "25 02:30 CET", "25 02:45 CET", "26 02:30 CET")
	f(`{start: "02:00", end: "03:00"}`, autumn, "25 02:00 CEST", "25 03:00 CET")
	f(`{start: "01:30", end: "02:30"}`, autumn, "25 01:30 CEST", "25 02:30 CEST", "25 02:00 CET", "25 02:30 CET")
	f(`{start: "22:00", end: "06:00"}`, autumn, "24 22:00 CEST", "25 06:00 CET")
}

func TestNext(t *testing.T) {
	f := func(intervals, from, want string) {
		t.Helper()
		if got := mute(t, "", intervals).Next(at(t, from)); got != at(t, want) {
			t.Errorf("%s after %s: %s, want %s", intervals, from, time.UnixMilli(got).UTC().Format(time.RFC3339), want)
		}
	}
	office := `[{times: [{start: "09:00", end: "17:00"}], weekdays: ['monday:friday']}]`
	f(office, "2026-11-22T00:00:00Z", "2026-11-23T09:00:00Z")
	f(office, "2026-11-23T08:59:59.999Z", "2026-11-23T09:00:00Z")
	f(office, "2026-11-23T09:00:00Z", "2026-11-23T17:00:00Z")
	f(office, "2026-11-27T17:00:00Z", "2026-11-30T09:00:00Z")
	f(`[{weekdays: ['saturday:sunday']}]`, "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z")
	f(`[{days_of_month: [29], months: [february]}]`, "2027-03-02T00:00:00Z", "2028-02-29T00:00:00Z")
	// Two windows that touch are one.
	f(`[{times: [{start: "09:00", end: "12:00"}, {start: "12:00", end: "17:00"}]}]`, "2026-11-23T10:00:00Z", "2026-11-23T17:00:00Z")
	f(`[{times: [{start: "09:00", end: "12:00"}]}, {times: [{start: "11:00", end: "17:00"}]}]`, "2026-11-23T10:00:00Z", "2026-11-23T17:00:00Z")
	// Nothing changes within a year: ask again then.
	f(`[{}]`, "2026-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
	f(`[{years: [1999]}]`, "2026-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
	f(`[{weekdays: ['monday:friday']}, {weekdays: ['saturday:sunday']}]`, "2026-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
	f(`[{days_of_month: [30], months: [february]}]`, "2026-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
}

func TestConfigNext(t *testing.T) {
	c := read(t, `
routes:
  - receiver: a
    mute: [late]
    routes: [{matchers: [x=1], active: [early]}]
mute:
  - {name: late, intervals: [{times: [{start: "22:00", end: "23:00"}]}]}
  - {name: early, intervals: [{times: [{start: "05:00", end: "06:00"}]}]}
  - {name: unused, intervals: [{times: [{start: "01:00", end: "02:00"}]}]}
`)
	for from, want := range map[string]string{"00:00": "05:00", "05:00": "06:00", "06:00": "22:00", "22:30": "23:00"} {
		if got := c.Next(at(t, "2026-11-22T"+from+":00Z")); got != at(t, "2026-11-22T"+want+":00Z") {
			t.Errorf("after %s: %s, want %s", from, time.UnixMilli(got).UTC(), want)
		}
	}
	if got := read(t, `routes: [{receiver: a}]`).Next(0); got != 1<<63-1 {
		t.Errorf("no mutes: %d", got)
	}
}

// TestMuteProperties compares with the standard library's clocks over the days on which
// they change.
func TestMuteProperties(t *testing.T) {
	zones := []string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns", "Africa/Cairo"}
	starts := []string{"2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-03-07T20:00:00Z", "2026-11-01T00:00:00Z", "2026-04-04T00:00:00Z",
		"2026-10-03T00:00:00Z", "2011-12-29T12:00:00Z", "2027-12-31T00:00:00Z", "2026-04-23T12:00:00Z"}
	locations := map[string]*time.Location{}
	for _, name := range zones {
		location, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		locations[name] = location
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		zone, err := route.ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		m := &route.Mute{Name: "m", Timezone: zone, Intervals: rapid.SliceOfN(rapid.Custom(drawInterval), 1, 2).Draw(t, "intervals")}
		if err := (&route.Config{Mute: []route.Mute{*m}}).Check(nil); err != nil {
			t.Skip(err)
		}
		start, err := time.Parse(time.RFC3339, rapid.SampledFrom(starts).Draw(t, "start"))
		if err != nil {
			t.Fatal(err)
		}
		const unit, steps = 5 * 60_000, 40 * 12 // every window and change of a clock is at 5 minutes
		from := start.UnixMilli()
		next, was := m.Next(from), m.Active(from)
		for i := range steps {
			x := from + int64(i)*unit
			got, want := m.Active(x), shows(m, time.UnixMilli(x).In(locations[name]))
			if got != want {
				t.Fatalf("%v: %v at %s", m.Intervals, got, time.UnixMilli(x).In(locations[name]))
			}
			if changed := got != was; changed != (x == next) && x <= next {
				t.Fatalf("%v: change at %s: %v, and Next is %s", m.Intervals, time.UnixMilli(x).In(locations[name]), changed, time.UnixMilli(next).In(locations[name]))
			}
			if got != was {
				next, was = m.Next(x), got
			}
		}
	})
}

// shows reports whether the clock shows a time of the mute, by the definition.
func shows(m *route.Mute, clock time.Time) bool {
	within := func(ranges []route.Range, v, length int) bool {
		for _, r := range ranges {
			for x := r.From; ; x = (x + 1) % length {
				if x == v {
					return true
				}
				if x == r.To {
					break
				}
			}
		}
		return len(ranges) == 0
	}
	day := func(v route.Interval, d time.Time) bool {
		last := time.Date(d.Year(), d.Month()+1, 0, 12, 0, 0, 0, time.UTC).Day()
		ok := len(v.DaysOfMonth) == 0
		for _, r := range v.DaysOfMonth {
			from, to := r.From, r.To
			if from < 0 {
				from += last + 1
			}
			if to < 0 {
				to += last + 1
			}
			ok = ok || from <= d.Day() && d.Day() <= to
		}
		return ok && within(v.Weekdays, int(d.Weekday()), 7) && within(v.Months, int(d.Month()), 13) && within(v.Years, d.Year(), 10_000)
	}
	now := clock.Hour()*60 + clock.Minute()
	today := time.Date(clock.Year(), clock.Month(), clock.Day(), 12, 0, 0, 0, time.UTC)
	for _, v := range m.Intervals {
		if len(v.Times) == 0 && day(v, today) {
			return true
		}
		for _, x := range v.Times {
			switch {
			case x.Start < x.End && now >= x.Start && now < x.End && day(v, today),
				x.Start > x.End && now >= x.Start && day(v, today),
				x.Start > x.End && now < x.End && day(v, today.AddDate(0, 0, -1)):
				return true
			}
		}
	}
	return false
}

func drawInterval(t *rapid.T) route.Interval {
	list := func(name string, least, most int, round bool) (out []route.Range) {
		for range rapid.IntRange(-2, 2).Draw(t, name) {
			a, b := rapid.IntRange(least, most).Draw(t, "from"), rapid.IntRange(least, most).Draw(t, "to")
			if !round && b < a {
				a, b = b, a
			}
			out = append(out, route.Range{From: a, To: b})
		}
		return out
	}
	v := route.Interval{
		Weekdays: list("weekdays", 0, 6, true), DaysOfMonth: list("days", -31, 31, false),
		Months: list("months", 1, 12, true), Years: list("years", 2010, 2028, false),
	}
	for range rapid.IntRange(0, 3).Draw(t, "times") {
		clock := rapid.OneOf(rapid.IntRange(0, 287), rapid.SampledFrom([]int{12, 24, 30, 36})) // in 5 minutes
		if x := (route.Times{Start: 5 * clock.Draw(t, "start"), End: 5 * (1 + clock.Draw(t, "end"))}); x.Start != x.End {
			v.Times = append(v.Times, x)
		}
	}
	return v
}

func BenchmarkNext(b *testing.B) {
	for name, intervals := range map[string]string{
		"office": `[{times: [{start: "09:00", end: "17:00"}], weekdays: ['monday:friday']}]`,
		"never":  `[{times: [{start: "09:00", end: "17:00"}], years: [1999]}]`,
	} {
		m := mute(b, "Europe/Berlin", intervals)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m.Next(1_790_000_000_000)
			}
		})
	}
}
