package wal

import (
	"encoding/binary"
	"math"
	"slices"
)

// batchHead is the body of a batch up to its sections.
type batchHead struct {
	flags   byte
	stepMs  uint64
	parts   []section
	refs    []uint32 // of the template, in the order of the sections
	few     [fewTimes]int64
	lengths []byte
}

// readBatch reads the body of a batch into b, of its sections the wanted ones.
func (d *Decoder) readBatch(c *cursor, b *Batch, want uint64) {
	h := &d.head
	if d.readBatchHead(c, b, h); c.reason != "" || len(h.parts) == 0 {
		return
	}
	rs := d.meaningsOf(h.stepMs)
	b.grow(int(h.parts[len(h.parts)-1].end))
	if want == AllPartitions && h.refs != nil {
		b.Refs = append(b.Refs, h.refs...)
	}
	from := uint32(0)
	for k, part := range h.parts {
		length := uint64(c.left())
		if k < len(h.parts)-1 {
			length = h.length(k)
		}
		if length > uint64(c.left()) {
			c.fail("cut short")
			return
		}
		end := c.at + int(length)
		if want>>part.partition&1 != 0 {
			if want != AllPartitions && h.refs != nil {
				b.Refs = append(b.Refs, h.refs[from:part.end]...)
			}
			d.readSection(c, b, h, rs, part.partition, int(part.end-from), end)
			if c.reason != "" {
				return
			}
		}
		c.at, from = end, part.end
	}
}

// grow makes room for n points.
func (b *Batch) grow(n int) {
	b.Refs = slices.Grow(b.Refs, n)
	b.Times = slices.Grow(b.Times, n)
	b.Values = slices.Grow(b.Values, n)
}

func (h *batchHead) length(k int) uint64 {
	switch h.flags >> 6 {
	case 0:
		return uint64(h.lengths[k])
	case 1:
		return uint64(binary.LittleEndian.Uint16(h.lengths[2*k:]))
	}
	return uint64(binary.LittleEndian.Uint32(h.lengths[4*k:]))
}

func (d *Decoder) readBatchHead(c *cursor, b *Batch, h *batchHead) {
	h.flags = c.byte()
	b.Amount = h.flags&batchAmount != 0
	source := c.uvarint()
	if source > math.MaxUint32 {
		c.fail("a source out of range")
	}
	b.Source = uint32(source)
	b.Arrival = c.varint()
	b.Now = b.Arrival + c.varint()
	h.stepMs = usualStep
	if h.flags&batchStep != 0 {
		if h.stepMs = c.uvarint(); h.stepMs == 0 || h.stepMs > mostStep {
			c.fail("a step out of range")
		}
	}
	if h.flags&batchNote != 0 {
		b.Note = append(b.Note, c.text()...)
	}
	h.refs = nil
	if h.flags&batchTemplate != 0 {
		id, check := c.uvarint(), c.uint32()
		t, ok := d.templates[id>>1]
		if !ok || t.check != check {
			c.fail("an unknown template")
			return
		}
		h.parts, h.refs = t.parts, t.refs
		if id&1 != 0 {
			d.readPicked(c, t.refs)
			h.parts, h.refs = d.parts, d.refs
		}
	} else {
		d.parts = c.readSections(d.parts)
		h.parts = d.parts
	}
	if len(h.parts) == 0 {
		return
	}
	n := 0
	switch h.flags & batchTimes {
	case timesOne:
		n = 1
	case timesFew:
		if n = int(c.byte()); n > fewTimes {
			c.fail("too many times")
		}
	case timesMany:
	default:
		c.fail("an unknown form of times")
	}
	if h.flags>>6 > 2 {
		c.fail("an unknown width of lengths")
	}
	if c.reason != "" {
		return
	}
	h.few = [fewTimes]int64{}
	for i := range n {
		h.few[i] = b.Arrival + c.varint()
	}
	h.lengths = c.bytes(uint64(len(h.parts)-1) << (h.flags >> 6))
}

// readSection appends the n points of the section that ends at end, but for
// refs that a template has.
func (d *Decoder) readSection(c *cursor, b *Batch, h *batchHead, rs *meanings, partition uint8, n, end int) {
	if h.refs == nil {
		b.Refs = c.readSlots(b.Refs, partition, n)
	}
	switch h.flags & batchTimes {
	case timesOne:
		b.Times = appendSame(b.Times, h.few[0], n)
	case timesFew:
		b.Times = c.readFewTimes(b.Times, &h.few, n)
	default:
		b.Times = c.readTimes(b.Times, b.Arrival, n)
	}
	if c.reason != "" {
		return
	}
	had := len(b.Values)
	b.Values = b.Values[:had+n]
	if c.at = rs.read(b.Values[had:], c.src, c.at, end); c.at != end {
		c.at = max(c.at, 0)
		c.fail("values that do not end with their section")
	}
}

// appendSame appends a time n times; there is room.
func appendSame(dst []int64, at int64, n int) []int64 {
	had := len(dst)
	dst = dst[:had+n]
	same := dst[had:]
	for k := range same {
		same[k] = at
	}
	return dst
}

func (c *cursor) readFewTimes(dst []int64, few *[fewTimes]int64, n int) []int64 {
	numbers := c.bytes(uint64(n+1) / 2)
	if c.reason != "" {
		return dst
	}
	for k := range n {
		dst = append(dst, few[numbers[k/2]>>(k&1*4)&15])
	}
	return dst
}

func (c *cursor) readTimes(dst []int64, at int64, n int) []int64 {
	for range n {
		at += c.varint()
		if c.reason != "" {
			return dst
		}
		dst = append(dst, at)
	}
	return dst
}
