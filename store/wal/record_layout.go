package wal

import (
	"encoding/binary"
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

// pick fills l with the places of t that where has one of n points for, and
// moves codes and integers of c, which are those of all places, together. It
// appends a bit for each place, 1 for those.
func (l *layout) pick(dst []byte, c *column, t *template, where []uint32, n int) []byte {
	size := len(t.refs)
	start := len(dst)
	dst = grow(dst, (size+7)/8)
	present := dst[start:]
	clear(present)
	l.order = slices.Grow(l.order[:0], size)[:size]
	l.parts = l.parts[:0]
	order, codes, integers := l.order, c.codes[:size], c.integers[:size]
	from, next := uint32(0), uint32(0)
	for _, s := range t.layout.parts {
		first := next
		for place := from; place < s.end; place++ {
			point := where[t.layout.order[place]]
			order[next], codes[next], integers[next] = point, codes[place], integers[place]
			here := uint32(0)
			if point < uint32(n) {
				here = 1
			}
			present[place>>3] |= byte(here << (place & 7))
			next += here
		}
		from = s.end
		if next > first {
			l.parts = append(l.parts, section{s.partition, next})
		}
	}
	l.order = l.order[:next]
	return dst
}

// readPresent reads which places of a template are there: parts are its sections
// and refs its refs, dst and refsDst take those of them.
func (c *cursor) readPresent(dst []section, refsDst []uint32, parts []section, refs []uint32) ([]section, []uint32) {
	present := c.bytes(uint64(len(refs)+7) / 8)
	dst, refsDst = dst[:0], refsDst[:0]
	if c.reason != "" {
		return dst, refsDst
	}
	from := uint32(0)
	for _, s := range parts {
		first := len(refsDst)
		for place := from; place < s.end; place++ {
			if present[place>>3]>>(place&7)&1 != 0 {
				refsDst = append(refsDst, refs[place])
			}
		}
		from = s.end
		if len(refsDst) > first {
			dst = append(dst, section{s.partition, uint32(len(refsDst))})
		}
	}
	return dst, refsDst
}
