package store

import "sync/atomic"

// presence remembers in which steps a source reported, a bit per step for as
// long as the primary tier lasts. A page whose bits are all set is kept
// without them, so a steady source costs a few bytes per page. One goroutine
// at a time sets bits; readers take no lock.
type presence struct {
	pages []atomic.Pointer[presencePage] // ring by page number; a power of two
}

const pageSteps = 4096

type presencePage struct {
	number int64
	bits   *[pageSteps / 64]atomic.Uint64 // nil: all set
}

// newPresence returns a presence that remembers at least the given number of
// steps.
func newPresence(steps int64) presence {
	n := int64(1)
	for n < steps/pageSteps+2 {
		n *= 2
	}
	return presence{make([]atomic.Pointer[presencePage], n)}
}

// set marks the step with index i, which is its stamp divided by the step. The
// page that was in its place is older than the ring reaches, or was set while
// the clock was ahead.
func (p *presence) set(i int64) {
	number := i / pageSteps
	if i < 0 {
		return
	}
	at := &p.pages[number&int64(len(p.pages)-1)]
	page := at.Load()
	if page == nil || page.number != number {
		page = &presencePage{number, new([pageSteps / 64]atomic.Uint64)}
		at.Store(page)
	}
	if page.bits == nil {
		return
	}
	word := &page.bits[i%pageSteps/64]
	word.Store(word.Load() | 1<<(i%64))
	if word.Load() == 1<<64-1 {
		p.settle(at, page)
	}
}

// settle drops the bits of a page that has all of them.
func (p *presence) settle(at *atomic.Pointer[presencePage], page *presencePage) {
	for i := range page.bits {
		if page.bits[i].Load() != 1<<64-1 {
			return
		}
	}
	at.Store(&presencePage{number: page.number})
}

// has reports whether the step with index i is marked.
func (p *presence) has(i int64) bool {
	if i < 0 {
		return false
	}
	number := i / pageSteps
	page := p.pages[number&int64(len(p.pages)-1)].Load()
	if page == nil || page.number != number {
		return false
	}
	return page.bits == nil || page.bits[i%pageSteps/64].Load()>>(i%64)&1 == 1
}
