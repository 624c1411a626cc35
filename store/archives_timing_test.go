package store_test

import (
	"context"
	"fmt"
	"testing"

	"pulse/store"
	"pulse/store/archive"
	"pulse/store/block"
	"pulse/store/match"
)

// BenchmarkOpenArchives attaches a folder of 650 files, each with blocks of all
// partitions; one operation is one start.
func BenchmarkOpenArchives(b *testing.B) {
	const files, slots = 650, 200
	fs, _ := realFolder(b)
	var parts [archive.Parts]archive.Part
	row := make([]float64, block.Size)
	for i := range parts {
		p := &parts[i]
		for n := range slots {
			for k := range row {
				row[k] = float64((k*7 + n + i) % 50)
			}
			at := len(p.Data)
			p.Data = block.AppendTo(p.Data, row, archStep)
			p.Words, p.Data = archive.AppendWord(p.Words, p.Data, at)
			p.Blocks++
		}
	}
	bytes := int64(0)
	for n := range int64(files) {
		head := archive.Head{Step: archStep, Number: start/archBlock + n, Fields: 1}
		size, err := archive.WriteBlocks(fs, fmt.Sprintf("%s/%d-0.arc", archFolder, head.Number), head, &parts)
		if err != nil {
			b.Fatal(err)
		}
		bytes += size
	}
	b.ReportAllocs()
	for b.Loop() {
		s := open(b, archOptions)
		if err := s.AttachArchives(fs, 0); err != nil {
			b.Fatal(err)
		}
		if st := s.Stats().Archive; st.Files != files {
			b.Fatalf("%+v", st)
		}
	}
	b.ReportMetric(float64(bytes)/files/1024, "KiB/file")
}

// BenchmarkScanArchived reads 100,000 series × 240 points that are sealed, from
// memory and from files; one operation is one scan.
func BenchmarkScanArchived(b *testing.B) {
	const n, steps = 100_000, 2 * block.Size
	for _, kind := range []string{"memory", "mapped"} {
		f := &filled{s: open(b, store.Options{NewSeriesRate: -1}), now: start}
		if kind == "mapped" {
			fs, _ := realFolder(b)
			if err := f.s.AttachArchives(fs, 0); err != nil {
				b.Fatal(err)
			}
		}
		f.batch.Source = f.s.Source("a", start)
		for i := range n {
			f.batch.Add(resolve(b, f.s, start, archTags(3*i)), 0, 0)
		}
		for range steps {
			f.step(b)
		}
		f.now += 2 * block.Size * 10_000
		for range 100 {
			f.s.Advance(f.now)
		}
		st := f.s.Stats()
		if (st.ArenaBytes == 0) != (kind == "mapped") || st.OpenBlocks > 0 {
			b.Fatalf("%+v", st)
		}
		b.Run("kind="+kind, func(b *testing.B) {
			q := store.Scan{Query: match.True, Start: start, End: start + steps*10_000}
			b.ReportAllocs()
			for b.Loop() {
				if _, stats, err := f.s.Scan(context.Background(), q); err != nil || stats.Datapoints != n*steps {
					b.Fatal(err, stats)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*steps), "ns/point")
			b.ReportMetric(float64(st.BlockBytes)/(n*steps), "B/point")
			b.ReportMetric(float64(st.Archive.Written)/(n*steps), "written-B/point")
		})
	}
}
