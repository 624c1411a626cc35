package wal

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// template is an ordered list of refs that a client sends again and again. A
// segment defines it once, with a number, and batches name the number.
type template struct {
	hash    uint64
	refs    []uint32 // as they arrive
	layout  layout
	hints   []uint8 // per place in layout, the transform that fitted last
	check   uint32
	id      uint64 // in this segment; 0 = not defined
	lastLSN uint64 // of the newest record that names it
}

// sizeBytes is what a template is charged for.
func templateBytes(points int) int { return 9*points + 256 }

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

// hashRefs mixes an ordered list of refs. The lists of one process are told
// apart by comparison, so a weak mix is enough.
func hashRefs(refs []uint32) uint64 {
	const m = 0x9E3779B97F4A7C15
	h := uint64(len(refs)) * m
	for len(refs) >= 4 {
		a := uint64(refs[0])<<32 | uint64(refs[1])
		b := uint64(refs[2])<<32 | uint64(refs[3])
		hi, lo := bits.Mul64(a^h, b^m)
		h = hi ^ lo ^ bits.RotateLeft64(h, 23)
		refs = refs[4:]
	}
	for _, ref := range refs {
		h = (bits.RotateLeft64(h, 5) ^ uint64(ref)) * m
	}
	return h ^ h>>32
}

// checkRefs is the part of a template's hash that records carry beside its
// number: a number that leads to another list is found out.
func checkRefs(refs []uint32, order []uint32) uint32 {
	h := uint32(len(order))
	for _, i := range order {
		h = (bits.RotateLeft32(h, 5) ^ refs[i]) * 0x9E3779B1
	}
	return h ^ h>>16
}

// appendRefs appends sections and slots of a list of refs: how many sections,
// of each its partition and its number of points, then the slots of each.
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

func checkInOrder(refs []uint32) uint32 {
	h := uint32(len(refs))
	for _, ref := range refs {
		h = (bits.RotateLeft32(h, 5) ^ ref) * 0x9E3779B1
	}
	return h ^ h>>16
}
