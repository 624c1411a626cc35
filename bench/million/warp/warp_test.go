package warp_test

import (
	"os"
	"testing"
	"time"

	"pulse/bench/million/warp"
)

// hand is that of this process' one clock.
var hand *warp.Hand

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "warp-")
	if err != nil {
		panic(err)
	}
	os.Setenv(warp.Env, dir)
	if hand, err = warp.NewHand(dir, 1_700_000_000_000); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// The clock shows what the hand set, wakes sleepers when they are due, never goes
// back, and the process says what it used.
func TestHandMovesTheClock(t *testing.T) {
	c, h := warp.Clock{}, hand
	start := c.Now().UnixMilli()
	if start < 1_700_000_000_000 {
		t.Errorf("the clock begins at %d", start)
	}
	soon, later := c.After(time.Minute), c.After(2*time.Minute)
	for _, now := range []int64{start + 60_000, start} {
		if err := h.Set(now); err != nil {
			t.Fatal(err)
		}
	}
	if at := <-soon; at.UnixMilli() != start+60_000 || c.Now() != at {
		t.Errorf("woken at %d, and it is %d", at.UnixMilli(), c.Now().UnixMilli())
	}
	select {
	case <-later:
		t.Error("woken early")
	default:
	}
	before, err := h.Usage("usage")
	if err != nil {
		t.Fatal(err)
	}
	after, err := h.Usage("collect?n=3")
	if err != nil || after.Cycles < before.Cycles+3 || after.CPU <= before.CPU || after.Live <= 0 || after.Runtime <= 0 {
		t.Errorf("%v: %+v, then %+v", err, before, after)
	}
}
