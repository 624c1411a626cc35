package store_test

import (
	"context"
	"math"
	"testing"
	"time"

	"pulse/bench/gen"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
)

// BenchmarkOpenBlock fills a block of the fleet mix, at a step of a minute, up to the
// one before its last step, which is when it takes most. One operation is a sum of
// everything over its steps.
//
//	head-B/series, at-most-B/series  columns and mini-blocks, at the end and at most
//	advance-ns/point                 CPU of Advance, which makes the mini-blocks
//	snapshot-ns/point                CPU of snapshots, of which one is taken every five minutes
func BenchmarkOpenBlock(b *testing.B) {
	const n, step = 66_000, 60_000
	f := gen.NewFleet(7, gen.FleetOptions{Series: n, PerNode: 1000, Step: step, Steps: block.Size, Courses: 11_000})
	s := openDir(b, b.TempDir(), store.Options{Step: step, NewSeriesRate: -1}, store.Interval)
	defer s.Close()
	batch := store.Batch{Source: s.Source("fleet", start)}
	refs := make([]store.Ref, n)
	for i := range refs {
		refs[i] = resolve(b, s, start, f.Tags(i))
	}
	first := start / (block.Size * step) * block.Size * step
	now, advance, snapshots, most := first, time.Duration(0), time.Duration(0), int64(0)
	for k := range block.Size - 1 {
		now += step
		batch.Reset()
		for i, ref := range refs {
			if v := f.Value(i, now); !math.IsNaN(v) {
				batch.Add(ref, now, v)
			}
		}
		if _, err := s.Commit(&batch, now); err != nil {
			b.Fatal(err)
		}
		most = max(most, s.Stats().HeadBytes)
		before := cpuTime(b)
		for part := range int64(6) {
			s.Advance(now + part*step/6)
		}
		advance += cpuTime(b) - before
		if k%5 == 4 {
			before = cpuTime(b)
			if err := s.Snapshot(context.Background()); err != nil {
				b.Fatal(err)
			}
			snapshots += cpuTime(b) - before
		}
	}
	q := store.Scan{Query: match.True, Start: first, End: now}
	var wrong float64
	before := cpuTime(b)
	for b.Loop() {
		lines, _, err := s.Scan(context.Background(), q)
		if err != nil || len(lines) != 1 {
			b.Fatal(lines, err)
		}
		wrong = lines[0].Values[0]
	}
	took := cpuTime(b) - before
	if wrong != wrong {
		b.Fatal("no data")
	}
	const points = n * (block.Size - 1)
	b.ReportMetric(float64(took)/float64(b.N)/points, "cpu-ns/point")
	b.ReportMetric(float64(s.Stats().HeadBytes)/n, "head-B/series")
	b.ReportMetric(float64(most)/n, "at-most-B/series")
	b.ReportMetric(float64(advance)/points, "advance-ns/point")
	b.ReportMetric(float64(snapshots)/points, "snapshot-ns/point")
}
