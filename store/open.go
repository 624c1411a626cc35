package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"pulse/store/disk"
)

// Names in the data folder.
const (
	lockName    = "lock"
	metaName    = "meta.json"
	logDir      = "wal"
	snapshotDir = "snapshot"
)

// format is the version of the data folder as a whole; its files have versions
// of their own.
const format = 1

// meta is what meta.json says.
type meta struct {
	Format int   `json:"format"`
	Step   int64 `json:"step"` // ms
}

// Open returns the store that lives in a data folder, which it makes if need
// be and holds until Close. The store is empty until Replay has brought back
// what the folder has; before that it takes and answers nothing of its own.
//
// A folder that another process holds gives an error that names it. One of
// another format or primary step is refused and left as it is.
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

func (s *Store) attach(d Durable, lock io.Closer) error {
	if err := checkMeta(d.FS, s.options.Step); err != nil {
		return err
	}
	if d.Mode != None {
		return fmt.Errorf("store: durability %v is not available", d.Mode)
	}
	s.folder = &folder{Durable: d, lock: lock}
	return nil
}

// checkMeta refuses a folder that this store cannot continue, and marks a new
// one. A disk that is full leaves a new folder unmarked: nothing else can be
// written to it either.
func checkMeta(f disk.FS, step int64) error {
	text, err := readFile(f, metaName)
	if errors.Is(err, fs.ErrNotExist) {
		text, _ = json.Marshal(meta{Format: format, Step: step})
		if err := writeFile(f, metaName, append(text, '\n')); err != nil && !disk.IsFull(err) {
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

// Recovery is what Replay found.
type Recovery struct {
	Snapshot  uint64 // where the log was taken up; 0: from its beginning
	Snapshots int    // damaged ones that were passed over
	Records   int64
	Points    int64
	Skipped   int64 // places of the log that were damaged
	LostBytes int64 // in them
	CutBytes  int64 // at the end of the log, of a record that was never acknowledged
}

// Replay brings back what the data folder has and makes the store ready. It is
// called once, after Open and OnSnapshot and before anything else. When ctx
// ends it stops with ctx.Err(), and the store can only be closed.
func (s *Store) Replay(ctx context.Context, hooks Hooks) (Recovery, error) {
	if err := ctx.Err(); err != nil {
		return Recovery{}, err
	}
	s.folder.ready.Store(true)
	return Recovery{}, nil
}

// OnSnapshot sets what takes part in snapshots. It is called before Replay.
func (s *Store) OnSnapshot(h SnapshotHooks) { s.folder.hooks = h }

// Close ends the use of the data folder.
func (s *Store) Close() error {
	if s.folder == nil {
		return nil
	}
	s.folder.ready.Store(false)
	return s.folder.lock.Close()
}

// Health says whether the store answers in full and takes data.
func (s *Store) Health() Health {
	return Health{Ready: s.folder == nil || s.folder.ready.Load()}
}
