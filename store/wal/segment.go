package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"
	"strconv"
	"strings"
)

// The layout of a segment's file; FORMAT.md draws it.
const (
	version = 1
	magic   = "PULSEWAL"

	pageSize     = 32 << 10
	fileHeader   = 40
	pageHeader   = 8
	recordHeader = 24

	suffix    = ".wal"
	temporary = ".tmp"
)

// MaxPayload is the longest payload of a record in bytes.
const MaxPayload = 64 << 20

// maxFile is the longest file that is read. Segments are far shorter.
const maxFile = 2 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the head of a segment's file.
type header struct {
	first uint64 // LSN of the file's first record, and its name
	start uint64 // LSN of the first record of the segment that the file belongs to
	prev  uint64 // the last LSN that the log holds in the files before this one
}

func (h header) appendTo(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, h.first)
	dst = binary.LittleEndian.AppendUint64(dst, h.start)
	dst = binary.LittleEndian.AppendUint64(dst, h.prev)
	binary.LittleEndian.PutUint32(dst[at+12:], headerSum(dst[at:]))
	return dst
}

// headerSum is over the 40 bytes of a file's head without the sum itself.
func headerSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, b[16:fileHeader])
}

// readHeader reads the head of the file whose name says first. What is damaged
// is not ok; a version of later software is an error.
func readHeader(b []byte, first uint64) (h header, ok bool, err error) {
	if len(b) < fileHeader || string(b[:8]) != magic || binary.LittleEndian.Uint32(b[12:]) != headerSum(b) {
		return h, false, nil
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return h, false, &VersionError{File: fileName(first), Version: v}
	}
	h.first = binary.LittleEndian.Uint64(b[16:])
	h.start = binary.LittleEndian.Uint64(b[24:])
	h.prev = binary.LittleEndian.Uint64(b[32:])
	return h, h.first == first && h.start <= first && h.prev < first, nil
}

// VersionError says that a segment was written in a format that this program
// does not know.
type VersionError struct {
	File    string
	Version uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format version %d; this program knows version %d only", e.File, e.Version, version)
}

// record is the head of a record.
type record struct {
	payloadSum uint32
	length     int    // of the payload
	since      uint32 // LSN minus that of the segment's first record
	lsn        uint64
}

// appendRecord appends a record's head and its payload.
func appendRecord(dst []byte, lsn, start uint64, payload []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(payload, castagnoli))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(lsn-start))
	dst = binary.LittleEndian.AppendUint64(dst, lsn)
	binary.LittleEndian.PutUint32(dst[at:], crc32.Checksum(dst[at+4:at+recordHeader], castagnoli))
	return append(dst, payload...)
}

// readRecord reads the head of a record from 24 bytes; not ok when its sum is
// wrong or it says what cannot be.
func readRecord(b []byte) (r record, ok bool) {
	if binary.LittleEndian.Uint32(b) != crc32.Checksum(b[4:recordHeader], castagnoli) {
		return r, false
	}
	r = fields(b)
	return r, r.length <= MaxPayload && uint64(r.since) < r.lsn
}

// fields reads the head of a record that is known to be valid.
func fields(b []byte) record {
	return record{
		payloadSum: binary.LittleEndian.Uint32(b[4:]),
		length:     int(binary.LittleEndian.Uint32(b[8:])),
		since:      binary.LittleEndian.Uint32(b[12:]),
		lsn:        binary.LittleEndian.Uint64(b[16:]),
	}
}

// pager lays records out over the pages of a file.
type pager struct {
	first uint64 // LSN of the file's first record
	pos   int64  // where the next byte goes; at least fileHeader
}

// append appends records, whole ones back to back, as they stand in the file
// from p.pos on: with a page's head wherever a page begins. It moves p.pos.
func (p *pager) append(dst, records []byte) []byte {
	for len(records) > 0 {
		n := recordHeader + int(binary.LittleEndian.Uint32(records[8:]))
		rest := records[:n]
		records = records[n:]
		for len(rest) > 0 {
			at := int(p.pos % pageSize)
			if at == 0 {
				begins := pageHeader // rest is a whole record, which begins right here
				if len(rest) < n {
					begins = pageHeader + len(rest)
				}
				dst = appendPage(dst, p.first, p.pos/pageSize, begins)
				p.pos += pageHeader
				at = pageHeader
			}
			k := min(len(rest), pageSize-at)
			dst = append(dst, rest[:k]...)
			rest = rest[k:]
			p.pos += int64(k)
		}
	}
	return dst
}

// appendPage appends the head of a page. begins is where in the page its first
// record begins, or would if one follows; outside of the page: none does.
func appendPage(dst []byte, first uint64, page int64, begins int) []byte {
	if begins >= pageSize {
		begins = 0
	}
	at := len(dst)
	dst = appendPlace(dst, first, page, uint32(begins)) // for the sum only
	sum := crc32.Checksum(dst[at:], castagnoli)
	dst = binary.LittleEndian.AppendUint32(dst[:at], sum)
	return binary.LittleEndian.AppendUint32(dst, uint32(begins))
}

// readPage reads the head of the page at the front of b; not ok when its sum is
// wrong, as it is when the page stands at another place or in another file.
// scratch is memory to work in.
func readPage(b []byte, first uint64, page int64, scratch []byte) (begins int, ok bool) {
	if len(b) < pageHeader {
		return 0, false
	}
	at := binary.LittleEndian.Uint32(b[4:])
	if binary.LittleEndian.Uint32(b) != crc32.Checksum(appendPlace(scratch[:0], first, page, at), castagnoli) {
		return 0, false
	}
	return int(at), at == 0 || at >= pageHeader && at < pageSize
}

// appendPlace appends what the sum of a page's head is over.
func appendPlace(dst []byte, first uint64, page int64, begins uint32) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, first)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(page))
	return binary.LittleEndian.AppendUint32(dst, begins)
}

// after returns the place in a file that is n bytes of records after pos: the
// heads of pages between do not count.
func after(pos int64, n int) int64 {
	for n > 0 {
		at := pos % pageSize
		if at == 0 && pos > 0 {
			pos, at = pos+pageHeader, pageHeader
		}
		room := pageSize - at
		if int64(n) <= room {
			return pos + int64(n)
		}
		n -= int(room)
		pos += room
		if whole := int64(n-1) / (pageSize - pageHeader); whole > 0 {
			pos += whole * pageSize
			n -= int(whole * (pageSize - pageHeader))
		}
	}
	return pos
}

func fileName(first uint64) string { return fmt.Sprintf("%016x%s", first, suffix) }

// fileFirst is the inverse of fileName.
func fileFirst(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 16, 64)
	return first, err == nil && first > 0 && path.Base(fileName(first)) == name
}
