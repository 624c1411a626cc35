package query

import (
	"context"
	"runtime"
)

// polite is the context of a query under way. Whoever asks it whether to go on,
// which scans and evaluations do again and again, lets others work first: what is
// quickly done, such as a look at the server's health, does not wait for the time
// slices of all queries.
type polite struct{ context.Context }

func (c polite) Err() error {
	runtime.Gosched()
	return c.Context.Err()
}
