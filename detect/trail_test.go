package detect

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pulse/detect/algo"
	"pulse/query/stream"
	"pulse/store/tags"
)

// seasonalJudge judges nodes by a detector with a large state.
func seasonalJudge(tb testing.TB, step int64) *judge {
	tb.Helper()
	r := Rule{Detector: algo.Spec{Kind: "auto"}}
	r.setDefaults()
	j, err := newJudge(&compiled{rule: r, keys: []string{"node"}, step: step, lookback: 1, maxGroups: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// nodes is a step of some nodes.
func nodes(random *rand.Rand, n, phase int) []stream.Line {
	out := make([]stream.Line, n)
	for i := range out {
		v := 1000 + 300*math.Sin(float64(phase)/200) + 30*random.NormFloat64()
		out[i] = stream.Line{Tags: tags.Of("node", fmt.Sprint(i)), Value: math.Round(v)}
	}
	return out
}

// TestTrail: what a trail keeps is what it was given, also when groups come, leave and
// are forgotten; differences take at most 1 KB per group, fits included, and all of it stays within
// the budget.
func TestTrail(t *testing.T) {
	for _, limit := range []int{1 << 30, 1 << 20, 200 << 10} {
		random := rand.New(rand.NewPCG(5, 6))
		const step = 60_000
		j := seasonalJudge(t, step)
		b := checkpointBudget{limit: limit}
		var tr trail
		want := map[int64][]byte{}
		total, differences, groups := 0, 0, 4
		for i := range 5 * 1440 {
			at := int64(1_767_225_600_000) + int64(i)*step
			switch i {
			case 2000:
				groups = 6
			case 4000:
				groups = 3
			}
			j.observe(at, nodes(random, groups, i))
			if at/step%checkpointSteps != 0 {
				continue
			}
			want[at] = j.appendState(nil)
			b.keep(&tr, at, j)
			if n := len(tr.list); n > 0 && tr.list[n-1].t == at && tr.list[n-1].base != nil {
				total, differences = total+len(tr.list[n-1].bytes)/len(j.groups), differences+1
			}
			if b.used > limit {
				t.Fatalf("%d bytes of %d", b.used, limit)
			}
		}
		if len(tr.list) == 0 || limit == 1<<30 && len(tr.list) != len(want) {
			t.Errorf("limit %d: %d checkpoints of %d", limit, len(tr.list), len(want))
		}
		for _, c := range tr.list {
			if got, err := c.state(); err != nil || !bytes.Equal(got, want[c.t]) {
				t.Fatalf("limit %d, step %d: %v", limit, c.t, err)
			}
		}
		if limit == 1<<30 && total > 1024*differences {
			t.Errorf("%d differences take %d bytes per group on average", differences, total/differences)
		}
		other := checkpointBudget{limit: limit}
		var merged trail
		other.merge(&merged, &tr)
		if other.used != b.used || len(merged.list) != len(want) && limit == 1<<30 {
			t.Errorf("merged it takes %d bytes, before %d", other.used, b.used)
		}
		other.dropIf(&merged, func(checkpoint) bool { return true })
		if other.used != 0 {
			t.Errorf("%d bytes are left of nothing", other.used)
		}
	}
}

// TestDelta: a state is what the difference makes of another, whatever groups they
// have.
func TestDelta(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var states [][]byte
	for range 12 {
		j := seasonalJudge(t, 10_000)
		for _, i := range random.Perm(5)[:random.IntN(6)] {
			j.observe(0, []stream.Line{{Tags: tags.Of("node", fmt.Sprint(i)), Value: 1}})
		}
		for i := range random.IntN(300) {
			j.observe(int64(i+1)*10_000, nodes(random, random.IntN(4), i))
		}
		states = append(states, j.appendState(nil))
	}
	for i, base := range states {
		for k, next := range states {
			delta, err := appendDelta(nil, base, next)
			if err != nil {
				t.Fatal(err)
			}
			got, err := appendPatched(nil, base, delta)
			if err != nil || !bytes.Equal(got, next) {
				t.Errorf("%d to %d: %v", i, k, err)
			}
			if i == k && len(delta) > 100 {
				t.Errorf("%d bytes to the same", len(delta))
			}
		}
	}
}

// FuzzPatch: no bytes panic, hang or make a state that is out of all proportion.
func FuzzPatch(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	j := newTestJudge(f)
	for i := range 20 {
		j.observe(int64(i)*1000, lines(float64(i), 5))
	}
	base := j.appendState(nil)
	for i := range 20 {
		j.observe(int64(i+20)*1000, lines(float64(i), 5, 100*random.Float64()))
	}
	delta, err := appendDelta(nil, base, j.appendState(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(base, delta)
	f.Add(base, delta[:len(delta)/2])
	f.Add([]byte{}, []byte{deltaVersion, 1, 0})
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		state, err := appendPatched(nil, base, delta)
		if err == nil && len(state) > (len(base)+len(delta)+20)*(len(delta)+1) {
			t.Errorf("%d bytes out of %d and %d", len(state), len(base), len(delta))
		}
	})
}
