package wal

import (
	"encoding/binary"
	"math"
	"slices"
)

// Flags of a batch.
const (
	batchAmount   = 1 << 0
	batchTemplate = 1 << 1
	batchNote     = 1 << 2
	batchStep     = 1 << 3 // the step is not the usual one
	batchTimes    = 3 << 4 // one of the following
	timesOne      = 0 << 4 // all points have one time
	timesFew      = 1 << 4 // up to 16, a code of 4 bits each
	timesMany     = 2 << 4 // each as the distance to the one before in its section
	batchWidth    = 3 << 6 // bytes of a section's length: 1, 2, 4

	usualStep = 10_000
	fewTimes  = 16
)

// pointBytes is more than a point takes in a section.
const pointBytes = 5 + 10 + 9

// appendBatch appends the body of a batch; t is its template, if any, of which
// it has the whole or what the match says.
func (e *Encoder) appendBatch(dst []byte, b *Batch, t *template, whole bool) []byte {
	var few [fewTimes + 1]int64
	times := distinctTimes(few[:0], b.Times)
	flags := e.batchFlags(b, t, len(times))
	head := len(dst)
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(b.Source))
	dst = appendVarint(dst, b.Arrival)
	dst = appendVarint(dst, b.Now-b.Arrival)
	if flags&batchStep != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.options.Step))
	}
	if flags&batchNote != 0 {
		dst = appendText(dst, b.Note)
	}
	l, column := &e.layout, &e.column
	switch {
	case t == nil:
		l.set(b.Refs)
		dst = l.appendSections(dst)
		e.column.gather(b.Values, l.order)
		e.column.encode(e.scales)
	case whole:
		l = &t.layout
		dst = binary.AppendUvarint(dst, t.id<<1)
		dst = binary.LittleEndian.AppendUint32(dst, t.check)
		e.column.gather(b.Values, l.order)
		e.column.encodeAs(e.scales, &t.hints)
	default:
		dst = binary.AppendUvarint(dst, t.id<<1|1)
		dst = binary.LittleEndian.AppendUint32(dst, t.check)
		e.column.spread(b.Values, t.layout.order, e.templates.where)
		e.column.encodeAs(e.scales, &t.hints)
		dst = e.picker.pick(dst, &e.column, t, &e.templates, b.Refs, b.Values, e.scales)
		l, column = &e.picker.layout, &e.picker.column
	}
	width := l.width()
	dst[head] |= width << 6
	switch {
	case len(b.Times) == 0:
	case flags&batchTimes == timesOne:
		dst = appendVarint(dst, times[0]-b.Arrival)
	case flags&batchTimes == timesFew:
		dst = append(dst, byte(len(times)))
		for _, at := range times {
			dst = appendVarint(dst, at-b.Arrival)
		}
	}
	return appendPoints(dst, b, t, l, column, times, width)
}

func (e *Encoder) batchFlags(b *Batch, t *template, times int) byte {
	flags := byte(timesOne)
	switch {
	case times > fewTimes:
		flags = timesMany
	case times > 1:
		flags = timesFew
	}
	if b.Amount {
		flags |= batchAmount
	}
	if t != nil {
		flags |= batchTemplate
	}
	if len(b.Note) > 0 {
		flags |= batchNote
	}
	if e.options.Step != usualStep {
		flags |= batchStep
	}
	return flags
}

// appendPoints appends the sections and, before them, the length of each but
// the last.
func appendPoints(dst []byte, b *Batch, t *template, l *layout, c *column, times []int64, width byte) []byte {
	lengths := len(dst)
	dst = append(dst, make([]byte, max(len(l.parts)-1, 0)<<width)...)
	from := uint32(0)
	for k, s := range l.parts {
		start := len(dst)
		order := l.order[from:s.end]
		if t == nil {
			dst = appendSlots(dst, b.Refs, order)
		}
		switch {
		case len(times) > fewTimes:
			dst = appendTimes(dst, b.Times, order, b.Arrival)
		case len(times) > 1:
			dst = appendFewTimes(dst, b.Times, order, times)
		}
		dst = c.appendTo(dst, from, s.end)
		from = s.end
		if k == len(l.parts)-1 {
			break
		}
		n := len(dst) - start
		switch width {
		case 0:
			dst[lengths+k] = byte(n)
		case 1:
			binary.LittleEndian.PutUint16(dst[lengths+2*k:], uint16(n))
		default:
			binary.LittleEndian.PutUint32(dst[lengths+4*k:], uint32(n))
		}
	}
	return dst
}

// width returns the logarithm of the bytes that a section's length takes.
func (l *layout) width() byte {
	largest, from := uint32(0), uint32(0)
	for _, s := range l.parts {
		largest = max(largest, s.end-from)
		from = s.end
	}
	switch n := pointBytes * uint64(largest); {
	case n <= math.MaxUint8:
		return 0
	case n <= math.MaxUint16:
		return 1
	}
	return 2
}

// distinctTimes appends the different times to dst in order of first use, one
// more than fewTimes when there are too many.
func distinctTimes(dst, times []int64) []int64 {
	if len(times) == 0 {
		return dst
	}
	last := times[0]
	dst = append(dst, last)
	for _, at := range times {
		if at == last {
			continue
		}
		last = at
		if slices.Contains(dst, at) {
			continue
		}
		if dst = append(dst, at); len(dst) > fewTimes {
			break
		}
	}
	return dst
}

func appendTimes(dst []byte, times []int64, order []uint32, last int64) []byte {
	for _, i := range order {
		dst = appendVarint(dst, times[i]-last)
		last = times[i]
	}
	return dst
}

func appendFewTimes(dst []byte, times []int64, order []uint32, few []int64) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, (len(order)+1)/2)...)
	for k, i := range order {
		number := byte(slices.Index(few, times[i]))
		dst[at+k/2] |= number << (k & 1 * 4)
	}
	return dst
}

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
	if d.readBatchHead(c, b, h); c.reason != "" {
		return
	}
	s := d.meaningsOf(h.stepMs)
	from := uint32(0)
	for k, part := range h.parts {
		length := uint64(c.left())
		if k < len(h.parts)-1 {
			length = h.length(k)
		}
		sub := c.sub(length)
		if c.reason != "" {
			return
		}
		if want>>part.partition&1 != 0 {
			d.readSection(&sub, b, h, s, part.partition, from, part.end)
			if sub.reason != "" {
				c.at -= len(sub.src) - sub.at
				c.fail(sub.reason)
				return
			}
		}
		from = part.end
	}
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
		if h.stepMs = c.uvarint(); h.stepMs == 0 || h.stepMs > 1<<40 {
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

// readSection appends the points of one section.
func (d *Decoder) readSection(c *cursor, b *Batch, h *batchHead, s *meanings, partition uint8, from, end uint32) {
	n := int(end - from)
	if h.refs != nil {
		b.Refs = append(b.Refs, h.refs[from:end]...)
	} else {
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
	b.Values = s.read(c, b.Values, n)
	if c.left() != 0 {
		c.fail("bytes after the values of a section")
	}
}

func appendSame(dst []int64, at int64, n int) []int64 {
	dst = slices.Grow(dst, n)
	for range n {
		dst = append(dst, at)
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
