package wal_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"pulse/bench/gen"
	"pulse/store/wal"
)

// fleet is what a fleet sends: clients with a batch of points each per step,
// their series drawn from the mix of bench/gen.
type fleet struct {
	batches [][]wal.Batch // by step, by client
	points  int           // of one step
}

// newFleet draws the batches. The slots of a partition are given out in the
// order of the first sight of a series, as a store does it. With gaps clients
// leave out zeros, and what they have no value for.
func newFleet(clients, points, steps int, step int64, gaps bool) *fleet {
	r := rand.New(rand.NewPCG(7, 9))
	var mix []gen.Class
	for _, c := range gen.Classes() {
		for range c.Weight {
			mix = append(mix, c)
		}
	}
	f := &fleet{batches: make([][]wal.Batch, steps), points: clients * points}
	var slots [64]uint32
	const origin = 1_800_000_000_000
	for client := range clients {
		refs := make([]uint32, points)
		values := make([][]float64, points)
		for i := range refs {
			p := r.Uint32N(64)
			refs[i] = p<<26 | slots[p]
			slots[p]++
			values[i] = mix[r.IntN(len(mix))].Series(r.Uint64(), steps, step)
		}
		for k := range steps {
			at := origin + int64(k)*step
			b := wal.Batch{Source: uint32(client + 1), Arrival: at + 170, Now: at + 171}
			for i, ref := range refs {
				v := values[i][k]
				if math.IsNaN(v) {
					v = 0
				}
				if !gaps || v != 0 {
					b.Refs = append(b.Refs, ref)
					b.Times = append(b.Times, at)
					b.Values = append(b.Values, v)
				}
			}
			f.batches[k] = append(f.batches[k], b)
		}
	}
	return f
}

// cpu is the processor time of the process in ns: other processes do not count.
func cpu(tb testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkEncode(b *testing.B) {
	for _, gaps := range []bool{false, true} {
		for _, points := range []int{20, 200, 2000} {
			f := newFleet(4000/points, points, 8, 10_000, gaps)
			b.Run(fmt.Sprintf("points=%d/gaps=%v", points, gaps), func(b *testing.B) {
				e := wal.NewEncoder(wal.EncoderOptions{Step: 10_000})
				lsn, done, size, k := uint64(1), 0, 0, 0
				var dst []byte
				step := func() {
					e.Begin(lsn)
					for i := range f.batches[k] {
						dst = e.Batch(dst[:0], &f.batches[k][i], nil, nil)
						lsn++
						size += len(dst)
						done += len(f.batches[k][i].Refs)
					}
					k = (k + 1) % len(f.batches)
				}
				for range 3 * len(f.batches) {
					step()
				}
				done, size = 0, 0
				before := cpu(b)
				for b.Loop() {
					step()
				}
				b.ReportMetric((cpu(b)-before)/float64(done), "cpu-ns/sample")
				b.ReportMetric(float64(size)/float64(done), "B/sample")
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, gaps := range []bool{false, true} {
		for _, points := range []int{20, 200, 2000} {
			f := newFleet(4000/points, points, 8, 10_000, gaps)
			b.Run(fmt.Sprintf("points=%d/gaps=%v", points, gaps), func(b *testing.B) {
				e, d := wal.NewEncoder(wal.EncoderOptions{Step: 10_000}), wal.NewDecoder()
				lsn, done := uint64(1), 0
				var payloads [][]byte
				for range 3 {
					payloads = payloads[:0]
					for _, step := range f.batches {
						e.Begin(lsn)
						for i := range step {
							payloads = append(payloads, e.Batch(nil, &step[i], nil, nil))
							if err := d.Scan(lsn, payloads[len(payloads)-1]); err != nil {
								b.Fatal(err)
							}
							lsn++
						}
					}
				}
				before := cpu(b)
				for b.Loop() {
					for _, p := range payloads {
						rec, err := d.Decode(lsn, p, wal.AllPartitions)
						if err != nil {
							b.Fatal(err)
						}
						done += len(rec.Batch.Refs)
					}
				}
				b.ReportMetric((cpu(b)-before)/float64(done), "cpu-ns/sample")
			})
		}
	}
}
