package wal

import (
	"errors"
	"fmt"
	"io"
	"path"

	"pulse/store/disk"
)

// Report is what reading a log found.
type Report struct {
	Segments, Files int
	Records         int   // valid ones, before from as well in a segment that was read
	Bytes           int64 // of the files that were read
	First, Last     LSN   // of the records; 0 when there are none
	// Skipped is damage: records are lost, or would be with a little more of it.
	Skipped []Damage
	Lost    uint64 // records lost in all
	// Tail is the torn end of the newest file, Bytes 0 when there is none: writes
	// that were never acknowledged. It does not count any more once a new segment begins.
	Tail Damage
	// Superseded counts bytes behind the records of files that were given up:
	// what was in them stands in the next file.
	Superseded int64
	// Quarantine says why a damaged file could not be copied.
	Quarantine error
}

// Segments reads the log from the segment that has the record from, and gives f
// each segment with all its valid records, in order; also those before from, which
// may say what later ones mean. A record that stands in two files is given
// once. The segment's memory is used again after f returns; an error of f ends
// the reading and is returned.
//
// Files with damage are copied to quarantine. Nothing else is written, so that
// a crash in the middle changes nothing.
func (l *Log) Segments(from LSN, f func(*Segment) error) (Report, error) {
	l.mu.Lock()
	files := append([]segmentFile(nil), l.mu.files...)
	l.mu.Unlock()
	r := reader{fs: l.fs, dir: l.dir, quarantine: l.opt.Quarantine}
	if err := r.read(files, from, f); err != nil {
		return r.report, fmt.Errorf("replay log: %w", err)
	}
	return r.report, nil
}

// Replay gives f every valid record from the record from on, in order.
func (l *Log) Replay(from LSN, f func(lsn LSN, payload []byte) error) (Report, error) {
	return l.Segments(from, func(s *Segment) error {
		for lsn, payload := range s.Records() {
			if lsn < from {
				continue
			}
			if err := f(lsn, payload); err != nil {
				return fmt.Errorf("record %d: %w", lsn, err)
			}
		}
		return nil
	})
}

// Read is Segments for a folder that nobody has opened, or that a live server
// has: it writes nothing, and damage is not copied.
func Read(fsys disk.FS, dir string, from LSN, f func(*Segment) error) (Report, error) {
	files, err := listFiles(fsys, dir)
	r := reader{fs: fsys, dir: dir}
	if err == nil {
		err = r.read(files, from, f)
	}
	if err != nil {
		return r.report, fmt.Errorf("read log: %w", err)
	}
	return r.report, nil
}

// Item is what Verify found in a file of the log.
type Item struct {
	File        string
	Start       LSN // of the segment
	First, Last LSN // of the file's records; Last is First-1 when there are none
	Records     int
	Bytes       int64
	Skipped     []Damage
	Lost        uint64
	Tail        int64 // bytes behind the last valid record, which nobody misses
	Newest      bool
	Whole       bool // the head of the file is valid
}

// Verify reads all files of the log in dir and reports each. It writes nothing and
// may run on the folder of a live server, whose newest file it then sees in
// the middle of a write.
func Verify(fsys disk.FS, dir string, f func(Item)) error {
	files, err := listFiles(fsys, dir)
	if err != nil {
		return fmt.Errorf("verify log: %w", err)
	}
	r := reader{fs: fsys, dir: dir}
	for i := range files {
		_, found, err := r.file(files, i, nil)
		if err != nil {
			return fmt.Errorf("verify log: %w", err)
		}
		item := Item{
			File: fileName(found.first), Start: found.start, First: found.first, Last: found.last,
			Records: found.records, Bytes: found.size, Skipped: found.damage, Newest: i == len(files)-1, Whole: found.headed,
		}
		lost := lostAtEnd(files, i, found)
		if lost > 0 {
			item.Skipped = append(item.Skipped, endDamage(found, lost))
		} else {
			item.Tail = found.tail()
		}
		for _, d := range item.Skipped {
			item.Lost += d.Lost
		}
		f(item)
	}
	return nil
}

// reader reads files into segments.
type reader struct {
	fs         disk.FS
	dir        string
	quarantine string // "": damage is not copied
	report     Report
	buf        []byte
}

func (r *reader) read(files []segmentFile, from LSN, f func(*Segment) error) error {
	for i := 0; i < len(files); {
		end := i + 1
		for end < len(files) && files[end].start == files[i].start {
			end++
		}
		if end == len(files) || files[end].first > from {
			s, err := r.segment(files, i, end)
			if err != nil {
				return err
			}
			if err := f(s); err != nil {
				return err
			}
		}
		i = end
	}
	return nil
}

// segment reads the files from i to end, which are one segment.
func (r *reader) segment(files []segmentFile, i, end int) (*Segment, error) {
	s := &Segment{Start: files[i].start}
	r.buf = r.buf[:0]
	for ; i < end; i++ {
		buf, found, err := r.file(files, i, r.buf)
		if err != nil {
			return nil, err
		}
		r.buf = buf
		r.note(files, i, found)
	}
	s.dense = r.buf
	r.report.Segments++
	return s, nil
}

// file reads file i and appends its records to dst.
func (r *reader) file(files []segmentFile, i int, dst []byte) ([]byte, found, error) {
	limit := LSN(0)
	if i+1 < len(files) {
		limit = files[i+1].first
	}
	return loadFile(r.fs, r.dir, files[i].first, limit, dst)
}

// note adds a file to the report.
func (r *reader) note(files []segmentFile, i int, f found) {
	rep := &r.report
	rep.Files++
	rep.Records += f.records
	rep.Bytes += f.size
	if f.records > 0 {
		rep.Last = f.last
		if rep.First == 0 {
			rep.First = f.first
		}
	}
	damage := f.damage
	switch lost := lostAtEnd(files, i, f); {
	case lost > 0:
		damage = append(damage, endDamage(f, lost))
	case i == len(files)-1 && f.tail() > 0:
		rep.Tail = endDamage(f, 0)
	default:
		rep.Superseded += f.tail()
	}
	if len(damage) == 0 {
		return
	}
	kept := ""
	if r.quarantine != "" {
		var err error
		if kept, err = keep(r.fs, r.dir, f.first, r.quarantine); err != nil {
			rep.Quarantine = errors.Join(rep.Quarantine, err)
		}
	}
	for _, d := range damage {
		d.Kept = kept
		rep.Skipped = append(rep.Skipped, d)
		rep.Lost += d.Lost
	}
}

// lostAtEnd returns how many records file i lacks behind its last one. The newest
// file lacks none that anybody knows of.
func lostAtEnd(files []segmentFile, i int, f found) uint64 {
	if i+1 == len(files) {
		return 0
	}
	next := files[i+1]
	if want := min(next.prev, next.first-1); want > f.last {
		return want - f.last
	}
	return 0
}

func endDamage(f found, lost uint64) Damage {
	return Damage{File: fileName(f.first), Offset: f.end, Bytes: f.tail(), Lost: lost, Reason: "end of the file"}
}

// loadFile reads a file behind what dst has and leaves its valid records there.
func loadFile(fsys disk.FS, dir string, first, limit LSN, dst []byte) ([]byte, found, error) {
	name := path.Join(dir, fileName(first))
	file, err := fsys.Open(name)
	if err != nil {
		return dst, found{}, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return dst, found{}, err
	}
	at := len(dst)
	dst, unread := readAll(file, min(size, maxFile), dst)
	f, err := scan(dst[at:], first, limit)
	if err != nil {
		return dst[:at], f, err
	}
	if unread != nil {
		f.report(*unread)
	}
	return dst[:at+f.dense], f, nil
}

// readAll appends size bytes of a file to dst. Pages that the disk does not give
// back are zeros, and told of in one report.
func readAll(file disk.File, size int64, dst []byte) ([]byte, *Damage) {
	at := len(dst)
	if need := at + int(size); need > cap(dst) {
		dst = append(make([]byte, 0, need), dst...)
	}
	dst = dst[:at+int(size)]
	b := dst[at:]
	n, err := file.ReadAt(b, 0)
	if n == len(b) {
		return dst, nil
	}
	if errors.Is(err, io.EOF) { // it was cut meanwhile
		return dst[:at+n], nil
	}
	var unread *Damage
	for pos := n / pageSize * pageSize; pos < len(b); pos += pageSize {
		page := b[pos:min(pos+pageSize, len(b))]
		k, err := file.ReadAt(page, int64(pos))
		if k == len(page) {
			continue
		}
		clear(page[k:])
		if unread == nil {
			unread = &Damage{Offset: int64(pos + k), Reason: fmt.Sprintf("cannot be read: %v", err)}
		}
		unread.Bytes += int64(len(page) - k)
	}
	return dst, unread
}

// keep copies a damaged file to quarantine and returns where it is. A copy of
// the same length counts as made.
func keep(fsys disk.FS, dir string, first LSN, quarantine string) (string, error) {
	from := path.Join(dir, fileName(first))
	to := path.Join(quarantine, fileName(first))
	if err := copyFile(fsys, from, to); err != nil {
		return "", fmt.Errorf("copy %s to quarantine: %w", from, err)
	}
	return to, nil
}

func copyFile(fsys disk.FS, from, to string) error {
	src, err := fsys.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	size, err := src.Size()
	if err != nil {
		return err
	}
	if have, err := fsys.Size(to); err == nil && have == size {
		return nil
	}
	if err := fsys.MkdirAll(path.Dir(to)); err != nil {
		return err
	}
	part := to + temporary
	dst, err := fsys.Create(part)
	if err != nil {
		return err
	}
	err = copyPages(dst, src, size)
	if err == nil {
		err = dst.Sync()
	}
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = fsys.Rename(part, to)
	}
	if err != nil {
		_ = fsys.Remove(part)
		return err
	}
	return fsys.SyncDir(path.Dir(to))
}

// copyPages copies what can be read, and zeros for the rest.
func copyPages(dst io.Writer, src io.ReaderAt, size int64) error {
	page := make([]byte, pageSize)
	for pos := int64(0); pos < size; pos += pageSize {
		b := page[:min(pageSize, size-pos)]
		n, _ := src.ReadAt(b, pos)
		clear(b[n:])
		if err := writeAll(dst, b); err != nil {
			return err
		}
	}
	return nil
}
