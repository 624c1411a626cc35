package arena

import (
	"encoding/binary"
	"unsafe"
)

// littleEndian reports whether numbers in memory look like those in files.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// Words returns the little-endian 64-bit numbers that b is made of. They share
// b's memory where the machine permits, and are a copy otherwise: when b does
// not begin at a multiple of 8, or the machine is big-endian. Bytes at the end
// that make up no number are left out.
func Words(b []byte) []uint64 {
	n := len(b) / 8
	if n == 0 {
		return nil
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if littleEndian && uintptr(p)%8 == 0 {
		return unsafe.Slice((*uint64)(p), n)
	}
	words := make([]uint64, n)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return words
}

// Floats returns n zeros that may be written, and the region that they are in:
// they are gone with its last Release.
func Floats(n int) ([]float64, *Region) {
	r := Anonymous(8 * n)
	if n == 0 {
		return nil, r
	}
	p := unsafe.Pointer(unsafe.SliceData(r.bytes))
	if uintptr(p)%8 != 0 {
		// Only a few bytes, on the heap, may lie anywhere.
		return make([]float64, n), r
	}
	return unsafe.Slice((*float64)(p), n), r
}
