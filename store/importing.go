package store

import "sync/atomic"

// importing is what imports have left to be done: patches lie on sealed blocks
// until their files are written again, or without files until they are merged.
// That waits until imports rest, so that it is done once for all of them.
type importing struct {
	first   atomic.Int64 // time of the import that put on the oldest patch, about; 0: there is none
	last    atomic.Int64 // time of the last import
	patches atomic.Int64 // bytes of them
}

const (
	restMs = 10_000  // how long imports have rested when what they left is done
	lateMs = 300_000 // how long it waits at most, when they never rest

	patchShare   = 8         // of the memory of series
	mostPatches  = 256 << 20 // bytes of patches that wait
	leastPatches = 1 << 20   // the same when there is little memory
)

// rests reports whether there was no import lately. A clock that went far back
// counts as a rest.
func (i *importing) rests(now int64) bool {
	last := i.last.Load()
	return last == 0 || now-last >= restMs || last-now >= lateMs
}

// overdue reports whether what was left at the given time waits no longer.
func overdue(since, now int64) bool {
	return since == 0 || now-since >= lateMs || since-now >= lateMs
}

// patchLimit returns how many bytes of patches may wait. Twice as many are the
// most there are.
func (s *Store) patchLimit() int64 {
	if limit := s.memory.Limit(); limit > 0 {
		return max(leastPatches, min(mostPatches, limit/patchShare))
	}
	return mostPatches
}

// settling reports whether patches are to be merged into their blocks now.
func (s *Store) settling(now int64) bool {
	i := &s.importing
	if i.patches.Load() == 0 {
		i.first.Store(0)
		return false
	}
	return i.rests(now) || overdue(i.first.Load(), now) || i.patches.Load() > s.patchLimit()
}

// relieve has patches merged when there are more than may wait, without waiting
// for the next Advance.
func (s *Store) relieve(now int64) {
	switch {
	case s.importing.patches.Load() <= s.patchLimit():
	case s.archives.fs != nil:
		s.archives.nudge()
	case s.advancing.TryLock():
		defer s.advancing.Unlock()
		s.flatten(now)
	}
}

// patchBytes returns the memory that the patches of a take.
func (a *arena) patchBytes() int64 {
	n := int64(0)
	for _, p := range a.patches {
		n += p.bytes()
	}
	return n
}

// patchOverhead is what a patch takes besides its slots and blocks, with its
// part in the arena that carries it.
const patchOverhead = 256

func (p *patch) bytes() int64 {
	return patchOverhead + 4*int64(cap(p.slots)) + 8*int64(cap(p.words)) + int64(cap(p.data))
}
