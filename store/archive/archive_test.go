package archive_test

import (
	"bytes"
	"errors"
	"testing"

	"pulse/store/archive"
	"pulse/store/arena"
	"pulse/store/block"
	"pulse/store/disk"
)

func folder(t testing.TB) disk.FS {
	t.Helper()
	fs, err := disk.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// write makes a snapshot file of the given sections, numbered 1, 2, 3.
func write(t testing.TB, fs disk.FS, name string, sections ...[]byte) {
	t.Helper()
	w, err := archive.Create(fs, name, archive.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sections {
		if err := w.Section(uint32(i+1), s[:len(s)/2], s[len(s)/2:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	fs := folder(t)
	sections := [][]byte{nil, []byte("x"), bytes.Repeat([]byte("0123456789"), 100_000), []byte("end")}
	write(t, fs, "snapshot/1.snap", sections...)
	f, err := archive.Open(fs, "snapshot/1.snap", archive.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	for i, want := range sections {
		got, err := f.Section(uint32(i + 1))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("section %d = %d bytes, %v; want %d bytes", i+1, len(got), err, len(want))
		}
	}
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	if _, err := f.Section(9); !errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("a missing section gives %v", err)
	}
	if names, _ := fs.List("snapshot"); len(names) != 1 {
		t.Errorf("folder holds %v", names)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	fs := folder(t)
	w, err := archive.Create(fs, "a", archive.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	w.Begin(1)
	w.Write(make([]byte, 1<<20))
	w.Abort()
	if names, _ := fs.List("."); len(names) != 0 {
		t.Errorf("folder holds %v", names)
	}
}

// Every byte of a file is covered by a checksum: changing any is noticed, and
// none makes a section read other than as it was written.
func TestEveryByteCounts(t *testing.T) {
	fs := folder(t)
	sections := [][]byte{[]byte("first"), bytes.Repeat([]byte{7}, 100), []byte("last")}
	write(t, fs, "a", sections...)
	whole := content(t, fs, "a")
	for i := range whole {
		for _, flip := range []byte{1, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= flip
			put(t, fs, "b", b)
			noticed := false
			f, err := archive.Open(fs, "b", archive.Snapshot)
			if err == nil {
				for k, want := range sections {
					got, err := f.Section(uint32(k + 1))
					if err == nil && !bytes.Equal(got, want) {
						t.Errorf("byte %d changed: section %d reads %q", i, k+1, got)
					}
				}
				err = f.Verify()
				f.Release()
			}
			if noticed = errors.Is(err, archive.ErrCorrupt); !noticed {
				t.Errorf("byte %d changed by %#x: %v", i, flip, err)
			}
		}
	}
	for n := range whole {
		put(t, fs, "b", whole[:n])
		if _, err := archive.Open(fs, "b", archive.Snapshot); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func TestOtherKindsAndVersions(t *testing.T) {
	fs := folder(t)
	write(t, fs, "a", []byte("x"))
	if _, err := archive.OpenBlocks(fs, "a"); !errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("a snapshot opened as blocks: %v", err)
	}
	put(t, fs, "b", withVersion(content(t, fs, "a"), 2))
	if _, err := archive.Open(fs, "b", archive.Snapshot); !errors.Is(err, archive.ErrVersion) || errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("a later version: %v", err)
	}
}

func TestQuarantine(t *testing.T) {
	fs := folder(t)
	for range 3 {
		write(t, fs, "archive/10000/5-0.arc", []byte("x"))
		if _, err := archive.Quarantine(fs, "archive/10000/5-0.arc", "test"); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := fs.List("quarantine")
	want := []string{"archive_10000_5-0.arc", "archive_10000_5-0.arc.1", "archive_10000_5-0.arc.1.txt", "archive_10000_5-0.arc.2", "archive_10000_5-0.arc.2.txt", "archive_10000_5-0.arc.txt"}
	if len(names) != len(want) || names[0] != want[0] || names[1] != want[1] || names[3] != want[3] {
		t.Errorf("quarantine holds %v, want %v", names, want)
	}
	if names, _ := fs.List("archive/10000"); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	if got := content(t, fs, "quarantine/archive_10000_5-0.arc.1.txt"); string(got) != "archive/10000/5-0.arc: test\n" {
		t.Errorf("the reason reads %q", got)
	}
}

func content(t testing.TB, fs disk.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		t.Fatal(err)
	}
	return b
}

func put(t testing.TB, fs disk.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A part whose memory faults leaves nothing behind.
func TestFaultWhileWriting(t *testing.T) {
	fs := folder(t)
	var parts [archive.Parts]archive.Part
	row := make([]float64, block.Size)
	for i := range row {
		row[i] = float64(i) * 1.1
	}
	for range 500 {
		at := len(parts[0].Data)
		parts[0].Data = block.AppendTo(parts[0].Data, row, 1000)
		parts[0].Words, parts[0].Data = archive.AppendWord(parts[0].Words, parts[0].Data, at)
		parts[0].Blocks++
	}
	head := archive.Head{Step: 1000, Number: 1, Fields: 1}
	if _, err := archive.WriteBlocks(fs, "a.arc", head, &parts); err != nil {
		t.Fatal(err)
	}
	f, err := archive.OpenBlocks(fs, "a.arc")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	if err := f.Check(0); err != nil {
		t.Fatal(err)
	}
	w, err := fs.OpenWrite("a.arc")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	w.Close()
	parts[0] = f.Part(0)
	err = arena.Guard(func() error {
		_, err := archive.WriteBlocks(fs, "b.arc", head, &parts)
		return err
	})
	var fault *arena.FaultError
	if !errors.As(err, &fault) {
		t.Errorf("%v", err)
	}
	if names, _ := fs.List("."); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if err := f.Check(0); err != nil {
		t.Errorf("checked again: %v", err)
	}
	if err := f.Recheck(0); !errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("rechecked: %v", err)
	}
	if err := f.Check(0); !errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("after that: %v", err)
	}
}
