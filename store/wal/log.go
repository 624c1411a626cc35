// Package wal is the write-ahead log: numbered records in segments, each made
// durable before anybody is told that it is.
//
// One goroutine writes (Begin, Rotate, Write); another may sync and resume. The
// flow of a group of records:
//
//	fresh, err := log.Begin(size)   // a new segment, if this one is full
//	if fresh { encoder.Reset() }    // what an encoder remembers is per segment
//	first, err := log.Write(a, b, c) // one write(2); records first, first+1, first+2
//	...
//	err = log.Sync()                // everything written before is on the disk
//
// A write that failed leaves nothing behind. A sync that failed is never
// repeated on the same file: what it should have saved is written again, from
// memory, into a new file, which is synced in its place. If that fails too the
// log is read-only until Resume finds the disk well.
//
// After Open comes Segments or Replay, once, before the first Begin. The log never
// appends to a file that it did not make itself, so nothing is ever written
// behind damage. FORMAT.md has the bytes.
package wal

import (
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"

	"pulse/store/disk"
)

// LSN is the number of a record, from 1 on, ascending over the whole log. There
// are gaps only where records were lost, or where Options.After demanded one.
type LSN = uint64

// Options of a log. Zero values mean the defaults.
type Options struct {
	// SegmentBytes is the size from which Begin starts a new segment; default
	// 64 MiB, at most 1 GiB. A segment is longer by what one group exceeds it.
	SegmentBytes int64
	// UnsyncedBytes bounds the copies that are kept in memory of records that
	// are not synced yet; default 16 MiB. Write syncs by itself when they are more.
	UnsyncedBytes int64
	// After is a record that is known to be written, from a snapshot say, even if
	// the log does not have it: the next one is later.
	After LSN
	// Quarantine is the folder that gets copies of damaged segments; default
	// "quarantine".
	Quarantine string
}

func (o Options) withDefaults() (Options, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.UnsyncedBytes == 0 {
		o.UnsyncedBytes = 16 << 20
	}
	if o.Quarantine == "" {
		o.Quarantine = "quarantine"
	}
	if o.SegmentBytes < 0 || o.SegmentBytes > 1<<30 {
		return o, fmt.Errorf("segments of %d bytes: at most 1 GiB", o.SegmentBytes)
	}
	if o.UnsyncedBytes < 0 {
		return o, fmt.Errorf("%d bytes of unsynced records", o.UnsyncedBytes)
	}
	return o, nil
}

var (
	// ErrReadOnly says that the disk failed and that nothing is written until
	// Resume succeeds.
	ErrReadOnly = errors.New("the log is read-only")
	// ErrUncertain says that records which could not be written could not be cut
	// off again either: the next Open may find them. The log is read-only.
	ErrUncertain = errors.New("records may or may not be in the log")
	// ErrTooLong says that a payload is longer than MaxPayload.
	ErrTooLong = errors.New("record is too long")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("the log is closed")
)

// Log is an open log. See the package for who may call what.
type Log struct {
	fs  disk.FS
	dir string
	opt Options

	next   atomic.Uint64 // LSN of the next record
	synced atomic.Uint64 // last LSN that is durable
	bytes  atomic.Int64  // of all files
	broken atomic.Pointer[error]
	counts counts

	// syncing is held while a file is synced or replaced, so that no error of a
	// sync is seen by one caller and missed by another. Before mu.
	syncing sync.Mutex
	// removing is held while segments are removed. Before mu.
	removing sync.Mutex

	mu struct { // held while records are written, not while they are synced
		sync.Mutex
		files      []segmentFile // ascending; the last one is written if file is set
		file       disk.File     // nil before the first Begin or Write
		first      LSN           // of that file
		pos        int64         // where its next byte goes
		start      LSN           // of the segment being written
		last       LSN           // the last record that the log has
		full       bool          // Rotate was called
		unsynced   []group
		waiting    int64 // bytes in unsynced
		spare      [][]byte
		spareBytes int
		inherited  bool // the newest file could not be synced at Open
		closed     bool
	}

	out []byte // the writer's: a group as it stands in the file
}

// segmentFile is a file of the log. Segments that had to change files in the
// middle have several with the same start.
type segmentFile struct {
	first LSN // of the file, and its name
	start LSN // of the segment
	prev  LSN // last record of the files before it
	bytes int64
}

// group is what one Write wrote.
type group struct {
	first, last LSN
	records     []byte
}

// counts are kept since Open.
type counts struct {
	records, groups, written, syncs, rotations, cuts, replaced atomic.Int64
}

// Stats of a log since Open.
type Stats struct {
	Next, Synced  LSN   // the next record's number; the last durable one
	Files         int   // files of the log
	Bytes         int64 // of all files
	UnsyncedBytes int64 // kept in memory
	Records       int64 // written
	Groups        int64 // calls of write(2)
	Written       int64 // bytes, heads included
	Syncs         int64 // of record files that succeeded
	Rotations     int64 // segments begun
	Cuts          int64 // failed writes that were cut off
	Replaced      int64 // files given up after an error and written again
}

// Open opens the log in the folder dir, which is made if there is none. It
// reads the newest file, syncs it, and writes nothing else: a torn end stays
// where it is, behind the last record that counts, and is cut off by the start of
// the next segment. A disk that cannot be written does not fail Open: the log
// is then read-only, Err says why, and Resume tries again.
func Open(fs disk.FS, dir string, o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{fs: fs, dir: dir, opt: o}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

// Next returns the LSN that the next record gets.
func (l *Log) Next() LSN { return l.next.Load() }

// Synced returns the last LSN that is durable: it and all before it.
func (l *Log) Synced() LSN { return l.synced.Load() }

// Bytes returns the size of all files of the log.
func (l *Log) Bytes() int64 { return l.bytes.Load() }

// Err returns why the log is read-only, wrapping ErrReadOnly, or nil.
func (l *Log) Err() error {
	if cause := l.broken.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, *cause)
	}
	return nil
}

// Stats returns the figures of the log. It may be called from any goroutine and
// waits for a write in progress.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	files, waiting := len(l.mu.files), l.mu.waiting
	l.mu.Unlock()
	return Stats{
		Next: l.Next(), Synced: l.Synced(), Files: files, Bytes: l.Bytes(), UnsyncedBytes: waiting,
		Records: l.counts.records.Load(), Groups: l.counts.groups.Load(), Written: l.counts.written.Load(),
		Syncs: l.counts.syncs.Load(), Rotations: l.counts.rotations.Load(), Cuts: l.counts.cuts.Load(),
		Replaced: l.counts.replaced.Load(),
	}
}

// Begin says that about n bytes of payloads are to be written next, and starts a
// new segment if they do not fit into this one. fresh means that the next
// record is the first of its segment, so that an encoder that remembers
// anything begins anew; it is said again until a Write succeeds. On an error
// nothing has changed, and the caller may try again later.
//
// Only Begin starts segments: a caller that encodes after Begin and then writes
// knows which segment its records are in.
func (l *Log) Begin(n int) (fresh bool, err error) {
	l.mu.Lock()
	err = l.usable()
	m := &l.mu
	due := m.file == nil || m.start < l.Next() && (m.full || l.segmentBytes()+int64(n) > l.opt.SegmentBytes)
	l.mu.Unlock()
	if err != nil {
		return false, err
	}
	if due {
		if err := l.rotate(); err != nil {
			return false, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m.full = false
	return m.start == l.Next(), nil
}

// Rotate makes the next Begin start a new segment, unless it has no record
// yet. A caller that lost track of what its encoder wrote, as after a Write that
// failed, calls it.
func (l *Log) Rotate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.full = true
}

// Write appends a record per payload with one write(2) and returns the LSN of the
// first. They are durable after the next Sync. On an error none of them is in
// the log, now or after a crash, except when it is ErrUncertain.
// The payloads are not kept.
func (l *Log) Write(payloads ...[]byte) (first LSN, err error) {
	size := 0
	for _, p := range payloads {
		if len(p) > MaxPayload {
			return 0, fmt.Errorf("write log: %w: %d bytes of %d", ErrTooLong, len(p), MaxPayload)
		}
		size += recordHeader + len(p)
	}
	if err := l.makeRoom(size); err != nil {
		return 0, err
	}
	first, err = l.write(payloads, size)
	if err != nil {
		return 0, fmt.Errorf("write log: %w", err)
	}
	return first, nil
}

// makeRoom sees to a file to write to, and to memory for what is unsynced.
func (l *Log) makeRoom(size int) error {
	l.mu.Lock()
	none := l.mu.file == nil
	much := l.mu.waiting > 0 && l.mu.waiting+int64(size) > l.opt.UnsyncedBytes
	err := l.usable()
	l.mu.Unlock()
	switch {
	case err != nil:
		return err
	case none:
		return l.rotate()
	case much:
		return l.Sync()
	}
	return nil
}

func (l *Log) write(payloads [][]byte, size int) (LSN, error) {
	l.mu.Lock()
	m := &l.mu
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	first := l.Next()
	if len(payloads) == 0 {
		l.mu.Unlock()
		return first, nil
	}
	g := group{first: first, last: first + uint64(len(payloads)) - 1, records: l.take(size)}
	for i, p := range payloads {
		g.records = appendRecord(g.records, first+uint64(i), m.start, p)
	}
	p := pager{first: m.first, pos: m.pos}
	l.out = p.append(l.out[:0], g.records)
	err := writeAll(m.file, l.out)
	if cap(l.out) > maxSpare {
		l.out = nil
	}
	if err != nil {
		l.give(g.records)
		file := m.file
		l.mu.Unlock()
		return 0, l.cut(file, err)
	}
	grown := p.pos - m.pos
	l.grow(grown)
	m.pos = p.pos
	m.unsynced = append(m.unsynced, g)
	m.waiting += int64(len(g.records))
	m.last = g.last
	l.next.Store(g.last + 1)
	l.mu.Unlock()
	l.counts.records.Add(int64(len(payloads)))
	l.counts.groups.Add(1)
	l.counts.written.Add(grown)
	return first, nil
}

// Sync makes every record written before the call durable. After an error it
// is unknown which of them are, and the log is read-only; they are kept in
// memory, and Resume writes them again.
func (l *Log) Sync() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	return l.sync()
}

// Close syncs and closes the log. Its methods fail afterwards.
func (l *Log) Close() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	var err error
	if l.broken.Load() == nil {
		err = l.sync()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil
	}
	l.mu.closed = true
	if l.mu.file != nil {
		err = errors.Join(err, l.mu.file.Close())
	}
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// RemoveBefore removes the segments of which every record is before lsn, the
// oldest first. The newest stays. It may be called from any goroutine.
func (l *Log) RemoveBefore(lsn LSN) error {
	l.removing.Lock()
	defer l.removing.Unlock()
	removed := false
	for {
		oldest, ok := l.removable(lsn)
		if !ok {
			break
		}
		if err := l.fs.Remove(l.path(oldest.first)); err != nil {
			return fmt.Errorf("remove segment: %w", err)
		}
		l.mu.Lock()
		l.mu.files = append([]segmentFile(nil), l.mu.files[1:]...)
		l.mu.Unlock()
		l.bytes.Add(-oldest.bytes)
		removed = true
	}
	if !removed {
		return nil
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return fmt.Errorf("remove segments: %w", err)
	}
	return nil
}

// removable returns the oldest file if no record of its segment is lsn or later.
func (l *Log) removable(lsn LSN) (segmentFile, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.mu.files {
		if f.start != l.mu.files[0].start {
			return l.mu.files[0], f.first <= lsn && !l.mu.closed
		}
	}
	return segmentFile{}, false
}

func (l *Log) path(first LSN) string { return path.Join(l.dir, fileName(first)) }

// usable is called with mu held.
func (l *Log) usable() error {
	if l.mu.closed {
		return ErrClosed
	}
	return l.Err()
}

// segmentBytes returns the size of the segment being written; with mu held.
func (l *Log) segmentBytes() int64 {
	sum := int64(0)
	for _, f := range l.mu.files {
		if f.start == l.mu.start {
			sum += f.bytes
		}
	}
	return sum
}

// grow counts bytes of files; with mu held, for the newest file as well.
func (l *Log) grow(n int64) {
	l.bytes.Add(n)
	if n > 0 {
		l.mu.files[len(l.mu.files)-1].bytes += n
	}
}

// maxSpare bounds the bytes of buffers that are kept for the next groups.
const maxSpare = 4 << 20

// take returns an empty buffer for size bytes; with mu held.
func (l *Log) take(size int) []byte {
	m := &l.mu
	for i, b := range m.spare {
		if cap(b) >= size {
			n := len(m.spare) - 1
			m.spare[i] = m.spare[n]
			m.spare[n] = nil
			m.spare = m.spare[:n]
			m.spareBytes -= cap(b)
			return b[:0]
		}
	}
	return make([]byte, 0, size)
}

// give takes a buffer back; with mu held.
func (l *Log) give(b []byte) {
	m := &l.mu
	if m.spareBytes+cap(b) <= maxSpare && len(m.spare) < 64 {
		m.spare = append(m.spare, b)
		m.spareBytes += cap(b)
	}
}
