package wal

import (
	"encoding/binary"
	"slices"

	"pulse/store/field"
)

// Import appends the payload of an import that comes with the series that the
// log does not know yet. The columns of each line have equal length.
func (e *Encoder) Import(dst []byte, m *Import, series []Series) []byte {
	start := len(dst)
	dst = e.head(dst, KindImport, series, nil, nil)
	dst = appendVarint(dst, m.Now)
	step := e.options.Step
	if len(m.Lines) > 0 && m.Lines[0].Step > 0 && m.Lines[0].Step < mostStep {
		step = m.Lines[0].Step // what most of the values are per
	}
	scales := e.scalesOf(step)
	dst = binary.AppendUvarint(dst, uint64(step))
	dst = field.AppendText(dst, m.Note)
	dst = binary.AppendUvarint(dst, uint64(len(m.Lines)))
	var byPartition [partitions][]uint32
	present := uint64(0)
	for i := range m.Lines {
		p := m.Lines[i].Ref >> slotBits
		byPartition[p] = append(byPartition[p], uint32(i))
		present |= 1 << p
	}
	dst = binary.LittleEndian.AppendUint64(dst, present)
	for _, lines := range byPartition {
		if len(lines) == 0 {
			continue
		}
		length := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for _, i := range lines {
			dst = e.appendLine(dst, &m.Lines[i], scales)
		}
		binary.LittleEndian.PutUint32(dst[length:], uint32(len(dst)-length-4))
	}
	return e.done(dst, start)
}

// appendLine appends slot, step, number of points, the first time, the distance
// of times when it is the same throughout (else 0 and each distance), values.
func (e *Encoder) appendLine(dst []byte, l *ImportLine, s *scales) []byte {
	n := len(l.Values)
	dst = binary.AppendUvarint(dst, uint64(l.Ref&slotMask))
	dst = appendVarint(dst, l.Step)
	dst = binary.AppendUvarint(dst, uint64(n))
	if n == 0 {
		return dst
	}
	dst = appendVarint(dst, l.Times[0])
	if n > 1 {
		same := l.Times[1] - l.Times[0]
		for i := 2; i < n && same != 0; i++ {
			if l.Times[i]-l.Times[i-1] != same {
				same = 0
			}
		}
		dst = appendVarint(dst, same)
		for i := 1; i < n && same == 0; i++ {
			dst = appendVarint(dst, l.Times[i]-l.Times[i-1])
		}
	}
	e.column.resize(n)
	copy(e.column.values, l.Values)
	e.column.encode(s)
	return e.column.appendTo(dst, 0, uint32(n))
}

// readImport reads the body of an import, of its sections the wanted ones.
func (d *Decoder) readImport(c *cursor, m *Import, want uint64) {
	m.Now = c.varint()
	step := c.uvarint()
	if step == 0 || step > mostStep {
		c.fail("a step out of range")
	}
	m.Note = append(m.Note, c.text()...)
	lines := c.count(24)
	present := uint64(0)
	if b := c.bytes(8); b != nil {
		present = binary.LittleEndian.Uint64(b)
	}
	s := d.meaningsOf(step)
	for p := range uint64(partitions) {
		if present>>p&1 == 0 || c.reason != "" {
			continue
		}
		sub := c.sub(uint64(c.uint32()))
		for want>>p&1 != 0 && sub.left() > 0 && sub.reason == "" {
			if len(m.Lines) == lines {
				sub.fail("more lines than announced")
				break
			}
			m.Lines = slices.Grow(m.Lines, 1)[:len(m.Lines)+1]
			l := &m.Lines[len(m.Lines)-1]
			l.Ref = uint32(p) << slotBits
			d.readLine(&sub, l, s)
		}
		if sub.reason != "" {
			c.at -= len(sub.src) - sub.at
			c.fail(sub.reason)
		}
	}
	if c.left() != 0 {
		c.fail("bytes after the lines")
	}
}

func (d *Decoder) readLine(c *cursor, l *ImportLine, s *meanings) {
	slot := c.uvarint()
	if slot > slotMask {
		c.fail("a slot out of range")
	}
	l.Ref |= uint32(slot)
	l.Step = c.varint()
	n := c.count(4)
	l.Times, l.Values = l.Times[:0], l.Values[:0]
	if n == 0 {
		return
	}
	at := c.varint()
	l.Times = append(l.Times, at)
	if n > 1 {
		same := c.varint()
		for i := 1; i < n; i++ {
			distance := same
			if same == 0 {
				distance = c.varint()
			}
			if c.reason != "" {
				return
			}
			at += distance
			l.Times = append(l.Times, at)
		}
	}
	l.Values = slices.Grow(l.Values, n)[:n]
	if c.at = s.read(l.Values, c.src, c.at, len(c.src)); c.at < 0 {
		c.at = 0
		c.fail("values that do not end with their section")
	}
}
