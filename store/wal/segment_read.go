package wal

import (
	"fmt"
	"hash/crc32"
	"iter"
)

// Damage is a range of bytes in a segment's file that holds no valid record.
type Damage struct {
	File   string // base name
	Offset int64
	Bytes  int64
	Lost   uint64 // how many records are missing because of it
	Reason string
	Kept   string // where a copy of the file is, "" when there is none
}

func (d Damage) String() string {
	return fmt.Sprintf("%s at %d: %d bytes, %d records lost: %s", d.File, d.Offset, d.Bytes, d.Lost, d.Reason)
}

// Segment is what can be read of one segment: all its valid records at once, so
// that what a later record says of an earlier one can be looked up beforehand.
type Segment struct {
	// Start is the LSN of the segment's first record, valid or not; an encoder
	// began anew there.
	Start uint64
	dense []byte // records, back to back
}

// Records yields the records by LSN, ascending, as often as it is asked for.
// Payloads are valid until the segment is given back and must not be changed.
func (s *Segment) Records() iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for rest := s.dense; len(rest) > 0; {
			r := fields(rest)
			end := recordHeader + r.length
			if !yield(r.lsn, rest[recordHeader:end:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// Bytes returns the size of the valid records with their heads.
func (s *Segment) Bytes() int64 { return int64(len(s.dense)) }

// found is what a scan of a file's bytes found.
type found struct {
	header
	headed  bool   // the file's own head is valid
	last    uint64 // of the valid records; header.first-1 when there is none
	records int
	end     int64 // where the last valid record ends, or the head does
	size    int64
	dense   int // bytes of valid records, at the front of the buffer
	damage  []Damage
}

// tail returns how many bytes follow the last valid record.
func (f *found) tail() int64 { return f.size - f.end }

// manyDamages is how many places of a file are reported one by one.
const manyDamages = 256

// report adds a place. Behind many, the rest is counted in one.
func (f *found) report(d Damage) {
	d.File = fileName(f.first)
	if len(f.damage) < manyDamages {
		f.damage = append(f.damage, d)
		return
	}
	last := &f.damage[manyDamages-1]
	last.Bytes += d.Bytes
	last.Lost += d.Lost
	last.Reason = "many places"
}

// scan reads the file that is named first out of data and moves its valid
// records to the front of data, back to back. Records from limit on stand
// again in the next file, which is the one that counts; 0 means no next file.
// Nothing in data is believed before its sum is checked, and no length before
// it is compared with what is there. It fails for another format version only.
func scan(data []byte, first, limit uint64) (found, error) {
	f := found{size: int64(len(data))}
	h, ok, err := readHeader(data, first)
	if err != nil {
		return f, err
	}
	s := scanner{data: data, found: &f, limit: limit}
	f.header, f.headed = header{first: first, start: first, prev: first - 1}, ok
	f.last = first - 1
	if ok {
		f.header = h
	}
	f.end = min(fileHeader, f.size)
	s.run(fileHeader)
	if !ok && f.records > 0 {
		f.report(Damage{Bytes: fileHeader, Reason: "head of the file"})
	}
	return f, nil
}

type scanner struct {
	data  []byte
	found *found
	limit uint64
	bad   int64 // where bytes that are no record began; -1 when there are none
	why   string

	head    [recordHeader]byte // of the record in hand
	scratch [32]byte
}

// run reads from pos, where a record should begin, to the end.
func (s *scanner) run(pos int64) {
	s.bad = -1
	for pos < s.found.size {
		next, why := s.record(pos)
		if why == "" {
			pos = next
			continue
		}
		if s.bad < 0 {
			s.bad, s.why = pos, why
		}
		if next == 0 {
			next = s.resume(pos)
		}
		pos = next
	}
}

// record reads the record at pos and returns where it ends. When it is not
// valid it says why, and next is 0 when even its length is unknown.
func (s *scanner) record(pos int64) (next int64, why string) {
	f := s.found
	body := after(pos, recordHeader)
	if body > f.size {
		return 0, "torn head of a record"
	}
	head := s.head[:]
	s.copy(head, pos)
	r, ok := readRecord(head)
	if !ok {
		return 0, "head of a record"
	}
	next = after(body, r.length)
	if next > f.size {
		return 0, "torn record"
	}
	if s.sum(body, r.length) != r.payloadSum {
		return next, "payload of a record"
	}
	if r.lsn <= f.last {
		return next, "record out of order"
	}
	if s.limit > 0 && r.lsn >= s.limit {
		return next, "record of a later file"
	}
	s.accept(pos, body, next, head, r)
	return next, ""
}

// accept takes a valid record, and reports what was skipped before it.
func (s *scanner) accept(pos, body, next int64, head []byte, r record) {
	f := s.found
	lost := r.lsn - f.last - 1
	switch {
	case s.bad >= 0:
		f.report(Damage{Offset: s.bad, Bytes: pos - s.bad, Lost: lost, Reason: s.why})
		s.bad = -1
	case lost > 0:
		f.report(Damage{Offset: pos, Lost: lost, Reason: "missing records"})
	}
	s.checkPages(pos, next)
	if !f.headed && f.records == 0 {
		f.start = r.lsn - uint64(r.since)
	}
	f.dense += copy(s.data[f.dense:], head)
	s.move(body, r.length)
	f.last, f.end = r.lsn, next
	f.records++
}

// checkPages compares the heads of the pages that the record from pos to next
// runs over with what they have to be. A wrong one loses nothing while the
// records around it are whole.
func (s *scanner) checkPages(pos, next int64) {
	for at := (pos + pageSize - 1) / pageSize * pageSize; at < next; at += pageSize {
		if at == 0 {
			continue
		}
		want := int(next - at)
		if at == pos {
			want = pageHeader
		}
		if want >= pageSize {
			want = 0
		}
		if got, ok := readPage(s.data[at:], s.found.first, at/pageSize, s.scratch[:]); !ok || got != want {
			s.found.report(Damage{Offset: at, Bytes: pageHeader, Reason: "head of a page"})
		}
	}
}

// resume returns the next place after pos at which, says a page, a record
// begins; the end when no page does.
func (s *scanner) resume(pos int64) int64 {
	for page := pos/pageSize + 1; page*pageSize < s.found.size; page++ {
		at := page * pageSize
		if begins, ok := readPage(s.data[at:], s.found.first, page, s.scratch[:]); ok && begins > 0 {
			return at + int64(begins)
		}
	}
	return s.found.size
}

// pieces yields the n bytes of records from pos, which are there, without the
// heads of pages.
func (s *scanner) pieces(pos int64, n int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for n > 0 {
			at := pos % pageSize
			if at == 0 && pos > 0 {
				pos, at = pos+pageHeader, pageHeader
			}
			k := min(int64(n), pageSize-at)
			if !yield(s.data[pos : pos+k]) {
				return
			}
			pos, n = pos+k, n-int(k)
		}
	}
}

func (s *scanner) copy(dst []byte, pos int64) {
	for piece := range s.pieces(pos, len(dst)) {
		dst = dst[copy(dst, piece):]
	}
}

func (s *scanner) sum(pos int64, n int) uint32 {
	sum := uint32(0)
	for piece := range s.pieces(pos, n) {
		sum = crc32.Update(sum, castagnoli, piece)
	}
	return sum
}

// move appends bytes of records to the dense ones. They come from further up,
// so that no byte is overwritten before it is read.
func (s *scanner) move(pos int64, n int) {
	for piece := range s.pieces(pos, n) {
		s.found.dense += copy(s.data[s.found.dense:], piece)
	}
}
