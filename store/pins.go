package store

import (
	"errors"
	"fmt"

	"pulse/store/archive"
	offheap "pulse/store/arena"
	"pulse/store/block"
)

// errLost says that a sealed block turned out to be unreadable while it was
// read. It is absent from now on: whoever began to use it begins anew.
var errLost = errors.New("sealed blocks were lost")

// pins is sealed blocks that somebody reads without a partition's lock: their
// memory stays until drop.
type pins struct {
	arenas []*arena
	at     *arena // being read
}

// take pins those blocks of a tier of p that have steps in (start, end]. The
// caller holds the lock of p.
func (h *pins) take(p *partition, tier int, g grid, start, end int64) {
	first, _ := g.place(g.floor(start) + g.step)
	last, _ := g.place(g.floor(end))
	i, _ := p.search(tier, first)
	for _, a := range p.sealed[tier][i:] {
		if a.number > last {
			break
		}
		if !a.lost() {
			a.hold.Retain()
			h.arenas = append(h.arenas, a)
		}
	}
}

// drop ends the use of what was taken.
func (h *pins) drop() {
	for i, a := range h.arenas {
		a.hold.Release()
		h.arenas[i] = nil
	}
	h.arenas, h.at = h.arenas[:0], nil
}

// read runs f, which sets h.at to the arena that it is about to read. When one
// cannot be read, or is not what was written, it is taken out of use and read
// returns errLost; f may have stopped anywhere.
func (h *pins) read(f func() error) error {
	files := false
	for _, a := range h.arenas {
		if a.file == nil {
			continue
		}
		files = true
		if err := a.file.Check(a.part); err != nil {
			a.file.lose(a.part, err)
			return errLost
		}
	}
	if !files {
		return f()
	}
	h.at = nil
	err := offheap.Guard(f)
	if h.at != nil && h.at.file != nil && isDamage(err) {
		h.at.file.lose(h.at.part, err)
		return errLost
	}
	return err
}

// isDamage reports whether err says that bytes of a file cannot be read, or
// are not what was written.
func isDamage(err error) bool {
	var fault *offheap.FaultError
	return errors.As(err, &fault) || errors.Is(err, archive.ErrCorrupt) || errors.Is(err, block.ErrCorrupt)
}

// read runs f, which reads a, whose memory the caller keeps. It returns false
// when a is absent, or turned out to be while f ran.
func (a *arena) read(f func() error) bool {
	if a.lost() {
		return false
	}
	h := pins{arenas: []*arena{a}}
	err := h.read(func() error {
		h.at = a
		return f()
	})
	if err != nil && err != errLost {
		panic(fmt.Sprintf("BUG: block %d of partition %d: %v", a.number, a.part, err))
	}
	return err == nil
}
