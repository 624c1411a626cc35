package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/disk"
	"pulse/store/tags"
)

// openDir opens a store in a folder of the real file system. Its clock stands,
// so nothing but what the test does is synced or snapshotted.
func openDir(t testing.TB, dir string, o store.Options, mode store.Durability) *store.Store {
	t.Helper()
	fs, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(o, store.Durable{FS: fs, Mode: mode, Clock: clock.NewManual(time.UnixMilli(start)), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replay(context.Background(), store.Hooks{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// senders makes batches of size points each, n points in all, for known series
// of the given kinds in turn.
func senders(t testing.TB, s *store.Store, n, size int, dstypes ...string) []store.Batch {
	batches := make([]store.Batch, n/size)
	for i := range n {
		ts := tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", dstypes[i%len(dstypes)])
		batches[i/size].Add(resolve(t, s, start, ts), 0, float64(i*37%1000)/4)
	}
	for i := range batches {
		batches[i].Source = s.Source(fmt.Sprint("sender ", i), start)
	}
	return batches
}

// stamp makes a batch the one of another step.
func stamp(b *store.Batch, now int64) {
	b.Arrival = now
	for i := range b.Times {
		b.Times[i] = now
		b.Values[i] += float64(i&3) * 0.25
	}
}

// TestCommitAllocations commits batches of known series: what is allocated does
// not grow with their points.
func TestCommitAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector is on")
	}
	for _, mode := range []store.Durability{store.None, store.Interval, store.Sync} {
		count := func(n int) float64 {
			s := openDir(t, t.TempDir(), store.Options{NewSeriesRate: -1}, mode)
			defer s.Close()
			b := &senders(t, s, n, n, "sum", "gauge", "rate", "counter")[0]
			now := start
			commit := func() {
				now += 10_000
				stamp(b, now)
				if _, err := s.Commit(b, now); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 {
				commit()
			}
			return testing.AllocsPerRun(50, commit)
		}
		// A new step has columns in each of the 64 partitions, however many points.
		if few, many := count(400), count(4000); many-few > 20 || few > 64+20 {
			t.Errorf("mode %v: %v allocations for 400 points, %v for 4000", mode, few, many)
		}
	}
}

// BenchmarkCommit measures batches of known series by mode, from one sender at
// a time and from sixteen; one operation is one point.
func BenchmarkCommit(b *testing.B) {
	for _, mode := range []store.Durability{store.None, store.Interval, store.Sync} {
		for _, size := range []int{2000, 10} {
			for _, at := range []int{1, 16} {
				b.Run(fmt.Sprintf("mode=%v/batch=%d/senders=%d", mode, size, at), func(b *testing.B) { benchmarkCommit(b, mode, size, at) })
			}
		}
	}
}

func benchmarkCommit(b *testing.B, mode store.Durability, size, at int) {
	s := openDir(b, b.TempDir(), store.Options{NewSeriesRate: -1}, mode)
	defer s.Close()
	batches := senders(b, s, max(32_000, 16*size), size, "sum", "gauge", "rate", "counter")
	var next, waited atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	done := make(chan struct{})
	for k := range at {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				i := int(next.Add(int64(size))) - size
				if i >= b.N {
					return
				}
				turn := i / size
				batch := &batches[(turn/at*at+k)%len(batches)]
				now := start + int64(turn/len(batches)+1)*10_000
				stamp(batch, now)
				began := time.Now()
				if _, err := s.Commit(batch, now); err != nil {
					b.Error(err)
					return
				}
				waited.Add(int64(time.Since(began)))
			}
		}()
	}
	for range at {
		<-done
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/point")
	commits := max(1, next.Load()/int64(size)-int64(at))
	b.ReportMetric(float64(waited.Load())/float64(commits)/1000, "µs/commit")
}

// cpuTime returns the processor time that the process has taken, which other
// processes on the machine do not change.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
