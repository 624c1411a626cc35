package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"

	"pulse/store/archive"
	offheap "pulse/store/arena"
	"pulse/store/field"
	"pulse/store/norm"
	"pulse/store/tags"
)

var errStep = errors.New("another primary step")

// errDamaged says that bytes of a snapshot are not what was written.
func errDamaged(what string, n int) error {
	return fmt.Errorf("%w: %s %d", archive.ErrCorrupt, what, n)
}

// load puts what a snapshot file has into the store, which is empty. It returns
// what others kept in it. After an error the store is to be cleared.
func (s *Store) load(file *archive.File, sealed *[partitions][]*arena) (head snapshot, notes []byte, err error) {
	section := func(id uint32) (b []byte) {
		if err == nil {
			b, err = file.Section(id)
		}
		return b
	}
	src := section(snapshotHead)
	if err == nil {
		head, err = readHead(src)
	}
	if err == nil && head.step != s.options.Step {
		err = fmt.Errorf("%w: the snapshot has %d ms, not %d ms", errStep, head.step, s.options.Step)
	}
	if err == nil {
		if damaged := s.loadPartitions(head.version, section, sealed); err == nil {
			err = damaged
		}
	}
	src = section(snapshotSources)
	if err == nil {
		err = s.sources.load(src, maxSourceID)
	}
	notes = section(snapshotNotes)
	if err != nil {
		return head, nil, err
	}
	s.rules, s.sources.applied = head.rules, head.lsn
	s.finished.Store(head.lsn)
	s.burials.Store(head.buried)
	s.fadings.Store(head.faded)
	return head, append([]byte(nil), notes...), nil
}

// loadPartitions reads the sections of all partitions: the series of one after
// the other, and the blocks of several at a time.
func (s *Store) loadPartitions(version uint64, section func(uint32) []byte, sealed *[partitions][]*arena) error {
	var errs [partitions]error
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range s.parts {
		src := section(uint32(snapshotFirst + i))
		if src == nil {
			break // section has the error
		}
		l, err := s.loadSeries(version, i, src)
		if err != nil {
			errs[i] = err
			break
		}
		room <- struct{}{}
		wait.Go(func() {
			errs[i] = offheap.Guard(l.rest)
			sealed[i] = l.kept
			<-room
		})
	}
	wait.Wait()
	return errors.Join(errs[:]...)
}

// loading reads the section of one partition.
type loading struct {
	store   *Store
	version uint64 // of the snapshot
	part    int
	p       *partition
	in      field.Reader
	texts   []tags.Tag // the dictionary of pairs
	pairs   []uint32   // their numbers in the index, or unknownPair
	known   []uint32   // scratch
	kept    []*arena   // sealed blocks
	builder builder    // its data is that of the file
	d       decoded
}

// loadSeries reads the section of partition i up to its blocks.
func (s *Store) loadSeries(version uint64, i int, src []byte) (*loading, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	l := &loading{store: s, version: version, part: i, p: &s.parts[i], in: field.Reader{Rest: src}}
	l.p.applied = l.in.Uvarint()
	n := l.in.Count(1)
	if n > maxSlots {
		return nil, errDamaged("slots of partition", i)
	}
	flags := l.in.Bytes(n)
	if err := l.series(flags); err != nil {
		return nil, err
	}
	for range l.in.Count(3) {
		n, source, since := l.in.Uvarint(), l.in.Uvarint(), l.in.Varint()
		if n >= uint64(len(flags)) || l.p.pairAt[n] == 0 {
			return nil, errDamaged("link of slot", int(n))
		}
		key := n<<32 | source
		l.p.linked[key] = struct{}{}
		l.p.more[uint32(n)] = append(l.p.more[uint32(n)], link{SourceID(source), since * s.grid.step})
	}
	return l, nil
}

// rest reads the blocks.
func (l *loading) rest() error {
	for range l.in.Count(3) {
		if err := l.open(); err != nil {
			return err
		}
	}
	l.p.packOld(l.store)
	for range l.in.Count(6) {
		if err := l.sealed(); err != nil {
			return err
		}
	}
	if l.in.Bad || len(l.in.Rest) > 0 {
		return errDamaged("partition", l.part)
	}
	return nil
}

// series reads the tags of all slots and what is known of each.
func (l *loading) series(flags []byte) error {
	keys := make([]string, l.in.Count(1))
	for i := range keys {
		keys[i] = string(l.in.Text())
	}
	l.texts = make([]tags.Tag, l.in.Count(2))
	for i := range l.texts {
		k := l.in.Uvarint()
		if k >= uint64(len(keys)) {
			return errDamaged("key of pair", i)
		}
		l.texts[i] = tags.Tag{Key: keys[k], Value: string(l.in.Text())}
	}
	l.pairs = make([]uint32, len(l.texts))
	for i := range l.pairs {
		l.pairs[i] = unknownPair
	}
	counts := make([]uint32, 0, len(flags))
	var all []uint32
	for range flags {
		n := l.in.Count(1)
		for range n {
			k := l.in.Uvarint()
			if k >= uint64(len(l.texts)) {
				return errDamaged("pair", int(k))
			}
			all = append(all, uint32(k))
		}
		counts = append(counts, uint32(n))
	}
	var set tags.Tags
	for n, count := range counts {
		set = set[:0]
		for _, k := range all[:count] {
			set = append(set, l.texts[k])
		}
		own := all[:count]
		all = all[count:]
		if err := l.slot(uint32(n), flags[n], set, own); err != nil {
			return err
		}
	}
	return nil
}

const unknownPair = ^uint32(0)

// intern replaces the numbers of words in own by those of pairs in the index.
func (l *loading) intern(set tags.Tags, own []uint32) []uint32 {
	x := l.store.index
	known := l.known[:0]
	for i, k := range own {
		if l.pairs[k] == unknownPair {
			l.pairs[k] = x.Restore(nil, set[i:i+1])[0]
		} else {
			known = append(known, l.pairs[k])
		}
		own[i] = l.pairs[k]
	}
	x.Retain(known)
	l.known = known
	return own
}

// slot reads what is known of slot n, whose series has the given tags, which
// are the words own; none: the slot is free.
func (l *loading) slot(n uint32, flags uint8, set tags.Tags, own []uint32) error {
	s, p := l.store, l.p
	if len(set) == 0 {
		l.store.leaveFree(l.part, n, flags)
		return nil
	}
	for i := 1; i < len(set); i++ {
		if set[i-1].Key >= set[i].Key {
			return errDamaged("tags of slot", int(n))
		}
	}
	if int(set.Hash()>>(64-6)) != l.part {
		return errDamaged("partition of slot", int(n))
	}
	pairs := l.intern(set, own)
	ref := s.settle(l.part, makeRef(l.part, n), set, pairs, 0)
	step := s.grid.step
	slot := slot{last: l.in.Varint() * step, first: l.in.Varint() * step, source: SourceID(l.in.Uvarint())}
	if l.in.Bad {
		return errDamaged("slot", int(n))
	}
	if kindOf(flags) <= norm.Counter {
		rest, err := p.states[n].Restore(l.in.Rest, slot.last, step)
		if err != nil {
			return fmt.Errorf("%w: %w", archive.ErrCorrupt, err)
		}
		l.in.Rest = rest
	}
	p.mu.Lock()
	p.slots[n], p.flags[n] = slot, flags
	var buf [512]byte
	p.byTags.add(maphash.Bytes(s.lookup.seeds[0], set.AppendKey(buf[:0])), n)
	p.mu.Unlock()
	if flags&flagIdle != 0 {
		s.rest(1)
	}
	if flags&flagDead == 0 {
		s.enter(ref, pairs)
	}
	return nil
}

// leaveFree makes slot n of a partition exist without a series, with the flags
// that it had: see bar. The caller holds s.changing.
func (s *Store) leaveFree(part int, n uint32, flags uint8) {
	p := &s.parts[part]
	p.mu.Lock()
	p.extend(n)
	if flags&flagDead != 0 {
		p.flags[n] = flagDead
	} else {
		p.free = append(p.free, n)
	}
	p.mu.Unlock()
	s.lookup.grow(1)
	s.memory.Force(slotCost)
}
