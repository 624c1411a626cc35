package lanes

import (
	"fmt"
	"math"
)

// Exceptions are integers that take the place of others in a row. Both they and
// their places begin at a whole byte; the last of several for one place stays,
// and one beyond the row is left out.
//
// Kernels know the order and the sizes of the fields.
type Exceptions struct {
	Packed
	Places    []byte // positions, PlaceBits each; bytes may follow as in Packed
	PlaceBits uint   // up to 8
	Count     uint   // 1 or more
}

// check panics unless everything is there.
func (x *Exceptions) check() {
	x.Packed.check(int(x.Count))
	if x.Bit != 0 || x.Count == 0 || x.PlaceBits > 8 || x.Count*x.PlaceBits > 8*uint(len(x.Places)) {
		x.bad()
	}
}

func (x *Exceptions) bad() {
	panic(fmt.Sprintf("BUG: %d exceptions from bit %d on, places of %d bits in %d bytes", x.Count, x.Bit, x.PlaceBits, len(x.Places)))
}

// Put sets elements of dst to the values of exceptions.
func (t Tier) Put(dst []float64, x *Exceptions, r *Ratio) {
	if x.check(); t != AVX512 || len(dst) == 0 {
		plainPut(dst, x, *r)
		return
	}
	t.put(dst, x, r)
}

// PutInts puts exceptions into the bits of elements of dst.
func (t Tier) PutInts(dst []float64, x *Exceptions) {
	if x.check(); t != AVX512 || len(dst) == 0 {
		plainPutInts(dst, x)
		return
	}
	t.putInts(dst, x)
}

func plainPut(dst []float64, x *Exceptions, r Ratio) {
	mask := uint64(1)<<x.PlaceBits - 1
	for k := uint(0); k < x.Count; {
		places := loadEnd(x.Places, k*x.PlaceBits)
		for end := min(k+8, x.Count); k < end; k++ {
			if place := places & mask; place < uint64(len(dst)) {
				dst[place] = r.Value(int64(x.Int(int(k))))
			}
			places >>= x.PlaceBits & 63
		}
	}
}

func plainPutInts(dst []float64, x *Exceptions) {
	mask := uint64(1)<<x.PlaceBits - 1
	for k := uint(0); k < x.Count; {
		places := loadEnd(x.Places, k*x.PlaceBits)
		for end := min(k+8, x.Count); k < end; k++ {
			if place := places & mask; place < uint64(len(dst)) {
				dst[place] = math.Float64frombits(x.Int(int(k)))
			}
			places >>= x.PlaceBits & 63
		}
	}
}
