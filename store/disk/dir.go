package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// dir is a folder of the operating system. All paths go through an os.Root, so
// that neither a name nor a symbolic link leads out of it.
type dir struct {
	root *os.Root
	path string
}

// Dir returns the folder at path, which is made, with mode 0700 and durably, if
// it does not exist.
func Dir(path string) (FS, error) {
	if err := makeFolder(path); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	return &dir{root: root, path: path}, nil
}

func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeFolder(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(above)
	if errors.Is(err, fs.ErrPermission) {
		return nil // one may make a folder where one may not look
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *dir) Create(name string) (File, error) {
	return d.open(name, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_TRUNC)
}

func (d *dir) Open(name string) (File, error) { return d.open(name, os.O_RDONLY) }

func (d *dir) OpenWrite(name string) (File, error) { return d.open(name, os.O_RDWR|os.O_APPEND) }

func (d *dir) open(name string, flag int) (File, error) {
	if err := check("open", name); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

func (d *dir) Rename(old, new string) error {
	if err := check("rename", old); err != nil {
		return err
	}
	if err := check("rename", new); err != nil {
		return err
	}
	return d.root.Rename(old, new)
}

func (d *dir) Remove(name string) error {
	if err := check("remove", name); err != nil {
		return err
	}
	return d.root.Remove(name)
}

// MkdirAll goes down from the data folder, since each folder's entry has to be
// made durable in the one above; also one that exists, as who made it may have
// lost its power before that.
func (d *dir) MkdirAll(name string) error {
	if err := check("mkdir", name); err != nil {
		return err
	}
	above := "."
	for part := range strings.SplitSeq(name, "/") {
		next := path.Join(above, part)
		if err := d.root.Mkdir(next, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := d.SyncDir(above); err != nil {
			return err
		}
		above = next
	}
	return nil
}

func (d *dir) List(name string) ([]string, error) {
	if err := check("list", name); err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (d *dir) Size(name string) (int64, error) {
	if err := check("stat", name); err != nil {
		return 0, err
	}
	info, err := d.root.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d *dir) SyncDir(name string) error {
	if err := check("sync", name); err != nil {
		return err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *dir) Lock(name, text string) (io.Closer, error) {
	if err := check("lock", name); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		held, _ := io.ReadAll(io.LimitReader(f, 256))
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Name: path.Join(d.path, name), Holder: strings.TrimSpace(string(held))}
		}
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	// The text is for people; a disk too full to hold it is no reason not to start.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(text), 0)
	}
	return f, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

func (d *dir) Free() (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.path, &s); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: d.path, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
}

// check refuses names that are not plain relative paths.
func check(op, name string) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return nil
}

// file is an open file of the operating system.
type file struct{ *os.File }

func (f file) Sync() error { return datasync(f.File) }

func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f file) OS() *os.File { return f.File }
