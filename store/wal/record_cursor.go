package wal

import (
	"encoding/binary"
)

// cursor reads fields from the front of a payload. After the first failure
// every read gives zero, so that a caller checks reason once.
type cursor struct {
	src    []byte
	at     int
	reason string // of the failure; "" = none
}

func (c *cursor) fail(reason string) {
	if c.reason == "" {
		c.reason = reason
	}
}

func (c *cursor) left() int { return len(c.src) - c.at }

func (c *cursor) byte() byte {
	if c.reason != "" || c.at >= len(c.src) {
		c.fail("cut short")
		return 0
	}
	c.at++
	return c.src[c.at-1]
}

func (c *cursor) uvarint() uint64 {
	if c.reason != "" {
		return 0
	}
	v, n := binary.Uvarint(c.src[c.at:])
	if n <= 0 {
		c.fail("cut short or overlong number")
		return 0
	}
	c.at += n
	return v
}

func (c *cursor) varint() int64 { return unzigzag(c.uvarint()) }

// count reads a number of things that take at least atLeast bytes each of what
// is left, in eighths of a byte.
func (c *cursor) count(atLeastBits int) int {
	n := c.uvarint()
	if c.reason == "" && n > uint64(c.left())*8/uint64(atLeastBits) {
		c.fail("more entries than bytes for them")
		return 0
	}
	return int(n)
}

func (c *cursor) bytes(n uint64) []byte {
	if c.reason != "" || n > uint64(c.left()) {
		c.fail("cut short")
		return nil
	}
	c.at += int(n)
	return c.src[c.at-int(n) : c.at : c.at]
}

// sub returns a cursor over the next n bytes.
func (c *cursor) sub(n uint64) cursor { return cursor{src: c.bytes(n), reason: c.reason} }

// text reads bytes that follow their length.
func (c *cursor) text() []byte { return c.bytes(c.uvarint()) }

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func appendVarint(dst []byte, v int64) []byte { return binary.AppendUvarint(dst, zigzag(v)) }
