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
