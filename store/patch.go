package store

import (
	"fmt"
	"slices"

	"pulse/store/archive"
	"pulse/store/block"
)

// patch is sealed blocks of some slots that hold instead of those of the arena
// they belong to. It is immutable.
type patch struct {
	slots []uint32 // ascending
	words []uint64 // of each slot, as an arena's
	data  []byte
}

// patcher makes a patch, slot after slot in any order, each once.
type patcher struct {
	slots []uint32
	builder
}

// blockOf returns the bytes of one of the blocks of slot n, nil when there is no
// data. Inline bytes are put into buf.
func (a *arena) blockOf(n uint32, field int, buf *[8]byte) []byte {
	for i := len(a.patches) - 1; i >= 0; i-- {
		p := a.patches[i]
		if k, found := slices.BinarySearch(p.slots, n); found {
			if word := p.words[k*a.fields+field]; word != 0 {
				return archive.BlockAt(word, p.data, buf)
			}
			return nil
		}
	}
	word := a.wordOf(n, field)
	if word == 0 {
		return nil
	}
	if src := a.block(word, buf); src != nil {
		return src
	}
	return []byte{} // outside of what was written, which is an error to whoever reads it
}

// loadField decodes one of the blocks of slot n into d.row, NaN where there is
// none, and returns the unit of its values.
func (a *arena) loadField(d *decoded, n uint32, field int) (block.Unit, error) {
	src := a.blockOf(n, field, &d.inline)
	if src == nil {
		fillNaN(d.row[:])
		return block.Unit{}, nil
	}
	unit, _, err := block.DecodeUnit(d.row[:], src)
	return unit, err
}

// end returns the number of slots that may have data.
func (a *arena) end() int {
	n := a.slots()
	for _, p := range a.patches {
		n = max(n, int(p.slots[len(p.slots)-1])+1)
	}
	return n
}

// patched returns a with a patch on top. It shares a's memory, and the
// reference to it that the caller gives.
func (a *arena) patched(p *patch, lsn uint64) *arena {
	b := *a
	b.patches = append(slices.Clip(a.patches), p)
	for n := len(b.patches); n >= 2 && len(b.patches[n-2].slots) < 2*len(b.patches[n-1].slots); n-- {
		b.patches = append(slices.Clip(b.patches[:n-2]), merged(b.patches[n-2], b.patches[n-1], a.fields))
	}
	b.applied = max(b.applied, lsn)
	return &b
}

// merged returns the two patches as one; new ones hold.
func merged(old, new *patch, fields int) *patch {
	dead := 0
	for _, n := range new.slots {
		if _, found := slices.BinarySearch(old.slots, n); found {
			dead++
		}
	}
	m := &patch{slots: make([]uint32, 0, len(old.slots)+len(new.slots)-dead)}
	own := builder{
		words: make([]uint64, 0, cap(m.slots)*fields),
		data:  make([]byte, 0, len(old.data)-len(old.data)/len(old.slots)*dead+len(new.data)),
	}
	i := 0
	for k, n := range new.slots {
		for ; i < len(old.slots) && old.slots[i] <= n; i++ {
			if old.slots[i] < n {
				m.slots = append(m.slots, old.slots[i])
				own.slot(old, i, fields)
			}
		}
		m.slots = append(m.slots, n)
		own.slot(new, k, fields)
	}
	for ; i < len(old.slots); i++ {
		m.slots = append(m.slots, old.slots[i])
		own.slot(old, i, fields)
	}
	m.words, m.data = own.words, own.data
	return m
}

// slot appends the blocks of the slot at place i of p.
func (b *builder) slot(p *patch, i, fields int) {
	var inline [8]byte
	for _, w := range p.words[i*fields : (i+1)*fields] {
		if w&archive.WordOffset == 0 {
			b.words = append(b.words, w)
			continue
		}
		src := archive.BlockAt(w, p.data, &inline)
		size, err := block.Length(src, block.Size)
		if err != nil {
			panic(fmt.Sprintf("BUG: a block of a patch: %v", err))
		}
		b.copy(src[:size])
	}
}

// flat appends to b, which was reset, all blocks of a with its patches in, so
// that they can become an arena without any.
func (a *arena) flat(b *builder) error {
	var inline [8]byte
	for n := range a.end() {
		for field := range a.fields {
			src := a.blockOf(uint32(n), field, &inline)
			if src == nil {
				b.absent()
				continue
			}
			size, err := block.Length(src, block.Size)
			if err != nil {
				return err
			}
			b.copy(src[:size])
		}
	}
	return nil
}

// copy appends a block that is encoded already.
func (b *builder) copy(src []byte) {
	at := len(b.data)
	b.data = append(b.data, src...)
	b.words, b.data = archive.AppendWord(b.words, b.data, at)
	b.blocks++
}

// value appends a block of one field, absent when all values are NaN.
func (b *builder) value(values *[block.Size]float64, step int64) {
	for _, v := range values {
		if v == v {
			b.append(values[:], step)
			return
		}
	}
	b.absent()
}

// cells appends the blocks of a coarse step's fields. A maximum that is the
// minimum everywhere, as in steps of one value, is not encoded again.
func (b *builder) cells(c *cells, step int64) {
	if c.empty() {
		for range fields {
			b.absent()
		}
		return
	}
	low, high := &c.rows[FieldMin], &c.rows[FieldMax]
	b.value(&c.rows[FieldSum], step)
	b.value(&c.rows[FieldCount], step)
	at := len(b.data)
	b.value(low, step)
	if !sameValues(low, high) {
		b.value(high, step)
		return
	}
	word := b.words[len(b.words)-1]
	if word&archive.WordOffset != 0 {
		b.copy(b.data[at:])
		return
	}
	b.words = append(b.words, word)
	if word != 0 {
		b.blocks++
	}
}

func sameValues(a, b *[block.Size]float64) bool {
	for i, v := range a {
		if v != b[i] && (v == v || b[i] == b[i]) {
			return false
		}
	}
	return true
}

// patch returns what was appended, a slot's blocks for each of p.slots.
func (p *patcher) patch(fields int) *patch {
	out := &patch{slots: make([]uint32, len(p.slots)), words: make([]uint64, 0, len(p.words)), data: slices.Clone(p.data)}
	order := make([]int, len(p.slots))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(p.slots[a]) - int(p.slots[b]) })
	for i, k := range order {
		out.slots[i] = p.slots[k]
		out.words = append(out.words, p.words[k*fields:(k+1)*fields]...)
	}
	return out
}

// flattenSlots is about how many slots one Advance merges patches into.
const flattenSlots = 1 << 16

// flatten merges patches into the blocks that they lie on, some at a time. With
// files it is the writing of a file that does it.
func (s *Store) flatten(now int64) {
	if s.archives.fs != nil || !s.settling(now) {
		return
	}
	left := flattenSlots
	for i := range s.parts {
		for left > 0 {
			n := s.parts[i].flatten(&s.flattener)
			if n == 0 {
				break
			}
			left -= n
		}
	}
}

// flatten merges the patches of one block into it, and returns how many slots
// that took, 0 when there are no patches.
func (p *partition) flatten(b *builder) int {
	p.mu.RLock()
	var a *arena
	for _, list := range p.sealed {
		if i := slices.IndexFunc(list, func(a *arena) bool { return len(a.patches) > 0 }); i >= 0 {
			a = list[i]
			a.hold.Retain()
			break
		}
	}
	p.mu.RUnlock()
	if a == nil {
		return 0
	}
	defer a.hold.Release()
	b.reset()
	if err := a.flat(b); err != nil {
		panic(fmt.Sprintf("BUG: block %d of partition %d: %v", a.number, a.part, err))
	}
	fresh := b.build(a.tier, a.number, a.fields)
	fresh.applied = a.applied
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arenaOf(a.tier, a.number) == a {
		p.insertSealed(fresh)
	} else {
		fresh.hold.Release()
	}
	return a.end()
}

// nothing is the holder of an arena without memory of its own.
type nothing struct{}

func (nothing) Retain()  {}
func (nothing) Release() {}

// putPatches puts patches on blocks of a tier, by number, which may not be there
// yet. The caller holds the lock.
func (p *partition) putPatches(tier int, patches map[int64]*patch, lsn uint64) {
	list := slices.Clone(p.sealed[tier])
	for number, over := range patches {
		i, found := searchArena(list, number)
		if !found {
			empty := &arena{tier: tier, part: p.number, number: number, fields: blocksPer(tier), hold: nothing{}}
			list = slices.Insert(list, i, empty)
		}
		before := list[i].patchBytes()
		list[i] = list[i].patched(over, lsn)
		list[i].epoch = p.epochs.Add(1)
		p.patches.Add(list[i].patchBytes() - before)
	}
	p.sealed[tier] = list
	p.changes++
}
