package algo_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"pulse/detect/algo"
)

// BenchmarkStep judges one value per iteration over 100,000 streams whose states lie in
// random order, so that every state comes from memory, not from cache: with asking for the
// states some steps ahead, as the engine does, and without.
func BenchmarkStep(b *testing.B) {
	values := starts(4096, 10_000, 500, 1)
	for _, kind := range algo.Kinds() {
		spec := algo.Spec{Kind: kind.Name}
		switch kind.Name {
		case "static":
			spec.Params = map[string]any{"below": 1}
		case "compare":
			spec.Params = map[string]any{"baseline": "x"}
		}
		b.Run(kind.Name, func(b *testing.B) { benchmarkSteps(b, spec, values) })
	}
}

func benchmarkSteps(b *testing.B, spec algo.Spec, values []float64) {
	const streams, step, before = 100_000, 10_000, 150
	maker, err := algo.Prepare(spec, step)
	if err != nil {
		b.Fatal(err)
	}
	order := rand.New(rand.NewPCG(1, 1)).Perm(streams)
	detectors := make([]algo.Detector, streams)
	for _, at := range order {
		detectors[at] = maker.New()
		for n := range before {
			detectors[at].Step(int64(n)*step, values[(at+n)%len(values)])
		}
	}
	n := before
	for _, ahead := range []int{0, algo.FetchAhead} {
		b.Run(fmt.Sprint("ahead=", ahead), func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			for left := b.N; left > 0; n++ {
				at := int64(n) * step
				next := maker.Fetcher(at)
				for i := range min(left, streams) {
					if ahead > 0 && i+ahead < streams {
						next.Fetch(detectors[i+ahead])
					}
					detectors[i].Step(at, values[(i+n)%len(values)])
				}
				left -= min(left, streams)
			}
			b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds()/1e6, "Msteps/cpu-s")
		})
	}
}

// cpuTime is the time that processors have worked for this program, which other
// programs on the machine change little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPrepare reads one spec per iteration, as every rule does.
func BenchmarkPrepare(b *testing.B) {
	for _, kind := range []string{"exponential", "double-exponential"} {
		b.Run(kind, func(b *testing.B) {
			for range b.N {
				if _, err := algo.Prepare(algo.Spec{Kind: kind}, 10_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCopyState copies 256 bytes per iteration in the order of BenchmarkStep:
// what the memory allows.
func BenchmarkCopyState(b *testing.B) {
	const streams = 100_000
	order := rand.New(rand.NewPCG(1, 1)).Perm(streams)
	states := make([]*[32]uint64, streams)
	for i := range states {
		states[i] = new([32]uint64)
	}
	before := cpuTime(b)
	for i := range b.N {
		s := states[order[i%streams]]
		c := *s
		for j := range c {
			c[j]++
		}
		*s = c
	}
	b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds()/1e6, "Msteps/cpu-s")
}

// BenchmarkStepInCache judges the values of one stream.
func BenchmarkStepInCache(b *testing.B) {
	values := starts(8192, 10_000, 500, 1)
	d := newDetector(b, algo.Spec{Kind: "double-exponential"}, 10_000)
	before := cpuTime(b)
	for i := range b.N {
		d.Step(int64(i), values[i%len(values)])
	}
	b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds()/1e6, "Msteps/cpu-s")
}

// BenchmarkAppendState saves the state of one stream per iteration.
func BenchmarkAppendState(b *testing.B) {
	d := newDetector(b, algo.Spec{Kind: "double-exponential"}, 10_000)
	var buffer []byte
	b.ReportAllocs()
	for range b.N {
		buffer = d.AppendState(buffer[:0])
	}
	b.ReportMetric(float64(len(buffer)), "bytes")
}
