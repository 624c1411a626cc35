package store

import (
	"encoding/binary"
	"math"
	"slices"

	"pulse/store/archive"
	"pulse/store/block"
	"pulse/store/field"
)

// What a snapshot has of some steps of an open block.
const (
	openNothing = iota // only of version 2
	openMini           // a mini-block, with the values of a query
	openColumns        // blocks of the columns, in the unit of the head
)

// stepsByEighth is how many steps version 2 has of an open block at a time.
const stepsByEighth = 15

// appendOpen appends an open block: its number, and of each mini-block, and of
// columns side by side, how many steps it has, the first of them, what it is, and
// blocks of as many values. No steps end it. It releases the mini-blocks.
func (t *taker) appendOpen(dst []byte, o *takenBlock) []byte {
	dst = binary.AppendVarint(dst, o.number)
	for pos := 0; pos < block.Size; {
		m, end := o.run(pos, block.Size)
		if m.arena != nil {
			dst = appendBlocks(appendSteps(dst, pos, end, openMini), m.dir, m.data)
			m.hold.Release()
		} else if from, to := o.written(pos, end); from < to {
			t.sealer.reset()
			t.sealer.encodeColumns(o.columns[from:to], t.flags)
			dst = appendBlocks(appendSteps(dst, from, to, openColumns), t.sealer.words, t.sealer.data)
		}
		pos = end
	}
	return binary.AppendUvarint(dst, 0)
}

func appendSteps(dst []byte, from, to int, what byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(to-from))
	return append(binary.AppendUvarint(dst, uint64(from)), what)
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
	switch l.version {
	case snapshotWhole:
		return l.columns(o, 0, block.Size, false)
	case snapshotByEighth:
		for pos := 0; pos < block.Size; pos += stepsByEighth {
			if err := l.some(o, pos, pos+stepsByEighth); err != nil {
				return err
			}
		}
		return nil
	}
	end := 0
	for steps := l.in.Number(block.Size); steps > 0; steps = l.in.Number(block.Size) {
		from := l.in.Number(block.Size - steps)
		if from < end {
			return errDamaged("open block", int(o.number))
		}
		end = from + steps
		if err := l.some(o, from, end); err != nil {
			return err
		}
	}
	return nil
}

// some reads what there is of the steps [from, to) of an open block. The caller holds
// the lock.
func (l *loading) some(o *openBlock, from, to int) error {
	switch what := l.in.Byte(); {
	case what == openColumns:
		return l.columns(o, from, to, false)
	case what == openMini && l.version == snapshotByEighth:
		return l.columns(o, from, to, true)
	case what == openMini:
		return l.mini(o, from, to)
	case what == openNothing && l.version == snapshotByEighth:
		return nil
	}
	return errDamaged("open block", int(o.number))
}

// mini reads the mini-block of the steps [from, to). The caller holds the lock.
func (l *loading) mini(o *openBlock, from, to int) error {
	m := &o.minis[from/halfSteps]
	if from/halfSteps != (to-1)/halfSteps || m.arena != nil {
		return errDamaged("mini-block of open block", int(o.number))
	}
	if err := l.blocks(1, to-from); err != nil {
		return err
	}
	if a := l.builder.build(primary, o.number, 1); a.blocks > 0 {
		*m = mini{a, from, to}
		l.p.pool.packed.Add(a.bytes())
	}
	return nil
}

// columns reads the steps [from, to) of an open block into its columns, in the unit
// of the head or the values of a query. The caller holds the lock.
func (l *loading) columns(o *openBlock, from, to int, query bool) error {
	if err := l.blocks(1, to-from); err != nil {
		return err
	}
	row := l.d.row[:to-from]
	for n, w := range l.builder.words {
		if w == 0 {
			continue
		}
		if _, err := block.Decode(row, archive.BlockAt(w, l.builder.data, &l.d.inline)); err != nil {
			return err
		}
		if query {
			l.p.unpack(l.store.grid, o, from, row, uint32(n))
			continue
		}
		for i, v := range row {
			if v == v {
				*l.p.cell(o, from+i, uint32(n)) = v
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
