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
//	counts   4 bytes each
//	flags    1 byte each, 0 or 1
//	doubles  8 bytes each, their bits
//	singles  4 bytes each, their bits
//
// all little endian, in the order the kind lists them, so that a restored
// detector goes on bit for bit.

// reader takes fields from the front of a saved state and keeps the first error.
type reader struct {
	src []byte
	err error
}

// take returns the next n bytes, or zeros after an error.
func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.src) < n {
		r.err = fmt.Errorf("%w: %d bytes left where a field has %d", ErrCorrupt, len(r.src), n)
	}
	if r.err != nil {
		return make([]byte, n)
	}
	field := r.src[:n]
	r.src = r.src[n:]
	return field
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
	}
}

func (r *reader) byte() byte { return r.take(1)[0] }

func (r *reader) version(want byte) {
	if got := r.take(1)[0]; got != want {
		r.fail("version %d, expected %d", got, want)
	}
}

// count reads an integer in [0, most].
func (r *reader) count(most int32) int32 {
	n := binary.LittleEndian.Uint32(r.take(4))
	if n > uint32(most) {
		r.fail("count %d, at most %d", n, most)
		return 0
	}
	return int32(n)
}

func (r *reader) flag() bool {
	b := r.take(1)[0]
	if b > 1 {
		r.fail("flag %d", b)
	}
	return b == 1
}

// float64 reads a double of a size that values can lead to.
func (r *reader) float64() float64 {
	x := math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
	if !(math.Abs(x) <= 100*valueMax) {
		r.fail("a double is %v", x)
	}
	return x
}

// float32 reads a single that is finite.
func (r *reader) float32() float32 {
	x := math.Float32frombits(binary.LittleEndian.Uint32(r.take(4)))
	if !(math.Abs(float64(x)) <= math.MaxFloat32) {
		r.fail("a single is %v", x)
	}
	return x
}

func appendCount(dst []byte, n int32) []byte {
	return binary.LittleEndian.AppendUint32(dst, uint32(n))
}

func appendFlag(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendFloat64(dst []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
}

func appendFloat32(dst []byte, x float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
}
