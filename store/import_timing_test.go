package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pulse/store"
	"pulse/store/tags"
)

// BenchmarkImport imports a month of values per minute for 1,000 series.
func BenchmarkImport(b *testing.B) {
	const minute, day = 60 * sec, 24 * 3600 * sec
	const series, values = 1000, 30 * 24 * 60
	tiers := []store.Tier{{Step: 10 * sec, Retention: 2 * day}, {Step: minute, Retention: 35 * day}, {Step: 60 * minute, Retention: 400 * day}}
	r := rand.New(rand.NewPCG(1, 1))
	times, numbers := make([]int64, values), make([]float64, values)
	now := start + 400*day
	for i := range times {
		times[i] = now - now%minute - minute*int64(values-i)
	}
	b.ReportAllocs()
	for b.Loop() {
		s := open(b, store.Options{Tiers: tiers})
		s.Advance(now)
		for i := range series {
			for k := range numbers {
				numbers[k] = float64(r.IntN(10_000)) / 60
			}
			ref := resolve(b, s, now, tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", "sum"))
			batch := store.ImportBatch{Lines: []store.ImportLine{{Ref: ref, Step: minute, Times: times, Values: numbers}}}
			if got := s.ApplyImport(&batch, now); got.Accepted != values {
				b.Fatalf("%+v", got)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/series/values, "ns/value")
}
