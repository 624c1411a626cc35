// Package clock is the passage of time as an argument: whoever paces I/O or
// waits takes a Clock, and only the program's entry point knows the real one.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and wakes sleepers. Implementations are safe for
// concurrent use.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// After returns a channel that receives once, when d has passed. A d of
	// zero or less fires at once. The timer behind it cannot be stopped, so d
	// should be short or the wait rare.
	After(d time.Duration) <-chan time.Time
}

// Manual is a Clock that moves only when told to, for tests and replay.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiter
}

type waiter struct {
	at time.Time
	ch chan time.Time
}

// NewManual returns a clock that stands at now.
func NewManual(now time.Time) *Manual { return &Manual{now: now} }

// Now returns the time the clock was last moved to.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// After fires when Set or Advance moves the clock to d from now or beyond.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- m.now
		return ch
	}
	m.waiting = append(m.waiting, waiter{m.now.Add(d), ch})
	return ch
}

// Set moves the clock to now, which may lie in the past, and wakes every
// sleeper that is due.
func (m *Manual) Set(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
	rest := m.waiting[:0]
	for _, w := range m.waiting {
		if w.at.After(now) {
			rest = append(rest, w)
		} else {
			w.ch <- now
		}
	}
	clear(m.waiting[len(rest):])
	m.waiting = rest
}

// Advance moves the clock on by d.
func (m *Manual) Advance(d time.Duration) { m.Set(m.Now().Add(d)) }
