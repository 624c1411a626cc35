package store_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulse/store/disk"
)

var keepFolder = flag.Bool("keep-folder", false, "write the folder of the present format into testdata, if it is not there")

// kept is where a data folder of format 1 is, and what it holds.
const kept = "testdata/v1"

// TestKeptFolder opens a data folder that was kept when format 1 was made: log,
// snapshot and archive files of every later version must still be read, and hold
// the same to the last bit.
func TestKeptFolder(t *testing.T) {
	if _, err := os.Stat(kept); *keepFolder && os.IsNotExist(err) {
		keep(t)
	}
	text, err := os.ReadFile(filepath.Join(kept, "holds.txt"))
	if err != nil {
		t.Fatal(err)
	}
	head, want, _ := strings.Cut(string(text), "\n")
	var now int64
	if _, err := fmt.Sscanf(head, "at %d", &now); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(kept, "data"))); err != nil {
		t.Fatal(err)
	}
	files, err := disk.Dir(copied)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, files, 1)
	r.now = now
	r.clk.Set(time.UnixMilli(now))
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	defer r.s.Close()
	if got := r.dump(r.s); got != want {
		t.Error(firstDifference(got, want))
	}
	if f := r.lastGot; f.Snapshot == 0 || f.Points == 0 || f.Damaged+f.Places > 0 {
		t.Errorf("a folder with a snapshot and a log behind it: %+v", f)
	}
	if r.s.Stats().Archive.Files == 0 {
		t.Error("there is no archive file in it")
	}
}

// keep makes the folder.
func keep(t *testing.T) {
	t.Helper()
	files, err := disk.Dir(filepath.Join(kept, "data"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, files, 7)
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	for i := range 160 {
		if err := r.step(); err != nil {
			t.Fatal(err)
		}
		if i == 140 {
			if err := r.s.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := fmt.Sprintf("at %d\n%s", r.now, r.dump(r.s))
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "holds.txt"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
