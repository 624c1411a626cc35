package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"sync/atomic"

	"pulse/store/disk"
	"pulse/store/wal"
)

// Names in the data folder.
const (
	lockName    = "lock"
	metaName    = "meta.json"
	logDir      = "wal"
	snapshotDir = "snapshot"
)

// folder is a store's use of its data folder.
type folder struct {
	Durable
	lock      io.Closer
	hooks     SnapshotHooks
	log       *wal.Log
	journal   *journal    // nil: mode None, or not ready
	replaying atomic.Bool // or about to be
	ready     atomic.Bool
	closed    atomic.Bool
	recovery  Recovery

	snapshots snapshots
}

// format is the version of the data folder as a whole; its files have versions
// of their own. A folder of an earlier one is continued, and has the present one
// from then on, so that a server that cannot read what is written refuses it.
//
//	1  blocks of version 1
//	2  blocks of version 2, too
const format = 2

// meta is what meta.json says.
type meta struct {
	Format int   `json:"format"`
	Step   int64 `json:"step"` // ms

	Dropped dropped `json:"dropped,omitempty"`
}

func writeMeta(f disk.FS, m meta) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return writeFile(f, metaName, append(text, '\n'))
}

// Open returns the store that lives in a data folder, which it makes if need
// be and holds until Close. The store is empty until Replay has brought back
// what the folder has; before that it takes and answers nothing of its own.
//
// A folder that another process holds gives an error that names it. One of a
// later format or another primary step is refused and left as it is.
func Open(o Options, d Durable) (*Store, error) {
	d = d.withDefaults()
	if d.FS == nil || d.Clock == nil {
		return nil, errors.New("store: a data folder and a clock are needed")
	}
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	lock, err := d.FS.Lock(lockName, fmt.Sprintf("process %d", os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	if err := s.attach(d, lock); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

// attach makes the folder the store's.
func (s *Store) attach(d Durable, lock io.Closer) error {
	if err := checkMeta(d.FS, s.options.Step); err != nil {
		return err
	}
	f := &folder{Durable: d, lock: lock}
	names, err := listSnapshots(d.FS)
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	if err := s.archives.attach(s, d.FS, d.Log, d.DiskBytes); err != nil {
		return err
	}
	// Numbers of records that something has taken are not given out again, even if
	// the log has lost them.
	after := s.archives.applied()
	if n := len(names); n > 0 {
		after = max(after, names[n-1])
	}
	f.log, err = wal.Open(d.FS, logDir, wal.Options{
		SegmentBytes: 1 << 30, // the journal says when a segment is full
		After:        after,
	})
	if err != nil {
		return err
	}
	f.replaying.Store(true)
	s.freeze()
	s.folder = f
	return nil
}

// checkMeta refuses a folder that this store cannot continue, and marks a new
// one and one of an earlier format. A disk that is full leaves it as it is:
// nothing else can be written to it either.
func checkMeta(f disk.FS, step int64) error {
	text, err := readFile(f, metaName)
	if errors.Is(err, fs.ErrNotExist) {
		if err := writeMeta(f, meta{Format: format, Step: step}); err != nil && !disk.IsFull(err) {
			return fmt.Errorf("mark data folder: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", metaName, err)
	}
	var m meta
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("read %s: %w", metaName, err)
	}
	switch {
	case m.Format > format:
		return fmt.Errorf("the data folder has format %d, written by a later version; this one knows format %d", m.Format, format)
	case m.Format < 1:
		return fmt.Errorf("%s has format %d, which no version wrote", metaName, m.Format)
	case m.Step != step:
		return fmt.Errorf("the data folder was made with a primary step of %d ms and cannot be opened with %d ms; give it a folder of its own", m.Step, step)
	case m.Format < format:
		m.Format = format
		if err := writeMeta(f, m); err != nil && !disk.IsFull(err) {
			return fmt.Errorf("mark data folder: %w", err)
		}
	}
	return nil
}

const maxMetaBytes = 64 << 10

func readFile(f disk.FS, name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxMetaBytes))
}

// writeFile makes a file appear whole or not at all.
func writeFile(f disk.FS, name string, text []byte) error {
	temporary := name + ".tmp"
	file, err := f.Create(temporary)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err2 := file.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = f.Rename(temporary, name)
	}
	if err != nil {
		_ = f.Remove(temporary)
		return err
	}
	return f.SyncDir(".")
}

// OnSnapshot sets what takes part in snapshots. It is called before Replay.
func (s *Store) OnSnapshot(h SnapshotHooks) { s.folder.hooks = h }

// Close ends the use of the data folder: what was committed before is made
// durable, what comes later is refused. Values can be read on.
func (s *Store) Close() error {
	s.cache.close()
	f := s.folder
	if f == nil || f.closed.Swap(true) {
		return nil
	}
	var err error
	if f.ready.Load() {
		err = s.detach()
	} else {
		err = f.log.Close()
	}
	return errors.Join(err, f.lock.Close())
}

// Health says whether the store answers in full and takes data.
func (s *Store) Health() Health {
	f := s.folder
	if f == nil {
		return Health{Ready: true}
	}
	h := Health{Ready: f.ready.Load()}
	if !h.Ready {
		return h
	}
	err := f.snapshots.failing.get()
	if f.journal != nil {
		if refused := f.journal.health(); refused != nil {
			h.Refusing, err = true, refused
		}
	}
	if err != nil {
		h.Degraded, h.Reason = true, err.Error()
	}
	return h
}
