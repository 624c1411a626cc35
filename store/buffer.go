package store

import (
	"encoding/binary"
)

// buffer reads fields from the front of bytes. After the first that is not
// there, bad is set and every further one is zero.
type buffer struct {
	rest []byte
	bad  bool
}

func (b *buffer) fail() {
	b.bad, b.rest = true, nil
}

func (b *buffer) uvarint() uint64 {
	v, n := binary.Uvarint(b.rest)
	if n <= 0 {
		b.fail()
		return 0
	}
	b.rest = b.rest[n:]
	return v
}

func (b *buffer) varint() int64 {
	v, n := binary.Varint(b.rest)
	if n <= 0 {
		b.fail()
		return 0
	}
	b.rest = b.rest[n:]
	return v
}

func (b *buffer) uint64() uint64 {
	p := b.bytes(8)
	if b.bad {
		return 0
	}
	return binary.LittleEndian.Uint64(p)
}

func (b *buffer) byte() byte {
	p := b.bytes(1)
	if b.bad {
		return 0
	}
	return p[0]
}

// bytes returns the next n bytes, without a copy.
func (b *buffer) bytes(n int) []byte {
	if n < 0 || n > len(b.rest) {
		b.fail()
		return nil
	}
	p := b.rest[:n:n]
	b.rest = b.rest[n:]
	return p
}

// count reads a number of things that take at least size bytes each, so that
// it is no more than what is there can be.
func (b *buffer) count(size int) int {
	n := b.uvarint()
	if n > uint64(len(b.rest)/size) {
		b.fail()
		return 0
	}
	return int(n)
}

// text reads bytes after their length, without a copy.
func (b *buffer) text() []byte { return b.bytes(b.count(1)) }
