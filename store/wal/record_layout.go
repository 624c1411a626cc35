package wal

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// layout says where the points of a batch stand when they are grouped by
// partition: point order[k] is the k-th.
type layout struct {
	order []uint32
	parts []section
}

// section is one partition of a layout: points up to end, from the end of the
// one before.
type section struct {
	partition uint8
	end       uint32
}

// set computes the layout of refs.
func (l *layout) set(refs []uint32) {
	var at [partitions]uint32
	for _, ref := range refs {
		at[ref>>slotBits]++
	}
	l.parts = l.parts[:0]
	sum := uint32(0)
	for p, n := range at {
		at[p] = sum
		sum += n
		if n > 0 {
			l.parts = append(l.parts, section{uint8(p), sum})
		}
	}
	l.order = slices.Grow(l.order[:0], len(refs))[:len(refs)]
	for i, ref := range refs {
		p := ref >> slotBits
		l.order[at[p]] = uint32(i)
		at[p]++
	}
}

// appendSections appends how many sections there are and of each its partition
// and its number of points.
func (l *layout) appendSections(dst []byte) []byte {
	dst = append(dst, byte(len(l.parts)))
	from := uint32(0)
	for _, s := range l.parts {
		dst = append(dst, s.partition)
		dst = binary.AppendUvarint(dst, uint64(s.end-from))
		from = s.end
	}
	return dst
}

// appendSlots appends the slots of a section, each as its distance from the
// one before.
func appendSlots(dst []byte, refs, order []uint32) []byte {
	last := int64(0)
	for _, i := range order {
		slot := int64(refs[i] & slotMask)
		d := zigzag(slot - last)
		last = slot
		if d < 0x80 {
			dst = append(dst, byte(d))
			continue
		}
		dst = binary.AppendUvarint(dst, d)
	}
	return dst
}

// readSections reads what appendSections wrote; every point takes at least a
// byte of what follows.
func (c *cursor) readSections(parts []section) []section {
	parts = parts[:0]
	n := int(c.byte())
	if n > partitions {
		c.fail("more sections than partitions")
	}
	sum := uint64(0)
	for range n {
		p := c.byte()
		points := c.uvarint()
		if c.reason != "" {
			return parts[:0]
		}
		if p >= partitions || len(parts) > 0 && p <= parts[len(parts)-1].partition {
			c.fail("partitions out of order")
			return parts[:0]
		}
		if points == 0 || points > uint64(c.left())-min(sum, uint64(c.left())) {
			c.fail("a section with more points than bytes for them, or none")
			return parts[:0]
		}
		sum += points
		parts = append(parts, section{p, uint32(sum)})
	}
	return parts
}

// readSlots appends n refs of a partition.
func (c *cursor) readSlots(dst []uint32, partition uint8, n int) []uint32 {
	slot := int64(0)
	for range n {
		slot += c.varint()
		if slot&^slotMask != 0 {
			c.fail("a slot out of range")
		}
		if c.reason != "" {
			return dst
		}
		dst = append(dst, uint32(partition)<<slotBits|uint32(slot))
	}
	return dst
}

// checkRefs sums up the refs that order names, one after the other. A record
// carries it beside a template's number, so that a number that leads to another
// list is found out.
func checkRefs(refs, order []uint32) uint32 {
	h := uint32(len(order))
	for _, i := range order {
		h = (bits.RotateLeft32(h, 5) ^ refs[i]) * 0x9E3779B1
	}
	return h ^ h>>16
}

// checkOrdered is checkRefs of refs as they stand.
func checkOrdered(refs []uint32) uint32 {
	h := uint32(len(refs))
	for _, ref := range refs {
		h = (bits.RotateLeft32(h, 5) ^ ref) * 0x9E3779B1
	}
	return h ^ h>>16
}

// picker puts together the points of a batch that differs from its template.
type picker struct {
	layout layout
	column column
	at     []uint32 // of each point that the template lacks: how many of the others are before it
}

// pick fills p.layout and p.column with the points of refs, by partition and in
// their order: those that have a place in t, with the codes and integers of c,
// and those that ts found besides. It appends a bit for each place of t, 1 for
// those that are present, and the others with their number in front: how many
// places are present between it and the one before, and its ref.
func (p *picker) pick(dst []byte, c *column, t *template, ts *templates, refs []uint32, values []float64, s *scales) []byte {
	n := len(refs)
	p.column.resize(n + 1)
	p.layout.order = slices.Grow(p.layout.order[:0], n+1)[:n+1]
	dst, counts := p.present(dst, c, t, ts.where, uint32(n))
	p.at = p.at[:0]
	lo, next := uint32(0), 0
	dst = binary.AppendUvarint(dst, uint64(len(ts.extra)))
	last := uint32(0)
	for partition := range counts {
		hi := lo + counts[partition]
		for ; next < len(ts.extra) && refs[ts.extra[next]]>>slotBits == uint32(partition); next++ {
			k, _ := slices.BinarySearch(p.layout.order[lo:hi], ts.extra[next])
			at := lo + uint32(k)
			dst = binary.AppendUvarint(dst, uint64(at-last))
			dst = binary.LittleEndian.AppendUint32(dst, refs[ts.extra[next]])
			p.at, last = append(p.at, at), at
			counts[partition]++
		}
		lo = hi
	}
	p.insert(ts.extra, int(lo), values, s)
	p.layout.order = p.layout.order[:n]
	p.layout.parts = p.layout.parts[:0]
	end := uint32(0)
	for partition, count := range counts {
		if end += count; count > 0 {
			p.layout.parts = append(p.layout.parts, section{uint8(partition), end})
		}
	}
	return dst
}

// present takes the points that have a place in t, and returns how many there
// are of each partition.
func (p *picker) present(dst []byte, c *column, t *template, where []uint32, n uint32) ([]byte, [partitions]uint32) {
	size := len(t.refs)
	start := len(dst)
	dst = grow(dst, (size+7)/8)
	bits := dst[start:]
	clear(bits)
	var counts [partitions]uint32
	places, from, codes, integers := t.layout.order[:size], 0, c.codes[:size], c.integers[:size]
	next := uint32(0)
	order, toCodes, toIntegers := p.layout.order, p.column.codes[:len(p.layout.order)], p.column.integers[:len(p.layout.order)]
	for _, part := range t.layout.parts {
		first := next
		for place := from; place < int(part.end); place++ {
			point := where[places[place]]
			order[next], toCodes[next], toIntegers[next] = point, codes[place], integers[place]
			here := uint32(0)
			if point < n {
				here = 1
			}
			bits[place>>3] |= byte(here << (place & 7))
			next += here
		}
		from = int(part.end)
		counts[part.partition] = next - first
	}
	return dst, counts
}

// insert puts points that the template lacks between the n others.
func (p *picker) insert(extra []uint32, n int, values []float64, s *scales) {
	order, codes, integers := p.layout.order, p.column.codes, p.column.integers
	for k := len(extra) - 1; k >= 0; k-- {
		at, to := int(p.at[k]), int(p.at[k])+k
		copy(order[to+1:], order[at:n])
		copy(codes[to+1:], codes[at:n])
		copy(integers[to+1:], integers[at:n])
		n = at
		order[to], integers[to], codes[to] = extra[k], 0, codeZero
		if v := values[extra[k]]; math.Float64bits(v) != 0 {
			integers[to], codes[to], _ = s.choose(v)
		}
	}
}

// readPicked reads what pick wrote, for a template with the given refs: it sets
// d.refs and d.parts.
func (d *Decoder) readPicked(c *cursor, refs []uint32) {
	d.parts, d.refs = d.parts[:0], d.refs[:0]
	present := c.bytes(uint64(len(refs)+7) / 8)
	extra := c.count(8 * extraBytes)
	if c.reason != "" {
		return
	}
	d.there = slices.Grow(d.there[:0], len(refs))[:len(refs)]
	n := 0
	for place, ref := range refs {
		d.there[n] = ref
		n += int(present[place>>3] >> (place & 7) & 1)
	}
	there := d.there[:n]
	d.refs = slices.Grow(d.refs, n+extra)
	for range extra {
		gap, ref := c.uvarint(), c.uint32()
		if gap > uint64(len(there)) {
			c.fail("a ref behind the end of a template")
		}
		if c.reason != "" {
			return
		}
		d.refs = append(append(d.refs, there[:gap]...), ref)
		there = there[gap:]
	}
	d.refs = append(d.refs, there...)
	from := 0
	for from < len(d.refs) {
		partition := d.refs[from] >> slotBits
		for from < len(d.refs) && d.refs[from]>>slotBits == partition {
			from++
		}
		if k := len(d.parts) - 1; k >= 0 && uint32(d.parts[k].partition) > partition {
			c.fail("partitions out of order")
			return
		}
		d.parts = append(d.parts, section{uint8(partition), uint32(from)})
	}
}
