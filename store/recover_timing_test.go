package store_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pulse/store"
	"pulse/store/clock"
	"pulse/store/disk"
)

var recoverSeries = flag.Int("recover-series", 100_000, "series of BenchmarkRecover")

// BenchmarkRecover opens a folder again: with a snapshot and an empty log, and
// with nothing but the log of 40 steps; one operation is one recovery.
func BenchmarkRecover(b *testing.B) {
	for _, what := range []string{"snapshot", "log"} {
		b.Run("from="+what, func(b *testing.B) {
			dir := b.TempDir()
			o := store.Options{NewSeriesRate: -1, Step: 60_000, MaxSeries: max(1_000_000, *recoverSeries), MaxValuesPerKey: max(200_000, *recoverSeries)}
			s := openDir(b, dir, o, store.Interval)
			batches := senders(b, s, *recoverSeries, 2000, "sum", "gauge", "rate", "counter")
			now := start
			for range 40 {
				now += o.Step
				for i := range batches {
					stamp(&batches[i], now)
					if _, err := s.Commit(&batches[i], now); err != nil {
						b.Fatal(err)
					}
				}
				s.Advance(now)
			}
			if what == "snapshot" {
				began := time.Now()
				if err := s.Snapshot(context.Background()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/snapshot")
				b.ReportMetric(float64(s.Durability().SnapshotBytes)/float64(*recoverSeries), "B/series")
			}
			st := s.Durability().Log
			_ = s.Close()
			batches = nil
			b.ResetTimer()
			cpu := cpuTime(b)
			var found store.Recovery
			for b.Loop() {
				fs, err := disk.Dir(dir)
				if err != nil {
					b.Fatal(err)
				}
				s, err := store.Open(o, store.Durable{FS: fs, Mode: store.Sync, Clock: clock.NewManual(time.UnixMilli(start)), Log: zerolog.Nop()})
				if err != nil {
					b.Fatal(err)
				}
				if found, err = s.Replay(context.Background(), store.Hooks{}); err != nil {
					b.Fatal(err)
				}
				if found.Series != *recoverSeries || what == "log" && found.Points != int64(40**recoverSeries) {
					b.Fatalf("%+v", found)
				}
				_ = s.Close()
			}
			cpu = cpuTime(b) - cpu
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
			if found.Points > 0 {
				b.ReportMetric(float64(found.Points)*float64(b.N)/cpu.Seconds()/1e6, "Mpoints/cpu-s")
				b.ReportMetric(float64(st.Bytes)/float64(found.Points), "log-B/point")
			}
		})
	}
}
