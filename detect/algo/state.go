package algo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrCorrupt says that bytes handed to Restore are not a state of this detector.
var ErrCorrupt = errors.New("detector state is corrupt")

// A saved state is drawn as
//
//	version  1 byte, per kind
//	fields   8 bytes each, little endian, as the kind lists them: doubles by
//	         their bits, integers as unsigned 64 bit
//
// so that a restored detector continues bit for bit.

// reader takes fields from the front of a saved state and keeps the first error.
type reader struct {
	src []byte
	err error
}

func (r *reader) version(want byte) {
	if r.err != nil {
		return
	}
	if len(r.src) < 1 {
		r.err = fmt.Errorf("%w: empty", ErrCorrupt)
		return
	}
	if r.src[0] != want {
		r.err = fmt.Errorf("%w: version %d, expected %d", ErrCorrupt, r.src[0], want)
		return
	}
	r.src = r.src[1:]
}

func (r *reader) bits() uint64 {
	if r.err != nil {
		return 0
	}
	if len(r.src) < 8 {
		r.err = fmt.Errorf("%w: %d bytes left, a field has 8", ErrCorrupt, len(r.src))
		return 0
	}
	x := binary.LittleEndian.Uint64(r.src)
	r.src = r.src[8:]
	return x
}

// float reads a finite double.
func (r *reader) float() float64 {
	x := math.Float64frombits(r.bits())
	if r.err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
		r.err = fmt.Errorf("%w: a field is not finite", ErrCorrupt)
	}
	return x
}

// count reads an integer in [0, high].
func (r *reader) count(high int) int {
	x := r.bits()
	if r.err == nil && x > uint64(high) {
		r.err = fmt.Errorf("%w: count %d, at most %d", ErrCorrupt, x, high)
	}
	if r.err != nil {
		return 0
	}
	return int(x)
}

func (r *reader) flag() bool { return r.count(1) == 1 }

func appendState(dst []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
}

func appendCount(dst []byte, n int) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(n))
}

func appendFlag(dst []byte, b bool) []byte {
	if b {
		return appendCount(dst, 1)
	}
	return appendCount(dst, 0)
}
