package query

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"pulse/store/clock"
)

// turn is how long a query works before it lets others work.
const turn = time.Millisecond

// polite is the context of a query under way. Whoever asks it whether to go on,
// which scans and evaluations do again and again, lets others work first if the
// last turn was a while ago: what is quickly done, such as a look at the server's
// health, does not wait for the time slices of all queries. A query that did so
// whenever it asks would never end beside others that use their slices.
type polite struct {
	context.Context
	clock clock.Clock
	since *atomic.Int64 // when the turn began, in ns
}

// politely returns ctx with the manners of polite, which take a clock.
func politely(ctx context.Context, c clock.Clock) context.Context {
	if c == nil {
		return ctx
	}
	p := polite{ctx, c, new(atomic.Int64)}
	p.since.Store(c.Now().UnixNano())
	return p
}

func (p polite) Err() error {
	if elapsed := p.clock.Now().UnixNano() - p.since.Load(); elapsed >= int64(turn) || elapsed < 0 {
		runtime.Gosched()
		p.since.Store(p.clock.Now().UnixNano())
	}
	return p.Context.Err()
}
