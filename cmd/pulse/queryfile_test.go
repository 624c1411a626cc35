package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pulse/query"
	"pulse/store"
)

// What is in a file comes out of it: every point at its step, however many there
// are and over however long.
func TestQueryOfALongFile(t *testing.T) {
	const n, series = 20_000, 3 // 11 weeks of 5 minutes
	var file strings.Builder
	for i := range n {
		for k := range series {
			fmt.Fprintf(&file, `{"tags":{"name":"load","node":"%d"},"timestamp":%d,"value":%d}`+"\n", k, int64(i+1)*300_000, i%100+k)
		}
	}
	all, every, err := readSeries(strings.NewReader(file.String()), "test", 0)
	if err != nil || every != 300_000 || len(all) != series {
		t.Fatalf("%d series, step %d, %v", len(all), every, err)
	}
	st, first, last, err := storeOf(context.Background(), all, every)
	if err != nil || first != 300_000 || last != n*300_000 {
		t.Fatalf("from %d to %d, %v", first, last, err)
	}
	defer st.Close()
	e := query.New(st, query.Options{Limits: query.Limits{DatapointsPerLine: n, DatapointsRead: 1 << 40}})
	g, err := e.Eval(context.Background(), query.Request{Program: "name,load,:eq", Start: 0, End: last, Step: 300_000})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range g.Lines[0].Values {
		if want := float64(3*(i%100) + 3); v != want {
			t.Fatalf("value %d is %v, want %v", i, v, want)
		}
	}
}

// busy is a store that has room after some calls of Advance.
type busy struct{ imports, left int }

func (b *busy) Advance(int64) { b.left-- }

func (b *busy) Import(*store.ImportBatch, int64) (store.ImportResult, error) {
	b.imports++
	if b.left > 0 {
		return store.ImportResult{}, fmt.Errorf("%w: busy", store.ErrUnavailable)
	}
	return store.ImportResult{}, nil
}

// A store that has no room is waited for, not forever, and not by who has given up.
func TestFillWaits(t *testing.T) {
	line := store.ImportLine{Times: make([]int64, 25_000), Values: make([]float64, 25_000)}
	st := &busy{left: 3}
	if err := fill(context.Background(), st, line, 0); err != nil || st.imports != 6 {
		t.Errorf("%d imports, %v", st.imports, err)
	}
	st = &busy{left: 1 << 40}
	if err := fill(context.Background(), st, line, 0); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a store without room: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := fill(ctx, &busy{}, line, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// A file may be packed and begin with the mark of UTF-8. What is wrong with it is
// said with the place and what helps.
func TestQueryFiles(t *testing.T) {
	const one = `{"tags":{"name":"a"},"timestamp":1700000010000,"value":1}` + "\n"
	const two = one + `{"tags":{"name":"a"},"timestamp":1700000020000,"value":2}` + "\n"
	random := rand.New(rand.NewPCG(1, 2))
	var long strings.Builder
	for range 5000 {
		fmt.Fprintf(&long, `{"tags":{"name":"%x"},"timestamp":1700000010000,"value":1}`+"\n", random.Uint64())
	}
	broken := zipped(long.String())
	broken[len(broken)-6] ^= 0xFF // of the checksum
	for _, c := range []struct {
		name, text string
		points     int
		want       string // of the error
	}{
		{"plain", two, 2, ""},
		{"marked", "\uFEFF" + two, 2, ""},
		{"gzip", string(zipped(two)), 2, ""},
		{"members of gzip", string(zipped(one)) + string(zipped(two[len(one):])), 2, ""},
		{"gzip, marked", string(zipped("\uFEFF" + two)), 2, ""},
		{"zstd", string(zstdOf(two)), 2, ""},
		{"frames of zstd", string(zstdOf(one)) + string(zstdOf(two[len(one):])), 2, ""},
		{"long gzip", string(zipped(long.String())), 5000, ""},
		{"long zstd", string(zstdOf(long.String())), 5000, ""},
		{"no end of line", strings.TrimSpace(two), 2, ""},
		{"cut off", two + one[:40], 0, "file: line 3 is cut off: the file ends within it; get the file anew or remove that line"},
		{"cut off, then blank", two + one[:20] + "\n \n", 0, "file: line 3 is cut off: the file ends within it; get the file anew or remove that line"},
		{"on several lines", "{\n\"tags\":{}}\n", 0, "file: line 1 ends within its object, which must be on one line; jq -c . writes it so"},
		{"a list", "\n [" + one + "]", 0, "file: line 2 begins a list; a line is an object such as {\"tags\":{\"name\":\"starts\"},\"timestamp\":1700000000000,\"value\":1}, and jq -c '.[]' makes lines of a list"},
		{"csv", "1700000000,3\n", 0, "file: line 1 begins with \"1700000000,3\"; a line is an object such as {\"tags\":{\"name\":\"starts\"},\"timestamp\":1700000000000,\"value\":1}"},
		{"text for a time", strings.Replace(one, "1700000010000", `"x"`, 1), 0, "file: line 1: timestamp cannot be of the kind string"},
		{"µs", strings.Replace(one, "1700000010000", "1700000010000000", 1), 0, "file: line 1: timestamp 1700000010000000 is no time in ms since 1970 before the year 10000"},
		{"UTF-16", "\xff\xfe{\x00", 0, "file: it is UTF-16; write it as UTF-8"},
		{"gzip cut off", string(zipped(long.String())[:10_000]), 0, "is cut off: the gzip data ends early; get the file anew"},
		{"zstd cut off", string(zstdOf(long.String())[:10_000]), 0, "is cut off: the zstd data ends early; get the file anew"},
		{"gzip broken", string(broken), 0, "cannot be unpacked with gzip: "},
		{"no gzip", "\x1f\x8bnothing", 0, "file: it begins as gzip does, but is none: "},
		{"no zstd", "\x28\xb5\x2f\xfdnothing", 0, "file: line 1 cannot be unpacked with zstd: "},
	} {
		all, _, err := readSeries(strings.NewReader(c.text), "file", 0)
		points := 0
		for _, s := range all {
			points += len(s.times)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) || points != c.points {
			t.Errorf("%s: %d points, %v", c.name, points, err)
		}
	}
}

// A small file does not unpack into more than is read.
func TestUnpackedBound(t *testing.T) {
	for name, packed := range map[string][]byte{"gzip": zipped(strings.Repeat("\n", 1<<20)), "zstd": zstdOf(strings.Repeat("\n", 1<<20))} {
		for most, want := range map[int64]string{1 << 20: "<nil>", 1<<20 - 1: "there are more than 1048575 bytes in it; unpack the file before"} {
			text, err := openText(bytes.NewReader(packed), most)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, text)
			if fmt.Sprint(err) != want || n > 1<<20 {
				t.Errorf("%s, at most %d: %d bytes, %v", name, most, n, err)
			}
			text.close()
		}
	}
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func zstdOf(text string) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return z.EncodeAll([]byte(text), nil)
}

// A file is read or refused with its line; nothing in it stops the program.
func FuzzQueryFile(f *testing.F) {
	for _, s := range []string{
		`{"tags":{"name":"a"},"timestamp":1700000000000,"value":1}`, `{"tags":{"a":"b"},"step":"1m","timestamps":[60000,120000],"values":[1,"NaN"]}`,
		"{}\n[]", "\xef\xbb\xbf{", "\xff\xfe{", "\x1f\x8b\x08\x00", "\x28\xb5\x2f\xfd\x04\x00", "[", " \n{\n", "null", `{"tags":{"a":""},"timestamp":0,"value":1e308}`, `{"tags":{"a":"b"},"timestamps":[1,9007199254740992],"values":[1,2]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, every, err := readSeries(strings.NewReader(text), "file", 0)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file: ") {
				t.Fatal(err)
			}
			return
		}
		points := 0
		for _, s := range all {
			points += len(s.times)
			for _, at := range s.times {
				if at%every != 0 {
					t.Fatalf("value at %d, step %d", at, every)
				}
			}
		}
		st, _, _, err := storeOf(context.Background(), all, every)
		if err == nil {
			st.Close()
		} else if points > 0 && !strings.Contains(err.Error(), " ") {
			t.Fatal(err)
		}
	})
}
