package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"pulse/store/archive"
	offheap "pulse/store/arena"
	"pulse/store/block"
)

// arena is the sealed blocks of one partition, tier and block time: the values
// of a query, per second for amounts. It is immutable; its memory is shared by
// count, and the partition that has it owns one reference.
type arena struct {
	tier    int
	part    int // the partition
	number  int64
	fields  int      // words per slot
	dir     []uint64 // of slot n: fields words from n*fields on, see archive.BlockAt; 0 for no data
	data    []byte
	blocks  int    // with data
	applied uint64 // the last record of the log that may be in it
	epoch   uint64 // no other arena of the store with other values has it; 0: none was given

	patches []*patch // hold instead of dir and data for some slots, later ones before earlier; see patch.go

	hold holder
	file *archived // where dir and data are mapped from; nil: in memory of our own
}

// holder counts the users of an arena's memory.
type holder interface {
	Retain()
	Release()
}

// word returns the directory word of slot n in a tier of one block per slot.
func (a *arena) word(n uint32) uint64 {
	if int(n) < len(a.dir) {
		return a.dir[n]
	}
	return 0
}

// wordOf returns the directory word of one of the blocks of slot n.
func (a *arena) wordOf(n uint32, field int) uint64 {
	if i := int(n)*a.fields + field; i < len(a.dir) {
		return a.dir[i]
	}
	return 0
}

// slots returns how many slots the directory has.
func (a *arena) slots() int { return len(a.dir) / a.fields }

// block returns the bytes of a directory word, which must not be 0. Inline
// bytes are put into buf.
func (a *arena) block(word uint64, buf *[8]byte) []byte { return archive.BlockAt(word, a.data, buf) }

// decoded is memory to decode one block into.
type decoded struct {
	row    [block.Size]float64
	inline [8]byte
}

// has reports whether there are blocks of slot n. It does not compare checksums,
// so that little is read.
func (a *arena) has(n uint32) bool {
	found := false
	err := offheap.Guard(func() error {
		for field := range a.fields {
			found = found || a.blockOf(n, field, new([8]byte)) != nil
		}
		return nil
	})
	return found && err == nil && !a.lost()
}

// load puts the primary values of slot n into d.row. An error means that they
// are not what was written; see pins.read.
func (a *arena) load(d *decoded, n uint32) error {
	_, err := a.loadField(d, n, 0)
	return err
}

// column returns the values of the given slots at pos, by slot, nil when they
// are lost. It decodes a block per slot and is for steps that are rarely asked
// for by then. The caller holds a.
func (a *arena) column(slots []uint32, pos int) []float64 {
	c := make([]float64, a.end())
	var d decoded
	ok := a.read(func() error {
		for _, n := range slots {
			if int(n) < len(c) {
				if err := a.load(&d, n); err != nil {
					return err
				}
				c[n] = d.row[pos]
			}
		}
		return nil
	})
	if !ok {
		return nil
	}
	return c
}

// lost reports whether the blocks turned out to be unreadable. They are then
// absent until somebody takes them away.
func (a *arena) lost() bool { return a.file != nil && a.file.lost[a.part].Load() }

// bytes returns what the blocks take, in memory or in a file.
func (a *arena) bytes() int64 { return int64(len(a.data)) + 8*int64(len(a.dir)) }

// arena returns the sealed primary block with the given number, nil when there
// is none.
func (p *partition) arena(number int64) *arena { return p.arenaOf(primary, number) }

// arenaOf returns the sealed block of a tier with the given number, nil when
// there is none.
func (p *partition) arenaOf(tier int, number int64) *arena {
	if i, found := p.search(tier, number); found {
		return p.sealed[tier][i]
	}
	return nil
}

// search returns where in p.sealed[tier] a block is, or would be.
func (p *partition) search(tier int, number int64) (int, bool) {
	return searchArena(p.sealed[tier], number)
}

func searchArena(list []*arena, number int64) (int, bool) {
	return slices.BinarySearchFunc(list, number, func(a *arena, n int64) int { return cmp.Compare(a.number, n) })
}

// insertSealed adds a, in place of the one of its tier and number if there is
// one, unless it is empty. The partition takes over the caller's reference.
// Readers who look at the list afterwards see it. The caller holds the lock.
func (p *partition) insertSealed(a *arena) {
	if a.blocks == 0 {
		return
	}
	a.part = p.number
	if a.epoch == 0 {
		a.epoch = p.epochs.Add(1)
	}
	list := slices.Clone(p.sealed[a.tier])
	i, found := p.search(a.tier, a.number)
	if found {
		p.patches.Add(-list[i].patchBytes())
		list[i].hold.Release()
		list[i] = a
	} else {
		list = slices.Insert(list, i, a)
	}
	p.sealed[a.tier] = list
	p.changes++
}

// removeSealed takes the block at place i of a tier out. The caller holds the
// lock.
func (p *partition) removeSealed(tier, i int) {
	a := p.sealed[tier][i]
	p.sealed[tier] = slices.Delete(slices.Clone(p.sealed[tier]), i, i+1)
	p.changes++
	p.patches.Add(-a.patchBytes())
	a.hold.Release()
}

// builder makes arenas, slot after slot. Its buffers are used again.
type builder struct {
	words   []uint64
	data    []byte
	blocks  int
	encoder block.Encoder
	also    int64 // another step to encode blocks by, when they take much by the first; 0: none
}

// looseBlock is the bytes from which a block is worth a second attempt.
const looseBlock = 4 * block.Size

func (b *builder) reset() { b.words, b.data, b.blocks = b.words[:0], b.data[:0], 0 }

// absent appends a block without data.
func (b *builder) absent() { b.words = append(b.words, 0) }

// append appends the block of the given values, of which at least one is not
// NaN.
func (b *builder) append(values []float64, step int64) {
	at := len(b.data)
	b.data = b.encoder.AppendTo(b.data, values, step)
	if size := len(b.data) - at; size > looseBlock && b.also != 0 && b.also != step {
		b.data = b.encoder.AppendTo(b.data, values, b.also)
		if other := b.data[at+size:]; len(other) < size {
			b.data = append(b.data[:at], other...)
		} else {
			b.data = b.data[:at+size]
		}
	}
	b.words, b.data = archive.AppendWord(b.words, b.data, at)
	b.blocks++
}

// build returns what was appended since reset, copied to memory of its own,
// with one reference, which is the caller's.
func (b *builder) build(tier int, number int64, fields int) *arena {
	a := &arena{tier: tier, number: number, fields: fields, blocks: b.blocks}
	if a.blocks == 0 {
		return a
	}
	directory := 8 * len(b.words)
	region := offheap.Anonymous(directory + len(b.data))
	all := region.Bytes()
	for i, w := range b.words {
		binary.LittleEndian.PutUint64(all[8*i:], w)
	}
	copy(all[directory:], b.data)
	region.Freeze()
	a.dir, a.data, a.hold = offheap.Words(all[:directory:directory]), all[directory:], region
	return a
}
