package block

import (
	"encoding/binary"

	"pulse/store/block/lanes"
	"pulse/store/field"
)

// simple is a constant or packed integers without a mask, which most blocks are.
type simple struct {
	kind kind
	t    transform
	ints lanes.Packed // of a constant: only the base
}

// read reads the block of n values at the front of src if it is a simple one, and
// returns its length or else 0. It is a view's parse for these, several fields to
// a load; what looks wrong is left to that.
func (b *simple) read(src []byte, n int) (size int) {
	if len(src) == 0 || src[0] != versionPlain {
		return 0
	}
	x := word(src)
	h := uint8(x >> 8)
	b.kind, b.t.family = kind(h&3), family(h>>4)
	if maskKind(h>>2&3) != maskNone || b.kind != constant && b.kind != packed || b.t.family >= ieee {
		return 0
	}
	x >>= 16
	at := 2
	if b.t.family.hasSeconds() {
		s, k := field.WordUvarint(x)
		if k == 0 || s < 1 || s > maxSeconds {
			return 0
		}
		b.t.s = s
		x >>= 8 * k & 63
		at += k
	}
	if b.t.family.hasPower() {
		b.t.k = uint8(x)
		if b.t.k > b.t.family.maxPower() {
			return 0
		}
		x >>= 8
		at++
	}
	if len(src) > 8 { // x may not have all of what follows
		x = word(src[at:])
	}
	base, k := field.WordUvarint(x)
	b.ints.Base = uint64(field.Zigzag(base))
	if at += k; k == 0 || at > len(src) {
		return 0
	}
	if b.kind == constant {
		return at
	}
	if at == len(src) {
		return 0
	}
	w := uint(src[at])
	at++
	size = at + (n*int(w)+7)/8
	if w < 1 || w > maxWidth || size > len(src) {
		return 0
	}
	b.ints.Width, b.ints.Data = w, src[at:]
	return size
}

// word returns the first eight bytes of b, zeros beyond its end.
func word(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var x uint64
	for i, c := range b {
		x |= uint64(c) << (8 * i)
	}
	return x
}

// decode sets dst to the values.
func (b *simple) decode(dst []float64) {
	if b.kind == constant {
		tier.Fill(dst, b.t.value(int64(b.ints.Base)))
		return
	}
	b.t.convert(dst, &b.ints)
}

// addTo adds the values from the one numbered from on to acc, and reports whether
// it can.
func (b *simple) addTo(acc []float64, from int) bool {
	if b.kind == constant {
		tier.AddSame(acc, b.t.value(int64(b.ints.Base)))
		return true
	}
	r, ok := b.t.ratio()
	if ok {
		b.ints.Bit = uint(from) * b.ints.Width
		tier.AddValues(acc, &b.ints, r)
	}
	return ok
}
