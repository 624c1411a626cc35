package block

import (
	"encoding/binary"
	"math/bits"
)

// shape is how a stream of integers will be kept: base + u with u in width
// bits, and the few for which that is too narrow, the exceptions, apart.
type shape struct {
	base  int64
	width int
	size  int // bytes of the whole stream

	count     int   // exceptions
	moreBase  int64 // the smallest exception, less base
	moreWidth int
}

const (
	fewExceptions = 8  // a stream may have one exception for so many integers, or be all base but for exceptions
	shortStream   = 8  // integers from which exceptions are looked for
	fewEqual      = 16 // one in so many neighbours must be equal for a value to be searched that most have
)

// extent is the range of some integers.
type extent struct{ lo, hi int64 }

func (x extent) width() int { return bits.Len64(uint64(x.hi - x.lo)) }

func extentOf(x []int64) extent {
	e := extent{x[0], x[0]}
	for _, v := range x[1:] {
		e.lo, e.hi = min(e.lo, v), max(e.hi, v)
	}
	return e
}

func varintLen(i int64) int { return uvarintLen(zigzag(i)) }

// plainShape returns the shape without exceptions of n integers.
func plainShape(n int, x extent) shape {
	s := shape{base: x.lo, width: x.width()}
	if s.width > maxWidth {
		s.size = unusable
		return s
	}
	s.size = 1 + varintLen(s.base) + (n*s.width+7)/8
	return s
}

// placeWidth returns the bits of a position among n.
func placeWidth(n int) int { return bits.Len(uint(n - 1)) }

// placesSize returns the bytes of count positions among n: a list, or a bitmap
// where that is shorter.
func placesSize(n, count int) int { return min((count*placeWidth(n)+7)/8, (n+7)/8) }

// listed reports whether positions are a list.
func listed(n, count int) bool { return (count*placeWidth(n)+7)/8 <= (n+7)/8 }

// shapeOf returns the smallest shape of x. The width is chosen by how many
// integers need each number of bits above the smallest and below the largest,
// so that only one candidate with exceptions is measured exactly.
func shapeOf(x []int64, within extent, equal int) shape {
	plain := plainShape(len(x), within)
	if len(x) < shortStream || plain.width == 0 {
		return plain
	}
	best := plain
	if base, width, ok := narrowest(x, within); ok {
		best = exceptShape(x, base, width, best)
	}
	if best.width > 0 && equal*fewEqual > len(x) {
		if v, ok := majority(x); ok && v != within.lo && v != within.hi {
			best = exceptShape(x, v, 0, best)
		}
	}
	return best
}

// unusable is the size of what cannot be written.
const unusable = 1 << 20

// narrowest estimates which base and width make the stream smallest, and
// reports whether exceptions seem to pay.
func narrowest(x []int64, within extent) (base int64, width int, ok bool) {
	var above, below [65]uint16 // by the bits that an integer needs
	for _, v := range x {
		above[bits.Len64(uint64(v-within.lo))]++
		below[bits.Len64(uint64(within.hi-v))]++
	}
	n, top := len(x), within.width()
	places := placeWidth(n)
	overAbove, overBelow := 0, 0
	best := n*top - 24 // bits; a few bytes tell of exceptions
	consider := func(w int) {
		over := min(overAbove, overBelow)
		if cost := n*w + over*top + min(over*places, n); cost < best {
			best, width, ok = cost, w, true
			base = within.lo
			if overBelow < overAbove {
				base = int64(uint64(within.hi) - (1<<w - 1))
			}
		}
	}
	for w := top - 1; w > 0; w-- {
		overAbove += int(above[w+1])
		overBelow += int(below[w+1])
		if min(overAbove, overBelow)*fewExceptions > n {
			break
		}
		consider(w)
	}
	overAbove, overBelow = n-int(above[0]), n-int(below[0])
	consider(0)
	return base, width, ok
}

// majority returns the value that more than half of x have, if there is one
// (Boyer and Moore, MJRTY, 1981).
func majority(x []int64) (v int64, ok bool) {
	votes := 0
	for _, i := range x {
		switch {
		case votes == 0:
			v, votes = i, 1
		case v == i:
			votes++
		default:
			votes--
		}
	}
	votes = 0
	for _, i := range x {
		if i == v {
			votes++
		}
	}
	return v, 2*votes > len(x)
}

// exceptShape returns the shape of x with the given base and width, or best if
// that is no larger.
func exceptShape(x []int64, base int64, width int, best shape) shape {
	s := shape{base: base, width: width}
	more := extent{lo: 1<<63 - 1, hi: -1 << 63}
	for _, v := range x {
		if d := v - base; uint64(d)>>width != 0 {
			s.count++
			more.lo, more.hi = min(more.lo, d), max(more.hi, d)
		}
	}
	if s.count == 0 || s.count > 255 {
		return best
	}
	s.moreBase, s.moreWidth = more.lo, more.width()
	s.size = 1 + varintLen(base) + (len(x)*width+7)/8 +
		2 + varintLen(s.moreBase) + placesSize(len(x), s.count) + (s.count*s.moreWidth+7)/8
	if s.size >= best.size || s.width > maxWidth || s.moreWidth > maxWidth {
		return best
	}
	return s
}

const streamExcepts = 1 << 6 // in the first byte of a stream

// appendStream appends x, of which s is the shape.
func (s *shape) appendStream(dst []byte, x []int64) []byte {
	first := byte(s.width)
	if s.count > 0 {
		first |= streamExcepts
	}
	dst = append(dst, first)
	dst = binary.AppendUvarint(dst, zigzag(s.base))
	dst = packAbove(dst, x, s.base, s.width)
	if s.count == 0 {
		return dst
	}
	dst = append(dst, byte(s.count), byte(s.moreWidth))
	dst = binary.AppendUvarint(dst, zigzag(s.moreBase))
	return s.appendExceptions(dst, x)
}

// appendExceptions appends where the exceptions are, and what.
func (s *shape) appendExceptions(dst []byte, x []int64) []byte {
	list := listed(len(x), s.count)
	at := bitWriter{dst: dst}
	for i, v := range x {
		except := uint64(v-s.base)>>s.width != 0
		switch {
		case list && except:
			at.add(uint64(i), placeWidth(len(x)))
		case !list && except:
			at.add(1, 1)
		case !list:
			at.add(0, 1)
		}
	}
	more := bitWriter{dst: at.end()}
	for _, v := range x {
		if d := v - s.base; uint64(d)>>s.width != 0 {
			more.add(uint64(d-s.moreBase), s.moreWidth)
		}
	}
	return more.end()
}

// bitWriter appends numbers of any width up to maxWidth to dst, least
// significant bit first.
type bitWriter struct {
	dst  []byte
	held uint64
	n    int // bits in held, less than 64
}

func (w *bitWriter) add(u uint64, width int) {
	w.held |= u << w.n
	if w.n += width; w.n >= 64 {
		w.dst = binary.LittleEndian.AppendUint64(w.dst, w.held)
		w.n -= 64
		w.held = u >> (width - w.n)
	}
}

// end appends zero bits up to a whole byte and returns the bytes.
func (w *bitWriter) end() []byte {
	for ; w.n > 0; w.n -= 8 {
		w.dst = append(w.dst, byte(w.held))
		w.held >>= 8
	}
	return w.dst
}
