// Package field reads and writes binary fields one after the other.
package field

import (
	"encoding/binary"
	"math/bits"
)

// Reader reads fields from the front of Rest. After the first that is not there
// Bad is set, and every further one is zero or empty, so that a caller reads
// several and asks once. Byte slices are parts of Rest and not copies.
type Reader struct {
	Rest []byte
	Bad  bool
}

// Fail makes the reader bad, for a field that cannot be what it says.
func (r *Reader) Fail() { r.Rest, r.Bad = nil, true }

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.Rest) == 0 {
		r.Fail()
		return 0
	}
	b := r.Rest[0]
	r.Rest = r.Rest[1:]
	return b
}

// Bytes reads n bytes.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.Rest) {
		r.Fail()
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// Uint64 reads eight bytes, little endian.
func (r *Reader) Uint64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uvarint reads what binary.AppendUvarint wrote.
func (r *Reader) Uvarint() uint64 {
	if len(r.Rest) >= 8 {
		if v, n := WordUvarint(binary.LittleEndian.Uint64(r.Rest)); n > 0 {
			r.Rest = r.Rest[n:]
			return v
		}
	}
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// WordUvarint returns the uvarint at the front of eight bytes, little endian, and
// its length, 0 if it is longer. It takes the same time for every length.
func WordUvarint(x uint64) (v uint64, n int) {
	const more = 0x8080808080808080
	end := ^x & more // the highest bit of the last byte comes first
	if end == 0 {
		return 0, 0
	}
	x &= (end ^ (end - 1)) &^ more
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	x = x&0x000000000fffffff | x&0x0fffffff00000000>>4
	return x, bits.TrailingZeros64(end)/8 + 1
}

// Varint reads what binary.AppendVarint wrote.
func (r *Reader) Varint() int64 { return Zigzag(r.Uvarint()) }

// Zigzag returns the signed integer that a uvarint stands for.
func Zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// Number reads a uvarint that is no more than most.
func (r *Reader) Number(most int) int {
	n := r.Uvarint()
	if n > uint64(most) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Count reads how many things follow that take at least size bytes each, so that
// it is no more than there can be.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)/size) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Text reads what AppendText wrote.
func (r *Reader) Text() []byte { return r.Bytes(r.Count(1)) }

// AppendText appends the length of a text, a uvarint, and the text.
func AppendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
