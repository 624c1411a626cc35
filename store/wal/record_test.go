package wal_test

import (
	"math"
	"math/rand/v2"
	"reflect"
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

func TestBatchesComeBack(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := wal.NewEncoder(wal.EncoderOptions{Step: []int64{0, 100, 5000, 60_000}[r.IntN(4)]})
		e.Begin(100)
		var lists [][]uint32
		for range 4 {
			lists = append(lists, randomRefs(r, []int{0, 1, 15, 16, 17, 300, 5000}[r.IntN(7)]))
		}
		var want []wal.Batch
		var payloads [][]byte
		for i := range 30 {
			refs := lists[r.IntN(len(lists))]
			if r.IntN(2) == 0 {
				refs = slices.DeleteFunc(slices.Clone(refs), func(uint32) bool { return r.IntN(10) == 0 })
			}
			b := randomBatch(r, refs)
			want = append(want, byPartition(b))
			payloads = append(payloads, e.Batch(nil, &b, nil, nil))
			e.Begin(101 + uint64(i))
		}
		d := wal.NewDecoder()
		for i, p := range payloads {
			if err := d.Scan(100+uint64(i), p); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range payloads {
			rec, err := d.Decode(100+uint64(i), p, wal.AllPartitions)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if rec.Kind != wal.KindBatch {
				t.Fatalf("kind %v", rec.Kind)
			}
			same(t, rec.Batch, want[i])
		}
	}
}

func TestDefinitionsComeBack(t *testing.T) {
	series := []wal.Series{
		{Ref: 7, At: 1000, Tags: tags.Of("name", "sps", "app", "www")},
		{Ref: 3<<26 | 1, At: 900, Tags: tags.Of("name", "sps", "app", "")},
		{Ref: math.MaxUint32, At: -5, Tags: tags.Of()},
	}
	senders := []wal.Sender{{ID: 3, At: 5, Key: "10.0.0.1 app=www"}, {ID: 1, At: 6, Key: ""}}
	e := wal.NewEncoder(wal.EncoderOptions{})
	e.Begin(1)
	b := wal.Batch{Arrival: 5, Now: 5}
	payload := e.Batch(nil, &b, series, senders)
	d := wal.NewDecoder()
	if err := d.Scan(1, payload); err != nil {
		t.Fatal(err)
	}
	rec, err := d.Decode(1, payload, wal.AllPartitions)
	if err != nil {
		t.Fatal(err)
	}
	for i := range series {
		series[i].LSN = 1
		if got := rec.Series[i]; !got.Tags.Equal(series[i].Tags) || got.Ref != series[i].Ref || got.At != series[i].At || got.LSN != 1 {
			t.Errorf("series %d: %+v", i, got)
		}
	}
	for i := range senders {
		senders[i].LSN = 1
	}
	if !reflect.DeepEqual(rec.Senders, senders) {
		t.Errorf("senders %+v", rec.Senders)
	}
}
