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

// TestKeptFolder opens data folders that were kept before snapshots changed, by their
// version: log, snapshot and archive files of every later version must still be read,
// and hold the same to the last bit.
func TestKeptFolder(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) { testKept(t, filepath.Join("testdata", version)) })
	}
}

// testKept opens the folder at kept, which has a data folder and what it holds.
func testKept(t *testing.T, kept string) {
	if _, err := os.Stat(kept); *keepFolder && os.IsNotExist(err) {
		keep(t, kept)
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
func keep(t *testing.T, kept string) {
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
	for i := range 60 { // old steps are packed when imports rest
		if err := r.publish(); err != nil {
			t.Fatal(err)
		}
		r.pass(1000)
		if i == 55 {
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
