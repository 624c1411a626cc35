package wal_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/store/tags"
	"pulse/store/wal"
)

// steadyRefs are n refs over all partitions, from a client number.
func steadyRefs(client, n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i*37%64)<<26 | uint32(client*n+i)
	}
	return out
}

func batchOf(refs []uint32, at int64) wal.Batch {
	b := wal.Batch{Source: 1, Arrival: at, Now: at, Refs: refs}
	for i := range refs {
		b.Times, b.Values = append(b.Times, at), append(b.Values, float64(i%7))
	}
	return b
}

// repeats are the definitions that are due a second time.
func (s *segment) repeats(all bool) int {
	n := 0
	for len(s.add(func(dst []byte) []byte { return s.e.Repeat(dst, all) })) > 0 {
		n++
	}
	return n
}

// A list of refs that comes once costs no template, and the second time it does.
func TestRecordTemplates(t *testing.T) {
	refs := steadyRefs(0, 2000)
	s := newSegment(t, wal.EncoderOptions{})
	var sizes []int
	send := func(refs []uint32) {
		sizes = append(sizes, len(s.batch(batchOf(refs, int64(1000*len(sizes))), nil, nil)))
	}
	for range 3 {
		send(refs)
	}
	few := append(slices.Clone(refs[:700]), refs[800:]...)
	send(few) // some series were not sent
	send(slices.Insert(slices.Clone(refs), 5, 1<<26-1))
	if once, defined, named := sizes[0], sizes[1], sizes[2]; defined < once || named > once-2000 {
		t.Errorf("sizes %v: want the second to define and the third to name", sizes)
	}
	if sizes[3] > sizes[2]+300 || sizes[4] > sizes[2]+300 {
		t.Errorf("sizes %v: want fourth and fifth to say how they differ", sizes)
	}
	grown := refs
	for k := range 600 { // new series that stay
		grown = slices.Insert(slices.Clone(grown), k, uint32(k%64)<<26|1<<25+uint32(k))
		send(grown)
	}
	if last := sizes[len(sizes)-1]; last > sizes[2]*16/10 {
		t.Errorf("sizes from %v to %d: series that stay are learnt", sizes[:5], last)
	}
	s.decode(wal.AllPartitions, func(int, *wal.Record) {})
}

// A client that sends some of its series at a time, others each time, still
// gets a template that has most of them.
func TestRecordTemplatesOfSparseBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	refs := steadyRefs(0, 2000)
	s := newSegment(t, wal.EncoderOptions{})
	bits := 0.0
	for k := range 200 {
		some := slices.DeleteFunc(slices.Clone(refs), func(ref uint32) bool { return ref%5 == 0 && r.IntN(20) > 0 || r.IntN(100) == 0 })
		b := batchOf(some, int64(k))
		clear(b.Values) // half a byte each
		if size := len(s.batch(b, nil, nil)); k >= 100 {
			bits += float64(size) * 8 / float64(len(some)) / 100
		}
	}
	if bits > 7.5 {
		t.Errorf("%.1f bits for a point; a list of refs takes 8 more", bits)
	}
	s.decode(wal.AllPartitions, func(int, *wal.Record) {})
}

// A client that sends its series in another order each time is written without
// templates, most of the time.
func TestRecordTemplatesOfShuffledBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	refs := steadyRefs(0, 500)
	s, inline := newSegment(t, wal.EncoderOptions{}), newSegment(t, wal.EncoderOptions{TemplateBytes: 1})
	with, without := 0, 0
	for k := range 400 {
		r.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
		b := batchOf(slices.Clone(refs), int64(k))
		with += len(s.batch(b, nil, nil))
		without += len(inline.batch(b, nil, nil))
	}
	for len(s.add(func(dst []byte) []byte { return s.e.Repeat(dst, true) })) > 0 {
		with += len(s.payloads[len(s.payloads)-1])
	}
	if with > without*105/100 {
		t.Errorf("%d bytes, %d without templates", with, without)
	}
	s.decode(wal.AllPartitions, func(int, *wal.Record) {})
}

// Templates stay within their memory, and a fleet that needs more than that is
// written without most of the time rather than with definitions all the time.
func TestRecordTemplatesAreBounded(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{TemplateBytes: 300_000})
	inline := newSegment(t, wal.EncoderOptions{TemplateBytes: 1})
	with, without := 0, 0
	for step := range 5 {
		for client := range 100 {
			b := batchOf(steadyRefs(client, 500), int64(step))
			with += len(s.batch(b, nil, nil))
			without += len(inline.batch(b, nil, nil))
		}
	}
	with += len(s.payloads[0]) * s.repeats(true)
	if with > without*11/10 {
		t.Errorf("%d bytes with few templates, %d without", with, without)
	}
	s.decode(wal.AllPartitions, func(int, *wal.Record) {})
}

// Templates that are not used any more make room for others.
func TestRecordTemplatesAreForgotten(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{TemplateBytes: 100_000})
	sizes := map[int]int{}
	for round := range 40 {
		for client := range 10 {
			sizes[round] += len(s.batch(batchOf(steadyRefs(client+10*(round/20), 500), int64(round)), nil, nil))
		}
	}
	if sizes[39] > sizes[19]*11/10 {
		t.Errorf("%d bytes of other clients, %d of the first ones", sizes[39], sizes[19])
	}
	s.decode(wal.AllPartitions, func(int, *wal.Record) {})
}

// A series for whose values nothing fitted may still be 0.
func TestRecordZeroAmongAnything(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{})
	b := batchOf(steadyRefs(0, 64), 1)
	for i := range b.Values {
		b.Values[i] = math.Pi + float64(i)
	}
	var any int
	for range 4 {
		any = len(s.batch(b, nil, nil))
	}
	clear(b.Values)
	if zeros := len(s.batch(b, nil, nil)); zeros > any-64*8 {
		t.Errorf("%d bytes of zeros, %d of anything", zeros, any)
	}
}

// After the loss of any one record, nothing but that record is missing.
func TestRecordLossCostsOneRecord(t *testing.T) {
	for _, bytes := range []int{0, 30_000} {
		s := newSegment(t, wal.EncoderOptions{})
		wantSeries := map[uint32]string{}
		batches := map[uint64]wal.Batch{}
		definedBy := map[uint64][]uint32{}
		for k := range 20 {
			refs := steadyRefs(k%4, 300)
			var series []wal.Series
			for i := range 3 {
				ref := refs[(3*k+i)%300]
				series = append(series, wal.Series{Ref: ref, At: int64(k), Tags: tags.Of("name", fmt.Sprintf("m%d-%d", k, i))})
				wantSeries[ref] = fmt.Sprintf("name=m%d-%d", k, i)
				definedBy[s.next] = append(definedBy[s.next], ref)
			}
			b := batchOf(refs, int64(k))
			batches[s.next] = byPartition(b)
			s.batch(b, series, []wal.Sender{{ID: uint32(k), Key: fmt.Sprint("sender", k)}})
			s.add(func(dst []byte) []byte { return s.e.Mark(dst, make([]byte, bytes)) })
			if s.e.Due() {
				s.repeats(false)
			}
		}
		if bytes > 0 && s.repeats(false) > 0 {
			t.Error("Due did not say that a repetition is due")
		}
		s.repeats(true)
		for _, lost := range s.lsns {
			series, senders := map[uint32]string{}, map[uint32]string{}
			s.decode(wal.AllPartitions, func(_ int, r *wal.Record) {
				for _, d := range r.Series {
					series[d.Ref] = d.Tags.String()
				}
				for _, d := range r.Senders {
					senders[d.ID] = d.Key
				}
				if r.Kind == wal.KindBatch {
					same(t, r.Batch, batches[r.LSN])
					for _, ref := range definedBy[r.LSN] {
						if series[ref] != wantSeries[ref] {
							t.Fatalf("record %d of lost %d: series %x is %q, want %q", r.LSN, lost, ref, series[ref], wantSeries[ref])
						}
					}
					// What a lost record defined is known by the next one.
					for _, ref := range definedBy[lost] {
						if lost < r.LSN && series[ref] == "" {
							t.Fatalf("record %d does not know series %x of lost record %d", r.LSN, ref, lost)
						}
					}
				}
			}, lost)
			if len(series) != len(wantSeries) || len(senders) != 20 {
				t.Fatalf("without record %d: %d of %d series, %d of 20 senders", lost, len(series), len(wantSeries), len(senders))
			}
		}
	}
}

// A ref that means another series later is never taken for the first one, and
// every definition is handed out once.
func TestRecordRefsAreDefinedAgain(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{})
	define := func(name string) uint64 {
		s.batch(wal.Batch{}, []wal.Series{{Ref: 9, Tags: tags.Of("name", name)}}, nil)
		return s.next - 1
	}
	a := define("a")
	b := define("b")
	s.add(func(dst []byte) []byte { return s.e.Mark(dst, make([]byte, 70_000)) })
	s.repeats(true)
	for _, c := range []struct {
		lost uint64
		want string
	}{{0, "1 name=a, 2 name=b"}, {a, "1 name=a, 2 name=b"}, {b, "1 name=a, 2 name=b"}} {
		var got []string
		s.decode(wal.AllPartitions, func(_ int, r *wal.Record) {
			for _, d := range r.Series {
				got = append(got, fmt.Sprintf("%d %s", d.LSN, d.Tags))
			}
		}, c.lost)
		if strings.Join(got, ", ") != c.want {
			t.Errorf("without %d: %q, want %q", c.lost, got, c.want)
		}
	}
}

// What was not written is encoded again as if it had never been.
func TestRecordUndo(t *testing.T) {
	refs := steadyRefs(1, 100)
	series := []wal.Series{{Ref: 3, Tags: tags.Of("name", "x")}}
	s := newSegment(t, wal.EncoderOptions{})
	s.batch(batchOf(refs, 1), nil, nil)
	for range 3 { // the second sight defines
		s.e.Begin(s.next)
		b := batchOf(refs, 2)
		s.e.Batch(nil, &b, series, nil)
		s.e.Repeat(nil, true)
		s.e.Undo()
	}
	s.batch(batchOf(refs, 2), series, nil)
	s.batch(batchOf(refs, 3), nil, nil)
	if n := s.repeats(true); n != 1 {
		t.Errorf("%d repetitions", n)
	}
	if blocks := s.payloads[len(s.payloads)-1][1]; blocks != 2 {
		t.Errorf("%d definitions are repeated, want the template and the series", blocks)
	}
	s.decode(wal.AllPartitions, func(i int, r *wal.Record) {
		if want := map[int]int{1: 1}[i]; len(r.Series) != want {
			t.Errorf("record %d: %d series", i, len(r.Series))
		}
		if i < 3 {
			same(t, r.Batch, byPartition(batchOf(refs, int64(i+1))))
		}
	})
}

// Every segment can be read alone.
func TestRecordReset(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{})
	refs := steadyRefs(1, 100)
	for range 3 {
		s.batch(batchOf(refs, 1), nil, nil)
	}
	s.repeats(true)
	s.e.Reset()
	s.payloads, s.lsns = nil, nil
	for range 3 {
		s.batch(batchOf(refs, 1), nil, nil)
	}
	s.decode(wal.AllPartitions, func(_ int, r *wal.Record) { same(t, r.Batch, byPartition(batchOf(refs, 1))) })
	if len(s.payloads[1]) >= len(s.payloads[0]) {
		t.Error("a template of the segment before is not defined at its first use")
	}
}

// A record whose template is lost twice is an error, but its definitions are
// not lost with it.
func TestRecordTemplateLost(t *testing.T) {
	s := newSegment(t, wal.EncoderOptions{})
	refs := steadyRefs(1, 100)
	s.batch(batchOf(refs, 1), nil, nil)
	s.batch(batchOf(refs, 2), nil, nil)
	named := s.batch(batchOf(refs, 3), []wal.Series{{Ref: 5, Tags: tags.Of("name", "x")}}, nil)
	mark := s.add(func(dst []byte) []byte { return s.e.Mark(dst, nil) })
	d := wal.NewDecoder()
	for i, p := range [][]byte{named, mark} {
		if err := d.Scan(uint64(3+i), p); err != nil {
			t.Fatal(err)
		}
	}
	var corrupt *wal.PayloadError
	r, err := d.Decode(3, named, wal.AllPartitions)
	if !errors.Is(err, wal.ErrCorrupt) || !errors.As(err, &corrupt) || corrupt.LSN != 3 || corrupt.Reason != "an unknown template" || len(r.Series) != 0 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if r, err = d.Decode(4, mark, wal.AllPartitions); err != nil || len(r.Series) != 1 || r.Series[0].LSN != 3 {
		t.Errorf("got %+v, %v", r, err)
	}
}
