package block

import (
	"encoding/binary"
	"math"

	"pulse/store/block/lanes"
	"pulse/store/field"
)

// smallBytes is the length of a block of one small whole number throughout, and
// smallBase what its base is below.
const (
	smallBytes = 3
	smallBase  = 0x80
)

// small returns the value of a block of one small whole number throughout, which
// is the most common one.
func small(src []byte) (v float64, ok bool) {
	if len(src) < smallBytes || src[0] != versionPlain || src[1] != byte(constant) || src[2] >= smallBase {
		return 0, false
	}
	return float64(field.Zigzag(uint64(src[2]))), true
}

// simple is a block of values without a mask that one or two kernels make out of
// their bytes, which most blocks are: constant, packed, and of the layered ones
// integers and differences, with exceptions or without, but no nudges and patches.
// It is small, since it is cleared for each block that is read.
type simple struct {
	kind  simpleKind
	zeros uint8 // doubles
	r     lanes.Ratio
	first uint64       // differences
	ints  lanes.Packed // of ofOne: only the base
	more  stream       // its exceptions, in ints.Data
}

type simpleKind uint8

const (
	ofOne         simpleKind = iota + 1 // one value throughout
	ofIntegers                          // what r makes of integers
	ofDifferences                       // what r makes of running sums
	ofDoubles                           // bits of doubles without their zeros
)

// headBytes is how long the head of a layered block may be, and what precedes
// exceptions, so that words of it are loaded without asking each time whether
// they are there.
const headBytes = 32

// read reads the block of n values at the front of src if it is a simple one, and
// returns its length or else 0. It is a view's parse for these, several fields to
// a load; what looks wrong is left to that.
func (b *simple) read(src []byte, n int) (size int) {
	x := word(src)
	switch {
	case len(src) < smallBytes:
	case uint8(x) == versionPlain:
		return b.readPlain(src, x, n)
	case uint8(x) == versionLayers && len(src) >= headBytes:
		return b.readLayers(src, x, n)
	}
	return 0
}

// readPlain reads a block of version 1, which begins with x.
func (b *simple) readPlain(src []byte, x uint64, n int) (size int) {
	h := uint8(x >> 8)
	f := family(h >> 4)
	if k := kind(h & 15); f >= decimalAmount || k != constant && k != packed { // bits 2 and 3 are the mask
		if h == byte(packed)|byte(ieee)<<4 {
			return b.readDoubles(src, x, n)
		}
		return 0
	}
	s, at := seconds(f, x>>16)
	if at < 0 {
		return 0
	}
	power := uint8(0)
	if at += 2; f.hasPower() {
		power = uint8(x >> (8 * at & 63))
		if at++; power > f.maxPower() {
			return 0
		}
	}
	ratioOf(&b.r, f, s, power)
	if x >>= 8 * at & 63; len(src) >= 8 { // x may not have all of what follows
		x = word(src[min(at, len(src)):])
	}
	base, k := field.WordUvarint(x)
	b.ints.Base = uint64(field.Zigzag(base))
	if at += k; k == 0 || at > len(src) {
		return 0
	}
	if kind(h&3) == constant {
		b.kind = ofOne
		return at
	}
	b.kind = ofIntegers
	return b.readPacked(src, at, n)
}

// seconds returns the seconds of the step at the front of x, 0 if the family has
// none, and how many bytes they take, or less than 0 if they are wrong.
func seconds(f family, x uint64) (s uint64, size int) {
	if !f.hasSeconds() {
		return 0, 0
	}
	if s = x & 0xff; s < 0x80 {
		size = 1
	} else if s, size = field.WordUvarint(x); size == 0 || s > maxSeconds {
		return 0, -1
	}
	if s == 0 {
		return 0, -1
	}
	return s, size
}

// readPacked reads the width of n integers at a place, and finds them.
func (b *simple) readPacked(src []byte, at, n int) (size int) {
	if at >= len(src) {
		return 0
	}
	w := uint(src[at])
	at++
	size = at + (n*int(w)+7)/8
	if w-1 >= maxWidth || size > len(src) {
		return 0
	}
	b.ints.Width, b.ints.Data = w, src[at:]
	return size
}

// readDoubles reads a packed block of the bits of doubles, which begins with x.
func (b *simple) readDoubles(src []byte, x uint64, n int) (size int) {
	t := transform{family: ieee, zeros: uint8(x >> 16)}
	if t.zeros > 63 || len(src) < headBytes {
		return 0
	}
	bytes := t.baseBytes()
	b.kind, b.zeros = ofDoubles, t.zeros
	b.ints.Base = binary.LittleEndian.Uint64(src[3:]) & (math.MaxUint64 >> (64 - 8*bytes))
	return b.readPacked(src, 3+bytes, n)
}

// readLayers reads a block of version 2, which begins with x and is headBytes
// long at least.
func (b *simple) readLayers(src []byte, x uint64, n int) (size int) {
	h, tr := mode(x>>8), uint8(x>>16)
	f, power := family(tr&familyBits), tr>>powerShift
	if h > delta || f >= decimalAmount || power > maxPowers[f] || f.hasPower() && power < 1 {
		return 0
	}
	s, at := seconds(f, x>>24)
	if at < 0 {
		return 0
	}
	at += 3
	b.kind = ofIntegers
	ratioOf(&b.r, f, s, power)
	if h == delta {
		first, k := field.WordUvarint(binary.LittleEndian.Uint64(src[at:]))
		if k == 0 || n < 2 {
			return 0
		}
		b.kind, b.first = ofDifferences, uint64(field.Zigzag(first))
		at += k
		n--
	}
	w := uint(src[at])
	base, k := field.WordUvarint(binary.LittleEndian.Uint64(src[at+1:]))
	at += 1 + k
	size = (n*int(w&^streamExcepts) + 7) / 8
	if k == 0 || w&^streamExcepts > maxWidth || size > len(src)-at {
		return 0
	}
	b.ints.Width, b.ints.Base, b.ints.Data = w&^streamExcepts, uint64(field.Zigzag(base)), src[at:]
	if w&streamExcepts != 0 {
		size = b.readExceptions(size, n)
		if size == 0 {
			return 0
		}
	}
	return at + size
}

// readExceptions reads the exceptions of a stream of n integers, at a place from
// its data on.
func (b *simple) readExceptions(at, n int) (end int) {
	data := b.ints.Data
	if len(data)-at < headBytes {
		return 0
	}
	count, w := int(data[at]), int(data[at+1])
	base, k := field.WordUvarint(binary.LittleEndian.Uint64(data[at+2:]))
	at += 2 + k
	if k == 0 || count < 1 || count > n || w > maxWidth {
		return 0
	}
	more := at + placesSize(n, count)
	end = more + (count*w+7)/8
	if end > len(data) || !listed(n, count) && (marks(data[at:more]) != count || beyond(data[at:more], n)) {
		return 0
	}
	x := &b.more
	x.n, x.count, x.width, x.moreWidth = uint16(n), uint16(count), uint8(b.ints.Width), uint8(w)
	x.places, x.more, x.moreBase = uint32(at), uint32(more), b.ints.Base+uint64(field.Zigzag(base))
	return end
}

// word returns the first eight bytes of b, with zeros beyond a shorter one.
func word(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return shortWord(b)
}

// shortWord is word for less than eight bytes. A block of the directory lies in
// eight of them.
func shortWord(b []byte) uint64 {
	if cap(b) >= 8 {
		return binary.LittleEndian.Uint64(b[:8]) & (1<<(8*len(b)) - 1)
	}
	var x uint64
	for i, c := range b {
		x |= uint64(c) << (8 * i)
	}
	return x
}

// decode sets dst to the values.
func (b *simple) decode(dst []float64) {
	switch b.kind {
	case ofOne:
		tier.Fill(dst, b.r.Value(int64(b.ints.Base)))
	case ofIntegers:
		if b.more.count > 0 && b.more.spreads(dst) {
			b.spread(dst)
			return
		}
		tier.Values(dst, &b.ints, &b.r)
		if b.more.count > 0 {
			b.more.put(dst, b.ints.Data, &b.r)
		}
	case ofDifferences:
		b.sums(dst)
	case ofDoubles:
		tier.Doubles(dst, &b.ints, uint(b.zeros))
	}
}

// spread is decode for one integer but for exceptions that a bitmap has.
func (b *simple) spread(dst []float64) {
	var p lanes.Packed
	b.more.exceptions(&p, b.ints.Data)
	tier.Values(dst[:b.more.count], &p, &b.r)
	tier.Spread(dst, b.ints.Data[b.more.places:], int(b.more.count), b.r.Value(int64(b.ints.Base)))
}

// sums is decode for differences.
func (b *simple) sums(dst []float64) {
	dst[0] = b.r.Value(int64(b.first))
	if b.more.count == 0 {
		tier.Sums(dst[1:], &b.ints, b.first, &b.r)
		return
	}
	tier.Ints(dst[1:], &b.ints)
	b.more.put(dst[1:], b.ints.Data, nil)
	tier.SumsOf(dst[1:], b.first, &b.r)
}

// addTo adds the values from the one numbered from on to acc.
func (b *simple) addTo(acc []float64, from int, scratch *[Size]float64) {
	switch {
	case b.kind == ofOne:
		tier.AddSame(acc, b.r.Value(int64(b.ints.Base)))
	case b.kind == ofIntegers && b.more.count == 0:
		b.ints.Bit = uint(from) * b.ints.Width
		tier.AddValues(acc, &b.ints, &b.r)
	case len(acc) > 0:
		to := from + len(acc)
		b.decode(scratch[:to])
		tier.Add(acc, scratch[from:to])
	}
}
