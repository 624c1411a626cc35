package store

import (
	"path"
	"slices"

	"pulse/store/disk"
)

// lose takes a partition's blocks out of use, at once for whoever looks at them
// from now on.
func (f *archived) lose(part int, err error) {
	if f.lost[part].Swap(true) {
		return
	}
	f.Retain() // somebody reads it, or the partition has it
	f.owner.store.sources.gaps.Store(true)
	f.owner.mu.Lock()
	defer f.owner.mu.Unlock()
	f.owner.damaged = append(f.owner.damaged, damage{f, part, err})
}

// tendDamage takes lost blocks out of the partitions and has their files moved
// to quarantine, once what is sound in them is in files of their own.
func (a *archives) tendDamage() {
	for {
		a.mu.Lock()
		list := a.damaged
		a.damaged = nil
		a.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, d := range list {
			a.tendFile(d)
			d.file.Release()
		}
	}
}

func (a *archives) tendFile(d damage) {
	f := d.file
	blocks := int64(0)
	if f.reason == "" {
		f.reason = d.err.Error()
		a.log.Error().Err(d.err).Str("file", f.Name()).Int("partition", d.part).Msg("archive file is damaged, what cannot be read is absent")
		a.mu.Lock()
		a.stats.Quarantined++
		a.mu.Unlock()
		for part := range partitions {
			if err := f.Recheck(part); err != nil {
				f.lose(part, err)
			}
		}
	}
	p := &a.store.parts[d.part]
	p.mu.Lock()
	if i, found := p.search(f.tier, f.blockTime.number); found && p.sealed[f.tier][i].file == f {
		blocks = int64(p.sealed[f.tier][i].blocks)
		p.strip(f.tier, i)
		if f.tier == primary {
			p.addGap(f.blockTime.number)
		}
	}
	p.mu.Unlock()
	a.mu.Lock()
	a.stats.LostBlocks += blocks
	current := a.files[f.tier][f.blockTime.number] == f
	a.mu.Unlock()
	if current {
		a.mark(f.blockTime, true)
	}
}

// strip takes out what lies in the file of the block at place i of a tier: what
// was imported into it since stays. The caller holds the lock.
func (p *partition) strip(tier, i int) {
	old := p.sealed[tier][i]
	if len(old.patches) == 0 {
		p.removeSealed(tier, i)
		return
	}
	list := slices.Clone(p.sealed[tier])
	list[i] = &arena{tier: tier, part: old.part, number: old.number, fields: old.fields, applied: old.applied, patches: old.patches, hold: nothing{}}
	p.sealed[tier] = list
	p.changes++
	old.hold.Release()
}

// expire gives up the files that are older than their tier keeps values, once
// the partitions have given up the blocks in them.
func (a *archives) expire() {
	a.expireGaps()
	for k, t := range a.store.tiers {
		for {
			f := a.oldest(k)
			if f == nil || t.grid.end(f.blockTime.number) > a.now.Load()-t.retention || a.used(f.blockTime) {
				break
			}
			a.mu.Lock()
			a.discard(f.blockTime)
			a.mu.Unlock()
		}
	}
}

// expireGaps forgets what was lost of values that would be too old by now.
func (a *archives) expireGaps() {
	if !a.store.sources.gaps.Load() {
		return
	}
	t := a.store.tiers[primary]
	for i := range a.store.parts {
		p := &a.store.parts[i]
		p.mu.Lock()
		p.gaps = slices.DeleteFunc(p.gaps, func(n int64) bool { return t.grid.end(n) <= a.now.Load()-t.retention })
		p.mu.Unlock()
	}
}

// used reports whether a partition has blocks of the given time.
func (a *archives) used(t blockTime) bool {
	for i := range a.store.parts {
		p := &a.store.parts[i]
		p.mu.RLock()
		found := p.arenaOf(t.tier, t.number) != nil
		p.mu.RUnlock()
		if found {
			return true
		}
	}
	return false
}

// countMs is how often the bytes of the data folder are counted when no
// archive file was written.
const countMs = 30_000

// keepBudget drops files until the data folder fits the budget. A log that grew
// beyond half of it, since no snapshot can be taken, does not drive out the rest.
func (a *archives) keepBudget(wrote bool) {
	if now := a.now.Load(); !wrote && now >= a.counted && now-a.counted < countMs {
		return
	}
	a.counted = a.now.Load()
	for !a.stopping() {
		used, log, err := a.usage()
		if err != nil {
			a.log.Warn().Err(err).Msg("bytes of the data folder not counted")
			return
		}
		a.mu.Lock()
		a.stats.Used = used
		a.mu.Unlock()
		if used-max(0, log-a.budget/2) <= a.budget || !a.dropOldest() {
			return
		}
	}
}

// usage returns the bytes of archive files, snapshots and log, and those of the
// log alone.
func (a *archives) usage() (used, log int64, err error) {
	a.mu.Lock()
	used = a.stats.Bytes + a.foreign
	a.mu.Unlock()
	if log, err = folderBytes(a.fs, logDir); err != nil {
		return 0, 0, err
	}
	snapshots, err := folderBytes(a.fs, snapshotDir)
	return used + log + snapshots, log, err
}

func folderBytes(fs disk.FS, folder string) (int64, error) {
	names, err := fs.List(folder)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, base := range names {
		n, err := fs.Size(path.Join(folder, base))
		switch {
		case err == nil:
			total += n
		case !isAbsent(err):
			return 0, err
		}
	}
	return total, nil
}

// dropOldest drops the oldest file of the finest tier that has one, once a
// coarser tier covers it or cannot. It reports whether there was one.
func (a *archives) dropOldest() bool {
	for tier := range a.store.tiers {
		f := a.oldest(tier)
		if f == nil {
			continue
		}
		covered := a.covered(f)
		if !covered {
			for _, t := range a.store.deriveEarly(f.blockTime, a.now.Load()) {
				a.mark(t, true)
				if _, err := a.writeOne(t, true); err != nil {
					a.failed(t, err)
				}
			}
			covered = a.covered(f)
		}
		a.drop(f, covered)
		return true
	}
	return false
}

// oldest returns the oldest file of a tier, nil when there is none.
func (a *archives) oldest(tier int) *archived {
	a.mu.Lock()
	defer a.mu.Unlock()
	var numbers []int64
	for number := range a.files[tier] {
		numbers = append(numbers, number)
	}
	if len(numbers) == 0 {
		return nil
	}
	return a.files[tier][slices.Min(numbers)]
}

// covered reports whether files of the next coarser tier have all that f has.
func (a *archives) covered(f *archived) bool {
	next := f.tier + 1
	if next == len(a.store.tiers) {
		return false
	}
	fine, coarse := a.store.tiers[f.tier].grid, a.store.tiers[next].grid
	end := fine.end(f.blockTime.number)
	first, last := coarse.around(fine, f.blockTime.number)
	a.mu.Lock()
	defer a.mu.Unlock()
	for number := first; number <= last; number++ {
		c := a.files[next][number]
		if c == nil || c.Through < min(end, coarse.end(number)) {
			return false
		}
	}
	return true
}

// gone notes that values stamped at or before end are there no more.
func (t *tier) gone(end int64) {
	for {
		old := t.floor.Load()
		if old >= end || t.floor.CompareAndSwap(old, end) {
			return
		}
	}
}

// drop gives up a file for the budget, with the blocks that are in it.
func (a *archives) drop(f *archived, covered bool) {
	t := a.store.tiers[f.tier] // told first: who reads meanwhile finds out afterwards
	t.gone(t.grid.end(f.blockTime.number))
	a.noteDropped(f.tier, t.grid.end(f.blockTime.number))
	for i := range a.store.parts {
		p := &a.store.parts[i]
		p.mu.Lock()
		if at, found := p.search(f.tier, f.blockTime.number); found && p.sealed[f.tier][at].file == f {
			p.removeSealed(f.tier, at)
		}
		p.mu.Unlock()
	}
	a.mu.Lock()
	a.discard(f.blockTime)
	a.stats.Dropped++
	if !covered {
		a.stats.Uncovered++
	}
	a.mu.Unlock()
	a.log.Warn().Str("file", f.Name()).Bool("covered", covered).Msg("oldest archive file dropped to keep the disk budget")
}
