package block

import (
	"math"
	"math/bits"

	"pulse/store/field"
)

// view is a block whose every length was checked: reading through it cannot
// leave src.
type view struct {
	kind   kind
	mask   maskKind
	t      transform
	base   uint64
	width  int
	n, m   int    // values in all, present values
	runs   []byte // maskRuns: pairs of first position and length - 1
	bitmap []byte // maskBitmap
	data   []byte // packed and raw: the values
	l      layers // layered
}

// parse checks the block of n values at the front of src, sets b to it and
// returns what follows.
func (b *view) parse(src []byte, n int) (rest []byte, err error) {
	if n < 1 || n > MaxValues {
		return nil, corrupt("asked for %d values, a block has 1 to %d", n, MaxValues)
	}
	c := field.Reader{Rest: src}
	b.n, b.m = n, n
	switch v := c.Byte(); {
	case !c.Bad && v == versionLayers:
		return b.finish(&c, b.parseLayers(&c), src)
	case !c.Bad && v != versionPlain:
		return nil, corrupt("version %d, want %d or %d", v, versionPlain, versionLayers)
	}
	h := c.Byte()
	b.kind, b.mask, b.t.family = kind(h&3), maskKind(h>>2&3), family(h>>4&7)
	switch {
	case c.Bad:
		return nil, corrupt("%d bytes, want at least 2", len(src))
	case h > 0x7f || b.mask > maskBitmap || b.kind == absent && h != 0 || b.kind == raw && b.t.family != whole:
		return nil, corrupt("header %#02x is not defined", h)
	case b.kind == absent:
		return c.Rest, nil
	}
	if err := b.parseMask(&c); err != nil {
		return nil, err
	}
	return b.finish(&c, b.parseValues(&c), src)
}

// finish returns what follows the block that was read from src by c.
func (b *view) finish(c *field.Reader, err error, src []byte) (rest []byte, _ error) {
	switch {
	case err != nil:
		return nil, err
	case c.Bad:
		return nil, corrupt("%d bytes are too few for header %#02x and %d values", len(src), src[min(1, len(src)-1)], b.n)
	}
	return c.Rest, nil
}

// parseMask reads the mask and counts the present values.
func (b *view) parseMask(c *field.Reader) error {
	switch b.mask {
	case maskRuns:
		b.runs = c.Bytes(2 * int(c.Byte()))
		next := 0 // first position that the next run may have
		for i := 0; i < len(b.runs); i += 2 {
			at, size := int(b.runs[i]), int(b.runs[i+1])+1
			if at < next || at+size > b.n {
				return corrupt("absent run of %d at %d, want it in [%d,%d)", size, at, next, b.n)
			}
			next = at + size
			b.m -= size
		}
	case maskBitmap:
		b.bitmap = c.Bytes((b.n + 7) / 8)
		b.m = 0
		for _, x := range b.bitmap {
			b.m += bits.OnesCount8(x)
		}
		if len(b.bitmap) > 0 && b.n&7 != 0 && b.bitmap[len(b.bitmap)-1]>>(b.n&7) != 0 {
			return corrupt("bitmap goes beyond %d values", b.n)
		}
	}
	if !c.Bad && b.m == 0 {
		return corrupt("mask leaves no value")
	}
	return nil
}

// parseValues reads the transform and finds the bytes of the values.
func (b *view) parseValues(c *field.Reader) error {
	if b.kind == raw {
		b.data = c.Bytes(8 * b.m)
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
	b.width = int(c.Byte())
	if !c.Bad && (b.width < 1 || b.width > maxWidth) {
		return corrupt("width of %d bits, want 1 to %d", b.width, maxWidth)
	}
	b.data = c.Bytes((b.m*b.width + 7) / 8)
	return nil
}

func (b *view) parseTransform(c *field.Reader) error {
	if err := b.t.parseRest(c); err != nil {
		return err
	}
	if b.t.family == ieee {
		for i, x := range c.Bytes(b.t.baseBytes()) {
			b.base |= uint64(x) << (8 * i)
		}
		return nil
	}
	if b.t.family.hasPower() {
		b.t.k = c.Byte()
		if b.t.k > b.t.family.maxPower() {
			return corrupt("power of ten %d, want at most %d", b.t.k, b.t.family.maxPower())
		}
	}
	b.base = uint64(c.Varint())
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
