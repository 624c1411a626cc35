// Package archive keeps what will not change in files that are either whole or
// not there: the sealed blocks of one block time, and snapshots of a store.
//
// A file is a container of numbered sections. Create writes one under a
// temporary name and Commit makes it appear, synced, under its own; Open maps
// one. Opening looks at the file's ends only; a section's checksum is compared
// when it is first asked for. FORMAT.md draws the bytes.
//
// Nothing read from a file is believed before it is checked: no bytes make
// this package panic, read out of bounds or allocate more than a small
// multiple of their number. Bytes that are no such file give an error that
// wraps ErrCorrupt, those of a later format one that wraps ErrVersion.
package archive

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// Kind says what a container holds.
type Kind uint16

const (
	Blocks   Kind = 1 // sealed blocks of one tier and block time
	Snapshot Kind = 2 // the state of a store at one place of its log
)

// ErrCorrupt is wrapped by every error about bytes that are not as they were
// written.
var ErrCorrupt = errors.New("corrupt file")

// ErrVersion is wrapped by errors about files of a format that this program
// does not know; a later one may.
var ErrVersion = errors.New("unknown format version")

// CorruptError is a place in a file that is not as it was written.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s at offset %d: %s", e.File, e.Offset, e.Reason)
}

// Unwrap makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

const (
	version = 1

	headerSize  = 32
	entrySize   = 24
	trailerSize = 48
	align       = 64 // sections begin at multiples of it: one cache line, and words are where a machine wants them
)

var (
	magic    = [8]byte{'P', 'U', 'L', 'S', 'E', 'A', 'R', 'C'}
	endMagic = [8]byte{'P', 'U', 'L', 'S', 'E', 'E', 'N', 'D'}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
