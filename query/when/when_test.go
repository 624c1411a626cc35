package when_test

import (
	"errors"
	"testing"
	"time"

	"pulse/query/when"
)

func TestParseDuration(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		got, err := when.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	const day = 24 * time.Hour
	for _, u := range []struct {
		names []string
		size  time.Duration
	}{
		{[]string{"ns"}, 1},
		{[]string{"us", "μs", "µs"}, time.Microsecond},
		{[]string{"ms"}, time.Millisecond},
		{[]string{"s", "second", "seconds"}, time.Second},
		{[]string{"m", "min", "minute", "minutes"}, time.Minute},
		{[]string{"h", "hour", "hours"}, time.Hour},
		{[]string{"d", "day", "days"}, day},
		{[]string{"w", "wk", "week", "weeks"}, 7 * day},
		{[]string{"month", "months"}, 30 * day},
		{[]string{"y", "year", "years"}, 365 * day},
	} {
		for _, n := range u.names {
			f("42"+n, 42*u.size)
		}
	}
	f("0w", 0)
	f("PT5M", 5*time.Minute)
	f("P1DT2H3M4.5S", day+2*time.Hour+3*time.Minute+4500*time.Millisecond)
	f("P2D", 2*day)
	f("Pt1h", time.Hour)
	f("PT-1H30M", -30*time.Minute)
	f("PT-0.5S", -500*time.Millisecond)
	f("PT0,000000001S", 1)
}

func TestParseDurationRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		d, err := when.ParseDuration(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, %v, want %s", text, d, err, want)
		}
	}
	for _, s := range []string{"", "5", "h", "-5m", "5 m", "1h30m", "5M", "1.5h", "P", "PT", "P1DT", "P1W", "P1Y",
		"PT1D", "P1H", "PT1S1M", "PT1M1M", "PT1.5M", "PT.5S", "PT1.0123456789S", "PTT1S", "P1", "p1D", "PT1", "PT+S", "PTS"} {
		f(s, "invalid period "+s)
	}
	f("5x", "unknown unit x")
	f("42fubars", "unknown unit fubars")
	f("9999999999999999y", "duration out of range: 9999999999999999y")
	f("99999999999999999999s", "duration out of range: 99999999999999999999s")
	f("P99999999999D", "duration out of range: P99999999999D")
	f("P106751DT24H", "duration out of range: P106751DT24H")
	f("PT9223372036.9S", "duration out of range: PT9223372036.9S")
	f("PT-9223372036.9S", "duration out of range: PT-9223372036.9S")
}

func TestFormatDuration(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := when.FormatDuration(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
		if back, err := when.ParseDuration(want); err != nil || back != d {
			t.Errorf("%s reads as %v, %v", want, back, err)
		}
	}
	f(0, "0w")
	f(5*7*24*time.Hour, "5w")
	f(36*time.Hour, "36h")
	f(90*time.Second, "90s")
	f(500*time.Millisecond, "PT0.5S")
	f(time.Hour+1500*time.Millisecond, "PT1H1.5S")
	f(61*time.Second+time.Nanosecond, "PT1M1.000000001S")
}

func TestParseTime(t *testing.T) {
	pacific := time.FixedZone("", -7*3600)
	refs := when.Refs{"now": 1_000_000, "e": 7_200_000}
	f := func(text string, want int64) {
		t.Helper()
		got, err := when.ParseTime(text, refs, pacific)
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	f("now", 1_000_000)
	f("now-5m", 700_000)
	f("epoch+4h", 14_400_000)
	f("e-1h", 3_600_000)
	f("e", 7_200_000)
	f("e-P1DT1H", 7_200_000-25*3_600_000)
	f("nonsense-1s", 999_000)
	f("2147483647", 2147483647000)
	f("2147483648", 2147483648)
	f("13569465600000", 13569465600000)
	f("1700000000000000", 1700000000000)
	f("1700000000000000000", 1700000000000)
	f("1700000000-6h", 1699978400000)
	f("1700000000+PT1S", 1700000001000)
	f("1970-01-01", 25_200_000)
	f("1970-01-01T01:02", 28_920_000)
	f("1970-01-01T00:00:01.007", 25_201_007)
	f("1970-01-01Z", 0)
	f("1970-01-01T00:00+01", -3_600_000)
	f("1970-01-01T00:00-0130", 5_400_000)
	f("1970-01-01T00:00-01:30:15", 5_415_000)
	f("1970-01-01T00:00-013015", 5_415_000)
}

func TestParseTimeRefuses(t *testing.T) {
	for _, s := range []string{"", "foo42", "2012-02-", "2012-02-30", "2012-13-01", "2012-02-01T04", "2012-02-01T24:00",
		"2012-02-01T04:60", "2012-02-01T04:05:60", "2012-02-01T04:05:06.1", "2012-02-01T04:05:06.1234", "2012-02-01 04:05",
		"2012-02-01T04:05z", "2012-02-01T04:05+1", "2012-02-01T04:05+01:0000", "2012-02-01T04:05+0100:00",
		"2012-02-01T04:05+19", "2012-02-01T04:05+01:60", "20120201T0405", "99999999999999999999", "e*42h", "now-", "-5m", "٣"} {
		if got, err := when.ParseTime(s, when.Refs{"now": 0}, time.UTC); err == nil || err.Error() != "invalid date "+s {
			t.Errorf("%q: got %d, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{"now-5": "invalid period 5", "now-5x": "unknown unit x"} {
		if _, err := when.ParseTime(s, when.Refs{"now": 0}, time.UTC); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", s, err, want)
		}
	}
}

func TestParseRange(t *testing.T) {
	const now = 100_000_000
	f := func(s, e string, start, end int64) {
		t.Helper()
		gotStart, gotEnd, err := when.ParseRange(s, e, now, time.UTC)
		if err != nil || gotStart != start || gotEnd != end {
			t.Errorf("s=%s e=%s: got %d, %d, %v, want %d, %d", s, e, gotStart, gotEnd, err, start, end)
		}
	}
	f("", "", now-10_800_000, now)
	f("e-5m", "now-1m", now-360_000, now-60_000)
	f("now-1h", "s+30m", now-3_600_000, now-1_800_000)
	f("epoch", "start+1m", 0, 60_000)
	f("e", "now", now, now)
	f("1970-01-02", "s", 86_400_000, 86_400_000)
	for _, c := range [][3]string{
		{"e-5m", "s+5m", "start and end are both relative"},
		{"e", "s", "start and end are both relative"},
		{"now", "now-1s", "end time is before start time"},
		{"x1", "now", "invalid date x1"},
		{"e-1x", "now", "unknown unit x"},
		{"e-1m", "x1", "invalid date x1"},
	} {
		if _, _, err := when.ParseRange(c[0], c[1], now, time.UTC); err == nil || err.Error() != c[2] {
			t.Errorf("s=%s e=%s: got %v, want %s", c[0], c[1], err, c[2])
		}
	}
}

func TestRangeErrors(t *testing.T) {
	for _, c := range []struct {
		s, e string
		want string // which end is at fault, and how; "" for none
	}{
		{"", "", ""}, {"e-3h", "now", ""}, {"end-3h", "now-1m", ""}, {"epoch+1d", "s+1h", ""}, {"epoch", "start+1h", ""}, {"now-1d", "e-5m", ""},
		{"1700000000-6h", "1700000000", ""}, {"2024-02-01", "2024-02-01T04:05Z", ""},
		{"foo", "now", "start: invalid date foo"}, {"now", "foo", "end: invalid date foo"}, {"x-3h", "", "start: invalid date x-3h"}, {"", "tomorrow+3h", "end: invalid date tomorrow+3h"},
		{"gs", "ge", "start: invalid date gs"}, {"e-3x", "now", "start: unknown unit x"}, {"now-1h", "now-5", "end: invalid period 5"}, {"2024-02-30", "", "start: invalid date 2024-02-30"},
	} {
		err := when.CheckRange(c.s, c.e)
		if err == nil {
			_, _, err = when.ParseRange(c.s, c.e, 1_900_000_000_000, time.UTC)
		}
		got := ""
		if fault := (*when.RangeError)(nil); errors.As(err, &fault) {
			got = map[bool]string{false: "start: ", true: "end: "}[fault.End] + fault.Error()
		} else if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("s=%s e=%s: got %q, want %q", c.s, c.e, got, c.want)
		}
	}
}

func TestIsRelative(t *testing.T) {
	for s, want := range map[string]bool{
		"e-6h": true, "start+6h": true, "now-1m": true, "e": false, "2012-01-01": false, "1700000000-6h": false, "e-": false, "": false,
	} {
		if when.IsRelative(s) != want {
			t.Errorf("%q: got %v", s, !want)
		}
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"e-3h", "now", "1700000000-6h", "2012-02-01T03:04:05.678-07:00:00", "PT1H30M0.5S", "42weeks", "P-1DT+2H"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := when.ParseDuration(s); err == nil {
			text := when.FormatDuration(d)
			if back, err := when.ParseDuration(text); d >= 0 && (err != nil || back != d) {
				t.Errorf("%q is %v, written %s, read %v, %v", s, d, text, back, err)
			}
		}
		refs := when.Refs{"now": 1_700_000_000_000}
		a, errA := when.ParseTime(s, refs, time.UTC)
		b, errB := when.ParseTime(s, refs, time.UTC)
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("%q reads differently twice", s)
		}
		start, end, err := when.ParseRange(s, "now", 1_700_000_000_000, time.UTC)
		if err == nil && start > end {
			t.Errorf("%q gives a range from %d to %d", s, start, end)
		}
	})
}
