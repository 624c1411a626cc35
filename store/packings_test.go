package store_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/tags"
)

// TestPackingsAgree: whatever values are packed in, an aggregate is the fold of the
// series' values in the order of Refs, bit for bit, also where infinities, zeros of
// both signs and gaps meet.
func TestPackingsAgree(t *testing.T) { eachSeed(t, packingsRound) }

const (
	packedStep  = 10_000
	packedBlock = block.Size * packedStep
	packedSteps = 2*block.Size + 113 // the last block is open, with mini-blocks and columns
	packedEnd   = start + packedSteps*packedStep
)

// packed is series with their values.
type packed struct {
	tags   []tags.Tags
	amount []bool      // a series is sent in amounts
	values [][]float64 // by series and step, as they are sent; NaN: not at all
}

// newPacked thinks of series that lie close together in a few partitions, and of
// values for them of which many blocks are the same throughout.
func newPacked(r *rand.Rand) *packed {
	p := &packed{}
	for i := 0; len(p.tags) < 40; i++ {
		amount := r.IntN(3) == 0
		dstype := "gauge"
		if amount || r.IntN(3) == 0 {
			dstype = "sum"
		}
		ts := tags.Of("name", "m", "id", fmt.Sprint(i), "group", fmt.Sprint(r.IntN(3)), "atlas.dstype", dstype)
		if ts.Hash()>>58 > 1 {
			continue
		}
		p.tags, p.amount = append(p.tags, ts), append(p.amount, amount)
		var values []float64
		length := []int{15, block.Size, packedSteps}[r.IntN(3)]
		for len(values) < packedSteps {
			values = append(values, stretchOf(r, length-len(values)%length)...)
		}
		p.values = append(p.values, values[:packedSteps])
	}
	return p
}

// stretchOf returns n values, most often one and the same, or a few kinds of them.
func stretchOf(r *rand.Rand, n int) []float64 {
	draw := func() float64 {
		return []float64{0, 0, 0, 0, nan, nan, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 7, -0.25, r.NormFloat64() * 1e9, math.MaxFloat64}[r.IntN(13)]
	}
	kinds := []float64{draw()}
	for r.IntN(3) == 0 && len(kinds) < 8 {
		kinds = append(kinds, draw())
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = kinds[0]
		if len(kinds) > 1 && r.IntN(4) == 0 {
			values[i] = kinds[r.IntN(len(kinds))]
		}
	}
	return values
}

// fold returns what the series of each group give, by the group's name: "" when by
// is.
func (p *packed) fold(refs []store.Ref, by string, agg store.Agg) map[string][]float64 {
	order := make([]int, len(refs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(int64(refs[a]) - int64(refs[b])) })
	out := map[string][]float64{}
	for _, i := range order {
		name, _ := p.tags[i].Get(by)
		acc := out[name]
		if acc == nil {
			acc = slices.Repeat([]float64{nan}, packedSteps)
			out[name] = acc
		}
		for k, v := range p.values[i] {
			if p.amount[i] {
				v /= packedStep / 1000
			}
			switch a := acc[k]; {
			case v != v:
			case agg == store.AggCount && a != a:
				acc[k] = 1
			case agg == store.AggCount:
				acc[k]++
			case a != a, agg == store.AggMin && v < a, agg == store.AggMax && v > a:
				acc[k] = v
			case agg == store.AggSum:
				acc[k] = a + v
			}
		}
	}
	return out
}

// send appends the values of the steps in [from, to), without those of the series
// that later says.
func (p *packed) send(s *store.Store, refs []store.Ref, from, to int, later func(i int) bool) {
	for k := from; k < to; k++ {
		at := start + int64(k+1)*packedStep
		for _, amount := range []bool{false, true} {
			b := store.Batch{Arrival: at, Amount: amount}
			for i, ref := range refs {
				if p.amount[i] == amount && !later(i) {
					b.Add(ref, at, p.values[i][k])
				}
			}
			s.Append(&b, at)
		}
	}
}

func packingsRound(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 29))
	p := newPacked(r)
	wide := store.Options{Step: packedStep, Retention: 100 * packedBlock, MaxPast: 4 * packedBlock, NewSeriesRate: -1}
	narrow := wide
	narrow.MaxPast = 5 * packedStep
	cached := narrow
	cached.Cache = 32 << 20
	all, some := func(int) bool { return false }, func(i int) bool { return i%3 == 0 }
	for name, pack := range map[string]func() (*store.Store, []store.Ref){
		"columns": func() (*store.Store, []store.Ref) {
			s, refs := p.open(t, wide)
			p.send(s, refs, 0, packedSteps, all)
			return s, refs
		},
		"as time passes": func() (*store.Store, []store.Ref) {
			s, refs := p.open(t, narrow)
			for k := range packedSteps {
				p.send(s, refs, k, k+1, all)
				s.Advance(start + int64(k+1)*packedStep)
			}
			if s.Stats().Blocks == 0 || s.Stats().OpenBlocks == 0 {
				t.Errorf("%+v", s.Stats())
			}
			return s, refs
		},
		"sealed": func() (*store.Store, []store.Ref) {
			s, refs := p.open(t, cached)
			s.CacheAll()
			p.send(s, refs, 0, packedSteps, all)
			settle(t, s, packedEnd+2*packedBlock)
			return s, refs
		},
		"imported": func() (*store.Store, []store.Ref) {
			s, refs := p.open(t, narrow)
			p.send(s, refs, 0, packedSteps, some)
			settle(t, s, packedEnd+2*packedBlock)
			p.importInto(t, s, refs, some)
			if s.Stats().PatchBytes == 0 {
				t.Error("nothing was imported")
			}
			return s, refs
		},
		"files": func() (*store.Store, []store.Ref) {
			s, refs := p.open(t, cached)
			if err := s.AttachArchives(faulty.New(1), 0); err != nil {
				t.Fatal(err)
			}
			p.send(s, refs, 0, packedSteps, all)
			for range 200 {
				s.Advance(packedEnd + 2*packedBlock)
			}
			if st := s.Stats(); st.Archive.Files != 3 || st.ArenaBytes != 0 {
				t.Errorf("%+v", st)
			}
			return s, refs
		},
	} {
		s, refs := pack()
		p.compare(t, name, s, refs)
	}
}

func (p *packed) open(t *testing.T, o store.Options) (*store.Store, []store.Ref) {
	s := open(t, o)
	refs := make([]store.Ref, len(p.tags))
	for i, ts := range p.tags {
		refs[i] = resolve(t, s, start, ts)
	}
	return s, refs
}

// importInto imports the values of some series, as a query returns them.
func (p *packed) importInto(t *testing.T, s *store.Store, refs []store.Ref, some func(i int) bool) {
	for i, ref := range refs {
		if !some(i) {
			continue
		}
		l := store.ImportLine{Ref: ref}
		for k, v := range p.values[i] {
			if p.amount[i] {
				v /= packedStep / 1000
			}
			if v == v {
				l.Times, l.Values = append(l.Times, start+int64(k+1)*packedStep), append(l.Values, v)
			}
		}
		imported(t, s, packedEnd+2*packedBlock, l)
	}
}

func (p *packed) compare(t *testing.T, name string, s *store.Store, refs []store.Ref) {
	t.Helper()
	for agg, word := range map[store.Agg]string{store.AggSum: "sum", store.AggCount: "count", store.AggMin: "min", store.AggMax: "max"} {
		for _, by := range []string{"", "group", "id"} {
			want := p.fold(refs, by, agg)
			for _, from := range []int{0, 17} {
				q := store.Scan{Query: match.True, Agg: agg, Start: start + int64(from)*packedStep, End: packedEnd}
				if by != "" {
					q.By = []string{by}
				}
				what := fmt.Sprintf("%s: %s by %q from step %d", name, word, by, from)
				compareLines(t, what, scan(t, s, q), want, by, from)
				if from > 0 { // from the cache, if there is one
					compareLines(t, what+" again", scan(t, s, q), want, by, from)
					continue
				}
				compareLines(t, what+", some at a time", rowsOf(t, s, q), want, by, from)
				q.ZeroFill = true // nobody reported: there are no zeros to be filled in
				compareLines(t, what+", filled", scan(t, s, q), want, by, from)
			}
			w := s.Watch(store.WatchSpec{Query: match.True, Agg: agg, By: slices.DeleteFunc([]string{by}, func(k string) bool { return k == "" })})
			for k := 3; k < packedSteps; k += 11 {
				column := w.Column(start+int64(k+1)*packedStep, false, nil)
				for i, g := range w.Groups() {
					group, _ := g.Tags.Get(by)
					if got, want := column[i], want[group][k]; !same([]float64{got}, []float64{want}) {
						t.Fatalf("%s: column of %s by %q, %q at %d: %v, want %v", name, word, by, group, k, got, want)
					}
				}
			}
			w.Close()
		}
	}
}

func compareLines(t *testing.T, what string, got []store.Line, want map[string][]float64, by string, from int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d lines, want %d", what, len(got), len(want))
	}
	for _, l := range got {
		group, _ := l.Tags.Get(by)
		for i, v := range l.Values {
			if w := want[group][from+i]; !same([]float64{v}, []float64{w}) {
				t.Fatalf("%s: %q at step %d: %v, want %v", what, group, from+i, v, w)
			}
		}
	}
}

// rowsOf is scan by Rows.Each.
func rowsOf(t *testing.T, s *store.Store, q store.Scan) (lines []store.Line) {
	t.Helper()
	rows, err := s.Rows(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	err = rows.Each(func(i int, values []float64) error {
		l := rows.Line(i)
		l.Values = slices.Clone(values)
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
