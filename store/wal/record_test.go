package wal_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pulse/store/tags"
	"pulse/store/wal"
)

// byPartition returns b as it comes back: grouped by partition.
func byPartition(b wal.Batch) wal.Batch {
	order := make([]int, len(b.Refs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return int(b.Refs[x]>>26) - int(b.Refs[y]>>26) })
	out := b
	out.Refs, out.Times, out.Values = nil, nil, nil
	for _, i := range order {
		out.Refs = append(out.Refs, b.Refs[i])
		out.Times = append(out.Times, b.Times[i])
		out.Values = append(out.Values, b.Values[i])
	}
	return out
}

// same compares batches bit for bit.
func same(t *testing.T, got, want wal.Batch) {
	t.Helper()
	if !slices.Equal(got.Refs, want.Refs) {
		t.Fatalf("refs\n got %v\nwant %v", got.Refs, want.Refs)
	}
	if !slices.Equal(got.Times, want.Times) {
		t.Fatalf("times\n got %v\nwant %v", got.Times, want.Times)
	}
	for i := range want.Values {
		if math.Float64bits(got.Values[i]) != math.Float64bits(want.Values[i]) {
			t.Fatalf("value %d: got %x, want %x", i, math.Float64bits(got.Values[i]), math.Float64bits(want.Values[i]))
		}
	}
	if got.Source != want.Source || got.Arrival != want.Arrival || got.Now != want.Now || got.Amount != want.Amount || string(got.Note) != string(want.Note) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// randomBatch draws anything that a batch can be.
func randomBatch(r *rand.Rand, refs []uint32) wal.Batch {
	b := wal.Batch{Source: r.Uint32(), Arrival: r.Int64N(1 << 42), Amount: r.IntN(2) == 0, Refs: refs}
	b.Now = b.Arrival + r.Int64N(100) - 50
	if r.IntN(3) == 0 {
		b.Note = []byte("note")
	}
	times := []int{1, 2, 16, 17, 1000}[r.IntN(5)]
	for range refs {
		b.Times = append(b.Times, b.Arrival-int64(r.IntN(times))*1000)
		b.Values = append(b.Values, randomValue(r))
	}
	return b
}

func randomValue(r *rand.Rand) float64 {
	switch r.IntN(14) {
	case 0:
		return math.Float64frombits(r.Uint64())
	case 1:
		return math.Copysign(0, -1)
	case 2:
		return math.Inf(1 - 2*r.IntN(2))
	case 3:
		return math.Float64frombits(0x7FF0000000000001 + r.Uint64N(1<<50)) // NaN with a payload
	case 4:
		return math.NaN()
	case 5:
		return float64(r.Uint64N(1<<r.IntN(64))) / 10
	case 6:
		return float64(r.Uint64N(1 << r.IntN(64)))
	case 7:
		return -float64(r.Uint64N(1 << r.IntN(64)))
	case 8:
		return float64(r.Uint64N(1<<r.IntN(50))) / 100
	case 9:
		return float64(r.Uint64N(1<<r.IntN(50))) / 1000
	case 10:
		return float64(r.Uint64N(1<<r.IntN(50))) / 1e9
	case 11:
		return float64(r.Uint64N(1<<r.IntN(50))) / 10 * 1e-9
	case 12:
		return float64(float32(r.NormFloat64()))
	}
	return 0
}

func randomRefs(r *rand.Rand, n int) []uint32 {
	out := make([]uint32, n)
	top := uint32(1) << r.IntN(33)
	for i := range out {
		out[i] = r.Uint32() & (top - 1)
	}
	return out
}

// segment is payloads on their way through an encoder and back.
type segment struct {
	t        *testing.T
	e        *wal.Encoder
	lsns     []uint64
	payloads [][]byte
	next     uint64
}

func newSegment(t *testing.T, o wal.EncoderOptions) *segment {
	return &segment{t: t, e: wal.NewEncoder(o), next: 1}
}

// add begins a group, lets encode append a payload and keeps it.
func (s *segment) add(encode func(dst []byte) []byte) []byte {
	s.e.Begin(s.next)
	p := encode(nil)
	if len(p) > 0 {
		s.lsns, s.payloads = append(s.lsns, s.next), append(s.payloads, p)
		s.next++
	}
	return p
}

func (s *segment) batch(b wal.Batch, series []wal.Series, senders []wal.Sender) []byte {
	return s.add(func(dst []byte) []byte { return s.e.Batch(dst, &b, series, senders) })
}

// decode gives f each record that lost does not name.
func (s *segment) decode(want uint64, f func(i int, r *wal.Record), lost ...uint64) {
	s.t.Helper()
	d := wal.NewDecoder()
	for i, p := range s.payloads {
		if !slices.Contains(lost, s.lsns[i]) {
			if err := d.Scan(s.lsns[i], p); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	for i, p := range s.payloads {
		if slices.Contains(lost, s.lsns[i]) {
			continue
		}
		r, err := d.Decode(s.lsns[i], p, want)
		if err != nil {
			s.t.Fatal(err)
		}
		f(i, r)
	}
}

func TestRecordBatchesComeBack(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newSegment(t, wal.EncoderOptions{Step: []int64{0, 100, 5000, 60_000}[r.IntN(4)], TemplateBytes: []int{0, 100_000}[r.IntN(2)]})
		var lists [][]uint32
		for range 4 {
			lists = append(lists, randomRefs(r, []int{0, 1, 15, 16, 17, 300, 5000}[r.IntN(7)]))
		}
		var want []wal.Batch
		for range 40 {
			refs := slices.Clone(lists[r.IntN(len(lists))])
			switch r.IntN(4) {
			case 0:
				refs = slices.DeleteFunc(refs, func(uint32) bool { return r.IntN(10) == 0 })
			case 1:
				for range len(refs) / 100 {
					refs = slices.Insert(refs, r.IntN(len(refs)), r.Uint32())
				}
			case 2:
				if r.IntN(4) == 0 {
					r.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
				}
			}
			b := randomBatch(r, refs)
			want = append(want, byPartition(b))
			s.batch(b, nil, nil)
		}
		s.decode(wal.AllPartitions, func(i int, rec *wal.Record) {
			if rec.Kind != wal.KindBatch {
				t.Fatalf("kind %v", rec.Kind)
			}
			same(t, rec.Batch, want[i])
		})
		// The sections of some partitions, without the others.
		mask := r.Uint64() & r.Uint64()
		s.decode(mask, func(i int, rec *wal.Record) {
			some := wal.Batch{Source: want[i].Source, Arrival: want[i].Arrival, Now: want[i].Now, Amount: want[i].Amount, Note: want[i].Note}
			for k, ref := range want[i].Refs {
				if mask>>(ref>>26)&1 != 0 {
					some.Refs, some.Times, some.Values = append(some.Refs, ref), append(some.Times, want[i].Times[k]), append(some.Values, want[i].Values[k])
				}
			}
			same(t, rec.Batch, some)
		})
	}
}

func TestRecordImportsComeBack(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := newSegment(t, wal.EncoderOptions{})
		var want []wal.Import
		for range 5 {
			m := wal.Import{Now: r.Int64N(1 << 42)}
			if r.IntN(2) == 0 {
				m.Note = []byte("key")
			}
			for range r.IntN(50) {
				l := wal.ImportLine{Ref: r.Uint32(), Step: []int64{10_000, 60_000, 1}[r.IntN(3)]}
				at, same := r.Int64N(1<<42), r.IntN(2) == 0
				for range r.IntN(100) {
					l.Times, l.Values = append(l.Times, at), append(l.Values, randomValue(r))
					if at += l.Step; !same {
						at += r.Int64N(5) - 2
					}
				}
				m.Lines = append(m.Lines, l)
			}
			series := []wal.Series{{Ref: 5, At: 7, Tags: tags.Of("name", "x")}}
			s.add(func(dst []byte) []byte { return s.e.Import(dst, &m, series) })
			slices.SortStableFunc(m.Lines, func(a, b wal.ImportLine) int { return int(a.Ref>>26) - int(b.Ref>>26) })
			want = append(want, m)
		}
		s.decode(wal.AllPartitions, func(i int, rec *wal.Record) {
			got := &rec.Import
			if rec.Kind != wal.KindImport || got.Now != want[i].Now || string(got.Note) != string(want[i].Note) || len(got.Lines) != len(want[i].Lines) || len(rec.Series) != 1 {
				t.Fatalf("got %+v", rec)
			}
			for k := range got.Lines {
				g, w := &got.Lines[k], &want[i].Lines[k]
				if g.Ref != w.Ref || g.Step != w.Step || len(g.Values) != len(w.Values) {
					t.Fatalf("line %d: got %+v, want %+v", k, g, w)
				}
				same(t, wal.Batch{Times: g.Times, Values: g.Values}, wal.Batch{Times: w.Times, Values: w.Values})
			}
		})
		s.decode(1<<7, func(i int, rec *wal.Record) {
			for _, l := range rec.Import.Lines {
				if l.Ref>>26 != 7 {
					t.Fatalf("a line of partition %d", l.Ref>>26)
				}
			}
		})
	}
}

func TestRecordMarksAndNotesComeBack(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{})
	s.add(func(dst []byte) []byte { return s.e.Mark(dst, []byte{1, 0, 255}) })
	s.add(func(dst []byte) []byte { return s.e.Mark(dst, nil) })
	s.add(func(dst []byte) []byte { return s.e.Note(dst, 1234, []byte("abc")) })
	var got []string
	s.decode(wal.AllPartitions, func(_ int, r *wal.Record) {
		got = append(got, fmt.Sprintf("%d %v %v %d %s", r.LSN, r.Kind, r.Mark, r.Batch.Arrival, r.Batch.Note))
	})
	if want := []string{"1 mark [1 0 255] 0 ", "2 mark [] 0 ", "3 note [] 1234 abc"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestRecordDefinitionsComeBack(t *testing.T) {
	series := []wal.Series{
		{Ref: 7, At: 1000, Tags: tags.Of("name", "sps", "app", "www")},
		{Ref: 3<<26 | 1, At: 900, Tags: tags.Of("name", "sps", "app", "")},
		{Ref: math.MaxUint32, At: -5, Tags: tags.Of()},
	}
	senders := []wal.Sender{{ID: 3, At: 5, Key: "10.0.0.1 app=www"}, {ID: 1, At: 6, Key: ""}}
	s := newSegment(t, wal.EncoderOptions{})
	s.batch(wal.Batch{Arrival: 5, Now: 5}, series, senders)
	s.decode(wal.AllPartitions, func(_ int, rec *wal.Record) { sameDefinitions(t, rec, 1, series, senders) })
}

func sameDefinitions(t *testing.T, rec *wal.Record, lsn uint64, series []wal.Series, senders []wal.Sender) {
	t.Helper()
	if len(rec.Series) != len(series) || len(rec.Senders) != len(senders) {
		t.Fatalf("%d series and %d senders, want %d and %d", len(rec.Series), len(rec.Senders), len(series), len(senders))
	}
	for i, want := range series {
		if got := rec.Series[i]; !got.Tags.Equal(want.Tags) || got.Ref != want.Ref || got.At != want.At || got.LSN != lsn {
			t.Errorf("series %d: got %+v, want %+v", i, got, want)
		}
	}
	for i, want := range senders {
		if want.LSN = lsn; rec.Senders[i] != want {
			t.Errorf("sender %d: got %+v, want %+v", i, rec.Senders[i], want)
		}
	}
}

// A client whose step is not the store's costs no more than one whose step is.
func TestRecordStepsOfClients(t *testing.T) {
	sizes := map[int64]int{}
	for _, step := range []int64{10_000, 60_000} {
		f := newFleet(1, 1000, 12, 60_000, false)
		s := newSegment(t, wal.EncoderOptions{Step: step})
		var want []wal.Batch
		for _, batches := range f.batches {
			sizes[step] = len(s.batch(batches[0], nil, nil))
			want = append(want, byPartition(batches[0]))
		}
		s.decode(wal.AllPartitions, func(i int, r *wal.Record) { same(t, r.Batch, want[i]) })
	}
	if sizes[10_000] > sizes[60_000]*105/100 {
		t.Errorf("%d bytes, %d at the right step", sizes[10_000], sizes[60_000])
	}
}
