package block

import "math"

// view is a block whose every length was checked: reading through it cannot
// leave src.
type view struct {
	src   []byte // from the block on; loads may reach behind it
	kind  kind
	mask  maskKind
	t     transform
	base  uint64
	width int
	n, m  int    // values in all, present values
	gaps  []byte // of the mask: pairs of first position and length - 1, or the bitmap
	data  int    // packed and raw: where the values begin
	l     layers // layered
}

// parse checks the block of n values at the front of src, sets b, which must be
// zero, to it and returns what follows.
func (b *view) parse(src []byte, n int) (rest []byte, err error) {
	if n < 1 || n > MaxValues {
		return nil, corrupt("asked for %d values, a block has 1 to %d", n, MaxValues)
	}
	c := cursor{src: src}
	b.src, b.n, b.m = src, n, n
	switch v := c.byte(); {
	case !c.bad && v == versionLayers:
		return b.finish(&c, b.parseLayers(&c))
	case !c.bad && v != versionPlain:
		return nil, corrupt("version %d, want %d or %d", v, versionPlain, versionLayers)
	}
	h := c.byte()
	b.kind, b.mask, b.t.family = kind(h&3), maskKind(h>>2&3), family(h>>4&7)
	switch {
	case c.bad:
		return nil, corrupt("%d bytes, want at least 2", len(src))
	case h == byte(constant): // the most common block: a whole number throughout
		b.base = c.varint()
		return b.finish(&c, nil)
	case h > 0x7f || b.mask > maskBitmap || b.kind == absent && h != 0 || b.kind == raw && b.t.family != whole:
		return nil, corrupt("header %#02x is not defined", h)
	case b.kind == absent:
		return src[c.at:], nil
	}
	if b.mask != maskNone {
		if err := b.parseMask(&c); err != nil {
			return nil, err
		}
	}
	return b.finish(&c, b.parseValues(&c))
}

// finish returns what follows the block that c has read.
func (b *view) finish(c *cursor, err error) (rest []byte, _ error) {
	switch {
	case err != nil:
		return nil, err
	case c.bad:
		return nil, corrupt("%d bytes are too few for header %#02x and %d values", len(c.src), c.src[min(1, len(c.src)-1)], b.n)
	}
	return c.src[c.at:], nil
}

// parseMask reads the mask and counts the present values.
func (b *view) parseMask(c *cursor) error {
	size := (b.n + 7) / 8
	if b.mask == maskRuns {
		size = 2 * int(c.byte())
	}
	at := c.skip(size)
	if c.bad {
		return nil
	}
	b.gaps = c.src[at:c.at]
	if b.mask == maskRuns {
		next := 0 // first position that the next run may have
		for i := 0; i < len(b.gaps); i += 2 {
			at, size := int(b.gaps[i]), int(b.gaps[i+1])+1
			if at < next || at+size > b.n {
				return corrupt("absent run of %d at %d, want it in [%d,%d)", size, at, next, b.n)
			}
			next = at + size
			b.m -= size
		}
	} else {
		b.m = marks(b.gaps)
		if beyond(b.gaps, b.n) {
			return corrupt("bitmap goes beyond %d values", b.n)
		}
	}
	if b.m == 0 {
		return corrupt("mask leaves no value")
	}
	return nil
}

// parseValues reads the transform and finds the bytes of the values.
func (b *view) parseValues(c *cursor) error {
	if b.kind == raw {
		b.data = c.skip(8 * b.m)
		return nil
	}
	if err := b.parseTransform(c); err != nil {
		return err
	}
	if b.kind == constant {
		if v := b.constantValue(); v != v {
			return corrupt("constant that is no number")
		}
		return nil
	}
	b.width = int(c.byte())
	if !c.bad && (b.width < 1 || b.width > maxWidth) {
		return corrupt("width of %d bits, want 1 to %d", b.width, maxWidth)
	}
	b.data = c.skip((b.m*b.width + 7) / 8)
	return nil
}

func (b *view) parseTransform(c *cursor) error {
	if err := b.t.parseRest(c); err != nil {
		return err
	}
	if b.t.family == ieee {
		at := c.skip(b.t.baseBytes())
		for i, x := range c.src[at:c.at] {
			b.base |= uint64(x) << (8 * i)
		}
		return nil
	}
	if b.t.family.hasPower() {
		b.t.k = c.byte()
		if b.t.k > b.t.family.maxPower() {
			return corrupt("power of ten %d, want at most %d", b.t.k, b.t.family.maxPower())
		}
	}
	b.base = c.varint()
	return nil
}

// constantValue returns the value of a constant block.
func (b *view) constantValue() float64 { return b.t.value(int64(b.base)) }

// canonical returns v, or the one NaN that stands for no data. Only corrupt
// bytes decode to another NaN.
func canonical(v float64) float64 {
	if v != v {
		return math.NaN()
	}
	return v
}
