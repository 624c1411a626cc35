package store_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/step"
	"pulse/store/tags"
)

func TestTiersAreChecked(t *testing.T) {
	const day = 24 * 3600 * sec
	f := func(want string, tiers ...store.Tier) {
		t.Helper()
		s, err := store.New(store.Options{Tiers: tiers})
		switch {
		case want == "" && err != nil:
			t.Errorf("%v: %v", tiers, err)
		case want == "" && (s.Step() != tiers[0].Step || s.Options().Retention != tiers[0].Retention):
			t.Errorf("%v: options %+v", tiers, s.Options())
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v: error %v, want %q", tiers, err, want)
		}
	}
	f("", store.Tier{Step: 10 * sec, Retention: 2 * day})
	f("", store.Tier{Step: 10 * sec, Retention: 2 * day}, store.Tier{Step: 60 * sec, Retention: 35 * day}, store.Tier{Step: 3600 * sec, Retention: 400 * day})
	f("not a multiple of the primary step", store.Tier{Step: 10 * sec, Retention: 2 * day}, store.Tier{Step: 75 * sec, Retention: 35 * day})
	f("not a multiple of the one before", store.Tier{Step: 10 * sec, Retention: 2 * day}, store.Tier{Step: 40 * sec, Retention: 35 * day}, store.Tier{Step: 60 * sec, Retention: 36 * day})
	f("not longer than the one before", store.Tier{Step: 10 * sec, Retention: 2 * day}, store.Tier{Step: 10 * sec, Retention: 35 * day})
	f("retention", store.Tier{Step: 10 * sec, Retention: 2 * day}, store.Tier{Step: 60 * sec, Retention: 2 * day})
	f("not an allowed step", store.Tier{Step: 15, Retention: 2 * day})
	if _, err := store.New(store.Options{Step: 20 * sec, Tiers: []store.Tier{{Step: 10 * sec, Retention: day}}}); err == nil {
		t.Error("a step that is not the first tier's was accepted")
	}
}

// tierModel is the plain twin of a store with tiers: the primary values of each
// series, never forgotten.
type tierModel struct {
	step   int64
	tags   map[store.Ref]tags.Tags
	values map[store.Ref]map[int64]float64
}

// cell returns a field of the step of a tier.
func (m *tierModel) cell(ref store.Ref, stamp, tierStep int64, f store.Field) float64 {
	sum, count, low, high := 0.0, 0.0, math.Inf(1), math.Inf(-1)
	for t := stamp - tierStep + m.step; t <= stamp; t += m.step {
		if v, ok := m.values[ref][t]; ok {
			sum, count, low, high = sum+v, count+1, min(low, v), max(high, v)
		}
	}
	if count == 0 {
		return math.NaN()
	}
	return [...]float64{sum, count, low, high}[f]
}

// compare checks what a tier returns against the model.
func (m *tierModel) compare(t *testing.T, s *store.Store, q store.Scan) {
	t.Helper()
	lines, _, err := s.Scan(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	every := s.Options().Tiers[q.Tier].Step
	refs := make([]store.Ref, 0, len(m.tags))
	for ref := range m.tags {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	want := map[string][]float64{}
	for _, ref := range refs {
		key, ok := modelKey(m.tags[ref], q)
		if !ok || !match.MatchesTags(q.Query, m.tags[ref]) {
			continue
		}
		for at := q.Start + every; at <= q.End; at += every {
			v := m.cell(ref, at, every, q.Field)
			if v != v {
				continue
			}
			if want[key] == nil {
				want[key] = slices.Repeat([]float64{math.NaN()}, int((q.End-q.Start)/every))
			}
			acc := &want[key][(at-q.Start)/every-1]
			*acc = modelFold(q.Agg, *acc, v)
		}
	}
	got := keyed(t, q, lines)
	for key, values := range want {
		for i, v := range values {
			g := math.NaN()
			if got[key] != nil {
				g = got[key][i]
			}
			if !near(g, v) {
				t.Fatalf("tier %d field %d agg %d by %v, %s at %d: %v, want %v\nranges %v", q.Tier, q.Field, q.Agg, q.By, key, q.Start+int64(i+1)*every, g, v, s.Tiers())
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("tier %d: %d lines with data, want %d", q.Tier, len(got), len(want))
	}
}

func near(a, b float64) bool {
	return a == b || a != a && b != b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
}

// readable returns a range of a tier that is complete, or false.
func readable(s *store.Store, tier int, now int64) (start, end int64, ok bool) {
	r := s.Tiers()[tier]
	start, end = max(r.From, now-2*s.Options().Tiers[tier].Retention), min(r.To, now)
	start, end = step.Ceil(start, r.Step), step.Floor(end, r.Step)
	return start, end, start < end
}

// TestTiersAgainstModel writes, imports, seals, derives and expires, in random
// order, and compares all that every tier still has.
func TestTiersAgainstModel(t *testing.T) { eachSeed(t, tierRound) }

func tierRound(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 11))
	const p = 1000
	each := []int64{2, 3, 6, 60}[r.IntN(4)]
	again := []int64{2, 5, 10}[r.IntN(3)]
	blockMs := int64(p * block.Size)
	tiers := []store.Tier{
		{Step: p, Retention: blockMs * (1 + r.Int64N(3))},
		{Step: p * each, Retention: blockMs * each * 3},
		{Step: p * each * again, Retention: blockMs * each * again * 4},
	}
	s := open(t, store.Options{Tiers: tiers})
	m := &tierModel{step: p, tags: map[store.Ref]tags.Tags{}, values: map[store.Ref]map[int64]float64{}}
	var refs []store.Ref
	kinds := []string{"gauge", "sum", "gauge", "counter"}
	for i := range 12 {
		ts := tags.FromMap(map[string]string{"name": fmt.Sprintf("m%d", i%3), "id": fmt.Sprint(i), "node": fmt.Sprintf("i-%d", i%4), "atlas.dstype": kinds[i%4]})
		ref := resolve(t, s, start, ts)
		refs = append(refs, ref)
		m.tags[ref], m.values[ref] = ts, map[int64]float64{}
	}
	now := start
	last := now + 5*blockMs*each
	jump := max(p, blockMs*each/200)
	for i := 0; now < last; i++ {
		switch r.IntN(12) {
		case 0, 1:
			m.importSome(t, r, s, refs, now)
		case 2:
			now += r.Int64N(20 * jump)
		default:
			m.write(t, r, s, refs, now)
			now += r.Int64N(3 * jump)
		}
		for range 1 + r.IntN(3) {
			s.Advance(now)
		}
		if i%16 == 0 {
			m.check(t, r, s, now, false)
		}
	}
	for range 400 { // imports rest, everything is derived
		now += 100
		s.Advance(now)
	}
	for range 8 {
		m.check(t, r, s, now, true)
	}
	for i, rg := range s.Tiers()[1:] {
		if rg.To < start {
			t.Errorf("tier %d was not derived: %+v", i+1, s.Tiers())
		}
	}
	if from := s.Tiers()[0].From; from < start {
		t.Errorf("nothing has expired: %+v", s.Tiers())
	}
}

func (m *tierModel) write(t *testing.T, r *rand.Rand, s *store.Store, refs []store.Ref, now int64) {
	b := store.Batch{Arrival: now}
	at := step.Floor(now, m.step)
	for _, ref := range refs {
		kind, _ := m.tags[ref].Get("atlas.dstype")
		if _, taken := m.values[ref][at]; taken || r.IntN(4) == 0 || kind == "counter" {
			continue
		}
		v := float64(r.IntN(1000)) / 8
		b.Add(ref, at, v)
		m.values[ref][at] = v
	}
	if got := s.Append(&b, now); got.Stored != len(b.Refs) {
		t.Fatalf("%+v of %d stored", got, len(b.Refs))
	}
}

// importSome imports a run of values for one series, with a step and from a
// time that may be anywhere. Where only coarser tiers are left, whole steps of
// the coarsest are covered, so that all tiers take up the same.
func (m *tierModel) importSome(t *testing.T, r *rand.Rand, s *store.Store, refs []store.Ref, now int64) {
	tiers := s.Options().Tiers
	ref := refs[r.IntN(len(refs))]
	every := tiers[r.IntN(len(tiers))].Step
	coarsest := tiers[len(tiers)-1].Step
	if r.IntN(4) == 0 && (2*every > coarsest || coarsest%(2*every) == 0) {
		every *= 2
		coarsest = max(coarsest, every)
	}
	from := step.Ceil(max(now-r.Int64N(tiers[r.IntN(len(tiers))].Retention), start), coarsest)
	if s.Tiers()[0].From < from-coarsest && every < coarsest && r.IntN(2) == 0 {
		from = step.Ceil(from+r.Int64N(coarsest), every)
	}
	line := store.ImportLine{Ref: ref, Step: every}
	for at := from; at < from+coarsest*(1+r.Int64N(3)) && at+every <= step.Floor(now-m.step, m.step); at += every {
		line.Times = append(line.Times, at+every)
		line.Values = append(line.Values, float64(r.IntN(1000))/8)
	}
	if n := len(line.Times); n == 0 || from < s.Tiers()[0].From && line.Times[n-1]%coarsest != 0 {
		return
	}
	for i, at := range line.Times {
		for k := at - every + m.step; k <= at; k += m.step {
			m.values[ref][k] = line.Values[i]
		}
	}
	if r.IntN(4) == 0 {
		r.Shuffle(len(line.Times), func(i, k int) {
			line.Times[i], line.Times[k] = line.Times[k], line.Times[i]
			line.Values[i], line.Values[k] = line.Values[k], line.Values[i]
		})
	}
	for range 1 + r.IntN(2) { // repeating is harmless
		b := store.ImportBatch{Lines: []store.ImportLine{line}}
		if got := s.ApplyImport(&b, now); got.Accepted != len(line.Times) || got.Rejected != 0 {
			t.Fatalf("import at %d: %+v", now, got)
		}
	}
}

// check compares a scan of every tier: of all that it has, or of what only it
// has, since after an import a tier is for a while not what the one before
// gives.
func (m *tierModel) check(t *testing.T, r *rand.Rand, s *store.Store, now int64, all bool) {
	t.Helper()
	for tier := range s.Options().Tiers {
		from, to, ok := readable(s, tier, now)
		if tier > 0 && !all {
			to = min(to, s.Tiers()[tier-1].From)
		}
		if !ok || from >= to {
			continue
		}
		q := store.Scan{Query: modelQueries[r.IntN(len(modelQueries))], Agg: store.Agg(r.IntN(5)), Tier: tier, Start: from, End: to}
		if tier > 0 {
			q.Field = store.Field(r.IntN(4))
		}
		if q.Agg != store.AggAll {
			q.By = [][]string{nil, {"node"}, {"name", "node"}}[r.IntN(3)]
		}
		m.compare(t, s, q)
	}
}
