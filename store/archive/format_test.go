package archive_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// withVersion returns a file whose header is of another version and else right.
func withVersion(whole []byte, version uint16) []byte {
	b := bytes.Clone(whole)
	binary.LittleEndian.PutUint16(b[8:], version)
	binary.LittleEndian.PutUint32(b[28:], crc32.Checksum(b[:28], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealed returns b with every checksum that can be found made to match, so that
// what lies behind the checksums is reached.
func sealed(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) < 32+48 {
		return b
	}
	le := binary.LittleEndian
	put := func(at int, over []byte) { le.PutUint32(b[at:], crc32.Checksum(over, castagnoli)) }
	copy(b, "PULSEARC")
	le.PutUint16(b[8:], 1)
	le.PutUint16(b[10:], 1+le.Uint16(b[10:])%2)
	put(28, b[:28])
	end := len(b) - 48
	trailer := b[end:]
	copy(trailer[40:], "PULSEEND")
	le.PutUint64(trailer[16:], uint64(len(b)))
	if from := le.Uint64(trailer); from >= 32 && from <= uint64(end) {
		le.PutUint32(trailer[8:], uint32((uint64(end)-from)/24))
		for at := int(from); at+24 <= end; at += 24 {
			offset, length := le.Uint64(b[at+8:]), le.Uint64(b[at+16:])
			if offset <= from && length <= from-offset {
				put(at+4, b[offset:offset+length])
			}
		}
		put(end+12, b[from:end])
	}
	put(end+24, b[:end])
	put(end+36, trailer[:36])
	return b
}
