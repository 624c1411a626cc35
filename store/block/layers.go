package block

import "pulse/store/block/lanes"

// mode is how the integers of a layered block make a stream, bits 0 and 1 of
// its first byte.
type mode uint8

const (
	direct  mode = iota // the integers
	delta               // the first, and the differences of neighbours
	delta2              // the first, the first difference, and the differences of differences
	lengths             // runs of equal integers: how many, each once, and their lengths
)

// Bits of the first byte of a layered block, and of the second.
const (
	modeBits    = 3
	maskShift   = 2
	layerULP    = 1 << 4
	layerPatch  = 1 << 5
	layerUnused = 0xc0

	familyBits  = 7
	powerShift  = 3
	powerUnused = 0x80
)

const (
	patchShare = 16 // one value in so many may be a patch
	maxULP     = 64 // ULP between a value and what its integer stands for
)

// layers is what a layered block has beyond its mask and transform.
type layers struct {
	mode          mode
	nudged        bool
	first, second uint64 // delta, delta2
	main          stream
	runs          stream // lengths: their lengths, less 1
	nudges        stream // ULP to add to each value
	patched       int    // patches
	places        int    // where their positions begin
	patches       int    // 8 bytes each
}

// parseLayers reads a block of version 2 behind its version.
func (b *view) parseLayers(c *cursor) error {
	h, tr := c.byte(), c.byte()
	b.kind, b.mask, b.l.mode = layered, maskKind(h>>maskShift&3), mode(h&modeBits)
	b.t.family, b.t.k = family(tr&familyBits), tr>>powerShift&15
	if c.bad {
		return nil
	}
	if h&layerUnused != 0 || tr&powerUnused != 0 || b.mask > maskBitmap ||
		!b.t.family.hasPower() && b.t.k != 0 || b.t.family.hasPower() && (b.t.k < 1 || b.t.k > b.t.family.maxPower()) {
		return corrupt("header %#02x %#02x is not defined", h, tr)
	}
	if b.mask != maskNone {
		if err := b.parseMask(c); err != nil {
			return err
		}
	}
	if err := b.t.parseRest(c); err != nil {
		return err
	}
	if h&layerPatch != 0 {
		count := int(c.byte())
		if !c.bad && (count < 1 || count > b.m) {
			return corrupt("%d patches of %d values", count, b.m)
		}
		b.l.patched, b.l.places, b.l.patches = count, c.skip(count), c.skip(8*count)
	}
	if b.l.nudged = h&layerULP != 0; b.l.nudged {
		if err := b.l.nudges.parse(c, b.m); err != nil {
			return err
		}
	}
	return b.l.parseIntegers(c, b.m)
}

// parseRest reads the parameters of a transform that are not in the header.
func (t *transform) parseRest(c *cursor) error {
	if t.family == ieee {
		if t.zeros = c.byte(); t.zeros > 63 {
			return corrupt("%d trailing zeros, want at most 63", t.zeros)
		}
	}
	if t.family.hasSeconds() {
		if t.s = c.uvarint(); !c.bad && (t.s < 1 || t.s > maxSeconds) {
			return corrupt("step of %d s, want 1 to %d", t.s, maxSeconds)
		}
	}
	return nil
}

// parseIntegers reads the streams of m integers.
func (l *layers) parseIntegers(c *cursor, m int) error {
	n := m
	switch l.mode {
	case delta:
		l.first = c.varint()
		n = m - 1
	case delta2:
		l.first, l.second = c.varint(), c.varint()
		n = m - 2
	case lengths:
		n = int(c.byte())
	}
	if c.bad {
		return nil
	}
	if n < 1 || n > m {
		return corrupt("%d integers in mode %d make no block of %d values", n, l.mode, m)
	}
	if err := l.main.parse(c, n); err != nil || l.mode != lengths {
		return err
	}
	if err := l.runs.parse(c, n); err != nil || c.bad {
		return err
	}
	if l.main.count+l.runs.count > 0 {
		return corrupt("runs with exceptions")
	}
	left := int64(m)
	var sizes lanes.Packed
	l.runs.packed(&sizes, c.src)
	for i := range n {
		size := int64(sizes.Int(i)) + 1
		if size < 1 || size > left {
			return corrupt("run of %d values, want 1 to %d", size, left)
		}
		left -= size
	}
	if left != 0 {
		return corrupt("runs leave out %d of %d values", left, m)
	}
	return nil
}
