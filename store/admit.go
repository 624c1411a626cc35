package store

import (
	"pulse/store/index"
	"pulse/store/tags"
)

// costs is about how many bytes series take, which is taken from the budget
// before anything is allocated for them.
type costs struct {
	active int64 // columns and blocks not yet in a file of a series that is written
	slack  int64 // columns of slots without a series that is written, beside others in a piece; for all partitions
}

// Bytes of a series that do not depend on the options, with room to grow.
const (
	slotCost   = 130 // of a slot, for good: slices of the partition, lookup, place in byTags
	seriesCost = 50  // of a series in it: another name in the lookup, start of its pairs
	tagCost    = 18  // of each of its tags: number and posting, beside the tag itself

	sealAhead  = 24  // steps until a block that is over is sealed, since Advance seals a few partitions at a time
	blockBytes = 160 // of a sealed block, or the mini-blocks of an open one, and words in the directory, on average
)

// newCosts returns the costs of series under the given options.
func newCosts(o Options) costs {
	columns := 2*miniSteps + (o.MaxPast+o.MaxFuture)/o.Step + sealAhead
	c := costs{active: columns*8*9/8 + 3*blockBytes, slack: partitions * pieceSlots / 2 * columns * 8}
	if limit := o.Memory.Limit(); limit > 0 {
		c.slack = min(c.slack, limit/8)
	}
	return c
}

// idle is the cost of a series of n tags that is not written, without its slot
// and tags.
func (c *costs) idle(n int) int64 { return seriesCost + tagCost*int64(n+1) }

// admit checks the limits on new series and takes the memory of one with tags
// t, or of one that comes back to slot. The caller holds s.changing.
func (s *Store) admit(p *partition, t tags.Tags, back bool, now int64) *LimitError {
	o := &s.options
	switch {
	case int(s.active.Load()) >= o.MaxSeries:
		return &LimitError{What: "series", Max: int64(o.MaxSeries)}
	case !back && (s.seen >= seenPerSeries*o.MaxSeries || len(p.slots) >= maxSlots && len(p.free) == 0):
		return &LimitError{What: "series ever seen", Max: int64(seenPerSeries * o.MaxSeries)}
	case !s.memory.Room(s.price(p, t, back)):
		s.memory.Take(s.memory.Limit() + 1) // counts the refusal
		return &LimitError{What: whatMemory, Max: s.memory.Limit()}
	case !s.newSeries.take(now):
		return &LimitError{What: "new series per second", Max: int64(o.NewSeriesRate)}
	}
	return nil
}

const whatMemory = "bytes of series"

// price is what a new series, or one that comes back, may take at most.
func (s *Store) price(p *partition, t tags.Tags, back bool) int64 {
	n := s.costs.active
	if !back {
		n += s.costs.idle(len(t)) + index.Cost(t)
		if len(p.free) == 0 {
			n += slotCost
		}
	}
	return n
}

// full refuses a new series when it is plain that there is no room, without
// waiting for s.changing.
func (s *Store) full(t tags.Tags) *LimitError {
	if s.memory.Room(s.costs.active) {
		return nil
	}
	s.memory.Take(s.memory.Limit() + 1)
	return &LimitError{What: whatMemory, Max: s.memory.Limit()}
}

// settleIndex brings what is charged for keys and values in line with what the
// index has. The caller holds s.changing.
func (s *Store) settleIndex() {
	bytes := s.index.Bytes()
	if d := bytes - s.indexed; d > 0 {
		s.memory.Force(d)
	} else {
		s.memory.Give(-d)
	}
	s.indexed = bytes
}

// OffHeap returns the bytes of columns, sealed blocks and the cache that lie
// outside the collector's heap and in no file.
func (s *Store) OffHeap() int64 { return s.pool.bytes() + s.inMemory() + s.cache.bytes() }

// inMemory returns the bytes of the sealed blocks that are in no file.
func (s *Store) inMemory() int64 {
	n := int64(0)
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		for _, list := range p.sealed {
			for _, a := range list {
				if a.file == nil {
					n += a.bytes()
				}
			}
		}
		p.mu.RUnlock()
	}
	return n
}

// settleActual charges what columns and sealed blocks really take beyond what
// is reserved for the series that are written: a piece of a column is there
// for all of its slots or none, without files blocks stay in memory for as
// long as they are kept, and imports leave patches.
func (s *Store) settleActual() {
	reserved := s.active.Load()*s.costs.active + s.costs.slack
	over := max(0, s.pool.bytes()+s.inMemory()+s.importing.patches.Load()-reserved)
	if d := over - s.overrun; d > 0 {
		s.memory.Force(d)
	} else {
		s.memory.Give(-d)
	}
	s.overrun = over
}

// trim drops the oldest sealed blocks, of the finest tier first, when there is
// no folder for them and they take more than three quarters of the memory: what
// comes is worth more than what was.
func (s *Store) trim() {
	most := s.memory.Limit() / 4 * 3
	if most == 0 || s.folder != nil {
		return
	}
	for s.inMemory()+s.importing.patches.Load() > most {
		tier, end := s.oldestBlock()
		if tier < 0 {
			return
		}
		s.tiers[tier].gone(end)
		for i := range s.parts {
			s.parts[i].expire(s.tiers)
		}
		s.trimmed.Add(1)
	}
}

// oldestBlock returns the finest tier that has sealed blocks and the end of the
// oldest one; -1 when there is none.
func (s *Store) oldestBlock() (tier int, end int64) {
	for k, t := range s.tiers {
		found := false
		for i := range s.parts {
			p := &s.parts[i]
			p.mu.RLock()
			if len(p.sealed[k]) > 0 {
				if at := t.grid.end(p.sealed[k][0].number); !found || at < end {
					found, end = true, at
				}
			}
			p.mu.RUnlock()
		}
		if found {
			return k, end
		}
	}
	return -1, 0
}
