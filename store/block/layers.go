package block

import "pulse/store/field"

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
	first, second uint64 // delta, delta2
	main          stream
	runs          stream // lengths: their lengths, less 1
	nudged        bool
	nudges        stream // ULP to add to each value
	places        []byte // of the patches
	patches       []byte // 8 bytes each
}

// parseLayers reads a block of version 2 behind its version.
func (b *view) parseLayers(c *field.Reader) error {
	h, tr := c.Byte(), c.Byte()
	b.kind, b.mask, b.l.mode = layered, maskKind(h>>maskShift&3), mode(h&modeBits)
	b.t.family, b.t.k = family(tr&familyBits), tr>>powerShift&15
	if c.Bad {
		return nil
	}
	if h&layerUnused != 0 || tr&powerUnused != 0 || b.mask > maskBitmap ||
		!b.t.family.hasPower() && b.t.k != 0 || b.t.family.hasPower() && (b.t.k < 1 || b.t.k > b.t.family.maxPower()) {
		return corrupt("header %#02x %#02x is not defined", h, tr)
	}
	if err := b.parseMask(c); err != nil {
		return err
	}
	if err := b.t.parseRest(c); err != nil {
		return err
	}
	if h&layerPatch != 0 {
		count := int(c.Byte())
		if !c.Bad && (count < 1 || count > b.m) {
			return corrupt("%d patches of %d values", count, b.m)
		}
		b.l.places, b.l.patches = c.Bytes(count), c.Bytes(8*count)
	}
	if b.l.nudged = h&layerULP != 0; b.l.nudged {
		if err := b.l.nudges.parse(c, b.m); err != nil {
			return err
		}
	}
	return b.l.parseIntegers(c, b.m)
}

// parseRest reads the parameters of a transform that are not in the header.
func (t *transform) parseRest(c *field.Reader) error {
	if t.family == ieee {
		if t.zeros = c.Byte(); t.zeros > 63 {
			return corrupt("%d trailing zeros, want at most 63", t.zeros)
		}
	}
	if t.family.hasSeconds() {
		if t.s = c.Uvarint(); !c.Bad && (t.s < 1 || t.s > maxSeconds) {
			return corrupt("step of %d s, want 1 to %d", t.s, maxSeconds)
		}
	}
	return nil
}

// parseIntegers reads the streams of m integers.
func (l *layers) parseIntegers(c *field.Reader, m int) error {
	n := m
	switch l.mode {
	case delta:
		l.first = uint64(c.Varint())
		n = m - 1
	case delta2:
		l.first, l.second = uint64(c.Varint()), uint64(c.Varint())
		n = m - 2
	case lengths:
		n = int(c.Byte())
	}
	if c.Bad {
		return nil
	}
	if n < 1 || n > m {
		return corrupt("%d integers in mode %d make no block of %d values", n, l.mode, m)
	}
	if err := l.main.parse(c, n); err != nil || l.mode != lengths {
		return err
	}
	if err := l.runs.parse(c, n); err != nil || c.Bad {
		return err
	}
	left := int64(m)
	for i := range n {
		size := l.runs.at(i) + 1
		if l.runs.count > 0 || size < 1 || size > left {
			return corrupt("run of %d values, want 1 to %d", size, left)
		}
		left -= size
	}
	if left != 0 {
		return corrupt("runs leave out %d of %d values", left, m)
	}
	return nil
}
