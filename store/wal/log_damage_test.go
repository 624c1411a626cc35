package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pulse/store/disk/faulty"
	"pulse/store/wal"
)

// damaged is a log of three segments whose middle one gets damaged.
type damaged struct {
	files   map[string][]byte
	name    string // of the middle file
	records map[wal.LSN][]byte
	at      map[wal.LSN]int // where the middle file's records begin, page heads not counted
	first   wal.LSN
	next    wal.LSN
}

func newDamaged(t *testing.T, sizes ...int) damaged {
	t.Helper()
	f := faulty.New(1)
	l := open(t, f, wal.Options{})
	d := damaged{files: map[string][]byte{}, records: map[wal.LSN][]byte{}}
	rng := rand.New(rand.NewPCG(3, 4))
	write := func(n int) wal.LSN {
		p := payload(rng, n)
		lsn, err := l.Write(p)
		must(t, err)
		d.records[lsn] = p
		return lsn
	}
	begin := func() {
		l.Rotate()
		must(t, second(l.Begin(0)))
	}
	write(100)
	begin()
	d.first = l.Next()
	for _, n := range sizes {
		write(n)
	}
	begin()
	d.next = write(100)
	must(t, l.Close())
	names, err := f.List("wal")
	must(t, err)
	for _, name := range names {
		d.files[name] = f.Content("wal/" + name)
	}
	d.name = fmt.Sprintf("%016x.wal", d.first)
	return d
}

// with returns the folder with the middle file changed.
func (d damaged) with(change func(b []byte) []byte) *faulty.FS {
	f := faulty.New(1)
	_ = f.MkdirAll("wal")
	for name, b := range d.files {
		b = bytes.Clone(b)
		if name == d.name {
			b = change(b)
		}
		if b != nil {
			f.Put("wal/"+name, b)
		}
	}
	return f
}

// lost opens the folder and returns the records that are missing. What is found
// must be what was written, the report must say what is missing, the next
// opening must find the same, and the log must go on.
func (d damaged) lost(t *testing.T, f *faulty.FS) ([]wal.LSN, wal.Report) {
	t.Helper()
	original := f.Content("wal/" + d.name)
	l := open(t, f, wal.Options{})
	got, report := replay(t, l, 1)
	var lost []wal.LSN
	for lsn, want := range d.records {
		switch p, ok := got[lsn]; {
		case !ok:
			lost = append(lost, lsn)
		case !bytes.Equal(p, want):
			t.Errorf("record %d is another one", lsn)
		}
	}
	slices.Sort(lost)
	if report.Lost != uint64(len(lost)) || len(got) != len(d.records)-len(lost) {
		t.Errorf("lost %v, the report says %d: %+v", lost, report.Lost, report)
	}
	for _, s := range report.Skipped {
		if s.File != d.name || s.Kept != "quarantine/"+d.name || !bytes.Equal(f.Content(s.Kept), original) {
			t.Errorf("damage is not kept: %+v", s)
		}
	}
	f = f.Crash(1)
	again := open(t, f, wal.Options{})
	if _, second := replay(t, again, 1); fmt.Sprint(second) != fmt.Sprint(report) {
		t.Errorf("first report %+v\nsecond %+v", report, second)
	}
	if lsn, err := again.Write([]byte("on")); lsn != d.next+1 || err != nil {
		t.Errorf("Write = %d, %v", lsn, err)
	}
	if !bytes.Equal(f.Content("wal/"+d.name), original) {
		t.Error("the damaged file was changed")
	}
	return lost, report
}

// TestEveryFlippedByte damages each byte of a file of small records, one at a
// time: at most the records of a page may go, and only one if its head is whole.
func TestEveryFlippedByte(t *testing.T) {
	d := newDamaged(t, 10, 0, 300, 20, 20)
	size := len(d.files[d.name])
	ones := 0
	for at := range size {
		f := d.with(func(b []byte) []byte { b[at] ^= 0x10; return b })
		lost, report := d.lost(t, f)
		if len(report.Skipped) == 0 {
			t.Fatalf("byte %d: no damage reported", at)
		}
		if len(lost) == 1 {
			ones++
		}
		if at < 40 && len(lost) > 0 {
			t.Errorf("byte %d of the file's head costs %v", at, lost)
		}
	}
	if want := 350; ones < want { // payloads
		t.Errorf("%d bytes cost one record, want %d", ones, want)
	}
}

// TestDamageCostsAPage damages a file over many pages here and there. What is
// lost lies within a page behind the damage, or is the record that it hit.
func TestDamageCostsAPage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var sizes []int
	for range 60 {
		sizes = append(sizes, []int{50, 700, 3000, 40_000}[rng.IntN(4)])
	}
	d := newDamaged(t, sizes...)
	d.at = map[wal.LSN]int{}
	at := 40
	for i, n := range sizes {
		d.at[d.first+wal.LSN(i)] = at
		at += 24 + n
	}
	size := len(d.files[d.name])
	for range 40 {
		hit := rng.IntN(size)
		f := d.with(func(b []byte) []byte { b[hit] ^= 1 << rng.IntN(8); return b })
		lost, report := d.lost(t, f)
		if len(lost) == 0 && hit >= 40 && hit%(32<<10) >= 8 {
			t.Errorf("byte %d: nothing is lost, %+v", hit, report)
		}
		if len(report.Skipped) != 1 {
			t.Errorf("byte %d: %d places reported", hit, len(report.Skipped))
		}
		if len(lost) < 2 {
			continue
		}
		// More than one: the head of the first was hit, and all begin in its page.
		place := func(lsn wal.LSN) int { // in the file
			pos := d.at[lsn]
			return pos + (pos-8)/(32<<10-8)*8
		}
		if first := place(lost[0]); hit < first-8 || hit > first+40 {
			t.Errorf("byte %d: %d records lost from %d on", hit, len(lost), first)
		}
		if a, b := place(lost[0])>>15, place(lost[len(lost)-1])>>15; a != b && b-a > 1 {
			t.Errorf("byte %d: records lost from page %d to %d", hit, a, b)
		}
	}
}

func TestDamagedInOtherWays(t *testing.T) {
	d := newDamaged(t, 10, 5000, 40_000, 20, 20)
	zeros := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte { clear(b[from:min(to, len(b))]); return b }
	}
	cases := []struct {
		name   string
		change func([]byte) []byte
		lost   []wal.LSN
	}{
		{"nothing", func(b []byte) []byte { return b }, nil},
		{"the file is gone", func([]byte) []byte { return nil }, []wal.LSN{2, 3, 4, 5, 6}},
		{"the file is empty", func(b []byte) []byte { return b[:0] }, []wal.LSN{2, 3, 4, 5, 6}},
		{"only its head is left", func(b []byte) []byte { return b[:40] }, []wal.LSN{2, 3, 4, 5, 6}},
		{"a part of its head", func(b []byte) []byte { return b[:17] }, []wal.LSN{2, 3, 4, 5, 6}},
		{"all zeros", zeros(0, 1<<20), []wal.LSN{2, 3, 4, 5, 6}},
		{"the first page is gone", zeros(0, 32<<10), []wal.LSN{2, 3, 4}},
		{"the second page is gone", zeros(32<<10, 64<<10), []wal.LSN{4, 5, 6}},
		{"its end is cut", func(b []byte) []byte { return b[:len(b)-1] }, []wal.LSN{6}},
		{"it is half", func(b []byte) []byte { return b[:20_000] }, []wal.LSN{4, 5, 6}},
		{"a length is 64 MiB", func(b []byte) []byte { b[40+8+3] = 4; return b }, []wal.LSN{2, 3, 4}},
		{"garbage follows", func(b []byte) []byte { return append(b, bytes.Repeat([]byte{7}, 100_000)...) }, nil},
		{"zeros follow", func(b []byte) []byte { return append(b, make([]byte, 100_000)...) }, nil},
		{"pages changed places", func(b []byte) []byte {
			b = append(b, make([]byte, 64<<10-len(b))...)
			first := bytes.Clone(b[:32<<10])
			copy(b, b[32<<10:])
			copy(b[32<<10:], first)
			return b
		}, []wal.LSN{2, 3, 4, 5, 6}},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			if c.name == "the file is gone" {
				f := d.with(c.change)
				l := open(t, f, wal.Options{})
				got, report := replay(t, l, 1)
				if len(got) != 2 || report.Lost != 5 || len(report.Skipped) != 1 {
					t.Errorf("%d records, %+v", len(got), report)
				}
				return
			}
			if lost, report := d.lost(t, d.with(c.change)); !slices.Equal(lost, c.lost) {
				t.Errorf("lost %v, want %v: %+v", lost, c.lost, report)
			}
		})
	}
}

// TestNewestFile covers ends that a crash leaves.
func TestNewestFile(t *testing.T) {
	f, l := newFaulty(t, 5, wal.Options{})
	must(t, l.Close())
	const name = "wal/0000000000000001.wal"
	whole := f.Content(name)
	for cut := range whole {
		f := faulty.New(1)
		must(t, f.MkdirAll("wal"))
		f.Put(name, whole[:cut])
		l := open(t, f, wal.Options{})
		got, report := replay(t, l, 1)
		if len(report.Skipped) > 0 || report.Lost > 0 || report.Quarantine != nil {
			t.Fatalf("cut at %d: %+v", cut, report)
		}
		if cut > 40 && report.Tail.Offset+report.Tail.Bytes != int64(cut) && report.Tail.Bytes > 0 {
			t.Fatalf("cut at %d: %+v", cut, report.Tail)
		}
		for i := len(got) + 1; i <= 7; i++ {
			lsn, err := l.Write(text(i))
			must(t, err)
			if lsn != wal.LSN(i) {
				t.Fatalf("cut at %d: record %d is %d", cut, i, lsn)
			}
		}
		must(t, l.Close())
		segments := 2
		if len(got) == 0 {
			segments = 1
		}
		if report := wantRecords(t, f, 7, segments); report.Tail.Bytes > 0 || len(report.Skipped) > 0 {
			t.Fatalf("cut at %d: after writing on %+v", cut, report)
		}
	}
}

func TestLaterVersionIsRefused(t *testing.T) {
	f, l := newFaulty(t, 5, wal.Options{})
	must(t, l.Close())
	const name = "wal/0000000000000001.wal"
	later := readDump(t, "testdata/version2.txt")
	f.Put(name, later)
	_, err := wal.Open(f, "wal", wal.Options{})
	var version *wal.VersionError
	if !errors.As(err, &version) || version.Version != 2 || !strings.Contains(err.Error(), "0000000000000001.wal") {
		t.Errorf("Open = %v", err)
	}
	if !bytes.Equal(f.Content(name), later) {
		t.Error("the file was changed")
	}
}

// TestUnreadablePages covers sectors that the disk does not give back.
func TestUnreadablePages(t *testing.T) {
	d := newDamaged(t, 10, 5000, 40_000, 20, 20)
	f := d.with(func(b []byte) []byte { return b })
	l := open(t, f, wal.Options{})
	f.Inject(faulty.Fault{Op: faulty.OpRead, Name: d.name, Times: 2, Err: syscall.EIO}) // the file at once, then its first page
	got, report := replay(t, l, 1)
	if len(got) != 4 || report.Lost != 3 || !strings.Contains(fmt.Sprint(report.Skipped), "cannot be read") {
		t.Errorf("%d records, %+v", len(got), report)
	}
	if got, report := replay(t, l, 1); len(got) != 7 || report.Lost != 0 {
		t.Errorf("once it can be read: %d records, %+v", len(got), report)
	}
}

// TestDamageOnAFullDisk covers a start without space for a copy.
func TestDamageOnAFullDisk(t *testing.T) {
	d := newDamaged(t, 10, 5000, 10)
	f := d.with(func(b []byte) []byte { b[100] ^= 1; return b })
	f.SetSpace(10)
	l := open(t, f, wal.Options{})
	got, report := replay(t, l, 1)
	if len(got) != 4 || report.Lost != 1 || report.Quarantine == nil || report.Skipped[0].Kept != "" {
		t.Errorf("%d records, %+v", len(got), report)
	}
}

func TestVerify(t *testing.T) {
	d := newDamaged(t, 10, 5000, 40_000, 20, 20)
	f := d.with(func(b []byte) []byte { b[100] ^= 1; return b })
	before := f.Ops()
	var lines []string
	must(t, wal.Verify(f, "wal", func(i wal.Item) {
		lines = append(lines, fmt.Sprintf("%s of %d: %d to %d, %d records, %d bytes, lost %d, tail %d, newest %t, %v", i.File, i.Start, i.First, i.Last, i.Records, i.Bytes, i.Lost, i.Tail, i.Newest, i.Skipped))
	}))
	want := []string{
		"0000000000000001.wal of 1: 1 to 1, 1 records, 164 bytes, lost 0, tail 0, newest false, []",
		"0000000000000002.wal of 2: 2 to 6, 4 records, 45218 bytes, lost 1, tail 0, newest false, [0000000000000002.wal at 74: 5024 bytes, 1 records lost: payload of a record]",
		"0000000000000007.wal of 7: 7 to 7, 1 records, 164 bytes, lost 0, tail 0, newest true, []",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	records := 0
	report, err := wal.Read(f, "wal", 1, func(s *wal.Segment) error {
		for range s.Records() {
			records++
		}
		return nil
	})
	if records != 6 || report.Lost != 1 || len(report.Skipped) != 1 || report.Skipped[0].Kept != "" || err != nil {
		t.Errorf("Read gives %d records, %+v, %v", records, report, err)
	}
	if f.Ops() != before {
		t.Error("Verify or Read changed something")
	}
}
