// Package faulty is a file system in memory that keeps no more than it promised:
// for tests of what survives a power cut, a full disk and a failing one.
//
// Crash gives the folder as a machine finds it after a power cut: everything
// synced is there; what was not may be there, or not, or in part, sector by
// sector in any order, and so may entries of folders. Kill gives it as a process
// finds it that was killed: all of it is there. Faults, a limit of space and
// flipped bits are injected; an operation may be counted to, and a sync may be
// taken away to see whether a test notices.
package faulty

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"pulse/store/disk"
)

// ErrCrashed is what every operation answers once the power is off.
var ErrCrashed = errors.New("the power is off")

// Op is a kind of operation.
type Op uint8

// The operations. Those from OpWrite on change something and are counted.
const (
	OpAny Op = iota // in a Fault: any that is counted
	OpOpen
	OpRead
	OpList
	OpSize
	OpLock
	OpWrite
	OpSync
	OpTruncate
	OpCreate
	OpRename
	OpRemove
	OpMkdir
	OpSyncDir
)

func (o Op) String() string {
	return [...]string{"any", "open", "read", "list", "size", "lock", "write", "sync", "truncate", "create", "rename", "remove", "mkdir", "syncdir"}[o]
}

// FS is such a file system; it is a disk.FS, safe for concurrent use.
type FS struct {
	mu      sync.Mutex
	rng     *rand.Rand
	live    map[string]*node // files as the process sees them
	durable map[string]*node // as they would be found if nothing else were kept
	changes []entryChange    // of entries, not durable
	dirs    map[string]bool
	locks   map[string]bool

	ops     int // counted so far
	crashAt int
	off     bool
	space   int64
	faults  []*Fault
	skips   []skip
	delays  []skip
	skipped int
	pending []*node // whose sync is delayed
	trace   func(op Op, name string)
}

var _ disk.FS = (*FS)(nil)

// New returns an empty folder; seed decides all that is left to chance.
func New(seed uint64) *FS {
	return &FS{
		rng: rand.New(rand.NewPCG(seed, 0)), live: map[string]*node{}, durable: map[string]*node{},
		dirs: map[string]bool{".": true}, locks: map[string]bool{}, crashAt: math.MaxInt, space: math.MaxInt64,
	}
}

// entryChange is a change of a folder's entries: node gets the name new, if
// any, and loses the name old, if any.
type entryChange struct {
	old, new string
	node     *node
}

// Ops returns how many operations that change something were called.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Create implements disk.FS.
func (f *FS) Create(name string) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err, had := f.begin(OpCreate, name)
	if err != nil && !had {
		return nil, pathError("create", name, err)
	}
	if !f.dirs[path.Dir(name)] {
		return nil, pathError("create", name, fs.ErrNotExist)
	}
	n := f.live[name]
	if n == nil {
		n = &node{}
		f.live[name] = n
		f.changes = append(f.changes, entryChange{new: name, node: n})
	} else {
		n.truncate(0)
	}
	if err != nil {
		return nil, pathError("create", name, err)
	}
	return &file{fs: f, node: n, name: name, writable: true}, nil
}

// Open implements disk.FS.
func (f *FS) Open(name string) (disk.File, error) { return f.open(name, false) }

// OpenWrite implements disk.FS.
func (f *FS) OpenWrite(name string) (disk.File, error) { return f.open(name, true) }

func (f *FS) open(name string, writable bool) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, _ := f.begin(OpOpen, name); err != nil {
		return nil, pathError("open", name, err)
	}
	n := f.live[name]
	if n == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return &file{fs: f, node: n, name: name, writable: writable}, nil
}

// Rename implements disk.FS.
func (f *FS) Rename(old, new string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err, had := f.begin(OpRename, new)
	if err != nil && !had {
		return pathError("rename", new, err)
	}
	n := f.live[old]
	if n == nil || !f.dirs[path.Dir(new)] {
		return pathError("rename", old, fs.ErrNotExist)
	}
	delete(f.live, old)
	f.live[new] = n
	f.changes = append(f.changes, entryChange{old: old, new: new, node: n})
	return pathError("rename", new, err)
}

// Remove implements disk.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err, had := f.begin(OpRemove, name)
	if err != nil && !had {
		return pathError("remove", name, err)
	}
	n := f.live[name]
	if n == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	delete(f.live, name)
	f.changes = append(f.changes, entryChange{old: name, node: n})
	return pathError("remove", name, err)
}

// MkdirAll implements disk.FS.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !fs.ValidPath(dir) {
		return pathError("mkdir", dir, fs.ErrInvalid)
	}
	if f.dirs[dir] && !f.off {
		return nil
	}
	if err, _ := f.begin(OpMkdir, dir); err != nil {
		return pathError("mkdir", dir, err)
	}
	for ; dir != "."; dir = path.Dir(dir) {
		f.dirs[dir] = true
	}
	return nil
}

// List implements disk.FS.
func (f *FS) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, _ := f.begin(OpList, dir); err != nil {
		return nil, pathError("list", dir, err)
	}
	var names []string
	for name := range f.live {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	for name := range f.dirs {
		if name != "." && path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Size implements disk.FS.
func (f *FS) Size(name string) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, _ := f.begin(OpSize, name); err != nil {
		return 0, pathError("stat", name, err)
	}
	n := f.live[name]
	if n == nil {
		return 0, pathError("stat", name, fs.ErrNotExist)
	}
	return int64(len(n.data)), nil
}

// SyncDir implements disk.FS.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, _ := f.begin(OpSyncDir, dir); err != nil {
		return pathError("sync", dir, err)
	}
	if !f.dirs[dir] {
		return pathError("sync", dir, fs.ErrNotExist)
	}
	if f.skip(OpSyncDir) {
		return nil
	}
	left := f.changes[:0]
	for _, c := range f.changes {
		if c.old != "" && path.Dir(c.old) == dir || c.new != "" && path.Dir(c.new) == dir {
			c.apply(f.durable)
		} else {
			left = append(left, c)
		}
	}
	f.changes = left
	f.syncPending()
	return nil
}

func (c entryChange) apply(entries map[string]*node) {
	if c.old != "" && entries[c.old] == c.node {
		delete(entries, c.old)
	}
	if c.new != "" {
		entries[c.new] = c.node
	}
}

// Lock implements disk.FS. A lock ends with the process: neither Crash nor Kill
// gives it on.
func (f *FS) Lock(name, text string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, _ := f.begin(OpLock, name); err != nil {
		return nil, pathError("lock", name, err)
	}
	if f.locks[name] {
		return nil, &disk.LockedError{Name: name, Holder: strings.TrimSpace(string(f.live[name].data))}
	}
	f.locks[name] = true
	n := f.live[name]
	if n == nil {
		n = &node{}
		f.live[name] = n
		f.changes = append(f.changes, entryChange{new: name, node: n})
	}
	n.truncate(0)
	n.write([]byte(text))
	return unlock{f, name}, nil
}

type unlock struct {
	fs   *FS
	name string
}

func (u unlock) Close() error {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	delete(u.fs.locks, u.name)
	return nil
}

// Free implements disk.FS.
func (f *FS) Free() (free, total int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off {
		return 0, 0, ErrCrashed
	}
	if f.space == math.MaxInt64 {
		return 1 << 40, 1 << 41, nil
	}
	return max(0, f.space-f.used()), f.space, nil
}

func (f *FS) used() int64 {
	sum := int64(0)
	for _, n := range f.live {
		sum += int64(len(n.data))
	}
	return sum
}

// file is an open file.
type file struct {
	fs       *FS
	node     *node
	name     string
	pos      int64
	writable bool
	closed   bool
}

func (h *file) Write(b []byte) (int, error) {
	f := h.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.closed || !h.writable {
		return 0, pathError("write", h.name, fs.ErrClosed)
	}
	err, had := f.begin(OpWrite, h.name)
	n := len(b)
	switch {
	case f.off && !had:
		return 0, err
	case err != nil && !f.off:
		n = f.rng.IntN(len(b) + 1) // what arrived before the error
	}
	if room := f.space - f.used(); int64(n) > room {
		n = int(max(0, room))
		if err == nil {
			err = syscall.ENOSPC
		}
	}
	h.node.write(b[:n])
	if err == errShort {
		return n, nil
	}
	return n, pathError("write", h.name, err)
}

func (h *file) Sync() error {
	f := h.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.closed {
		return pathError("sync", h.name, fs.ErrClosed)
	}
	err, _ := f.begin(OpSync, h.name)
	switch {
	case err != nil && !f.off:
		h.node.lose()
	case err != nil || f.skip(OpSync):
	case f.late(OpSync):
		f.pending = append(f.pending, h.node)
	default:
		h.node.sync()
	}
	return pathError("sync", h.name, err)
}

func (h *file) Truncate(n int64) error {
	f := h.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.closed || !h.writable {
		return pathError("truncate", h.name, fs.ErrClosed)
	}
	err, had := f.begin(OpTruncate, h.name)
	if err == nil || had {
		h.node.truncate(n)
	}
	return pathError("truncate", h.name, err)
}

func (h *file) Size() (int64, error) {
	f := h.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, _ := f.begin(OpSize, h.name); err != nil {
		return 0, pathError("stat", h.name, err)
	}
	return int64(len(h.node.data)), nil
}

func (h *file) Read(b []byte) (int, error) {
	n, err := h.ReadAt(b, h.pos)
	h.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (h *file) ReadAt(b []byte, off int64) (int, error) {
	f := h.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.closed {
		return 0, pathError("read", h.name, fs.ErrClosed)
	}
	err, _ := f.begin(OpRead, h.name)
	if err != nil && err != errFlip {
		return 0, pathError("read", h.name, err)
	}
	if off >= int64(len(h.node.data)) {
		if len(b) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(b, h.node.data[off:])
	if err == errFlip && n > 0 {
		b[f.rng.IntN(n)] ^= 1 << f.rng.IntN(8)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *file) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return pathError("close", h.name, fs.ErrClosed)
	}
	h.closed = true
	return nil
}

func (h *file) OS() *os.File { return nil }

// Content returns a file's bytes as the process sees them.
func (f *FS) Content(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.live[name]; n != nil {
		return bytes.Clone(n.data)
	}
	return nil
}

func pathError(op, name string, err error) error {
	if err == nil || err == ErrCrashed {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
