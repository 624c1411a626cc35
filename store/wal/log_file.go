package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pulse/store/disk"
)

// open finds the files and the last record.
func (l *Log) open() error {
	if err := l.fs.MkdirAll(l.dir); err != nil {
		l.fail(err)
	}
	if err := l.removeUnfinished(); err != nil {
		return err
	}
	files, err := listFiles(l.fs, l.dir)
	if err != nil {
		return err
	}
	m := &l.mu
	m.files = files
	if n := len(files); n > 0 {
		newest := files[n-1]
		_, f, err := loadFile(l.fs, l.dir, newest.first, 0, nil)
		if err != nil {
			return err
		}
		m.last = f.last
		if f.records == 0 {
			m.last = f.prev
		}
		l.next.Store(newest.first)
		l.inherit(newest.first)
	}
	for _, f := range files {
		l.bytes.Add(f.bytes)
	}
	l.next.Store(max(l.next.Load(), m.last+1, l.opt.After+1))
	if l.broken.Load() == nil {
		l.synced.Store(l.Next() - 1)
	}
	return nil
}

// removeUnfinished removes files that never got their name: nothing in them was
// promised to anybody.
func (l *Log) removeUnfinished() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, temporary) {
			_ = l.fs.Remove(path.Join(l.dir, name)) // it is in nobody's way
		}
	}
	return nil
}

// inherit makes durable what an earlier process wrote and may not have lived to
// sync.
func (l *Log) inherit(first LSN) {
	err := l.fs.SyncDir(l.dir)
	if err == nil {
		var f disk.File
		if f, err = l.fs.OpenWrite(l.path(first)); err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
	}
	if err != nil {
		l.mu.inherited = true
		l.fail(err)
	}
}

// fail makes the log read-only.
func (l *Log) fail(cause error) { l.broken.CompareAndSwap(nil, &cause) }

// listFiles returns the files of the log in dir, ascending.
func listFiles(fsys disk.FS, dir string) ([]segmentFile, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var files []segmentFile
	for _, name := range names {
		first, ok := fileFirst(name)
		if !ok {
			continue
		}
		f, err := describe(fsys, dir, first)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b segmentFile) int { return cmp.Compare(a.first, b.first) })
	return files, nil
}

// describe reads the head of a file, and the records if the head is damaged.
func describe(fsys disk.FS, dir string, first LSN) (segmentFile, error) {
	name := path.Join(dir, fileName(first))
	size, err := fsys.Size(name)
	if err != nil {
		return segmentFile{}, err
	}
	file, err := fsys.Open(name)
	if err != nil {
		return segmentFile{}, err
	}
	defer file.Close()
	var head [fileHeader]byte
	n, _ := file.ReadAt(head[:], 0) // what cannot be read is damaged
	h, ok, err := readHeader(head[:n], first)
	if err != nil {
		return segmentFile{}, err
	}
	if !ok {
		_, f, err := loadFile(fsys, dir, first, 0, nil)
		if err != nil {
			return segmentFile{}, err
		}
		h = f.header
	}
	return segmentFile{first: first, start: h.start, prev: h.prev, bytes: size}, nil
}

// rotate ends the segment and begins a new one at the next record. The old one
// is durable before: only the newest file of a log can have a torn end.
func (l *Log) rotate() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.sync(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.Next()
	if err := l.begin(header{first: next, start: next, prev: l.mu.last}, nil); err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	l.counts.rotations.Add(1)
	return nil
}

// sync is Sync with the lock held.
func (l *Log) sync() error {
	l.mu.Lock()
	m := &l.mu
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return err
	}
	file, upTo, nothing := m.file, l.Next()-1, len(m.unsynced) == 0
	l.mu.Unlock()
	if nothing {
		return nil
	}
	err := file.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.counts.syncs.Add(1)
		l.settle(upTo)
		return nil
	}
	if again := l.replace(); again != nil {
		err = errors.Join(err, again)
		l.fail(err)
		return fmt.Errorf("sync log: %w", err)
	}
	return nil
}

// settle notes that all records up to upTo are durable; with mu held.
func (l *Log) settle(upTo LSN) {
	m := &l.mu
	done := 0
	for done < len(m.unsynced) && m.unsynced[done].last <= upTo {
		m.waiting -= int64(len(m.unsynced[done].records))
		l.give(m.unsynced[done].records)
		done++
	}
	left := copy(m.unsynced, m.unsynced[done:])
	clear(m.unsynced[left:])
	m.unsynced = m.unsynced[:left]
	l.synced.Store(max(l.synced.Load(), upTo))
}

// cut removes what a failed write left at the end of file, and returns the
// error to answer: cause when nothing is left, now or after a crash.
func (l *Log) cut(file disk.File, cause error) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	if m.file != file {
		return cause // a sync failed meanwhile, and the new file does not have it
	}
	if l.broken.Load() != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, cause)
	}
	if size, err := file.Size(); err == nil && size == m.pos {
		return cause // nothing arrived
	}
	l.counts.cuts.Add(1)
	err := file.Truncate(m.pos)
	if err == nil {
		// Without this a crash could bring back records that were refused.
		err = file.Sync()
	}
	if err == nil {
		l.settle(l.Next() - 1)
		return cause
	}
	if again := l.replace(); again != nil {
		l.fail(errors.Join(cause, err, again))
		return fmt.Errorf("%w: %w", ErrUncertain, errors.Join(cause, err, again))
	}
	return cause
}

// Resume makes a log that is read-only writable again, if the disk lets it: what
// was not synced is written into a new file, which is synced. It returns
// nil if the log is not read-only. It may be called from any goroutine, every
// few seconds.
func (l *Log) Resume() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return ErrClosed
	}
	if l.broken.Load() == nil {
		return nil
	}
	if err := l.resume(); err != nil {
		return fmt.Errorf("resume log: %w", err)
	}
	l.broken.Store(nil)
	l.synced.Store(l.Next() - 1)
	return nil
}

func (l *Log) resume() error {
	if err := l.fs.MkdirAll(l.dir); err != nil {
		return err
	}
	if l.mu.inherited {
		if err := l.rewriteInherited(); err != nil {
			return err
		}
		l.mu.inherited = false
		return nil
	}
	return l.replace()
}

// rewriteInherited writes the newest file of an earlier process again, since it
// could not be synced. What is damaged in it goes to quarantine before.
func (l *Log) rewriteInherited() error {
	newest := l.mu.files[len(l.mu.files)-1]
	data, f, err := loadFile(l.fs, l.dir, newest.first, 0, nil)
	if err != nil {
		return err
	}
	if len(f.damage) > 0 || f.tail() > 0 {
		if _, err := keep(l.fs, l.dir, newest.first, l.opt.Quarantine); err != nil {
			return err
		}
	}
	if err := l.begin(f.header, []group{{records: data}}); err != nil {
		return err
	}
	// The next Begin starts a segment: no encoder remembers this one.
	err = l.mu.file.Close()
	l.mu.file = nil
	return err
}

// replace gives the file up and goes on in a new one that has all records which
// are not durable; with both locks held. The records belong to the same segment.
func (l *Log) replace() error {
	m := &l.mu
	h := header{first: l.Next(), start: m.start, prev: m.last}
	if len(m.unsynced) > 0 {
		h.first = m.unsynced[0].first
		h.prev = h.first - 1
	}
	if m.file == nil {
		h.start = h.first
	}
	if n := len(m.files); n > 0 && m.files[n-1].first == h.first {
		h.prev = m.files[n-1].prev
	}
	if err := l.begin(h, m.unsynced); err != nil {
		return err
	}
	l.counts.replaced.Add(1)
	l.settle(l.Next() - 1)
	return nil
}

// begin goes on in a new durable file that has the given records; with both
// locks held. On an error the old file is still the one, unless the error came
// so late that the new file may exist: then the log is read-only, as a record
// written to the old file would be taken for one that the new file replaces.
func (l *Log) begin(h header, groups []group) error {
	name := l.path(h.first)
	part := strings.TrimSuffix(name, suffix) + temporary
	file, pos, err := l.create(part, h, groups)
	if err != nil {
		_ = l.fs.Remove(part)
		return err
	}
	if err = l.fs.Rename(part, name); err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		_ = file.Close()
		l.fail(err)
		return err
	}
	m := &l.mu
	if m.file != nil {
		_ = m.file.Close() // everything in it is durable, or stands in the new one
	}
	if n := len(m.files); n > 0 && m.files[n-1].first == h.first {
		l.bytes.Add(-m.files[n-1].bytes)
		m.files = m.files[:n-1]
	}
	m.files = append(m.files, segmentFile{first: h.first, start: h.start, prev: h.prev})
	m.file, m.first, m.start, m.pos = file, h.first, h.start, pos
	l.grow(pos)
	return nil
}

// create writes and syncs a file that has not got its name yet.
func (l *Log) create(name string, h header, groups []group) (disk.File, int64, error) {
	// One that is left from an attempt is not used again: its syncs may have failed.
	if err := l.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	file, err := l.fs.Create(name)
	if err != nil {
		return nil, 0, err
	}
	p := pager{first: h.first, pos: fileHeader}
	buf := h.appendTo(nil)
	for _, g := range groups {
		if buf = p.append(buf, g.records); len(buf) < 1<<20 {
			continue
		}
		if err = writeAll(file, buf); err != nil {
			break
		}
		buf = buf[:0]
	}
	if err == nil {
		err = writeAll(file, buf)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		_ = file.Close()
		return nil, 0, err
	}
	return file, p.pos, nil
}

// writeAll writes b with one write(2). That less was written is an error, even
// if nobody says so.
func writeAll(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		return io.ErrShortWrite
	}
	return err
}
