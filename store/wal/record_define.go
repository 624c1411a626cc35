package wal

import (
	"encoding/binary"

	"pulse/store/field"
	"pulse/store/tags"
)

// Definitions stand in front of a payload in blocks that need nothing but
// themselves, so that a block is copied as it is when it is written a second
// time.
const (
	blockSeries   = 1
	blockSenders  = 2
	blockTemplate = 3
)

// dictionary numbers the texts of one block, in order of first use.
type dictionary struct {
	numbers map[string]uint32
	texts   []byte // as written
}

func (d *dictionary) reset() {
	if d.numbers == nil {
		d.numbers = map[string]uint32{}
	}
	clear(d.numbers)
	d.texts = d.texts[:0]
}

func (d *dictionary) number(text string) uint64 {
	n, ok := d.numbers[text]
	if !ok {
		n = uint32(len(d.numbers))
		d.numbers[text] = n
		d.texts = field.AppendText(d.texts, text)
	}
	return uint64(n)
}

// appendSeries appends the content of a block of series; scratch is returned
// for the next time.
func (d *dictionary) appendSeries(dst, scratch []byte, list []Series) (_, _ []byte) {
	d.reset()
	scratch = scratch[:0]
	var ref, at int64
	for i := range list {
		s := &list[i]
		scratch = appendVarint(scratch, int64(s.Ref)-ref)
		scratch = appendVarint(scratch, s.At-at)
		ref, at = int64(s.Ref), s.At
		scratch = binary.AppendUvarint(scratch, uint64(len(s.Tags)))
		for _, t := range s.Tags {
			scratch = binary.AppendUvarint(scratch, d.number(t.Key))
			scratch = binary.AppendUvarint(scratch, d.number(t.Value))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(d.numbers)))
	dst = append(dst, d.texts...)
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	return append(dst, scratch...), scratch
}

func appendSenders(dst []byte, list []Sender) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	var id, at int64
	for i := range list {
		s := &list[i]
		dst = appendVarint(dst, int64(s.ID)-id)
		dst = appendVarint(dst, s.At-at)
		id, at = int64(s.ID), s.At
		dst = field.AppendText(dst, s.Key)
	}
	return dst
}

// definitions is what the blocks of a record define, in memory that is used
// again; the texts are new.
type definitions struct {
	series  []Series
	senders []Sender
	tags    []tags.Tag
	texts   []string
}

func (d *definitions) reset() {
	clear(d.tags)
	clear(d.texts)
	d.series, d.senders, d.tags, d.texts = d.series[:0], d.senders[:0], d.tags[:0], d.texts[:0]
}

// readSeries appends a block of series.
func (d *definitions) readSeries(c *cursor, lsn uint64) {
	d.texts = d.texts[:0]
	for range c.count(8) {
		d.texts = append(d.texts, string(c.text()))
	}
	var ref, at int64
	for range c.count(24) {
		ref += c.varint()
		at += c.varint()
		first := len(d.tags)
		for range c.count(16) {
			key, value := c.uvarint(), c.uvarint()
			if key >= uint64(len(d.texts)) || value >= uint64(len(d.texts)) {
				c.fail("a tag outside the dictionary")
				return
			}
			d.tags = append(d.tags, tags.Tag{Key: d.texts[key], Value: d.texts[value]})
		}
		if ref != int64(uint32(ref)) {
			c.fail("a ref out of range")
		}
		if c.reason != "" {
			return
		}
		set := tags.Tags(d.tags[first:len(d.tags):len(d.tags)])
		d.series = append(d.series, Series{Ref: uint32(ref), At: at, Tags: set, LSN: lsn})
	}
	if c.left() != 0 {
		c.fail("bytes after the series")
	}
}

// readSenders appends a block of senders.
func (d *definitions) readSenders(c *cursor, lsn uint64) {
	var id, at int64
	for range c.count(24) {
		id += c.varint()
		at += c.varint()
		key := c.text()
		if id != int64(uint32(id)) {
			c.fail("a source out of range")
		}
		if c.reason != "" {
			return
		}
		d.senders = append(d.senders, Sender{ID: uint32(id), At: at, Key: string(key), LSN: lsn})
	}
	if c.left() != 0 {
		c.fail("bytes after the senders")
	}
}

// block is one definition block of a payload.
type block struct {
	kind    byte
	back    uint64 // records between this one and the one that defined first; 0: this is the first
	content []byte
	offset  int // of content, in the payload
}

// appendBlock frames a block.
func appendBlock(dst []byte, kind byte, back uint64, content []byte) []byte {
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, back)
	return field.AppendText(dst, content)
}

func (c *cursor) block() block {
	b := block{kind: c.byte(), back: c.uvarint()}
	b.content = c.text()
	b.offset = c.at - len(b.content)
	if c.reason == "" && (b.kind < blockSeries || b.kind > blockTemplate) {
		c.fail("an unknown kind of definition")
	}
	return b
}
