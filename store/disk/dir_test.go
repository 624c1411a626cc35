package disk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"pulse/store/disk"
)

func folder(t *testing.T) (disk.FS, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new", "data")
	fsys, err := disk.Dir(path)
	if err != nil {
		t.Fatal(err)
	}
	return fsys, path
}

func TestFileLife(t *testing.T) {
	fsys, path := folder(t)
	if names, err := fsys.List("wal"); len(names) != 0 || err != nil {
		t.Fatalf("List of no folder = %v, %v", names, err)
	}
	must(t, fsys.MkdirAll("wal/deep"))
	must(t, fsys.MkdirAll("wal/deep"))
	f, err := fsys.Create("wal/a.tmp")
	must(t, err)
	write(t, f, "hello ")
	write(t, f, "world")
	must(t, f.Truncate(8))
	write(t, f, "!") // appends at the end, wherever that is now
	must(t, f.Sync())
	if n, err := f.Size(); n != 9 || err != nil {
		t.Errorf("Size = %d, %v", n, err)
	}
	if f.OS() == nil {
		t.Error("a file of the real folder has no OS file")
	}
	must(t, f.Close())
	must(t, fsys.Rename("wal/a.tmp", "wal/a"))
	must(t, fsys.SyncDir("wal"))
	if got := read(t, fsys, "wal/a"); got != "hello wo!" {
		t.Errorf("content %q", got)
	}
	if names, _ := fsys.List("wal"); !slices.Equal(names, []string{"a", "deep"}) {
		t.Errorf("List = %v", names)
	}
	f, err = fsys.OpenWrite("wal/a")
	must(t, err)
	write(t, f, "?")
	buf := make([]byte, 3)
	if _, err := f.ReadAt(buf, 7); err != nil || string(buf) != "o!?" {
		t.Errorf("ReadAt = %q, %v", buf, err)
	}
	must(t, f.Close())
	for name, mode := range map[string]fs.FileMode{".": 0o700, "wal": 0o700, "wal/deep": 0o700, "wal/a": 0o600} {
		info, err := os.Stat(filepath.Join(path, name))
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), mode)
		}
	}
	must(t, fsys.Remove("wal/a"))
	for _, err := range []error{second(fsys.Open("wal/a")), second(fsys.OpenWrite("wal/a")), second(fsys.Size("wal/a")), fsys.Remove("wal/a")} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an absent file gives %v", err)
		}
	}
	if free, total, err := fsys.Free(); err != nil || free <= 0 || total < free {
		t.Errorf("Free = %d of %d, %v", free, total, err)
	}
}

func TestNamesStayInside(t *testing.T) {
	fsys, path := folder(t)
	must(t, os.WriteFile(filepath.Join(filepath.Dir(path), "secret"), []byte("x"), 0o600))
	must(t, os.Symlink("..", filepath.Join(path, "out")))
	for _, name := range []string{"", "/etc/passwd", "../secret", "a/../../secret", "a//b", "./a", "a/", "out/secret"} {
		for op, err := range map[string]error{
			"Create": second(fsys.Create(name)), "Open": second(fsys.Open(name)), "OpenWrite": second(fsys.OpenWrite(name)),
			"Rename to": fsys.Rename("out", name), "Rename": fsys.Rename(name, "b"), "Remove": fsys.Remove(name),
			"Size": second(fsys.Size(name)), "Lock": second(fsys.Lock(name, "")), "SyncDir": fsys.SyncDir(name),
		} {
			if err == nil {
				t.Errorf("%s(%q) is let through", op, name)
			}
		}
		if names, err := fsys.List(name); err == nil && len(names) > 0 {
			t.Errorf("List(%q) = %v", name, names)
		}
	}
	if err := fsys.MkdirAll("../x"); err == nil {
		t.Error("MkdirAll(../x) is let through")
	}
}

func TestLockNamesTheHolder(t *testing.T) {
	fsys, path := folder(t)
	lock, err := fsys.Lock("lock", "pid 4711")
	must(t, err)
	again, err := disk.Dir(path)
	must(t, err)
	_, err = again.Lock("lock", "pid 4712")
	var locked *disk.LockedError
	if !errors.As(err, &locked) || locked.Holder != "pid 4711" {
		t.Fatalf("the second Lock gives %v", err)
	}
	if got := read(t, fsys, "lock"); got != "pid 4711" {
		t.Errorf("the lock file says %q", got)
	}
	must(t, lock.Close())
	lock, err = again.Lock("lock", "pid 9")
	must(t, err)
	if got := read(t, fsys, "lock"); got != "pid 9" {
		t.Errorf("the lock file says %q", got)
	}
	must(t, lock.Close())
}

func TestIsFull(t *testing.T) {
	for err, want := range map[error]bool{
		&fs.PathError{Err: syscall.ENOSPC}:        true,
		fmt.Errorf("write: %w", syscall.EDQUOT):   true,
		syscall.EIO:                               false,
		fmt.Errorf("write: %w", os.ErrPermission): false,
		errors.Join(syscall.EIO, syscall.ENOSPC):  true,
	} {
		if disk.IsFull(err) != want {
			t.Errorf("IsFull(%v) = %v", err, !want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func write(t *testing.T, f disk.File, text string) {
	t.Helper()
	if n, err := io.WriteString(f, text); n != len(text) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", text, n, err)
	}
}

func read(t *testing.T, fsys disk.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name)
	must(t, err)
	defer f.Close()
	content, err := io.ReadAll(f)
	must(t, err)
	return string(content)
}
