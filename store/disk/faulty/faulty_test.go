package faulty_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pulse/store/disk"
	"pulse/store/disk/faulty"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, f *faulty.FS, name string) disk.File {
	t.Helper()
	h, err := f.Create(name)
	must(t, err)
	return h
}

func put(t *testing.T, h disk.File, text string) {
	t.Helper()
	if n, err := io.WriteString(h, text); n != len(text) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
}

// outcomes returns the contents that are found after many crashes, "-" where
// the file is absent.
func outcomes(t *testing.T, name string, prepare func(f *faulty.FS)) map[string]int {
	t.Helper()
	found := map[string]int{}
	for seed := range uint64(400) {
		f := faulty.New(seed)
		must(t, f.MkdirAll("d"))
		prepare(f)
		after := f.Crash(seed)
		if _, err := f.Create("d/late"); !errors.Is(err, faulty.ErrCrashed) {
			t.Fatalf("after the crash Create = %v", err)
		}
		names, err := after.List("d")
		must(t, err)
		if slices.Contains(names, name) {
			found[string(after.Content("d/"+name))]++
		} else {
			found["-"]++
		}
	}
	return found
}

func keys(m map[string]int) []string {
	var all []string
	for k := range m {
		if len(k) > 8 {
			k = k[:1] + k[len(k)-1:]
		}
		all = append(all, k)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestWhatACrashLeaves(t *testing.T) {
	a, b := strings.Repeat("a", 512), strings.Repeat("b", 512)
	cases := []struct {
		name    string
		prepare func(f *faulty.FS)
		want    []string
	}{
		{"nothing synced", func(f *faulty.FS) { put(t, create(t, f, "d/x"), "new") }, []string{"", "-", "\x00\x00\x00", "new"}},
		{"only the file synced", func(f *faulty.FS) {
			h := create(t, f, "d/x")
			put(t, h, "new")
			must(t, h.Sync())
		}, []string{"-", "new"}},
		{"only the folder synced", func(f *faulty.FS) {
			put(t, create(t, f, "d/x"), "new")
			must(t, f.SyncDir("d"))
		}, []string{"", "\x00\x00\x00", "new"}},
		{"both synced", func(f *faulty.FS) {
			h := create(t, f, "d/x")
			put(t, h, "new")
			must(t, h.Sync())
			must(t, f.SyncDir("d"))
		}, []string{"new"}},
		{"two sectors behind synced bytes", func(f *faulty.FS) {
			h := create(t, f, "d/x")
			put(t, h, strings.Repeat("s", 512))
			must(t, h.Sync())
			must(t, f.SyncDir("d"))
			put(t, h, a+b)
		}, []string{"s\x00", "sa", "sb", "ss"}},
		{"a rename", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			h := create(t, f, "d/y")
			put(t, h, "new")
			must(t, h.Sync())
			must(t, f.Rename("d/y", "d/x"))
		}, []string{"new", "old"}},
		{"a rename, synced", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			h := create(t, f, "d/y")
			put(t, h, "new")
			must(t, h.Sync())
			must(t, f.Rename("d/y", "d/x"))
			must(t, f.SyncDir("d"))
		}, []string{"new"}},
		{"a removal", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			must(t, f.Remove("d/x"))
		}, []string{"-", "old"}},
		{"a cut", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			h, err := f.OpenWrite("d/x")
			must(t, err)
			must(t, h.Truncate(1))
		}, []string{"o", "old"}},
		{"a sync after one that failed", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			h, err := f.OpenWrite("d/x")
			must(t, err)
			put(t, h, "+new")
			f.Inject(faulty.Fault{Op: faulty.OpSync, Err: syscall.EIO})
			if err := h.Sync(); !errors.Is(err, syscall.EIO) {
				t.Fatalf("Sync = %v", err)
			}
			must(t, h.Sync())
		}, []string{"old", "old+new", "old\x00\x00\x00\x00"}},
		{"a sync taken away", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			f.Skip(faulty.OpSync)
			h, err := f.OpenWrite("d/x")
			must(t, err)
			put(t, h, "+new")
			must(t, h.Sync())
			if f.Skipped() != 1 {
				t.Errorf("%d skipped", f.Skipped())
			}
		}, []string{"old", "old+new", "old\x00\x00\x00\x00"}},
		{"a sync taken from somebody else", func(f *faulty.FS) {
			f.Put("d/x", []byte("old"))
			f.Skip(faulty.OpSync, "(*Log).Sync")
			h, err := f.OpenWrite("d/x")
			must(t, err)
			put(t, h, "+new")
			must(t, h.Sync())
		}, []string{"old+new"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			slices.Sort(c.want)
			if got := keys(outcomes(t, "x", c.prepare)); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestKillKeepsAll(t *testing.T) {
	f := faulty.New(1)
	must(t, f.MkdirAll("d"))
	_, err := f.Lock("lock", "pid 1")
	must(t, err)
	put(t, create(t, f, "d/x"), "new")
	after := f.Kill(2)
	if got := string(after.Content("d/x")); got != "new" {
		t.Errorf("after a kill %q", got)
	}
	if _, err := after.Lock("lock", "pid 2"); err != nil {
		t.Errorf("the lock of the dead: %v", err)
	}
	gone := 0
	for seed := range uint64(50) {
		if again := after.Kill(0).Crash(seed); len(again.Content("d/x")) == 0 {
			gone++
		}
	}
	if gone == 0 {
		t.Error("a kill made something durable")
	}
}

func TestFaults(t *testing.T) {
	f := faulty.New(1)
	must(t, f.MkdirAll("d"))
	h := create(t, f, "d/x")
	f.Inject(faulty.Fault{Op: faulty.OpWrite, Name: "x", After: 1, Times: 2, Err: syscall.EIO})
	put(t, h, "one")
	for range 2 {
		if _, err := h.Write([]byte("two")); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Write = %v", err)
		}
	}
	put(t, h, "three")
	f.Heal()
	f.Inject(faulty.Fault{Op: faulty.OpWrite})
	if n, err := h.Write(make([]byte, 1<<20)); n == 1<<20 || err != nil {
		t.Fatalf("a short write = %d, %v", n, err)
	}
	must(t, h.Truncate(0))
	f.SetSpace(5)
	n, err := h.Write([]byte("seven b"))
	if n != 5 || !disk.IsFull(err) {
		t.Fatalf("on a full disk Write = %d, %v", n, err)
	}
	if free, total, _ := f.Free(); free != 0 || total != 5 {
		t.Errorf("Free = %d of %d", free, total)
	}
	f.Inject(faulty.Fault{Op: faulty.OpRead})
	b := make([]byte, 5)
	_, err = h.ReadAt(b, 0)
	must(t, err)
	if bytes.Equal(b, []byte("seven")) {
		t.Error("no bit flipped")
	}
	f.Flip("d/x", 8)
	if got := string(f.Content("d/x")); got != "sdven" {
		t.Errorf("after Flip %q", got)
	}
	f.CrashAt(f.Ops())
	if err := h.Sync(); !errors.Is(err, faulty.ErrCrashed) {
		t.Errorf("at the crash Sync = %v", err)
	}
}
