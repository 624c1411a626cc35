// Package warp is a clock that another process moves, and a window into the
// process that has it. The program of bench/million builds it into a server in
// place of the real clock, so that hours of data pass in minutes.
//
// The folder named by PULSE_WARP holds the time, in a file that a Hand writes
// and the clock reads every other millisecond, and a socket on which the
// process answers what it knows of itself:
//
//	GET /usage       Usage, as JSON
//	GET /collect?n=  the same after n cycles of the collector
package warp

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pulse/store/clock"
)

// Env names the folder.
const Env = "PULSE_WARP"

const (
	clockName = "clock"
	windowAt  = "window"
	every     = 2 * time.Millisecond
)

// Clock is the clock of this process: the zero value is ready for use, and all
// values are the same clock. Without a folder it panics.
type Clock struct{}

// Now returns the time that the hand last set, up to two milliseconds late.
func (Clock) Now() time.Time { return running().Now() }

// After returns a channel that receives once when the hand has come so far.
func (Clock) After(d time.Duration) <-chan time.Time { return running().After(d) }

// running starts the clock of this process once.
var running = sync.OnceValue(func() *clock.Manual {
	dir := os.Getenv(Env)
	f, err := os.Open(filepath.Join(dir, clockName))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", Env, err))
	}
	read := func() time.Time {
		var b [8]byte
		if _, err := f.ReadAt(b[:], 0); err != nil {
			panic(fmt.Sprintf("%s: %v", Env, err))
		}
		return time.UnixMilli(int64(binary.LittleEndian.Uint64(b[:])))
	}
	c := clock.NewManual(read())
	go func() {
		for {
			time.Sleep(every)
			if now := read(); now.After(c.Now()) {
				c.Set(now)
			}
		}
	}()
	open(filepath.Join(dir, windowAt))
	return c
})

// Hand moves the clock of another process. It is safe for concurrent use.
type Hand struct {
	dir string
	f   *os.File
	mu  sync.Mutex
	now int64
}

// NewHand makes a folder's clock, which shows now, Unix ms.
func NewHand(dir string, now int64) (*Hand, error) {
	f, err := os.Create(filepath.Join(dir, clockName))
	if err != nil {
		return nil, err
	}
	h := &Hand{dir: dir, f: f}
	return h, h.Set(now)
}

// Set moves the clock on to now, Unix ms. It never goes back.
func (h *Hand) Set(now int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now <= h.now {
		return nil
	}
	h.now = now
	_, err := h.f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(now)), 0)
	return err
}

// Env is what the environment of the other process needs.
func (h *Hand) Env() string { return Env + "=" + h.dir }

// Close lets go of the file.
func (h *Hand) Close() error { return h.f.Close() }
