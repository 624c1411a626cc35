package wal

import "slices"

// Record is what a payload holds: Kind says which part. Definitions come first;
// they are to be applied in their order, before the rest.
type Record struct {
	LSN     uint64
	Kind    Kind
	Series  []Series
	Senders []Sender
	Batch   Batch  // KindBatch; KindNote has its arrival and note here
	Import  Import // KindImport
	Mark    []byte // KindMark
}

// Decoder reads the payloads of one segment: first Scan sees them all, then
// Decode reads them, both in ascending order of LSN. Payloads must not change
// in between.
//
// A Decoder never fails by panic and reads nothing outside a payload, whatever
// the bytes. What it allocates is bounded by them: 4 bytes for each byte of
// templates, 32 for each of other definitions, and 20 for each point of the largest
// record, whose ref takes at least a byte, in the record or in a template; 16 for
// each value of an import, which takes at least half a byte.
// Not for concurrent use.
type Decoder struct {
	templates map[uint64]definedTemplate
	defining  []uint64  // numbers of the records seen that define series or senders
	repeats   []restore // of records that Scan has not seen
	next      int       // of repeats, the first that was not handed out
	own       []restore // scratch

	record   Record
	defs     definitions
	head     batchHead
	parts    []section
	refs     []uint32
	there    []uint32
	stepMs   uint64
	meanings *meanings
}

// definedTemplate is a template of the segment, refs grouped by partition.
type definedTemplate struct {
	check uint32
	parts []section
	refs  []uint32
}

// restore is a block whose first copy is lost.
type restore struct {
	lsn   uint64
	block block
}

// NewDecoder returns a decoder at the beginning of a segment.
func NewDecoder() *Decoder { return &Decoder{templates: map[uint64]definedTemplate{}} }

// Reset begins another segment.
func (d *Decoder) Reset() {
	clear(d.templates)
	d.defining, d.repeats, d.next = d.defining[:0], d.repeats[:0], 0
}

// Scan notes what a payload defines. Decode refuses whatever Scan refuses, except
// for a template that its record can do without.
func (d *Decoder) Scan(lsn uint64, payload []byte) error {
	c := cursor{src: payload}
	_, blocks := d.start(&c)
	for range blocks {
		b := c.block()
		if c.reason != "" {
			break
		}
		if b.kind == blockTemplate {
			d.scanTemplate(&c, b)
			continue
		}
		if b.back == 0 {
			if n := len(d.defining); n == 0 || d.defining[n-1] != lsn {
				d.defining = append(d.defining, lsn)
			}
			continue
		}
		first := lsn - b.back
		if _, seen := slices.BinarySearch(d.defining, first); !seen && b.back <= lsn {
			d.repeats = append(d.repeats, restore{first, b})
		}
	}
	return c.error(lsn)
}

func (d *Decoder) scanTemplate(c *cursor, b block) {
	sub := cursor{src: b.content}
	id := sub.uvarint()
	if _, known := d.templates[id]; known {
		return
	}
	t := definedTemplate{parts: sub.readSections(nil)}
	if len(t.parts) > 0 {
		t.refs = make([]uint32, 0, t.parts[len(t.parts)-1].end)
	}
	from := uint32(0)
	for _, s := range t.parts {
		t.refs = sub.readSlots(t.refs, s.partition, int(s.end-from))
		from = s.end
	}
	if sub.left() != 0 {
		sub.fail("bytes after the refs")
	}
	if sub.reason != "" {
		c.at = b.offset + sub.at
		c.fail("template: " + sub.reason)
		return
	}
	t.check = checkOrdered(t.refs)
	d.templates[id] = t
}

func (d *Decoder) start(c *cursor) (Kind, int) {
	first := c.byte()
	if c.reason == "" && first>>4 != payloadVersion {
		c.fail("an unknown version")
	}
	kind := Kind(first & 15)
	if c.reason == "" && (kind < KindBatch || kind > KindRepeat) {
		c.fail("an unknown kind")
	}
	return kind, c.count(24)
}

// Decode reads a payload that Scan has seen; of its sections those of the
// partitions whose bit is set in want. Definitions whose first copy is lost come
// with the first record behind it that can be read. The record and what it points
// to, other than texts, stay valid until the next call; after an error there is
// nothing in it.
func (d *Decoder) Decode(lsn uint64, payload []byte, want uint64) (*Record, error) {
	r := &d.record
	r.reset(lsn)
	d.defs.reset()
	c := cursor{src: payload}
	kind, blocks := d.start(&c)
	restored := d.restore(lsn)
	own := d.own[:0]
	for range blocks {
		b := c.block()
		if c.reason != "" || b.back != 0 || b.kind == blockTemplate {
			continue
		}
		sub := cursor{src: b.content}
		if d.readBlock(&sub, b.kind, lsn); sub.reason != "" {
			c.at = b.offset + sub.at
			c.fail(sub.reason)
		}
		own = append(own, restore{lsn, b})
	}
	d.own = own
	if r.Kind = kind; c.reason == "" {
		d.readBody(&c, r, want)
		if c.reason != "" {
			d.repeats = slices.Insert(d.repeats, restored, own...) // what it defines is of use to others
		}
	}
	if c.reason != "" {
		r.reset(lsn)
		return r, c.error(lsn)
	}
	d.next = restored
	r.Series, r.Senders = d.defs.series, d.defs.senders
	return r, nil
}

// restore reads the definitions whose first copy is lost and was in front of
// lsn, and returns how many of d.repeats are then handed out.
func (d *Decoder) restore(lsn uint64) int {
	n := d.next
	for ; n < len(d.repeats) && d.repeats[n].lsn < lsn; n++ {
		c := cursor{src: d.repeats[n].block.content}
		series, senders := len(d.defs.series), len(d.defs.senders)
		if d.readBlock(&c, d.repeats[n].block.kind, d.repeats[n].lsn); c.reason != "" {
			d.defs.series, d.defs.senders = d.defs.series[:series], d.defs.senders[:senders]
		}
	}
	return n
}

// reset empties a record and keeps its memory.
func (r *Record) reset(lsn uint64) {
	*r = Record{
		LSN:    lsn,
		Batch:  Batch{Refs: r.Batch.Refs[:0], Times: r.Batch.Times[:0], Values: r.Batch.Values[:0], Note: r.Batch.Note[:0]},
		Import: Import{Lines: r.Import.Lines[:0], Note: r.Import.Note[:0]},
		Mark:   r.Mark[:0],
	}
}

func (d *Decoder) readBlock(c *cursor, kind byte, lsn uint64) {
	if kind == blockSeries {
		d.defs.readSeries(c, lsn)
	} else {
		d.defs.readSenders(c, lsn)
	}
}

func (d *Decoder) readBody(c *cursor, r *Record, want uint64) {
	switch r.Kind {
	case KindBatch:
		d.readBatch(c, &r.Batch, want)
	case KindImport:
		d.readImport(c, &r.Import, want)
	case KindNote:
		r.Batch.Arrival = c.varint()
		r.Batch.Note = append(r.Batch.Note, c.bytes(uint64(c.left()))...)
	case KindMark:
		r.Mark = append(r.Mark, c.bytes(uint64(c.left()))...)
	}
	if c.reason == "" && c.left() != 0 {
		c.fail("bytes after the end")
	}
}

// meaningsOf returns the meanings for a step.
func (d *Decoder) meaningsOf(stepMs uint64) *meanings {
	if d.stepMs != stepMs {
		d.stepMs, d.meanings = stepMs, makeMeanings(stepMs)
	}
	return d.meanings
}

func (c *cursor) error(lsn uint64) error {
	if c.reason == "" {
		return nil
	}
	return &PayloadError{LSN: lsn, Offset: c.at, Reason: c.reason}
}
