package simulation_test

import (
	"slices"
	"sync"
	"time"
)

// epoch is where the time of a run begins: 2026-01-01T00:00:00Z, in ms.
const epoch = 1_767_225_600_000

// virtual is the only time there is. Timers go by what has passed, whatever people set
// the clock to; they fire one at a time, when the driver says so.
type virtual struct {
	mu     sync.Mutex
	passed time.Duration // since the beginning
	offset time.Duration // by which the clock was set
	timers []timer       // by time, then in the order in which they were asked for
}

type timer struct {
	at time.Duration // of passed
	ch chan time.Time
}

// Now implements clock.Clock.
func (v *virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.clock()
}

func (v *virtual) clock() time.Time { return time.UnixMilli(epoch).Add(v.passed + v.offset) }

// After implements clock.Clock.
func (v *virtual) After(d time.Duration) <-chan time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- v.clock()
		return ch
	}
	at := v.passed + d
	i, _ := slices.BinarySearchFunc(v.timers, at, func(t timer, at time.Duration) int {
		if t.at <= at {
			return -1
		}
		return 1
	})
	v.timers = slices.Insert(v.timers, i, timer{at, ch})
	return ch
}

// next is when the first timer fires; ok is false when there is none.
func (v *virtual) next() (at time.Duration, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.timers) == 0 {
		return 0, false
	}
	return v.timers[0].at, true
}

// fire lets the time of the first timer come.
func (v *virtual) fire() {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.timers[0]
	v.timers = slices.Delete(v.timers, 0, 1)
	v.passed = max(v.passed, t.at)
	t.ch <- v.clock()
}

// to lets time pass without a timer.
func (v *virtual) to(at time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.passed = max(v.passed, at)
}

// set sets the clock by d.
func (v *virtual) set(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.offset += d
}

// forget drops the timers of a process that has ended.
func (v *virtual) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timers = nil
}

func (v *virtual) since() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.passed
}

func (v *virtual) ms() int64 { return v.Now().UnixMilli() }
