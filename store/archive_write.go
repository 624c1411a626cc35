package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"pulse/store/archive"
	offheap "pulse/store/arena"
)

// retryMs is how long writing rests after a failure.
const retryMs = 5_000

// survey notes which block times are not in a file as they are.
func (a *archives) survey() {
	for i := range a.store.parts {
		p := &a.store.parts[i]
		p.mu.RLock()
		if p.changes != a.seen[i] {
			a.seen[i] = p.changes
			for tier := range a.store.tiers {
				for _, s := range p.sealed[tier] {
					if !s.archived() {
						a.mark(blockTime{tier, s.number}, len(s.patches) == 0)
					}
				}
			}
		}
		p.mu.RUnlock()
	}
}

// mark notes that a block time is to be written, at once or when imports rest.
func (a *archives) mark(t blockTime, atOnce bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stale[t] = a.stale[t] || atOnce
}

// unmark takes note that a block time is about to be written, and reports
// whether it is still to be, and was at once.
func (a *archives) unmark(t blockTime) (atOnce, stale bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	atOnce, stale = a.stale[t]
	delete(a.stale, t)
	return atOnce, stale
}

// patchesDue reports whether blocks that only imports have changed are written
// now.
func (a *archives) patchesDue() bool {
	s := a.store
	n, limit := s.importing.patches.Load(), s.patchLimit()
	a.pressed = n > limit || a.pressed && n > limit/2
	return a.pressed || s.settling(a.now.Load())
}

// writeStale writes every block time that is due and complete, oldest first,
// and reports whether it wrote any. Those that only imports have changed come
// when these rest, or have left more than may wait: then until half of that is
// left.
func (a *archives) writeStale() (wrote bool) {
	if now := a.now.Load(); now < a.retry && a.retry-now <= retryMs {
		return false
	}
	a.checkpointed = false
	a.mu.Lock()
	var due []blockTime
	patched := map[blockTime]bool{}
	for t, atOnce := range a.stale {
		due = append(due, t)
		patched[t] = !atOnce
	}
	a.mu.Unlock()
	slices.SortFunc(due, func(x, y blockTime) int {
		return cmp.Or(cmp.Compare(x.tier, y.tier), cmp.Compare(x.number, y.number))
	})
	for _, t := range due {
		if a.stopping() {
			return wrote
		}
		if patched[t] && !a.patchesDue() {
			continue
		}
		ok, err := a.writeOne(t, false)
		wrote = wrote || ok
		if err != nil {
			a.failed(t, err)
			return wrote
		}
	}
	return wrote
}

// failed notes that a block time could not be written. Only the first failure
// in a row is logged.
func (a *archives) failed(t blockTime, err error) {
	a.retry = a.now.Load() + retryMs
	a.mu.Lock()
	a.stats.Failures++
	a.mu.Unlock()
	if !a.failing {
		a.log.Error().Err(err).Int64("block", t.number).Msg("archive file not written, blocks stay in memory")
	}
	a.failing = true
}

// writeOne writes a block time unless it still changes. One that is derived may
// be written early, as far as it goes.
func (a *archives) writeOne(t blockTime, early bool) (wrote bool, err error) {
	through, complete := a.through(t)
	if !complete && !early || t.tier == primary && !a.store.live() && a.store.folder.Mode != None {
		return false, nil
	}
	g := gathered{blockTime: t}
	defer g.release()
	atOnce, stale := a.unmark(t)
	if !stale {
		return false, nil
	}
	if !g.gather(a.store) {
		a.mark(t, atOnce)
		return false, nil
	}
	if g.count == 0 {
		a.mu.Lock()
		a.discard(t)
		a.mu.Unlock()
		return false, nil
	}
	var f *archived
	if err = a.cover(t); err == nil {
		f, err = a.write(&g, through)
	}
	if err != nil {
		a.mark(t, atOnce)
		return false, err
	}
	a.swap(&g, f)
	if a.failing {
		a.log.Info().Msg("archive files are written again")
	}
	a.failing = false
	return true, nil
}

// cover has a checkpoint stored before a file of the primary tier, one for all files of a
// round: a start has the file from the beginning, with what came late, and marks from
// before that would be replayed over it. While they are replayed no file is written.
func (a *archives) cover(t blockTime) error {
	f := a.store.folder
	if f == nil || t.tier != primary || a.checkpointed || f.Mode == None {
		return nil
	}
	if f.hooks.Checkpoint != nil {
		f.snapshots.taking.Lock()
		defer f.snapshots.taking.Unlock()
		if err := f.hooks.Checkpoint(); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	a.checkpointed = true
	return nil
}

// through returns the last stamp of a block time that is there, and whether
// that is its end: the primary tier may still begin a block that is not
// sealable, a coarser one is derived up to somewhere.
func (a *archives) through(t blockTime) (stamp int64, complete bool) {
	end := a.store.tiers[t.tier].grid.end(t.number)
	if t.tier == primary {
		return end, t.number < a.store.sealable(a.now.Load())
	}
	built := a.store.tiers[t.tier].built.Load()
	return min(end, built), built >= end
}

// gathered is the arenas of one block time, held.
type gathered struct {
	blockTime
	arenas [partitions]*arena // nil: no data
	parts  [archive.Parts]archive.Part
	count  int
}

// gather takes the arenas of all partitions. It returns false when a partition
// has not sealed its own.
func (g *gathered) gather(s *Store) bool {
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		open := g.tier == primary && p.openBlock(g.number) != nil
		a := p.arenaOf(g.tier, g.number)
		if a != nil && !open && !a.lost() {
			a.hold.Retain()
			g.arenas[i] = a
		}
		if g.tier == primary {
			g.parts[i].Applied = p.applied
			_, g.parts[i].Lost = slices.BinarySearch(p.gaps, g.number)
		}
		p.mu.RUnlock()
		if open {
			return false
		}
	}
	for i, a := range g.arenas {
		if a != nil && g.add(i, a) {
			g.count++
		}
	}
	return true
}

// add makes an arena the part of partition i, patches in, and reports whether
// it could be read.
func (g *gathered) add(i int, a *arena) bool {
	part := archive.Part{Applied: a.applied, Lost: g.parts[i].Lost, Blocks: a.blocks, Words: a.dir, Data: a.data}
	if len(a.patches) > 0 {
		b := builder{words: make([]uint64, 0, a.end()*a.fields), data: make([]byte, 0, int64(len(a.data))+a.patchBytes())}
		if !a.read(func() error { return a.flat(&b) }) {
			return false
		}
		part.Blocks, part.Words, part.Data = b.blocks, b.words, b.data
	}
	g.parts[i] = part
	return len(a.patches) > 0 || a.check()
}

// archived reports whether the arena is in a file as it is.
func (a *arena) archived() bool { return a.file != nil && len(a.patches) == 0 && !a.lost() }

// check compares the checksum of an arena that is in a file, the first time,
// and reports whether the arena can be read.
func (a *arena) check() bool {
	if a.file == nil {
		return true
	}
	if err := a.file.Check(a.part); err != nil {
		a.file.lose(a.part, err)
	}
	return !a.lost()
}

func (g *gathered) release() {
	for _, a := range g.arenas {
		if a != nil {
			a.hold.Release()
		}
	}
}

// write makes a file of what was gathered, and reads it back.
func (a *archives) write(g *gathered, through int64) (*archived, error) {
	t := a.store.tiers[g.tier]
	head := archive.Head{Step: t.grid.step, Number: g.number, Epoch: a.nextEpoch(g.blockTime), Fields: blocksPer(g.tier), Through: through}
	name := archiveName(head.Step, head.Number, head.Epoch)
	if err := a.store.settleLog(); err != nil {
		return nil, err
	}
	var size int64
	err := offheap.Guard(func() (err error) {
		size, err = archive.WriteBlocks(a.fs, name, head, &g.parts)
		return err
	})
	var fault *offheap.FaultError
	if errors.As(err, &fault) {
		g.recheck()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if err != nil {
		return nil, err
	}
	b, err := archive.OpenBlocks(a.fs, name)
	if err != nil {
		return nil, err
	}
	f := &archived{BlockFile: b, blockTime: g.blockTime, owner: a}
	for i := range g.parts {
		if err := b.Check(i); err != nil {
			b.Release()
			a.mu.Lock()
			a.garbage = append(a.garbage, garbage{g.blockTime, head.Epoch, name, err.Error()})
			a.mu.Unlock()
			return nil, fmt.Errorf("read back: %w", err)
		}
	}
	a.mu.Lock()
	a.stats.Written += size
	a.mu.Unlock()
	return f, nil
}

// recheck takes those arenas out of use that cannot be read any more.
func (g *gathered) recheck() {
	for _, a := range g.arenas {
		if a != nil && a.file != nil {
			if err := a.file.Recheck(a.part); err != nil {
				a.file.lose(a.part, err)
			}
		}
	}
}

// nextEpoch returns an epoch that no file of a block time has, or had and may
// still be there.
func (a *archives) nextEpoch(t blockTime) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := uint32(0)
	if f := a.files[t.tier][t.number]; f != nil {
		next = f.Epoch + 1
	}
	for _, g := range a.garbage {
		if g.blockTime == t {
			next = max(next, g.epoch+1)
		}
	}
	return next
}

// swap has the partitions use f in place of what was gathered for it. Where
// something else took the place meanwhile, that stays, and is marked already.
func (a *archives) swap(g *gathered, f *archived) {
	a.register(f)
	for i, old := range g.arenas {
		if old == nil {
			continue
		}
		p := &a.store.parts[i]
		p.mu.Lock()
		if p.arenaOf(g.tier, g.number) == old {
			if fresh := f.arena(i); fresh != nil {
				fresh.epoch = old.epoch
				p.insertSealed(fresh)
			}
		}
		p.mu.Unlock()
	}
}

// arena returns the blocks of a partition, with a reference of their own, nil
// when there are none.
func (f *archived) arena(part int) *arena {
	p := f.Part(part)
	if len(p.Words) == 0 || p.Blocks == 0 {
		return nil
	}
	f.Retain()
	return &arena{
		tier: f.tier, part: part, number: f.blockTime.number, fields: f.Fields,
		dir: p.Words, data: p.Data, blocks: p.Blocks, applied: p.Applied,
		hold: f, file: f,
	}
}
