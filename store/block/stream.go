package block

import (
	"encoding/binary"
	"math"
	"math/bits"

	"pulse/store/block/lanes"
)

// stream is a stream of n integers whose lengths were checked. It is small,
// since three of them are cleared for each block that is read.
type stream struct {
	base      uint64
	moreBase  uint64
	data      uint32 // where the integers begin in the block
	places    uint32 // where the positions of exceptions begin
	more      uint32 // where the exceptions begin
	n         uint16
	count     uint16 // exceptions
	width     uint8
	moreWidth uint8
}

// parse reads a stream of n integers.
func (s *stream) parse(c *cursor, n int) error {
	first := c.byte()
	s.n, s.width = uint16(n), first&^streamExcepts
	if s.width > maxWidth {
		return corrupt("stream of %d bits, want at most %d", s.width, maxWidth)
	}
	s.base = c.varint()
	s.data = uint32(c.skip((n*int(s.width) + 7) / 8))
	if first&streamExcepts == 0 {
		return nil
	}
	count := int(c.byte())
	s.count, s.moreWidth = uint16(count), c.byte()
	s.moreBase = s.base + c.varint()
	if !c.bad && (count < 1 || count > n || s.moreWidth > maxWidth) {
		return corrupt("%d exceptions of %d bits in a stream of %d integers", count, s.moreWidth, n)
	}
	s.places = uint32(c.skip(placesSize(n, count)))
	places := c.src[s.places:c.at]
	s.more = uint32(c.skip((count*int(s.moreWidth) + 7) / 8))
	if c.bad || listed(n, count) {
		return nil
	}
	if marked := marks(places); marked != count || beyond(places, n) {
		return corrupt("%d of %d positions marked, want %d", marked, n, count)
	}
	return nil
}

// marks returns how many positions a bitmap marks.
func marks(bitmap []byte) (count int) {
	for len(bitmap) >= 8 {
		count += bits.OnesCount64(binary.LittleEndian.Uint64(bitmap))
		bitmap = bitmap[8:]
	}
	for _, x := range bitmap {
		count += bits.OnesCount8(x)
	}
	return count
}

// beyond reports whether a bitmap marks any position that is not among n.
func beyond(bitmap []byte, n int) bool { return n&7 != 0 && bitmap[len(bitmap)-1]>>(n&7) != 0 }

// at returns the integer numbered i of a stream of src without exceptions.
func (s *stream) at(src []byte, i int) int64 {
	var p lanes.Packed
	s.packed(&p, src)
	return int64(p.Int(i))
}

// packed puts the integers as they are without exceptions into p. It returns
// nothing, since what is returned is copied, which waits until it was written.
func (s *stream) packed(p *lanes.Packed, src []byte) {
	p.Data, p.Width, p.Base = src[s.data:], uint(s.width), s.base
}

// exceptions puts those, in order, into p.
func (s *stream) exceptions(p *lanes.Packed, src []byte) {
	p.Data, p.Width, p.Base = src[s.more:], uint(s.moreWidth), s.moreBase
}

// unpack puts the first len(dst) integers into dst, each into the bits of a
// double.
func (s *stream) unpack(dst []float64, src []byte) {
	var p lanes.Packed
	s.packed(&p, src)
	tier.Ints(dst, &p)
	if s.count > 0 {
		s.put(dst, src, nil)
	}
}

// convert puts the values of the first len(dst) integers into dst.
func (s *stream) convert(dst []float64, src []byte, t transform) {
	var p lanes.Packed
	s.packed(&p, src)
	var r lanes.Ratio
	switch ok := t.ratio(&r); {
	case s.count == 0:
		t.convert(dst, &p)
	case !ok:
		s.unpack(dst, src)
		t.values(dst)
	default:
		tier.Values(dst, &p, &r)
		s.put(dst, src, &r)
	}
}

// spreads reports whether dst, of all values, is one integer but for the exceptions,
// in places that a bitmap has, and Spread is quick.
func (s *stream) spreads(dst []float64) bool {
	return s.width == 0 && tier == lanes.AVX512 && !listed(int(s.n), int(s.count)) && len(dst) == int(s.n)
}

// put puts the exceptions into dst: what r makes of them, or without r the
// integers.
func (s *stream) put(dst []float64, src []byte, r *lanes.Ratio) {
	if !listed(int(s.n), int(s.count)) {
		s.putMarked(dst, src, r)
		return
	}
	x := lanes.Exceptions{Count: uint(s.count), Places: src[s.places:], PlaceBits: uint(placeWidth(int(s.n)))}
	s.exceptions(&x.Packed, src)
	putAll(dst, &x, r)
}

// putMarked is put for places that a bitmap has.
func (s *stream) putMarked(dst []float64, src []byte, r *lanes.Ratio) {
	var places [MaxValues]uint8
	s.placesOf(places[:s.count], src)
	x := lanes.Exceptions{Count: uint(s.count), Places: places[:], PlaceBits: 8}
	s.exceptions(&x.Packed, src)
	putAll(dst, &x, r)
}

func putAll(dst []float64, x *lanes.Exceptions, r *lanes.Ratio) {
	if r != nil {
		tier.Put(dst, x, r)
	} else {
		tier.PutInts(dst, x)
	}
}

// placesOf puts the positions of all exceptions into places.
func (s *stream) placesOf(places []uint8, src []byte) {
	p := lanes.Packed{Data: src[s.places:s.more]}
	if listed(int(s.n), int(s.count)) {
		p.Width = uint(placeWidth(int(s.n)))
		for k := range places {
			places[k] = uint8(p.Int(k))
		}
		return
	}
	p.Width = 32
	for i, k := 0, 0; k < len(places); i++ {
		for x := p.Int(i); x != 0; x &= x - 1 {
			places[k] = uint8(32*i + bits.TrailingZeros64(x))
			k++
		}
	}
}

// nudge adds the first len(dst) integers to the bits of dst.
func (s *stream) nudge(dst []float64, src []byte) {
	if s.count > 0 {
		s.nudgeExceptions(dst, src)
	}
	var p lanes.Packed
	s.packed(&p, src)
	tier.Nudge(dst, &p)
}

// nudgeExceptions adds to dst what the exceptions are more than the integers in
// their places, which are added afterwards.
func (s *stream) nudgeExceptions(dst []float64, src []byte) {
	var memory [MaxValues]uint8
	places := memory[:s.count]
	s.placesOf(places, src)
	var p lanes.Packed
	s.exceptions(&p, src)
	for k, place := range places {
		if int(place) >= len(dst) {
			continue
		}
		by := p.Int(k) - uint64(s.at(src, int(place)))
		dst[place] = math.Float64frombits(math.Float64bits(dst[place]) + by)
	}
}
