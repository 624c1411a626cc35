package detect

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// crew is who works on back-tests: one worker for each back-test, and helpers
// while cores are idle, as many in all as there are cores. While live rules are
// judged there are no helpers, so that the other cores are theirs. It is safe for
// concurrent use.
type crew struct {
	live    atomic.Bool  // live rules are being judged
	working atomic.Int64 // workers and helpers
}

// together is how many groups a worker takes at once. After each it lets others
// go first: that is a fraction of a millisecond.
const together = 2

// each calls f for all numbers below n, in any order and several at a time, and
// returns when all is done.
func (c *crew) each(n int, f func(i int)) {
	var next atomic.Int64
	some := func() bool {
		from := int(next.Add(together)) - together
		for i := from; i < min(from+together, n); i++ {
			f(i)
		}
		runtime.Gosched()
		return from+together < n
	}
	var helpers sync.WaitGroup
	help := func() {
		defer c.working.Add(-1)
		for !c.live.Load() && c.working.Load() <= cores() && some() {
		}
	}
	c.working.Add(1)
	defer c.working.Add(-1)
	for more := n > 0; more; more = some() {
		for n-int(next.Load()) > together && c.hire() {
			helpers.Go(help)
		}
	}
	helpers.Wait()
}

func cores() int64 { return int64(runtime.GOMAXPROCS(0)) }

// hire reports whether there is a core for one more helper, who is counted then.
func (c *crew) hire() bool {
	for {
		n := c.working.Load()
		if c.live.Load() || n >= cores() {
			return false
		}
		if c.working.CompareAndSwap(n, n+1) {
			return true
		}
	}
}
