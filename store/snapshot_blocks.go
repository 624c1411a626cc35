package store

import (
	"encoding/binary"
	"math"
	"slices"

	"pulse/store/archive"
	"pulse/store/block"
	"pulse/store/field"
)

// What a snapshot has of the steps of a mini-block of an open block.
const (
	openNothing = iota
	openMini    // the mini-block, with the values of a query
	openColumns // blocks of the columns, in the unit of the head
)

// appendOpen appends an open block: its number, and of each mini-block what
// there is, and blocks of miniSteps values. It releases the mini-blocks.
func (t *taker) appendOpen(dst []byte, o *takenBlock) []byte {
	dst = binary.AppendVarint(dst, o.number)
	for k, m := range o.minis {
		switch columns := o.columns[k*miniSteps : (k+1)*miniSteps]; {
		case m.arena != nil:
			dst = appendBlocks(append(dst, openMini), m.dir, m.data)
			m.hold.Release()
		case written(columns):
			t.sealer.reset()
			t.sealer.encodeColumns(columns, t.flags, 0, len(t.flags), false)
			dst = appendBlocks(append(dst, openColumns), t.sealer.words, t.sealer.data)
		default:
			dst = append(dst, openNothing)
		}
	}
	return dst
}

// appendBlocks appends blocks that lie in data in the order of their words.
func appendBlocks(dst []byte, words []uint64, data []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(words)))
	before := uint64(0)
	for _, w := range words {
		if w&archive.WordOffset != 0 {
			at := w &^ archive.WordOffset
			dst = binary.AppendUvarint(dst, at-before+archive.InlineBlock+1)
			before = at
			continue
		}
		var buf [8]byte
		inline := archive.BlockAt(w, nil, &buf)
		dst = append(append(dst, byte(len(inline))), inline...)
	}
	return field.AppendText(dst, data)
}

// blocks reads blocks of so many values into l.builder, with the data where it
// is in the file.
func (l *loading) blocks(fields, values int) error {
	b, n := &l.builder, l.in.Count(1)
	if fields < 1 || fields > archive.MaxFields || n%fields != 0 || n/fields > len(l.p.slots) {
		return errDamaged("blocks of partition", l.part)
	}
	b.reset()
	l.words(n)
	b.data = l.in.Text()
	before := uint64(0)
	for _, w := range b.words {
		if w == 0 {
			continue
		}
		b.blocks++
		if at := w &^ archive.WordOffset; w != at {
			if at < before {
				return errDamaged("order of blocks of partition", l.part)
			}
			before = at
		}
		if _, err := block.Length(archive.BlockAt(w, b.data, &l.d.inline), values); err != nil {
			return err
		}
	}
	return nil
}

// words reads n words of a directory.
func (l *loading) words(n int) {
	b := &l.builder
	at := uint64(0)
	for range n {
		if l.version == snapshotWhole {
			b.words = append(b.words, l.in.Uint64())
			continue
		}
		switch size := uint64(l.in.Number(math.MaxInt32)); {
		case size == 0:
			b.absent()
		case size <= archive.InlineBlock:
			b.words, _ = archive.AppendWord(b.words, l.in.Bytes(int(size)), 0)
		default:
			at += size - archive.InlineBlock - 1
			b.words = append(b.words, archive.WordOffset|at)
		}
	}
}

// open reads an open block.
func (l *loading) open() error {
	o := &openBlock{number: l.in.Varint()}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.openBlock(o.number) != nil {
		return errDamaged("open block", int(o.number))
	}
	l.p.insertOpen(o)
	if l.version == snapshotWhole {
		return l.columns(o, 0, block.Size)
	}
	for k := range minis {
		var err error
		switch l.in.Byte() {
		case openNothing:
		case openMini:
			err = l.mini(o, k)
		case openColumns:
			err = l.columns(o, k*miniSteps, miniSteps)
		default:
			err = errDamaged("open block", int(o.number))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mini reads the mini-block with number k. The caller holds the lock.
func (l *loading) mini(o *openBlock, k int) error {
	if err := l.blocks(1, miniSteps); err != nil {
		return err
	}
	if a := l.builder.build(primary, o.number, 1); a.blocks > 0 {
		o.minis[k] = mini{a}
		l.p.pool.packed.Add(a.bytes())
	}
	return nil
}

// columns reads so many steps of an open block, from the one at pos on. The caller
// holds the lock.
func (l *loading) columns(o *openBlock, pos, steps int) error {
	if err := l.blocks(1, steps); err != nil {
		return err
	}
	row := l.d.row[:steps]
	for n, w := range l.builder.words {
		if w == 0 {
			continue
		}
		if _, err := block.Decode(row, archive.BlockAt(w, l.builder.data, &l.d.inline)); err != nil {
			return err
		}
		for i, v := range row {
			if v == v {
				*l.p.cell(o, pos+i, uint32(n)) = v
			}
		}
	}
	return nil
}

// sealed reads a sealed block that is in no archive file.
func (l *loading) sealed() error {
	step, number, fields, applied := l.in.Varint(), l.in.Varint(), int(l.in.Uvarint()), l.in.Uvarint()
	tier := slices.IndexFunc(l.store.tiers, func(t *tier) bool { return t.grid.step == step })
	if err := l.blocks(fields, block.Size); err != nil {
		return err
	}
	if tier < 0 {
		return nil // it is not kept any more
	}
	if (tier == primary) != (fields == 1) {
		return errDamaged("blocks per slot in tier", int(tier))
	}
	a := l.builder.build(int(tier), number, fields)
	a.applied = applied
	if a.blocks > 0 {
		l.kept = append(l.kept, a)
	}
	return nil
}
