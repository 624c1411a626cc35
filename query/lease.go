package query

import (
	"errors"
	"sync/atomic"

	"pulse/store/budget"
)

// ErrBusy says that all queries together have the memory that there is for
// them. It passes.
var ErrBusy = errors.New("too many bytes are in use by queries; try again later")

// Lease is the memory of one query, taken from what all queries share. It is
// used by one goroutine; any may ask what it holds. The nil Lease takes nothing and
// refuses nothing.
type Lease struct {
	budget *budget.Budget
	held   atomic.Int64
}

// Lease returns a lease without memory. Whoever asks for it releases it when
// the answer is gone; see Request.Lease.
func (e *Engine) Lease() *Lease { return &Lease{budget: e.options.Memory} }

// Take takes n bytes more, or fails with ErrBusy.
func (l *Lease) Take(n int64) error {
	if l == nil || n <= 0 {
		return nil
	}
	if !l.budget.Take(n) {
		return ErrBusy
	}
	l.held.Add(n)
	return nil
}

// Keep gives back all but n bytes.
func (l *Lease) Keep(n int64) {
	if l == nil {
		return
	}
	if held := l.held.Load(); held > n {
		l.budget.Give(held - n)
		l.held.Store(n)
	}
}

// Release gives everything back. The lease may be used again.
func (l *Lease) Release() {
	if l != nil {
		l.budget.Give(l.held.Swap(0))
	}
}

// Held returns the bytes that the lease holds.
func (l *Lease) Held() int64 {
	if l == nil {
		return 0
	}
	return l.held.Load()
}
