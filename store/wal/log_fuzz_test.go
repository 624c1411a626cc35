package wal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pulse/store/disk/faulty"
)

// mend makes sums right that a fuzzer cannot guess, wherever a mark asks for it:
// from a byte 0xf1 on, the next record's sums are computed, from 0xf2 on the
// next page's head.
func mend(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) >= fileHeader && b[15] == 0xf0 {
		binary.LittleEndian.PutUint32(b[12:], headerSum(b))
	}
	for i := fileHeader; i+recordHeader <= len(b); i++ {
		switch {
		case i%pageSize == 0 && b[i] == 0xf2:
			begins := binary.LittleEndian.Uint32(b[i+4:])
			binary.LittleEndian.PutUint32(b[i:], crc32.Checksum(appendPlace(nil, 1, int64(i/pageSize), begins), castagnoli))
		case b[i] == 0xf1:
			length := int(binary.LittleEndian.Uint32(b[i+8:]) % 256)
			clear(b[i+9 : i+12])
			if end := i + recordHeader + length; end <= len(b) {
				binary.LittleEndian.PutUint32(b[i+4:], crc32.Checksum(b[i+recordHeader:end], castagnoli))
			}
			binary.LittleEndian.PutUint32(b[i:], crc32.Checksum(b[i+4:i+recordHeader], castagnoli))
		}
	}
	return b
}

func FuzzScan(f *testing.F) {
	var file []byte
	file = header{first: 1, start: 1}.appendTo(file)
	p := pager{first: 1, pos: fileHeader}
	for lsn := range uint64(5) {
		file = p.append(file, appendRecord(nil, lsn+1, 1, bytes.Repeat([]byte{byte(lsn)}, int(lsn)*9000)))
	}
	f.Add(file, uint64(0))
	f.Add(file[:50_000], uint64(3))
	f.Add(file[:40], uint64(0))
	f.Add([]byte{}, uint64(1))
	marked := bytes.Repeat(append([]byte{0xf1}, make([]byte, recordHeader-1)...), 20)
	for i := range 20 {
		marked[recordHeader*i+16] = byte(1 + i%7) // numbers that go back
	}
	f.Add(append(bytes.Clone(file[:fileHeader]), marked...), uint64(5))
	f.Fuzz(func(t *testing.T, data []byte, limit uint64) {
		for _, b := range [][]byte{bytes.Clone(data), mend(data)} {
			size := len(b)
			// Bytes behind the input, which must be left alone.
			b = append(b, "guard"...)
			got, err := scan(b[:size:size], 1, limit)
			if string(b[size:]) != "guard" {
				t.Fatal("written behind the input")
			}
			if err != nil {
				continue
			}
			checkFound(t, got, b[:size], limit)
		}
	})
}

// checkFound compares what a scan says with the records that it left.
func checkFound(t *testing.T, f found, b []byte, limit uint64) {
	if f.size != int64(len(b)) || f.dense > len(b) || f.end > f.size || f.tail() < 0 {
		t.Fatalf("%+v of %d bytes", f, len(b))
	}
	n, last := 0, uint64(0)
	for rest := b[:f.dense]; len(rest) > 0; n++ {
		r, ok := readRecord(rest)
		if !ok || recordHeader+r.length > len(rest) {
			t.Fatalf("record %d of the dense ones is none", n)
		}
		if crc32.Checksum(rest[recordHeader:recordHeader+r.length], castagnoli) != r.payloadSum {
			t.Fatalf("the payload of record %d is not the one that was checked", n)
		}
		if r.lsn <= last || limit > 0 && r.lsn >= limit {
			t.Fatalf("record %d follows record %d, limit %d", r.lsn, last, limit)
		}
		last = r.lsn
		rest = rest[recordHeader+r.length:]
	}
	if n != f.records || n > 0 && last != f.last {
		t.Fatalf("%d records up to %d, found says %+v", n, last, f)
	}
	for _, d := range f.damage {
		if d.Offset < 0 || d.Bytes < 0 || d.Offset+d.Bytes > f.size && d.Reason != "many places" && d.Offset > 0 {
			t.Fatalf("damage %+v of %d bytes", d, f.size)
		}
	}
}

// TestScanAllocatesLittle gives inputs that promise much.
func TestScanAllocatesLittle(t *testing.T) {
	long := appendRecord(nil, 1, 1, nil)
	binary.LittleEndian.PutUint32(long[8:], MaxPayload)
	binary.LittleEndian.PutUint32(long, crc32.Checksum(long[4:recordHeader], castagnoli))
	alternating := appendRecord(appendRecord(nil, 9, 1, nil), 3, 1, nil)
	var gaps, pages []byte
	for i := range uint64(40_000) {
		gaps = appendRecord(gaps, 3*i+1, 1, nil)
	}
	for i := range 60 {
		pages = append(appendPage(pages, 1, int64(i+1), 8), make([]byte, pageSize-pageHeader)...)
	}
	head := header{first: 1, start: 1}.appendTo(nil)
	for name, body := range map[string][]byte{
		"a length of 64 MiB": long, "alternating": bytes.Repeat(alternating, 20_000), "gaps": gaps,
		"pages": append(make([]byte, pageSize-fileHeader), pages...), "zeros": make([]byte, 1<<20),
		"many lengths": bytes.Repeat(long, 20_000),
	} {
		data := append(bytes.Clone(head), body...)
		f := faulty.New(1)
		_ = f.MkdirAll("wal")
		f.Put("wal/"+fileName(1), data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Verify(f, "wal", func(Item) {}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used, limit := after.TotalAlloc-before.TotalAlloc, 4*uint64(len(data))+128<<10; used > limit {
			t.Errorf("%s: %d bytes allocated for %d", name, used, len(data))
		}
	}
}

// TestPageHeads damages each byte of the heads of pages, and puts a page where it
// does not belong: it costs nothing, and is reported.
func TestPageHeads(t *testing.T) {
	p := pager{first: 1, pos: fileHeader}
	file := header{first: 1, start: 1}.appendTo(nil)
	for lsn := range uint64(9) {
		file = p.append(file, appendRecord(nil, lsn+1, 1, make([]byte, 15_000)))
	}
	for page := pageSize; page < len(file); page += pageSize {
		for i := range pageHeader {
			b := bytes.Clone(file)
			b[page+i] ^= 4
			f, err := scan(b, 1, 0)
			want := Damage{File: fileName(1), Offset: int64(page), Bytes: pageHeader, Reason: "head of a page"}
			if err != nil || f.records != 9 || len(f.damage) != 1 || f.damage[0] != want {
				t.Fatalf("byte %d of page %d: %d records, %v", i, page/pageSize, f.records, f.damage)
			}
		}
	}
	scratch := make([]byte, 32)
	head := appendPage(nil, 7, 3, 100)
	if begins, ok := readPage(head, 7, 3, scratch); begins != 100 || !ok {
		t.Errorf("readPage = %d, %t", begins, ok)
	}
	for _, place := range [][2]int64{{7, 4}, {8, 3}, {3, 7}} {
		if _, ok := readPage(head, uint64(place[0]), place[1], scratch); ok {
			t.Errorf("the head of page 3 of file 7 is taken for that of page %d of file %d", place[1], place[0])
		}
	}
}

func TestAfter(t *testing.T) {
	for _, pos := range []int64{fileHeader, 100, pageSize - 1, pageSize, pageSize + pageHeader, 3*pageSize - 9, 5 * pageSize} {
		for _, n := range []int{0, 1, 23, pageSize - pageHeader - 1, pageSize - pageHeader, pageSize - pageHeader + 1, pageSize, 5 * pageSize, 5 * (pageSize - pageHeader)} {
			want := pos
			for range n { // a byte at a time
				if want%pageSize == 0 {
					want += pageHeader
				}
				want++
			}
			if got := after(pos, n); got != want {
				t.Errorf("after(%d, %d) = %d, want %d", pos, n, got, want)
			}
		}
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	l := openDir(t, t.TempDir())
	group := [][]byte{make([]byte, 300), make([]byte, 40_000)}
	n := testing.AllocsPerRun(50, func() {
		if _, err := l.Begin(1000); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write(group...); err != nil {
			t.Fatal(err)
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations per write and sync", n)
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]uint64{
		"0000000000000001.wal": 1, "00000000000000ff.wal": 255, "ffffffffffffffff.wal": 1<<64 - 1,
		"0000000000000000.wal": 0, "00000000000000FF.wal": 0, "1.wal": 0, "0000000000000001.tmp": 0,
		"+000000000000001.wal": 0, "0000000000000001.wal.tmp": 0, "": 0,
	} {
		first, ok := fileFirst(name)
		if ok != (want > 0) || ok && first != want {
			t.Errorf("fileFirst(%q) = %d, %t", name, first, ok)
		}
		if ok && filepath.Base(fileName(first)) != name {
			t.Errorf("fileName(%d) = %q", first, fileName(first))
		}
	}
	if got := (Damage{File: "a.wal", Offset: 5, Bytes: 7, Lost: 1, Reason: "payload of a record"}).String(); !strings.Contains(got, "a.wal at 5: 7 bytes") {
		t.Error(got)
	}
}
