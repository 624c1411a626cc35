package wal_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pulse/store/tags"
	"pulse/store/wal"
)

// sampleSegment is payloads of every kind and form, from record 10 on.
func sampleSegment() [][]byte {
	e := wal.NewEncoder(wal.EncoderOptions{})
	e.Begin(10)
	r := rand.New(rand.NewPCG(3, 4))
	var out [][]byte
	add := func(p []byte) { out = append(out, p) }
	refs := steadyRefs(0, 40)
	b := batchOf(refs, 1_800_000_000_000)
	series := []wal.Series{{Ref: refs[0], At: 1, Tags: tags.Of("name", "sps", "nf.app", "www")}, {Ref: refs[1], At: 2, Tags: tags.Of("name", "eps", "nf.app", "www")}}
	add(e.Batch(nil, &b, series, []wal.Sender{{ID: 1, At: 3, Key: "10.0.0.1 www"}}))
	add(e.Batch(nil, &b, nil, nil)) // defines a template
	add(e.Batch(nil, &b, nil, nil))
	some := batchOf(append(slices.Clone(refs[:9]), append([]uint32{77, 5 << 26}, refs[14:]...)...), 1_800_000_010_000)
	add(e.Batch(nil, &some, nil, nil))
	for range 6 {
		any := randomBatch(r, refs[:r.IntN(len(refs)+1)])
		add(e.Batch(nil, &any, nil, nil))
	}
	add(e.Import(nil, &wal.Import{Now: 5, Note: []byte("n"), Lines: []wal.ImportLine{
		{Ref: 5<<26 | 1, Step: 60_000, Times: []int64{60_000, 120_000, 180_000}, Values: []float64{1, math.NaN(), 0.1}},
		{Ref: 2, Step: 10_000, Times: []int64{10_000, 40_000, 50_000}, Values: []float64{1, 2, 3}},
		{Ref: 3},
	}}, series))
	add(e.Mark(nil, []byte("mark")))
	add(e.Note(nil, 7, []byte("note")))
	add(e.Repeat(nil, true))
	return out
}

// decodeAny decodes payload as record 20 of the sample segment, whatever it is,
// and checks what must hold of anything.
func decodeAny(t *testing.T, d *wal.Decoder, samples [][]byte, payload []byte) *wal.Record {
	d.Reset()
	for i, p := range samples {
		if err := d.Scan(uint64(10+i), p); err != nil {
			t.Fatal(err)
		}
	}
	at := uint64(10 + len(samples))
	scanned := d.Scan(at, payload)
	rec, err := d.Decode(at, payload, wal.AllPartitions)
	if scanned != nil && err == nil && !strings.Contains(scanned.Error(), "template: ") {
		t.Fatalf("Scan refused what Decode read: %v", scanned)
	}
	var corrupt *wal.PayloadError
	if err != nil {
		if !errors.Is(err, wal.ErrCorrupt) || !errors.As(err, &corrupt) || corrupt.LSN != at || corrupt.Offset < 0 || corrupt.Offset > len(payload) || corrupt.Reason == "" {
			t.Fatalf("error %#v", err)
		}
		if len(rec.Series)+len(rec.Senders)+len(rec.Batch.Refs)+len(rec.Batch.Times)+len(rec.Batch.Values)+len(rec.Import.Lines)+len(rec.Mark) > 0 {
			t.Fatalf("a refused record holds something: %+v", rec)
		}
		return nil
	}
	b := &rec.Batch
	if len(b.Refs) != len(b.Times) || len(b.Refs) != len(b.Values) {
		t.Fatalf("columns of %d, %d and %d", len(b.Refs), len(b.Times), len(b.Values))
	}
	if !slices.IsSortedFunc(b.Refs, func(x, y uint32) int { return int(x>>26) - int(y>>26) }) {
		t.Fatal("refs are not by partition")
	}
	for _, l := range rec.Import.Lines {
		if len(l.Times) != len(l.Values) {
			t.Fatalf("a line of %d and %d", len(l.Times), len(l.Values))
		}
	}
	return rec
}

func FuzzRecordDecode(f *testing.F) {
	samples := sampleSegment()
	for _, p := range samples {
		f.Add(p)
	}
	d := wal.NewDecoder()
	f.Fuzz(func(t *testing.T, payload []byte) {
		rec := decodeAny(t, d, samples, payload)
		if rec == nil {
			return
		}
		// What was read is written and read again.
		e, again := wal.NewEncoder(wal.EncoderOptions{}), wal.NewDecoder()
		var p []byte
		switch rec.Kind {
		case wal.KindBatch:
			p = e.Batch(nil, &rec.Batch, rec.Series, rec.Senders)
		case wal.KindImport:
			p = e.Import(nil, &rec.Import, rec.Series)
		default:
			return
		}
		if err := again.Scan(0, p); err != nil {
			t.Fatal(err)
		}
		back, err := again.Decode(0, p, wal.AllPartitions)
		if err != nil {
			t.Fatal(err)
		}
		same(t, back.Batch, rec.Batch)
		if len(back.Series) != len(rec.Series) || len(back.Import.Lines) != len(rec.Import.Lines) {
			t.Fatal("definitions or lines are missing")
		}
		for i, l := range rec.Import.Lines {
			g := back.Import.Lines[i]
			same(t, wal.Batch{Refs: []uint32{g.Ref}, Times: g.Times, Values: g.Values}, wal.Batch{Refs: []uint32{l.Ref}, Times: l.Times, Values: l.Values})
		}
	})
}

// Every byte of every sample changed, and every beginning of it.
func TestRecordDamage(t *testing.T) {
	samples := sampleSegment()
	d := wal.NewDecoder()
	for _, p := range samples {
		decodeAny(t, d, samples, p)
		for i := range p {
			for _, x := range []byte{1, 0x80, 0xFF, p[i] ^ 0x7F} {
				bad := slices.Clone(p)
				bad[i] ^= x
				decodeAny(t, d, samples, bad)
			}
			if decodeAny(t, d, samples, p[:i]) != nil && wal.Kind(p[0]&15) != wal.KindMark && wal.Kind(p[0]&15) != wal.KindNote {
				t.Fatalf("the first %d of %d bytes of a %v were read", i, len(p), wal.Kind(p[0]&15))
			}
		}
	}
}

// Numbers that promise more than there is cost no memory.
func TestRecordPromises(t *testing.T) {
	huge := []byte{0xFF, 0xFF, 0xFF, 0xFF, 0x0F}
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	for name, p := range map[string][]byte{
		"blocks":    join([]byte{0x11}, huge),
		"texts":     join([]byte{0x11, 1, 1, 0, 6}, huge, []byte{1}),
		"series":    join([]byte{0x11, 1, 1, 0, 7, 0}, huge, []byte{1}),
		"tags":      join([]byte{0x11, 1, 1, 0, 9, 0, 1, 2, 2}, huge),
		"senders":   join([]byte{0x11, 1, 2, 0, 6}, huge, []byte{1}),
		"template":  join([]byte{0x11, 1, 3, 0, 8, 1, 1, 0}, huge),
		"points":    join([]byte{0x11, 0, 0, 1, 2, 0, 1, 0}, huge, make([]byte, 50)),
		"note":      join([]byte{0x11, 0, 4, 1, 2, 0}, huge, make([]byte, 50)),
		"lines":     join([]byte{0x12, 0, 2, 0x90, 0x4E, 0}, huge, make([]byte, 50)),
		"line":      join([]byte{0x12, 0, 2, 0x90, 0x4E, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0, 1, 2}, huge, make([]byte, 50)),
		"sections":  {0x11, 0, 0, 1, 2, 0, 64},
		"step":      {0x11, 0, 8, 1, 2, 0, 0},
		"version":   {0x21, 0},
		"kind":      {0x16, 0},
		"no kind":   {0x10, 0},
		"empty":     {},
		"times":     {0x11, 0, 0x30, 1, 2, 0, 1, 0, 1, 0},
		"few times": {0x11, 0, 0x10, 1, 2, 0, 1, 0, 1, 17, 0},
		"template?": {0x11, 0, 2, 1, 2, 0, 99, 1, 2, 3, 4},
	} {
		d := wal.NewDecoder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := d.Scan(1, p)
		_, err2 := d.Decode(1, p, wal.AllPartitions)
		runtime.ReadMemStats(&after)
		if errors.Join(err, err2) == nil {
			t.Errorf("%s: read", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<10 {
			t.Errorf("%s: %d bytes allocated for %d", name, n, len(p))
		}
	}
}

// FuzzRecordValues sends any doubles three times over, so that the first, the
// defining and the steady form of a batch are all there.
func FuzzRecordValues(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 4 {
		var data []byte
		for range 16 * n {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(randomValue(r)))
		}
		f.Add(data, uint32(10_000))
	}
	f.Fuzz(func(t *testing.T, data []byte, step uint32) {
		s := newSegment(t, wal.EncoderOptions{Step: int64(step)})
		b := wal.Batch{Refs: steadyRefs(0, len(data)/8), Times: make([]int64, len(data)/8)}
		for ; len(data) >= 8; data = data[8:] {
			b.Values = append(b.Values, math.Float64frombits(binary.LittleEndian.Uint64(data)))
		}
		other := b
		other.Values = slices.Clone(b.Values)
		slices.Reverse(other.Values)
		sent := []wal.Batch{b, b, other, b}
		for _, b := range sent {
			s.batch(b, nil, nil)
		}
		s.decode(wal.AllPartitions, func(i int, r *wal.Record) { same(t, r.Batch, byPartition(sent[i])) })
	})
}
