// Package budget bounds memory by counting it before it is allocated.
//
// A Budget is a number of bytes that may be in use at once. Who wants memory
// takes its bytes first, is refused when there are not enough, and gives them
// back when the memory is let go. Nobody waits: a refusal is for the caller to
// pass on.
package budget

import (
	"fmt"
	"math"
	"sync/atomic"
)

// Budget is a count of bytes with a limit. It is safe for concurrent use. The
// nil Budget has no limit and counts nothing.
type Budget struct {
	limit   int64
	parent  *Budget
	used    atomic.Int64
	peak    atomic.Int64
	refused atomic.Int64
}

// New returns a budget of limit bytes; 0 or less means that there is no limit,
// and use is counted only.
func New(limit int64) *Budget {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	return &Budget{limit: limit}
}

// Within returns a budget of at most limit bytes (0 or less: no limit of its
// own) that are taken from b as well. Within of nil is New.
func (b *Budget) Within(limit int64) *Budget {
	part := New(limit)
	part.parent = b
	return part
}

// Take takes n bytes, and reports whether there were as many. A negative n is
// a mistake. When there are not, nothing is taken and the refusal is counted.
func (b *Budget) Take(n int64) bool {
	if b == nil {
		return true
	}
	if n < 0 {
		panic(fmt.Sprintf("BUG: %d bytes taken from a budget", n))
	}
	for {
		used := b.used.Load()
		if n > b.limit-used {
			b.refused.Add(1)
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			b.note(used + n)
			break
		}
	}
	if !b.parent.Take(n) {
		b.used.Add(-n)
		b.refused.Add(1)
		return false
	}
	return true
}

// Force takes n bytes whether there are as many or not. It is for what must
// not be refused; others are refused the longer for it.
func (b *Budget) Force(n int64) {
	if b == nil {
		return
	}
	b.note(b.used.Add(n))
	b.parent.Force(n)
}

// Give gives n bytes back that were taken.
func (b *Budget) Give(n int64) {
	if b == nil {
		return
	}
	if left := b.used.Add(-n); left < 0 {
		panic(fmt.Sprintf("BUG: %d bytes given back to a budget that had %d in use", n, left+n))
	}
	b.parent.Give(n)
}

// Room reports whether n bytes could be taken now. It counts no refusal.
func (b *Budget) Room(n int64) bool {
	return b == nil || n <= b.limit-b.used.Load() && b.parent.Room(n)
}

func (b *Budget) note(used int64) {
	for {
		peak := b.peak.Load()
		if used <= peak || b.peak.CompareAndSwap(peak, used) {
			return
		}
	}
}

// Used returns the bytes in use.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Limit returns the most bytes that may be in use, here and in what it is
// within, 0 when there is no limit.
func (b *Budget) Limit() int64 {
	limit := int64(math.MaxInt64)
	for ; b != nil; b = b.parent {
		limit = min(limit, b.limit)
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// Stats describes a budget at one moment.
type Stats struct {
	Limit   int64 `json:"limit"` // bytes; 0: none
	Used    int64 `json:"used"`
	Peak    int64 `json:"peak"`    // the most that was in use at once
	Refused int64 `json:"refused"` // how often there were not enough
}

// Stats returns the present figures.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{}
	}
	return Stats{b.Limit(), b.used.Load(), b.peak.Load(), b.refused.Load()}
}

// Memory is the memory of a server in parts that cannot crowd each other out.
// What is left over is for what is small and bounded otherwise: rules,
// detectors, alerts, connections.
type Memory struct {
	Total   int64
	Series  *Budget // 60 %: series, their columns and sealed blocks
	Ingest  *Budget // 10 %: bodies received and expanded
	Queries *Budget // 20 %: lines and values of queries under way
	Streams *Budget // 5 %: event streams
}

// Split divides total bytes; 0 or less means no limits, with use counted.
func Split(total int64) *Memory {
	if total <= 0 {
		return &Memory{0, New(0), New(0), New(0), New(0)}
	}
	part := func(percent int64) *Budget { return New(max(total/100*percent, 1)) }
	return &Memory{total, part(60), part(10), part(20), part(5)}
}

// HeapLimit returns how large the garbage-collected heap may get while offHeap
// bytes lie outside of it, for debug.SetMemoryLimit: the collector then runs
// more often rather than letting garbage exceed the total by more than a tenth.
func (m *Memory) HeapLimit(offHeap int64) int64 {
	if m.Total <= 0 {
		return math.MaxInt64
	}
	return max(m.Total+m.Total/10-offHeap, m.Total/8)
}
