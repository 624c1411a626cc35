package wal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pulse/store/disk"
	"pulse/store/wal"
)

func folder(t testing.TB) disk.FS {
	t.Helper()
	fsys, err := disk.Dir(t.TempDir())
	must(t, err)
	return fsys
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, fsys disk.FS, o wal.Options) *wal.Log {
	t.Helper()
	l, err := wal.Open(fsys, "wal", o)
	must(t, err)
	return l
}

// replay returns the payloads from record from on.
func replay(t testing.TB, l *wal.Log, from wal.LSN) (map[wal.LSN][]byte, wal.Report) {
	t.Helper()
	got := map[wal.LSN][]byte{}
	last := wal.LSN(0)
	report, err := l.Replay(from, func(lsn wal.LSN, payload []byte) error {
		if lsn <= last {
			t.Errorf("record %d comes after record %d", lsn, last)
		}
		last = lsn
		got[lsn] = bytes.Clone(payload)
		return nil
	})
	must(t, err)
	return got, report
}

func payload(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestWriteAndReplay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fsys := folder(t)
	want := map[wal.LSN][]byte{}
	segments := []wal.LSN{}
	for life := range 4 {
		l := open(t, fsys, wal.Options{SegmentBytes: 300 << 10})
		got, report := replay(t, l, 1)
		if len(got) != len(want) || report.Records != len(want) || len(report.Skipped) > 0 || report.Tail.Bytes > 0 {
			t.Fatalf("life %d: %d records of %d: %+v", life, len(got), len(want), report)
		}
		for lsn, p := range want {
			if !bytes.Equal(got[lsn], p) {
				t.Fatalf("life %d: record %d differs", life, lsn)
			}
		}
		for range 60 {
			var group [][]byte
			size := 0
			for range 1 + rng.IntN(5) {
				n := []int{0, 1, 40, 5000, 32 << 10, 70 << 10}[rng.IntN(6)]
				group = append(group, payload(rng, n+rng.IntN(30)))
				size += n
			}
			fresh, err := l.Begin(size)
			must(t, err)
			first, err := l.Write(group...)
			must(t, err)
			if fresh {
				segments = append(segments, first)
			}
			for i, p := range group {
				want[first+wal.LSN(i)] = p
			}
			if rng.IntN(4) == 0 {
				must(t, l.Sync())
				if l.Synced()+1 != l.Next() {
					t.Fatalf("after Sync %d of %d are synced", l.Synced(), l.Next()-1)
				}
			}
		}
		if life%2 == 0 {
			must(t, l.Close())
		}
	}
	l := open(t, fsys, wal.Options{})
	var starts []wal.LSN
	_, err := l.Segments(0, func(s *wal.Segment) error { starts = append(starts, s.Start); return nil })
	must(t, err)
	if !slices.Equal(starts, segments) {
		t.Errorf("segments begin at %v, Begin said %v", starts, segments)
	}
	checkRemove(t, l, segments, want)
}

func checkRemove(t *testing.T, l *wal.Log, segments []wal.LSN, want map[wal.LSN][]byte) {
	from := segments[3] + 1
	before := l.Bytes()
	must(t, l.RemoveBefore(from))
	got, report := replay(t, l, 0)
	if report.First != segments[3] || len(report.Skipped) > 0 {
		t.Errorf("after RemoveBefore(%d) the log is %+v", from, report)
	}
	if len(got) != len(want)-int(segments[3]-1) || l.Bytes() >= before {
		t.Errorf("%d records of %d, %d bytes of %d", len(got), len(want), l.Bytes(), before)
	}
	if got, _ := replay(t, l, from); len(got) != len(want)-int(from-1) {
		t.Errorf("%d records from %d on", len(got), from)
	}
	must(t, l.RemoveBefore(l.Next()+100))
	if got, _ := replay(t, l, 0); len(got) == 0 {
		t.Error("the newest segment is gone")
	}
}

func TestAfterIsHeeded(t *testing.T) {
	fsys := folder(t)
	l := open(t, fsys, wal.Options{})
	_, err := l.Write([]byte("one"), []byte("two"))
	must(t, err)
	must(t, l.Close())
	l = open(t, fsys, wal.Options{After: 10})
	if lsn, err := l.Write([]byte("eleven")); lsn != 11 || err != nil {
		t.Fatalf("Write = %d, %v", lsn, err)
	}
	must(t, l.Close())
	l = open(t, fsys, wal.Options{After: 3})
	got, report := replay(t, l, 0)
	if len(got) != 3 || string(got[11]) != "eleven" || report.Lost > 0 || len(report.Skipped) > 0 {
		t.Errorf("%d records, %+v", len(got), report)
	}
	if l.Next() != 12 {
		t.Errorf("Next = %d", l.Next())
	}
	l = open(t, fsys, wal.Options{After: 20})
	must(t, second(l.Begin(0)))
	must(t, l.Close()) // an empty segment
	if l := open(t, fsys, wal.Options{}); l.Next() != 21 {
		t.Errorf("Next = %d, 20 was given out", l.Next())
	}
}

func ExampleLog() {
	fsys, _ := disk.Dir("example-data")
	l, err := wal.Open(fsys, "wal", wal.Options{})
	if err != nil {
		return
	}
	_, _ = l.Replay(1, func(lsn wal.LSN, payload []byte) error {
		fmt.Println(lsn, len(payload))
		return nil
	})
	if _, err := l.Write([]byte("a"), []byte("b")); err != nil {
		return
	}
	_ = l.Sync()
	_ = l.Close()
}
