package field_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"pulse/store/field"
)

// all writes one of each field, and readAll reads them.
func all(u uint64, v int64, text string) []byte {
	b := append([]byte{7}, "abc"...)
	b = binary.LittleEndian.AppendUint64(b, u)
	b = binary.AppendUvarint(b, u)
	b = binary.AppendVarint(b, v)
	b = binary.AppendUvarint(b, 100)
	b = field.AppendText(b, text)
	return append(binary.AppendUvarint(b, 2), 1, 2, 3, 4)
}

func readAll(r *field.Reader) string {
	return fmt.Sprint(r.Byte(), string(r.Bytes(3)), r.Uint64(), r.Uvarint(), r.Varint(), r.Number(100), string(r.Text()), r.Count(2), r.Bytes(4))
}

func TestRead(t *testing.T) {
	for _, u := range []uint64{0, 1, 127, 128, 1 << 40, math.MaxUint64} {
		for _, v := range []int64{0, 1, -1, 64, -65, math.MaxInt64, math.MinInt64} {
			for _, text := range []string{"", "x", "some text"} {
				src := all(u, v, text)
				r := field.Reader{Rest: src}
				want := fmt.Sprint(byte(7), "abc", u, u, v, 100, text, 2, []byte{1, 2, 3, 4})
				if got := readAll(&r); got != want || r.Bad || len(r.Rest) > 0 {
					t.Errorf("got %s, bad %t, %d bytes left, want %s", got, r.Bad, len(r.Rest), want)
				}
				for n := range src {
					r := field.Reader{Rest: src[:n]}
					if readAll(&r); !r.Bad {
						t.Fatalf("the first %d of %d bytes are not bad", n, len(src))
					}
				}
			}
		}
	}
}

// What cannot be is bad, and nothing is read after it.
func TestBad(t *testing.T) {
	long := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 1, 2, 3)
	for name, read := range map[string]func(*field.Reader){
		"a number above its limit":   func(r *field.Reader) { r.Number(254) },
		"more things than bytes":     func(r *field.Reader) { r.Count(1) },
		"a text beyond the end":      func(r *field.Reader) { r.Text() },
		"a negative number of bytes": func(r *field.Reader) { r.Bytes(-1) },
		"what the caller refuses":    func(r *field.Reader) { r.Fail() },
	} {
		r := field.Reader{Rest: append(binary.AppendUvarint(nil, 255), make([]byte, 254)...)}
		if read(&r); !r.Bad {
			t.Errorf("%s is not bad", name)
		}
		if r.Byte() != 0 || r.Uint64() != 0 || r.Uvarint() != 0 || r.Varint() != 0 || r.Number(9) != 0 || r.Count(1) != 0 || len(r.Text()) != 0 || len(r.Bytes(1)) != 0 || !r.Bad {
			t.Errorf("after %s something is read", name)
		}
	}
	if r := (field.Reader{Rest: long}); r.Uvarint() != 0 || !r.Bad {
		t.Error("a number of more than 64 bits is not bad")
	}
}

// Whatever the bytes are, fields are read from their front to their end.
func FuzzRead(f *testing.F) {
	f.Add(all(300, -300, "text"))
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, src []byte) {
		r := field.Reader{Rest: src}
		readAll(&r)
		if r.Bad && r.Rest != nil || !r.Bad && string(r.Rest) != string(src[len(src)-len(r.Rest):]) {
			t.Errorf("bad %t, and %x is left of %x", r.Bad, r.Rest, src)
		}
	})
}

// TestWordUvarint: every length is read as binary.Uvarint reads it, whatever
// follows.
func TestWordUvarint(t *testing.T) {
	for bit := range 64 {
		for _, u := range []uint64{1 << bit, 1<<bit - 1, 1<<bit | 1, math.MaxUint64 >> bit} {
			for _, behind := range []byte{0, 0xff} {
				b := binary.AppendUvarint(nil, u)
				n := len(b)
				for len(b) < 16 {
					b = append(b, behind)
				}
				v, got := field.WordUvarint(binary.LittleEndian.Uint64(b))
				if n > 8 && got != 0 || n <= 8 && (v != u || got != n) {
					t.Errorf("%d of %d bytes is %d of %d", u, n, v, got)
				}
				r := field.Reader{Rest: b}
				if v := r.Uvarint(); v != u || len(r.Rest) != 16-n || r.Bad {
					t.Errorf("%d was read as %d, %d bytes are left", u, v, len(r.Rest))
				}
			}
		}
	}
	for _, long := range [][]byte{{0x80, 0}, {0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}} { // longer than need be
		want, n := binary.Uvarint(long)
		b := append(long[:len(long):len(long)], 0, 0, 0, 0, 0, 0, 0, 0)
		if v, got := field.WordUvarint(binary.LittleEndian.Uint64(b)); v != want || got != n {
			t.Errorf("%x is %d of %d bytes, want %d of %d", long, v, got, want, n)
		}
	}
}
