package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

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
	cpu := time.Duration(0)
	for i := 0; i < b.N; {
		now += 10_000
		cpu -= cpuTime(b)
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
		cpu += cpuTime(b)
		b.StopTimer()
		s.Advance(now)
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
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

// BenchmarkFind measures hash and lookup of raw names, of which a request has
// 1000: in the order in which they were learnt, with one in twenty left out, and
// in no order, one after the other and together. The names of a request are side
// by side in memory, as in a body.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		s := open(b, store.Options{NewSeriesRate: -1, MaxSeries: 2 * n, MaxValuesPerKey: 2 * n})
		learnt := make([][]byte, n)
		for i := range learnt {
			learnt[i] = fmt.Appendf(nil, `{"name":"http.server.requests","nf.app":"www","nf.node":"i-0123456789","status":"200","id":"%d"}`, i)
			if _, err := s.Resolve(s.HashTags(store.Hash{}, learnt[i]), tags.Of("name", "m", "id", fmt.Sprint(i)), start); err != nil {
				b.Fatal(err)
			}
		}
		var gaps, none [][]byte
		r := rand.New(rand.NewPCG(1, 2))
		for _, raw := range learnt {
			if r.IntN(20) > 0 {
				gaps = append(gaps, raw)
			}
		}
		for range 2 { // so that the order of before is never that of now
			for _, i := range r.Perm(n) {
				none = append(none, bytes.Clone(learnt[i]))
			}
		}
		benchmarkFind(b, s, fmt.Sprintf("series=%d/order=learnt", n), learnt, false)
		benchmarkFind(b, s, fmt.Sprintf("series=%d/order=gaps", n), gaps, false)
		benchmarkFind(b, s, fmt.Sprintf("series=%d/order=none/one", n), none, false)
		benchmarkFind(b, s, fmt.Sprintf("series=%d/order=none/together", n), none, true)
	}
}

func benchmarkFind(b *testing.B, s *store.Store, name string, names [][]byte, together bool) {
	const request = 1000
	var hashes [32]store.Hash
	var refs [32]store.Ref
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		var trail store.Trail
		at, k := 0, 0
		cpu := cpuTime(b)
		for b.Loop() {
			if k++; k%request == 0 {
				trail = store.Trail{}
			}
			if at++; at == len(names) {
				at = 0
			}
			if !together {
				if _, ok := s.Follow(&trail, store.Hash{}, names[at]); !ok {
					b.Fatal("not found")
				}
				continue
			}
			if hashes[k%32] = s.HashTags(store.Hash{}, names[at]); k%32 == 31 {
				s.FindAll(&trail, hashes[:], refs[:])
				if refs[k%32] == store.NoRef {
					b.Fatal("not found")
				}
			}
		}
		b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/op")
	})
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
	if _, err := s.Resolve(h, ts, start); err != nil {
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
