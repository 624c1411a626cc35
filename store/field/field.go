// Package field reads and writes binary fields one after the other.
package field

import "encoding/binary"

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
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Varint reads what binary.AppendVarint wrote.
func (r *Reader) Varint() int64 {
	u := r.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

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
