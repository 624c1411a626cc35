package wal_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"pulse/store/disk/faulty"
	"pulse/store/wal"
)

var rewrite = flag.Bool("rewrite-samples", false, "write what the log writes today into testdata")

// samples are files as each version of the format wrote them. What is in testdata
// stays for ever; a new version adds files.
//
// A dump has bytes in hexadecimal, "xN" for N times the byte before, and
// comments behind "#".
func TestSamples(t *testing.T) {
	cases := []struct {
		name    string
		write   func(t *testing.T) *faulty.FS
		files   []string
		records []string
		starts  []wal.LSN
	}{
		{"v1-records", writeRecords, []string{"0000000000000001.wal"}, []string{"one", "", "three"}, []wal.LSN{1}},
		{"v1-pages", writePages, []string{"0000000000000001.wal"}, []string{"before", strings.Repeat("Z", 70_000), "behind", strings.Repeat("y", 28_140), "at a page's begin"}, []wal.LSN{1}},
		{"v1-replaced", writeReplaced, []string{"0000000000000001.wal", "0000000000000002.wal", "0000000000000004.wal"}, []string{"one", "two", "three", "four"}, []wal.LSN{1, 4}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			written := c.write(t)
			f := faulty.New(1)
			must(t, f.MkdirAll("wal"))
			for _, name := range c.files {
				path := "testdata/" + c.name + "-" + strings.TrimSuffix(name, ".wal") + ".txt"
				if *rewrite {
					must(t, os.WriteFile(path, []byte(dump(written.Content("wal/"+name))), 0o644))
				}
				sample := readDump(t, path)
				if string(sample) != string(written.Content("wal/"+name)) {
					t.Errorf("%s is written differently today", path)
				}
				f.Put("wal/"+name, sample)
			}
			l := open(t, f, wal.Options{})
			var records []string
			var starts []wal.LSN
			report, err := l.Segments(1, func(s *wal.Segment) error {
				starts = append(starts, s.Start)
				for _, p := range s.Records() {
					records = append(records, string(p))
				}
				return nil
			})
			must(t, err)
			if fmt.Sprintf("%q", records) != fmt.Sprintf("%q", c.records) || fmt.Sprint(starts) != fmt.Sprint(c.starts) {
				t.Errorf("records %.300q of segments %v", records, starts)
			}
			if report.Lost > 0 || len(report.Skipped) > 0 || report.Tail.Bytes > 0 {
				t.Errorf("%+v", report)
			}
		})
	}
}

func writeRecords(t *testing.T) *faulty.FS {
	f := faulty.New(1)
	l := open(t, f, wal.Options{})
	must(t, second(l.Write([]byte("one"))))
	must(t, second(l.Write(nil, []byte("three"))))
	return f
}

// writePages writes records over three pages, one of them to a page's very end.
func writePages(t *testing.T) *faulty.FS {
	f := faulty.New(1)
	l := open(t, f, wal.Options{})
	must(t, second(l.Write([]byte("before"), []byte(strings.Repeat("Z", 70_000)), []byte("behind"))))
	must(t, second(l.Write([]byte(strings.Repeat("y", 28_140)))))
	if n := len(f.Content("wal/0000000000000001.wal")); n != 3<<15 {
		t.Fatalf("%d bytes, want three pages", n)
	}
	must(t, second(l.Write([]byte("at a page's begin"))))
	return f
}

// writeReplaced writes a file that could not be synced, the one that goes on for
// it, and the next segment.
func writeReplaced(t *testing.T) *faulty.FS {
	f := faulty.New(1)
	l := open(t, f, wal.Options{})
	must(t, second(l.Write([]byte("one"))))
	must(t, l.Sync())
	must(t, second(l.Write([]byte("two"))))
	f.Inject(faulty.Fault{Op: faulty.OpSync, Err: os.ErrInvalid})
	must(t, l.Sync())
	must(t, second(l.Write([]byte("three"))))
	l.Rotate()
	must(t, second(l.Begin(0)))
	must(t, second(l.Write([]byte("four"))))
	return f
}

// dump is the inverse of readDump, without comments.
func dump(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); {
		n := 1
		for i+n < len(b) && b[i+n] == b[i] {
			n++
		}
		fmt.Fprintf(&s, "%02x", b[i])
		if n > 4 {
			fmt.Fprintf(&s, " x%d\n", n)
			i += n
			continue
		}
		if i++; i%16 == 0 {
			s.WriteString("\n")
		} else {
			s.WriteString(" ")
		}
	}
	return strings.TrimRight(s.String(), " \n") + "\n"
}

func readDump(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	var b []byte
	for line := range strings.Lines(string(content)) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			if times, ok := strings.CutPrefix(word, "x"); ok {
				n, err := strconv.Atoi(times)
				must(t, err)
				b = append(b, strings.Repeat(string(b[len(b)-1:]), n-1)...)
				continue
			}
			piece, err := hex.DecodeString(word)
			must(t, err)
			b = append(b, piece...)
		}
	}
	return b
}
