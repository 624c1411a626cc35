package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"pulse/store/archive"
	offheap "pulse/store/arena"
	"pulse/store/block"
	"pulse/store/norm"
	"pulse/store/tags"
)

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
		if damaged := s.loadPartitions(section, sealed); err == nil {
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
func (s *Store) loadPartitions(section func(uint32) []byte, sealed *[partitions][]*arena) error {
	var errs [partitions]error
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range s.parts {
		src := section(uint32(snapshotFirst + i))
		if src == nil {
			break // section has the error
		}
		l, err := s.loadSeries(i, src)
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
	store *Store
	part  int
	p     *partition
	in    buffer
	words []tags.Tag // of the dictionary of pairs
	pairs []uint32   // their numbers in the index, or unknownPair
	known []uint32   // scratch
	kept  []*arena   // sealed blocks
	d     decoded
}

// loadSeries reads the section of partition i up to its blocks.
func (s *Store) loadSeries(i int, src []byte) (*loading, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	l := &loading{store: s, part: i, p: &s.parts[i], in: buffer{rest: src}}
	l.p.applied = l.in.uvarint()
	n := l.in.count(1)
	if n > maxSlots {
		return nil, errDamaged("slots of partition", i)
	}
	flags := l.in.bytes(n)
	if err := l.series(flags); err != nil {
		return nil, err
	}
	for range l.in.count(3) {
		n, source, since := l.in.uvarint(), l.in.uvarint(), l.in.varint()
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
	for range l.in.count(3) {
		if err := l.open(); err != nil {
			return err
		}
	}
	for range l.in.count(6) {
		if err := l.sealed(); err != nil {
			return err
		}
	}
	if l.in.bad || len(l.in.rest) > 0 {
		return errDamaged("partition", l.part)
	}
	return nil
}

// series reads the tags of all slots and what is known of each.
func (l *loading) series(flags []byte) error {
	keys := make([]string, l.in.count(1))
	for i := range keys {
		keys[i] = string(l.in.text())
	}
	l.words = make([]tags.Tag, l.in.count(2))
	for i := range l.words {
		k := l.in.uvarint()
		if k >= uint64(len(keys)) {
			return errDamaged("key of pair", i)
		}
		l.words[i] = tags.Tag{Key: keys[k], Value: string(l.in.text())}
	}
	l.pairs = make([]uint32, len(l.words))
	for i := range l.pairs {
		l.pairs[i] = unknownPair
	}
	counts := make([]uint32, 0, len(flags))
	var all []uint32
	for range flags {
		n := l.in.count(1)
		for range n {
			k := l.in.uvarint()
			if k >= uint64(len(l.words)) {
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
			set = append(set, l.words[k])
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
	slot := slot{last: l.in.varint() * step, first: l.in.varint() * step, source: SourceID(l.in.uvarint())}
	if l.in.bad {
		return errDamaged("slot", int(n))
	}
	if kindOf(flags) <= norm.Counter {
		rest, err := p.states[n].Restore(l.in.rest, slot.last, step)
		if err != nil {
			return fmt.Errorf("%w: %w", archive.ErrCorrupt, err)
		}
		l.in.rest = rest
	}
	p.mu.Lock()
	p.slots[n], p.flags[n] = slot, flags
	var buf [512]byte
	p.name(n, maphash.Bytes(s.lookup.seeds[0], set.AppendKey(buf[:0])))
	p.mu.Unlock()
	if flags&flagIdle != 0 {
		s.rest(1)
	}
	if flags&flagDead == 0 {
		s.enter(ref, pairs)
	}
	return nil
}

// blocks reads directory words and data into b.
func (l *loading) blocks(b *builder, fields int) error {
	n := l.in.count(8)
	if fields < 1 || fields > archive.MaxFields || n%fields != 0 || n/fields > len(l.p.slots) {
		return errDamaged("blocks of partition", l.part)
	}
	b.reset()
	for range n {
		w := l.in.uint64()
		b.words = append(b.words, w)
		if w != 0 {
			b.blocks++
		}
	}
	b.data = l.in.text()
	for _, w := range b.words {
		if w == 0 {
			continue
		}
		if _, err := block.Decode(l.d.row[:], archive.BlockAt(w, b.data, &l.d.inline)); err != nil {
			return err
		}
	}
	return nil
}

// open reads an open block.
func (l *loading) open() error {
	o := &openBlock{number: l.in.varint()}
	var b builder
	if err := l.blocks(&b, 1); err != nil {
		return err
	}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.openBlock(o.number) != nil {
		return errDamaged("open block", int(o.number))
	}
	l.p.insertOpen(o)
	for n, w := range b.words {
		if w == 0 {
			continue
		}
		if _, err := block.Decode(l.d.row[:], archive.BlockAt(w, b.data, &l.d.inline)); err != nil {
			return err
		}
		for pos, v := range l.d.row {
			if v == v {
				*l.p.cell(o, pos, uint32(n)) = v
			}
		}
	}
	return nil
}

// sealed reads a sealed block that is in no archive file.
func (l *loading) sealed() error {
	step, number, fields, applied := l.in.varint(), l.in.varint(), int(l.in.uvarint()), l.in.uvarint()
	tier := slices.IndexFunc(l.store.tiers, func(t *tier) bool { return t.grid.step == step })
	var b builder
	if err := l.blocks(&b, fields); err != nil {
		return err
	}
	if tier < 0 {
		return nil // it is not kept any more
	}
	if (tier == primary) != (fields == 1) {
		return errDamaged("blocks per slot in tier", int(tier))
	}
	a := b.build(int(tier), number, fields)
	a.applied = applied
	if a.blocks > 0 {
		l.kept = append(l.kept, a)
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
	s.lookup.grow(makeRef(part, n))
	s.memory.Force(slotCost)
}

const maxSourceID = 1 << 24 // see Options.validate

// load reads what appendTo wrote into a table without senders, with numbers
// below limit.
func (t *sources) load(src []byte, limit uint64) error {
	in := buffer{rest: src}
	t.mu.Lock()
	defer t.mu.Unlock()
	for range in.count(4) {
		id := in.uvarint()
		if id == 0 || id >= limit {
			return errDamaged("sender", int(id))
		}
		t.reach(SourceID(id))
		s := &source{logged: in.byte() != 0, key: string(in.text()), within: newPresence(t.steps), behind: newPresence(t.steps)}
		for _, v := range []*int64{&s.seen, &s.lastTime, &s.arrival, &s.first, &s.interval, &s.lastWithin, &s.lastBehind} {
			*v = in.varint()
		}
		for _, v := range []*int{&s.total.Stored, &s.total.Superseded, &s.total.Repeated, &s.total.Late} {
			*v = int(in.varint())
		}
		s.n = int(in.byte())
		if s.n > reportedSteps {
			return errDamaged("reported steps of sender", int(id))
		}
		for i := range s.n {
			s.steps[i] = stepCount{in.varint(), int(in.varint())}
		}
		s.within.load(&in)
		s.behind.load(&in)
		if in.bad || t.get(SourceID(id)) != nil || t.byKey[s.key] != 0 {
			return errDamaged("sender", int(id))
		}
		t.byKey[s.key] = SourceID(id)
		t.table[id].Store(s)
	}
	if in.bad || len(in.rest) > 0 {
		return errors.Join(archive.ErrCorrupt, errors.New("senders"))
	}
	return nil
}

// reach makes the table long enough for a number that was given out when it was
// longer. Only while nobody else uses the table.
func (t *sources) reach(id SourceID) {
	for int(id) >= len(t.table) {
		t.table = append(t.table, make([]atomic.Pointer[source], int(id)+1-len(t.table))...)
	}
	t.next = max(t.next, id+1)
}

// freeGaps frees the numbers below next that nobody has.
func (t *sources) freeGaps() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = t.free[:0]
	for id := SourceID(1); id < t.next; id++ {
		if t.get(id) == nil {
			t.free = append(t.free, id)
		}
	}
}

// load reads what appendTo wrote. Pages that the ring does not reach give way
// to later ones.
func (p *presence) load(in *buffer) {
	for range in.count(2) {
		page := &presencePage{number: in.varint()}
		if page.number < 0 {
			in.fail()
			return
		}
		if in.byte() == 0 {
			words := buffer{rest: in.bytes(pageSteps / 8)}
			page.bits = new([pageSteps / 64]atomic.Uint64)
			for k := range page.bits {
				page.bits[k].Store(words.uint64())
			}
		}
		at := &p.pages[page.number&int64(len(p.pages)-1)]
		if old := at.Load(); old == nil || old.number < page.number {
			at.Store(page)
		}
	}
}

var errStep = errors.New("another primary step")

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
	p.flags, p.slots, p.states, p.pairs, p.pairAt, p.garbage, p.free = nil, nil, nil, nil, nil, 0, nil
	clear(p.byTags)
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

// applied returns the last record of the log that may be in an archive file.
func (a *archives) applied() uint64 {
	last := uint64(0)
	for _, files := range a.files {
		for _, f := range files {
			for i := range partitions {
				last = max(last, f.Part(i).Applied)
			}
		}
	}
	return last
}
