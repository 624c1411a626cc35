package clock_test

import (
	"testing"
	"time"

	"pulse/store/clock"
)

func fired(ch <-chan time.Time) (time.Time, bool) {
	select {
	case at := <-ch:
		return at, true
	default:
		return time.Time{}, false
	}
}

func TestManualWakesWhoIsDue(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	m := clock.NewManual(start)
	now, soon, later := m.After(0), m.After(time.Second), m.After(3*time.Second)
	if at, ok := fired(now); !ok || !at.Equal(start) {
		t.Errorf("nothing to wait for: %v, %v", at, ok)
	}
	m.Advance(999 * time.Millisecond)
	if _, ok := fired(soon); ok {
		t.Error("woken early")
	}
	m.Set(start.Add(-time.Hour))
	if _, ok := fired(soon); ok || !m.Now().Equal(start.Add(-time.Hour)) {
		t.Error("woken by a clock that went back")
	}
	m.Set(start.Add(time.Second))
	if at, ok := fired(soon); !ok || !at.Equal(start.Add(time.Second)) {
		t.Errorf("due: %v, %v", at, ok)
	}
	m.Advance(time.Hour)
	if _, ok := fired(later); !ok {
		t.Error("not woken when long due")
	}
	m.Advance(time.Hour)
	for _, ch := range []<-chan time.Time{now, soon, later} {
		if _, ok := fired(ch); ok {
			t.Error("woken twice")
		}
	}
}
