package block_test

import (
	"bytes"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

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

// timed runs f, which handles blocks of Size values, again and again, and
// reports nanoseconds of processor time per value, which other programs on the
// machine change little.
func timed(b *testing.B, blocks int, f func()) {
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N*blocks*block.Size), "cpu-ns/value")
}

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range gen.Classes() {
		b.Run("class="+c.Name, func(b *testing.B) {
			values := series(c)
			buf := make([]byte, 0, 1<<16)
			size := 0
			var e block.Encoder
			timed(b, blocksPerClass, func() {
				size = 0
				for _, v := range values {
					buf = e.AppendTo(buf[:0], v, 60_000)
					size += len(buf)
				}
			})
			b.ReportMetric(float64(size)/(blocksPerClass*block.Size), "B/value")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range gen.Classes() {
		b.Run("class="+c.Name, func(b *testing.B) {
			blocks := encodeAll(series(c))
			var dst [block.Size]float64
			timed(b, blocksPerClass, func() {
				for _, src := range blocks {
					if _, err := block.Decode(dst[:], src); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// encodeAll returns blocks as the store has them: one behind the other, each
// slice going on to the end, and by themselves when they fit a directory.
func encodeAll(values [][]float64) [][]byte {
	out := make([][]byte, len(values))
	var all []byte
	at := make([]int, len(values))
	for i, v := range values {
		at[i] = len(all)
		all = block.AppendTo(all, v, 60_000)
	}
	for i := range out {
		end := len(all)
		if i+1 < len(at) {
			end = at[i+1]
		}
		if out[i] = all[at[i]:]; end-at[i] <= inline {
			out[i] = slices.Clone(all[at[i]:end])
		}
	}
	return out
}

// fleetSeries returns values of all classes in proportion to their weights.
func fleetSeries() (out [][]float64) {
	for _, c := range gen.Classes() {
		all := series(c)
		for i := range 8 * c.Weight {
			out = append(out, all[i%len(all)])
		}
	}
	return out
}

// BenchmarkFleetEncode and BenchmarkFleetDecode take the mix of a fleet.
func BenchmarkFleetEncode(b *testing.B) {
	values := fleetSeries()
	buf := make([]byte, 0, 1<<16)
	var e block.Encoder
	timed(b, len(values), func() {
		for _, v := range values {
			buf = e.AppendTo(buf[:0], v, 60_000)
		}
	})
}

func BenchmarkFleetDecode(b *testing.B) {
	blocks, _ := fleet()
	var dst [block.Size]float64
	timed(b, len(blocks), func() {
		for _, src := range blocks {
			if _, err := block.Decode(dst[:], src); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// fleet returns blocks of all classes in proportion to their weights.
func fleet() (blocks [][]byte, bytes int) {
	values := fleetSeries()
	for _, v := range values {
		bytes += len(block.AppendTo(nil, v, 60_000))
	}
	return encodeAll(values), bytes
}

// BenchmarkFleet folds blocks in the mix of a fleet.
func BenchmarkFleet(b *testing.B) {
	blocks, bytes := fleet()
	for _, a := range accumulators() {
		b.Run("fold="+a.name, func(b *testing.B) {
			var scratch [block.Size]float64
			acc := make([]float64, block.Size)
			timed(b, len(blocks), func() {
				for i := range acc {
					acc[i] = math.NaN()
				}
				for _, src := range blocks {
					if err := a.fold(acc, src, 0, block.Size, &scratch); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(bytes)/float64(len(blocks)*block.Size), "B/value")
		})
	}
}

// BenchmarkFleetSum is the sum as a scan of the store adds it up: blocks of zeros
// once for all.
func BenchmarkFleetSum(b *testing.B) {
	blocks, _ := fleet()
	zeros := block.AppendTo(nil, make([]float64, block.Size), 60_000)
	var scratch [block.Size]float64
	acc := make([]float64, block.Size)
	timed(b, len(blocks), func() {
		for i := range acc {
			acc[i] = math.NaN()
		}
		for _, src := range blocks {
			if bytes.Equal(src, zeros) {
				continue
			}
			if err := block.Sum(acc, src, 0, block.Size, &scratch); err != nil {
				b.Fatal(err)
			}
		}
	})
}
