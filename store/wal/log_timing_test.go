package wal

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pulse/store/disk"
)

func openDir(tb testing.TB, path string) *Log {
	tb.Helper()
	fsys, err := disk.Dir(path)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := Open(fsys, "wal", Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct{ records, bytes int }{{1, 100}, {1, 6000}, {16, 6000}, {160, 6000}} {
		b.Run(fmt.Sprintf("records=%d/bytes=%d", c.records, c.bytes), func(b *testing.B) {
			l := openDir(b, b.TempDir())
			group := make([][]byte, c.records)
			for i := range group {
				group[i] = random(c.bytes)
			}
			b.ReportAllocs()
			b.SetBytes(int64(c.records * c.bytes))
			for b.Loop() {
				if _, err := l.Begin(c.records * c.bytes); err != nil {
					b.Fatal(err)
				}
				if _, err := l.Write(group...); err != nil {
					b.Fatal(err)
				}
				if l.Bytes() > 256<<20 {
					if err := l.RemoveBefore(l.Next()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkFrame is Write without the disk.
func BenchmarkFrame(b *testing.B) {
	p := random(6000)
	var records, out []byte
	b.SetBytes(int64(len(p)))
	pos := pager{first: 1, pos: fileHeader}
	for b.Loop() {
		records = appendRecord(records[:0], 7, 1, p)
		out = pos.append(out[:0], records)
	}
}

func BenchmarkWriteSync(b *testing.B) {
	for _, bytes := range []int{6000, 1 << 20} {
		b.Run(fmt.Sprintf("bytes=%d", bytes), func(b *testing.B) {
			l := openDir(b, b.TempDir())
			p := random(bytes)
			b.SetBytes(int64(bytes))
			for b.Loop() {
				if _, err := l.Write(p); err != nil {
					b.Fatal(err)
				}
				if err := l.Sync(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReplay reads segments that are in the system's cache.
func BenchmarkReplay(b *testing.B) {
	for _, bytes := range []int{100, 6000, 100_000} {
		b.Run(fmt.Sprintf("bytes=%d", bytes), func(b *testing.B) {
			l := openDir(b, b.TempDir())
			p := random(bytes)
			group := make([][]byte, max(1, 100_000/bytes))
			for i := range group {
				group[i] = p
			}
			for l.Bytes() < 128<<20 {
				if _, err := l.Begin(200_000); err != nil {
					b.Fatal(err)
				}
				if _, err := l.Write(group...); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(l.Bytes())
			b.ReportAllocs()
			for b.Loop() {
				sum := 0
				report, err := l.Replay(1, func(_ uint64, p []byte) error { sum += len(p); return nil })
				if err != nil || report.Lost > 0 || sum == 0 {
					b.Fatal(report, err)
				}
			}
		})
	}
}

// BenchmarkScan is the reading of a segment without the disk.
func BenchmarkScan(b *testing.B) {
	file := header{first: 1, start: 1}.appendTo(nil)
	p := pager{first: 1, pos: fileHeader}
	payload := random(6000)
	for lsn := uint64(1); len(file) < 16<<20; lsn++ {
		file = p.append(file, appendRecord(nil, lsn, 1, payload))
	}
	data := make([]byte, len(file))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		copy(data, file)
		if f, err := scan(data, 1, 0); err != nil || len(f.damage) > 0 || f.tail() > 0 {
			b.Fatal(f, err)
		}
	}
}
