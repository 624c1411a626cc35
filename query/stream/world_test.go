package stream_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pulse/query/stream"
	"pulse/store"
	"pulse/store/tags"
)

const (
	second = int64(1000)
	start  = int64(7_200_000) * 200_000 // a block boundary
)

// world is a store with a step of one second and some services that report to
// it, with gaps.
type world struct {
	t      testing.TB
	st     *store.Store
	random *rand.Rand
	now    int64
	refs   []store.Ref
	source store.SourceID
}

func newWorld(t testing.TB, services int) *world {
	t.Helper()
	st, err := store.New(store.Options{Step: second})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, st: st, random: rand.New(rand.NewPCG(1, 2)), now: start}
	w.source = st.Source("test", start)
	for i := range services {
		w.add("sps", i)
	}
	return w
}

func (w *world) add(name string, i int) {
	w.t.Helper()
	ts := tags.Of("name", name, "region", []string{"us", "eu", "ap"}[i%3], "node", fmt.Sprint(i), "atlas.dstype", []string{"gauge", "sum"}[i%2])
	ref, err := w.st.Resolve(w.st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.refs = append(w.refs, ref)
}

// tick reports the next step and returns its stamp.
func (w *world) tick() int64 {
	w.now += second
	b := store.Batch{Source: w.source, Arrival: w.now}
	for _, ref := range w.refs {
		if w.random.IntN(6) > 0 {
			b.Add(ref, w.now, math.Round(w.random.Float64()*1e6)/1e3)
		}
	}
	w.st.Append(&b, w.now)
	w.st.Advance(w.now)
	return w.now
}

func (w *world) open(h *stream.Hub, program string, step int64, o stream.Options) *stream.Stream {
	w.t.Helper()
	s, err := h.OpenProgram(program, step, o)
	if err != nil {
		w.t.Fatalf("%s: %v", program, err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// text is a step's lines, exact to the last bit, sorted by nothing.
func text(t int64, lines []stream.Line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", t-start)
	for _, l := range lines {
		fmt.Fprintf(&b, " %s=%016x", l.Label, bits(l.Value))
	}
	return b.String()
}

func bits(v float64) uint64 {
	if math.IsNaN(v) {
		return 0x7ff8000000000001
	}
	return math.Float64bits(v)
}
