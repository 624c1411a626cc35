package store_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

// BenchmarkAppend measures batches of one client, in client order, into a
// store of 100,000 series; one operation is one point.
func BenchmarkAppend(b *testing.B) {
	for _, dstype := range []string{"sum", "gauge", "rate", "counter"} {
		for _, size := range []int{2000, 10} {
			b.Run(fmt.Sprintf("dstype=%s/batch=%d", dstype, size), func(b *testing.B) { benchmarkAppend(b, dstype, size) })
		}
	}
}

func benchmarkAppend(b *testing.B, dstype string, size int) {
	const n = 100_000
	s := open(b, store.Options{NewSeriesRate: -1})
	batches := make([]store.Batch, n/size)
	for i := range n {
		ts := tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", dstype)
		batches[i/size].Add(resolve(b, s, start, ts), 0, float64(i%100))
	}
	now := start
	source := s.Source("a", start)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; {
		now += 10_000
		for k := range batches {
			batch := &batches[k]
			batch.Source = source
			for j := range batch.Times {
				batch.Times[j] = now
				batch.Values[j]++
			}
			s.Append(batch, now)
			if i += size; i >= b.N {
				break
			}
		}
		b.StopTimer()
		s.Advance(now)
		b.StartTimer()
	}
}

// BenchmarkScanSum reads 100,000 series × 180 points, of which the last 60 or
// so are in the head, with and without the cache; one operation is one scan.
func BenchmarkScanSum(b *testing.B) {
	for _, cache := range []int64{0, 64 << 20} {
		f := fillWith(b, store.Options{NewSeriesRate: -1, Cache: cache}, 100_000, 180)
		for range 64 {
			f.s.Advance(f.now)
		}
		for _, by := range []string{"", "region", "cell"} {
			q := store.Scan{Query: match.True, Start: f.now - 180*10_000, End: f.now}
			if by != "" {
				q.By = []string{by}
			}
			b.Run(fmt.Sprintf("cache=%d/by=%s", cache>>20, by), func(b *testing.B) {
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					lines, stats, err := f.s.Scan(context.Background(), q)
					if err != nil || stats.Datapoints != 18_000_000 || lines[0].Values[0] != lines[0].Values[0] {
						b.Fatal(err, stats)
					}
				}
				b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N)/18e6, "cpu-ns/point")
			})
		}
	}
}

// BenchmarkFind measures hash and lookup of raw names: in the order in which
// they were learnt, with one in twenty left out, and in no order.
func BenchmarkFind(b *testing.B) {
	const n, request = 100_000, 1000
	s := open(b, store.Options{NewSeriesRate: -1})
	raw := make([][]byte, n)
	for i := range raw {
		raw[i] = fmt.Appendf(nil, `{"name":"http.server.requests","nf.app":"www","nf.node":"i-0123456789","status":"200","id":"%d"}`, i)
		if _, err := s.Resolve(s.HashTags(store.Hash{}, raw[i]), store.NoRef, tags.Of("name", "m", "id", fmt.Sprint(i)), start); err != nil {
			b.Fatal(err)
		}
	}
	run := func(name string, next func(i, k int) int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var trail store.Trail
			i := 0
			for k := 0; b.Loop(); k++ {
				if k%request == 0 {
					trail = store.Trail{}
				}
				if _, ok := s.Follow(&trail, store.Hash{}, raw[i]); !ok {
					b.Fatal("not found")
				}
				i = next(i, k) % n
			}
		})
	}
	run("order=learnt", func(i, _ int) int { return i + 1 })
	run("order=gaps", func(i, k int) int { return i + 1 + (k * 2654435761 >> 8 % 20 / 19) })
	run("order=none", func(i, _ int) int { return i + 61_803 })
}

// BenchmarkColumn reads the closed column of 100,000 series in 100 groups.
func BenchmarkColumn(b *testing.B) {
	f := fill(b, 100_000, 3)
	w := f.s.Watch(store.WatchSpec{Query: match.True, By: []string{"cell"}})
	var column []float64
	b.ReportAllocs()
	for b.Loop() {
		column = w.Column(f.now, true, column)
	}
	if len(column) != 100 || column[5] != column[5] {
		b.Fatal(column)
	}
}

// BenchmarkResolve creates series; one operation is one first sight.
func BenchmarkResolve(b *testing.B) {
	s := open(b, store.Options{NewSeriesRate: -1, MaxSeries: 20_000_000, MaxValuesPerKey: 20_000_000})
	for _, region := range []string{"eu", "us"} {
		for i := range 50 {
			s.Watch(store.WatchSpec{Query: &match.And{L: named(fmt.Sprint("m", i)), R: &match.Equal{Key: "region", Value: region}}})
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		meet(b, s, i)
	}
}

// meet creates series i of a fleet of nodes with 200 series each.
func meet(b *testing.B, s *store.Store, i int) {
	ts := tags.Of("name", fmt.Sprint("m", i%50), "nf.app", "www", "nf.cluster", fmt.Sprint("www-", i/200%40), "nf.node", fmt.Sprint("i-", i/200), "region", "eu", "id", fmt.Sprint(i%200))
	h := s.HashTags(store.Hash{}, ts.AppendKey(nil))
	if _, err := s.Resolve(h, store.NoRef, ts, start); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSeriesBytes measures the memory of a series of a fleet that has no
// values yet: slot, lookup, tags and index, and the texts of its node; one
// operation is one store of n series.
func BenchmarkSeriesBytes(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			heap := func() float64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&m)
				return float64(m.HeapAlloc)
			}
			for b.Loop() {
				before := heap()
				s := open(b, store.Options{NewSeriesRate: -1, MaxSeries: 20_000_000, MaxValuesPerKey: 20_000_000})
				for i := range n {
					meet(b, s, i)
				}
				b.ReportMetric((heap()-before)/float64(n), "B/series")
				runtime.KeepAlive(s)
			}
		})
	}
}
