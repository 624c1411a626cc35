package store

import (
	"encoding/binary"

	"pulse/store/field"
	"pulse/store/index"
	"pulse/store/norm"
)

// taker copies one partition after the other, between two operations, and
// encodes the copy while commits go on. Its memory is used again.
type taker struct {
	store  *Store
	sealer sealer

	// The copy.
	lsn    uint64 // everything up to this record is in it
	flags  []uint8
	slots  []slot
	states []norm.State
	pairs  []uint32 // per slot the number of its pairs and the pairs
	links  []takenLink
	dict   index.Dictionary
	open   []takenBlock
	values []piece // of open
	sealed []*arena

	flat    builder
	local   []uint32 // by pair: one more than its number in the section; 0: none yet
	known   []uint32 // pairs with a number
	buf     []byte
	strings []byte
}

type takenLink struct {
	slot uint32
	link
}

type takenBlock struct {
	number int64
	head
}

// take copies partition i. What it retains encode gives back.
func (t *taker) take(i int) {
	s := t.store
	s.applying.Lock()
	defer s.applying.Unlock()
	p := &s.parts[i]
	p.mu.RLock()
	defer p.mu.RUnlock()
	t.lsn = max(p.applied, s.finished.Load())
	t.flags = append(t.flags[:0], p.flags...)
	t.slots = append(t.slots[:0], p.slots...)
	t.states = append(t.states[:0], p.states...)
	t.dict = s.index.Dictionary()
	t.pairs, t.links = t.pairs[:0], t.links[:0]
	for n, at := range p.pairAt {
		if at == 0 {
			t.pairs = append(t.pairs, 0)
			continue
		}
		own := p.pairsOf(uint32(n))
		t.pairs = append(append(t.pairs, uint32(len(own))), own...)
		if len(p.more) > 0 {
			for _, l := range p.more[uint32(n)] {
				t.links = append(t.links, takenLink{uint32(n), l})
			}
		}
	}
	t.sealed = t.sealed[:0]
	for tier := range p.sealed {
		for _, a := range p.sealed[tier] {
			if a.file == nil || len(a.patches) > 0 {
				a.hold.Retain()
				t.sealed = append(t.sealed, a)
			}
		}
	}
	t.copyOpen(p)
}

// copyOpen copies the columns of the open blocks.
func (t *taker) copyOpen(p *partition) {
	n := 0
	for _, b := range p.open {
		for _, c := range b.columns {
			n += len(c)
		}
	}
	if cap(t.values) < n {
		t.values = make([]piece, n+n/8)
	}
	free := t.values[:cap(t.values)]
	t.open = t.open[:0]
	for _, b := range p.open {
		taken := takenBlock{number: b.number}
		taken.minis = b.minis
		for _, m := range b.minis {
			if m.arena != nil {
				m.hold.Retain()
			}
		}
		for pos, c := range b.columns {
			if len(c) == 0 {
				continue
			}
			own := make(column, len(c))
			for i := range c {
				if c[i].values != nil {
					free[0] = *c[i].values
					own[i].values = &free[0]
					free = free[1:]
				}
			}
			taken.columns[pos] = own
		}
		t.open = append(t.open, taken)
	}
}

// encode returns the section of the partition that was taken last. It is valid
// until the next call.
//
//	uvarint   the last record that is in it
//	uvarint   slots, then a byte of flags for each
//	          keys, as length and bytes; pairs, as number of key, length and bytes
//	          per slot: number of pairs, and the pairs; 0: the slot is free
//	          per slot with a series: last step, first step, source; state of a rate or counter
//	          links: slot, source, since
//	          open blocks: see appendOpen
//	          sealed blocks that are in no archive file as they are now: step of the tier in ms, number, fields, last record, blocks
//
// Steps are counted from 1970.
func (t *taker) encode() []byte {
	b := binary.AppendUvarint(t.buf[:0], t.lsn)
	b = binary.AppendUvarint(b, uint64(len(t.flags)))
	b = append(b, t.flags...)
	b = t.appendTags(b)
	b = t.appendSlots(b)
	b = binary.AppendUvarint(b, uint64(len(t.links)))
	step := t.store.grid.step
	for _, l := range t.links {
		b = binary.AppendUvarint(b, uint64(l.slot))
		b = binary.AppendUvarint(b, uint64(l.source))
		b = binary.AppendVarint(b, l.since/step)
	}
	b = binary.AppendUvarint(b, uint64(len(t.open)))
	for i := range t.open {
		b = t.appendOpen(b, &t.open[i])
		t.open[i] = takenBlock{}
	}
	b = binary.AppendUvarint(b, uint64(len(t.sealed)))
	for i, a := range t.sealed {
		b = binary.AppendVarint(b, t.store.tiers[a.tier].grid.step)
		b = binary.AppendVarint(b, a.number)
		b = binary.AppendUvarint(b, uint64(a.fields))
		b = binary.AppendUvarint(b, a.applied)
		b = t.appendSealed(b, a)
		a.hold.Release()
		t.sealed[i] = nil
	}
	t.buf = b
	return b
}

// appendSealed appends the blocks of an arena, with its patches in. What cannot
// be read any more is left out.
func (t *taker) appendSealed(dst []byte, a *arena) []byte {
	if len(a.patches) == 0 {
		return appendBlocks(dst, a.dir, a.data)
	}
	t.flat.reset()
	if !a.read(func() error { return a.flat(&t.flat) }) {
		t.flat.reset()
	}
	return appendBlocks(dst, t.flat.words, t.flat.data)
}

// appendTags appends the dictionary of the partition and the pairs of its
// slots.
func (t *taker) appendTags(b []byte) []byte {
	keys := map[string]uint32{}
	var names []string
	t.strings, t.known = t.strings[:0], t.known[:0]
	for at := 0; at < len(t.pairs); {
		own := t.pairs[at+1 : at+1+int(t.pairs[at])]
		for i, pair := range own {
			if int(pair) < len(t.local) && t.local[pair] != 0 {
				continue
			}
			tag := t.dict.Tags(own[i : i+1])[0]
			t.number(pair)
			key, known := keys[tag.Key]
			if !known {
				key = uint32(len(names))
				keys[tag.Key] = key
				names = append(names, tag.Key)
			}
			t.strings = binary.AppendUvarint(t.strings, uint64(key))
			t.strings = field.AppendText(t.strings, tag.Value)
		}
		at += 1 + len(own)
	}
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = field.AppendText(b, name)
	}
	b = binary.AppendUvarint(b, uint64(len(t.known)))
	b = append(b, t.strings...)
	for at := 0; at < len(t.pairs); {
		n := int(t.pairs[at])
		b = binary.AppendUvarint(b, uint64(n))
		for _, pair := range t.pairs[at+1 : at+1+n] {
			b = binary.AppendUvarint(b, uint64(t.local[pair]-1))
		}
		at += 1 + n
	}
	for _, pair := range t.known {
		t.local[pair] = 0
	}
	return b
}

// number gives a pair the next number in the section.
func (t *taker) number(pair uint32) {
	if n := int(pair) + 1; n > len(t.local) {
		t.local = append(t.local, make([]uint32, n-len(t.local))...)
	}
	t.known = append(t.known, pair)
	t.local[pair] = uint32(len(t.known))
}

// appendSlots appends what is known of each slot with a series.
func (t *taker) appendSlots(b []byte) []byte {
	step := t.store.grid.step
	at := 0
	for n := range t.slots {
		pairs := int(t.pairs[at])
		at += 1 + pairs
		if pairs == 0 {
			continue
		}
		s := &t.slots[n]
		b = binary.AppendVarint(b, s.last/step)
		b = binary.AppendVarint(b, s.first/step)
		b = binary.AppendUvarint(b, uint64(s.source))
		if s.state != 0 {
			b = t.states[s.state].AppendTo(b, s.last)
		}
	}
	return b
}
