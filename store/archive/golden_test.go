package archive_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pulse/store/archive"
	"pulse/store/block"
	"pulse/store/disk"
)

var rewrite = flag.Bool("rewrite", false, "write the files in testdata that are missing")

// sampleParts is two partitions: one with a block beside the words and two
// inside, and one with nothing but a constant.
func sampleParts() (parts [archive.Parts]archive.Part) {
	row := make([]float64, block.Size)
	add := func(p *archive.Part, f func(i int) float64) {
		for i := range row {
			row[i] = f(i)
		}
		at := len(p.Data)
		p.Data = block.AppendTo(p.Data, row, 10_000)
		p.Words, p.Data = archive.AppendWord(p.Words, p.Data, at)
		p.Blocks++
	}
	one := &parts[3]
	one.Applied = 77
	add(one, func(i int) float64 { return float64(i * i) })
	one.Words = append(one.Words, 0)
	add(one, func(int) float64 { return 0 })
	add(one, func(i int) float64 { return float64(i%2) / 10 })
	parts[63].Applied = 80
	add(&parts[63], func(int) float64 { return 1.5 })
	return parts
}

var sampleHead = archive.Head{Step: 10_000, Number: 1234, Epoch: 2, Fields: 1, Through: 1235 * 120 * 10_000}

// TestKeptSamples reads the files that earlier versions wrote, which are kept
// for ever, and checks that this version writes the newest of them byte by
// byte.
func TestKeptSamples(t *testing.T) {
	fs, err := disk.Dir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	parts := sampleParts()
	const newest = "blocks-v1-2.arc"
	if *rewrite {
		if _, err := os.Stat(filepath.Join("testdata", newest)); errors.Is(err, os.ErrNotExist) {
			if _, err := archive.WriteBlocks(fs, newest, sampleHead, &parts); err != nil {
				t.Fatal(err)
			}
		}
	}
	own := folder(t)
	size, err := archive.WriteBlocks(own, "a", sampleHead, &parts)
	if err != nil {
		t.Fatal(err)
	}
	now := content(t, own, "a")
	if kept := content(t, fs, newest); !bytes.Equal(now, kept) || size != int64(len(now)) {
		t.Errorf("%d bytes are written other than the %d kept: a new version needs a new sample", len(now), len(kept))
	}
	for _, name := range []string{"blocks-v1.arc", newest} {
		f, err := archive.OpenBlocks(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Head != sampleHead {
			t.Errorf("%s: head %+v", name, f.Head)
		}
		for i := range parts {
			if err := f.Check(i); err != nil {
				t.Error(err)
			}
			compareParts(t, f.Part(i), parts[i])
		}
		if err := f.Verify(); err != nil {
			t.Error(err)
		}
		f.Release()
	}
}

// compareParts checks that two parts have the same values.
func compareParts(t *testing.T, got, want archive.Part) {
	t.Helper()
	if got.Applied != want.Applied || got.Blocks != want.Blocks || len(got.Words) != len(want.Words) {
		t.Fatalf("part of %d blocks up to record %d, want %d and %d", got.Blocks, got.Applied, want.Blocks, want.Applied)
	}
	var a, b [block.Size]float64
	var buf [8]byte
	for i, word := range want.Words {
		if word == 0 {
			if got.Words[i] != 0 {
				t.Errorf("word %d is %x, want none", i, got.Words[i])
			}
			continue
		}
		if _, err := block.Decode(b[:], archive.BlockAt(word, want.Data, &buf)); err != nil {
			t.Fatal(err)
		}
		if _, err := block.Decode(a[:], archive.BlockAt(got.Words[i], got.Data, &buf)); err != nil || a != b {
			t.Errorf("block %d reads %v, %v; want %v", i, a, err, b)
		}
	}
}
