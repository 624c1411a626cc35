package block_test

import (
	"math"
	"testing"

	"pulse/bench/gen"
	"pulse/store/block"
)

const blocksPerClass = 64

// series returns blocksPerClass blocks' worth of values of a class at a minute.
func series(c gen.Class) [][]float64 {
	out := make([][]float64, blocksPerClass)
	for i := range out {
		out[i] = c.Series(uint64(i+1), 4*block.Size, 60_000)[block.Size : 2*block.Size]
	}
	return out
}

// perValue reports nanoseconds per value of a benchmark whose loop handles
// blocks of Size values.
func perValue(b *testing.B, blocks int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*blocks*block.Size), "ns/value")
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range gen.Classes() {
		b.Run("class="+c.Name, func(b *testing.B) {
			values := series(c)
			buf := make([]byte, 0, 1<<16)
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				size = 0
				for _, v := range values {
					buf = block.AppendTo(buf[:0], v, 60_000)
					size += len(buf)
				}
			}
			perValue(b, blocksPerClass)
			b.ReportMetric(float64(size)/(blocksPerClass*block.Size), "B/value")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range gen.Classes() {
		b.Run("class="+c.Name, func(b *testing.B) {
			blocks := encodeAll(series(c))
			var dst [block.Size]float64
			b.ReportAllocs()
			for b.Loop() {
				for _, src := range blocks {
					if _, err := block.Decode(dst[:], src); err != nil {
						b.Fatal(err)
					}
				}
			}
			perValue(b, blocksPerClass)
		})
	}
}

func encodeAll(values [][]float64) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = block.AppendTo(nil, v, 60_000)
	}
	return out
}

// fleet returns blocks of all classes in proportion to their weights.
func fleet() (blocks [][]byte, bytes int) {
	for _, c := range gen.Classes() {
		all := encodeAll(series(c))
		for i := range 8 * c.Weight {
			blocks = append(blocks, all[i%len(all)])
			bytes += len(all[i%len(all)])
		}
	}
	return blocks, bytes
}

// BenchmarkFleet folds blocks in the mix of a fleet.
func BenchmarkFleet(b *testing.B) {
	blocks, bytes := fleet()
	for _, a := range accumulators() {
		b.Run("fold="+a.name, func(b *testing.B) {
			var scratch [block.Size]float64
			acc := make([]float64, block.Size)
			b.ReportAllocs()
			for b.Loop() {
				for i := range acc {
					acc[i] = math.NaN()
				}
				for _, src := range blocks {
					if err := a.fold(acc, src, 0, block.Size, &scratch); err != nil {
						b.Fatal(err)
					}
				}
			}
			perValue(b, len(blocks))
			b.ReportMetric(float64(bytes)/float64(len(blocks)*block.Size), "B/value")
		})
	}
}
