package store

import (
	"slices"

	"pulse/store/archive"
	offheap "pulse/store/arena"
)

// restore loads a snapshot file into the store, which is empty but for the
// blocks of archive files. After an error it is to be wiped.
func (s *Store) restore(name string) (head snapshot, notes []byte, err error) {
	file, err := archive.Open(s.folder.FS, name, archive.Snapshot)
	if err != nil {
		return head, nil, err
	}
	defer file.Release()
	if err := file.Verify(); err != nil {
		return head, nil, err
	}
	var sealed [partitions][]*arena
	err = offheap.Guard(func() error {
		head, notes, err = s.load(file, &sealed)
		return err
	})
	if err != nil {
		release(&sealed)
		return head, nil, err
	}
	for i := range s.parts {
		s.reconcile(&s.parts[i], sealed[i])
	}
	return head, notes, nil
}

func release(sealed *[partitions][]*arena) {
	for _, list := range sealed {
		for _, a := range list {
			a.hold.Release()
		}
	}
}

// reconcile adds the sealed blocks of a snapshot to those of archive files.
// A block time that is in both, or open in the one and sealed in the other, is
// taken from where more of the log is in it. Whether the coarser tiers have what
// is in no file is not known: they are derived again.
func (s *Store) reconcile(p *partition, sealed []*arena) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range slices.Clone(p.open) {
		i, found := p.search(primary, b.number)
		switch {
		case !found:
		case p.sealed[primary][i].applied >= p.applied && p.sealed[primary][i].check():
			p.removeOpen(b)
		default:
			p.removeSealed(primary, i)
		}
	}
	for _, a := range sealed {
		i, found := p.search(a.tier, a.number)
		if found && p.sealed[a.tier][i].applied >= a.applied && p.sealed[a.tier][i].check() {
			a.hold.Release()
			continue
		}
		p.insertSealed(a)
		s.changed(p, a.tier, a.number, nil, 0)
	}
}

// wipe makes the store as empty as it was before a snapshot was read in part:
// only the blocks of archive files stay. used is the memory that was charged
// then.
func (s *Store) wipe(used int64) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.index.Clear()
	s.lookup.clear()
	s.sources.clear()
	s.searchable, s.seen, s.indexed = 0, 0, 0
	s.active.Store(0)
	s.memory.Give(s.memory.Used() - used)
	for i := range s.parts {
		s.parts[i].wipe()
	}
}

func (p *partition) wipe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flags, p.slots, p.states, p.unused, p.pairs, p.pairAt, p.garbage, p.free = nil, nil, nil, nil, nil, nil, 0, nil
	p.byTags = byTags{}
	clear(p.more)
	clear(p.linked)
	p.applied = 0
	for len(p.open) > 0 {
		p.removeOpen(p.open[0])
	}
}

func (t *sources) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.table {
		t.table[i].Store(nil)
	}
	clear(t.byKey)
	t.free, t.next, t.applied = nil, 1, 0
}
