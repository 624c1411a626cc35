package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"pulse/store/archive"
)

// isAbsent reports whether err says that there is no such file.
func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// found is an archive file by its name.
type found struct {
	number int64
	epoch  uint32
	name   string
}

// load opens the files that are there. Of each it reads the ends only: damage
// inside is noticed by whoever reads it first. A file that is none goes to
// quarantine. Files of a step that no tier has stay where they are, unused.
func (a *archives) load() error {
	folders, err := a.fs.List(archiveDir)
	if err != nil {
		return fmt.Errorf("list archive files: %w", err)
	}
	for _, folder := range folders {
		tier := slices.IndexFunc(a.store.tiers, func(t *tier) bool { return strconv.FormatInt(t.grid.step, 10) == folder })
		if tier < 0 {
			n, err := folderBytes(a.fs, path.Join(archiveDir, folder))
			if err != nil {
				return fmt.Errorf("count bytes of archive files: %w", err)
			}
			a.foreign += n
			a.log.Warn().Str("folder", path.Join(archiveDir, folder)).Int64("bytes", n).Msg("archive files of a step that no tier has are not used")
			continue
		}
		if err := a.loadTier(tier, path.Join(archiveDir, folder)); err != nil {
			return err
		}
	}
	a.resume()
	return a.resumeDropped()
}

// resume notes up to where coarser tiers were derived, and which of their blocks
// lack something that the finer ones have.
func (a *archives) resume() {
	for k := range len(a.store.tiers) - 1 {
		a.resumeTier(k)
	}
}

// resumeTier does so for what is derived from tier k.
func (a *archives) resumeTier(k int) {
	s := a.store
	fine, coarse := s.tiers[k].grid, s.tiers[k+1].grid
	built := int64(dawn)
	for _, f := range a.files[k+1] {
		built = max(built, f.Through)
	}
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		for _, f := range p.sealed[k] {
			first, last := coarse.around(fine, f.number)
			for n := first; n <= last; n++ {
				c := p.arenaOf(k+1, n)
				if c == nil {
					built = min(built, coarse.end(n-1))
				}
				if c == nil || c.applied < f.applied || c.file.Through < min(fine.end(f.number), coarse.end(n)) {
					s.spoil(p, k+1, n, nil, 0)
				}
			}
		}
		p.mu.Unlock()
	}
	s.tiers[k+1].built.Store(built)
}

// around returns the first and the last block of g that have something of a
// block of a finer grid.
func (g grid) around(fine grid, number int64) (first, last int64) {
	first, _ = g.place(g.ceil(fine.stamp(number, 0)))
	last, _ = g.place(g.ceil(fine.end(number)))
	return first, last
}

func (a *archives) loadTier(tier int, folder string) error {
	bases, err := a.fs.List(folder)
	if err != nil {
		return fmt.Errorf("list archive files: %w", err)
	}
	var all []found
	for _, base := range bases {
		name := path.Join(folder, base)
		if number, epoch, ok := parseArchiveName(base); ok {
			all = append(all, found{number, epoch, name})
		} else if strings.HasSuffix(base, archive.Temporary) {
			a.garbage = append(a.garbage, garbage{blockTime: blockTime{tier: -1}, name: name})
		} else {
			a.log.Warn().Str("file", name).Msg("not an archive file")
		}
	}
	slices.SortFunc(all, func(x, y found) int {
		return cmp.Or(cmp.Compare(x.number, y.number), cmp.Compare(y.epoch, x.epoch))
	})
	lost, err := a.quarantined(tier)
	if err != nil {
		return err
	}
	var sealed [partitions][]*arena
	for i, one := range all {
		if i > 0 && all[i-1].number == one.number && a.files[tier][one.number] != nil {
			a.garbage = append(a.garbage, garbage{blockTime{tier, one.number}, one.epoch, one.name, ""})
			continue
		}
		f, err := a.open(tier, one)
		if err != nil {
			return err
		}
		if f == nil {
			lost = append(lost, one.number)
			continue
		}
		a.register(f)
		for part := range sealed {
			if fresh := f.arena(part); fresh != nil {
				fresh.epoch = a.store.epochs.Add(1)
				sealed[part] = append(sealed[part], fresh)
			}
		}
	}
	for part, list := range sealed {
		p := &a.store.parts[part]
		p.mu.Lock()
		p.sealed[tier] = list
		p.changes++
		p.mu.Unlock()
	}
	if tier == primary {
		a.loadGaps(lost)
	}
	return nil
}

// quarantined returns the block times of a tier of which a file is in
// quarantine.
func (a *archives) quarantined(tier int) (numbers []int64, err error) {
	bases, err := a.fs.List(archive.QuarantineFolder)
	if err != nil {
		return nil, fmt.Errorf("list files in quarantine: %w", err)
	}
	prefix := fmt.Sprintf("%s_%d_", archiveDir, a.store.tiers[tier].grid.step)
	for _, base := range bases {
		rest, ok := strings.CutPrefix(base, prefix)
		if name, _, found := strings.Cut(rest, archiveSuffix); ok && found {
			if number, _, ok := parseArchiveName(name + archiveSuffix); ok {
				numbers = append(numbers, number)
			}
		}
	}
	return numbers, nil
}

// loadGaps notes of which primary blocks something was lost: all of a block
// time whose file is in quarantine and was not saved in part, and the
// partitions of which a file says so.
func (a *archives) loadGaps(lost []int64) {
	s := a.store
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		for _, number := range lost {
			if a.files[primary][number] == nil {
				p.addGap(number)
			}
		}
		for number, f := range a.files[primary] {
			if f.Part(i).Lost {
				p.addGap(number)
			}
		}
		if len(p.gaps) > 0 {
			s.sources.gaps.Store(true)
		}
		p.mu.Unlock()
	}
}

// open returns the file with the given name, nil when it is damaged or absent.
// Another failure, or a format to come, is an error: nothing is wrong with the
// file.
func (a *archives) open(tier int, one found) (*archived, error) {
	b, err := archive.OpenBlocks(a.fs, one.name)
	t := a.store.tiers[tier]
	if err == nil && (b.Step != t.grid.step || b.Number != one.number || b.Epoch != one.epoch || b.Fields != blocksPer(tier)) {
		err = &archive.CorruptError{File: one.name, Reason: fmt.Sprintf("holds block %d, epoch %d, of step %d ms with %d per series", b.Number, b.Epoch, b.Step, b.Fields)}
		b.Release()
	}
	if errors.Is(err, archive.ErrCorrupt) {
		a.log.Error().Err(err).Str("file", one.name).Msg("archive file is damaged, its blocks are absent")
		a.stats.Quarantined++
		a.garbage = append(a.garbage, garbage{blockTime{tier, one.number}, one.epoch, one.name, err.Error()})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &archived{BlockFile: b, blockTime: blockTime{tier, one.number}, owner: a}, nil
}
