package archive_test

import (
	"errors"
	"math"
	"os"
	"runtime/metrics"
	"testing"

	"pulse/store/archive"
	"pulse/store/block"
	"pulse/store/disk"
	"pulse/store/disk/faulty"
)

// FuzzOpen reads any bytes as both kinds of file. Nothing may panic, read out
// of bounds or allocate more than a few times the input.
func FuzzOpen(f *testing.F) {
	sample, err := os.ReadFile("testdata/blocks-v1.arc")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add(sample[:len(sample)-1])
	f.Add(withVersion(sample, 9))
	fs := faulty.New(1)
	w, err := archive.Create(fs, "a", archive.Snapshot)
	if err != nil {
		f.Fatal(err)
	}
	for id := range uint32(5) {
		if err := w.Section(id, make([]byte, 10*id)); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		f.Fatal(err)
	}
	f.Add(fs.Content("a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read(t, b)
		read(t, sealed(b)) // the same with checksums that match
	})
}

const spare = 64 << 10 // what opening costs whatever the input

func read(t *testing.T, b []byte) {
	fs := faulty.New(1)
	fs.Put("a", b)
	least := uint64(math.MaxUint64)
	for range 3 { // others allocate, too
		before := allocated()
		readBlocks(t, fs)
		readSnapshot(t, fs)
		if least = min(least, allocated()-before); least <= uint64(spare+2*4*len(b)) {
			return // both read the file into memory, which mapping does not
		}
	}
	t.Errorf("%d bytes allocated for %d", least, len(b))
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func expected(t *testing.T, err error) {
	if err != nil && !errors.Is(err, archive.ErrCorrupt) && !errors.Is(err, archive.ErrVersion) {
		t.Errorf("error of another kind: %v", err)
	}
}

func readBlocks(t *testing.T, fs disk.FS) {
	f, err := archive.OpenBlocks(fs, "a")
	if err != nil {
		expected(t, err)
		return
	}
	defer f.Release()
	expected(t, f.Verify())
	var row [block.Size]float64
	var buf [8]byte
	for i := range archive.Parts {
		if err := f.Check(i); err != nil {
			expected(t, err)
			continue
		}
		p := f.Part(i)
		for _, word := range p.Words {
			if word != 0 {
				_, _ = block.Decode(row[:], archive.BlockAt(word, p.Data, &buf))
			}
		}
	}
}

func readSnapshot(t *testing.T, fs disk.FS) {
	f, err := archive.Open(fs, "a", archive.Snapshot)
	if err != nil {
		expected(t, err)
		return
	}
	defer f.Release()
	expected(t, f.Verify())
	for id := range uint32(100) {
		b, err := f.Section(id)
		expected(t, err)
		if err == nil && int64(len(b)) > f.Size() {
			t.Errorf("section of %d bytes in a file of %d", len(b), f.Size())
		}
	}
}
