package block

import "encoding/binary"

// cursor reads fields of a block one after the other. After the first that is
// not there it is bad, what it returns is of no meaning, and a place that it
// returns is one in src or its end.
type cursor struct {
	src []byte
	at  int
	bad bool
}

func (c *cursor) byte() byte {
	if c.at >= len(c.src) {
		c.bad = true
		return 0
	}
	b := c.src[c.at]
	c.at++
	return b
}

// skip passes n bytes and returns where they begin.
func (c *cursor) skip(n int) (at int) {
	at = c.at
	if n > len(c.src)-at {
		c.bad, n = true, len(c.src)-at
	}
	c.at += n
	return at
}

// uvarint reads what binary.AppendUvarint wrote.
func (c *cursor) uvarint() uint64 {
	if c.at < len(c.src) && c.src[c.at] < 0x80 {
		c.at++
		return uint64(c.src[c.at-1])
	}
	return c.longUvarint()
}

func (c *cursor) longUvarint() uint64 {
	v, n := binary.Uvarint(c.src[c.at:])
	if n <= 0 {
		c.bad, c.at = true, len(c.src)
		return 0
	}
	c.at += n
	return v
}

// varint reads what binary.AppendVarint wrote.
func (c *cursor) varint() uint64 {
	u := c.uvarint()
	return u>>1 ^ -(u & 1)
}
