package detect

import (
	"bytes"
	"math"
	"testing"

	"pulse/detect/algo"
	"pulse/query/stream"
	"pulse/store/tags"
)

// newTestJudge returns a judge of a grouped rule at 1 s.
func newTestJudge(tb testing.TB) *judge {
	tb.Helper()
	r := Rule{Detector: algo.Spec{Kind: "double-exponential", Params: map[string]any{"train": "5s"}}}
	r.setDefaults()
	j, err := newJudge(&compiled{rule: r, keys: []string{"region"}, step: 1000, lookback: 1000, maxGroups: 100})
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

func lines(values ...float64) []stream.Line {
	regions := []string{"eu", "us", "ap"}
	out := make([]stream.Line, len(values))
	for i, v := range values {
		out[i] = stream.Line{Tags: tags.Of("name", "sps", "region", regions[i]), Value: v}
	}
	return out
}

// TestJudgeState: a judge restored from a state goes on as the one it came from,
// also into a judge that has seen something else.
func TestJudgeState(t *testing.T) {
	a := newTestJudge(t)
	nan := math.NaN()
	for i := range 50 {
		v := float64(100 + i%7)
		switch {
		case i < 10:
			a.observe(int64(i)*1000, lines(v))
		case i < 20:
			a.observe(int64(i)*1000, lines(v, nan))
		default:
			a.observe(int64(i)*1000, lines(v, 2*v))
		}
	}
	if len(a.groups) != 2 {
		t.Fatalf("%d groups, want 2", len(a.groups))
	}
	state := a.appendState(nil)
	b := newTestJudge(t)
	b.observe(0, lines(1, 2, 3))
	if rest, err := b.restore(append(state[:len(state):len(state)], 7)); err != nil || len(rest) != 1 {
		t.Fatalf("restore: %v, rest %v", err, rest)
	}
	for i := 50; i < 90; i++ {
		a.observe(int64(i)*1000, lines(100, float64(i)))
		b.observe(int64(i)*1000, lines(100, float64(i)))
	}
	if b.groups[2].detector != nil {
		t.Error("a group that the state does not have kept its detector")
	}
	for i := range a.groups {
		x, y := a.groups[i].detector.AppendState(nil), b.groups[i].detector.AppendState(nil)
		if !bytes.Equal(x, y) {
			t.Errorf("group %s differs after a restore", a.groups[i].tags)
		}
	}
}

// FuzzJudgeRestore: no bytes panic, hang or make a judge that cannot go on.
func FuzzJudgeRestore(f *testing.F) {
	j := newTestJudge(f)
	for i := range 20 {
		j.observe(int64(i)*1000, lines(float64(i), 5))
	}
	state := j.appendState(nil)
	f.Add(state)
	f.Add(state[:len(state)/2])
	f.Add([]byte{judgeVersion, 0xff, 0xff, 0x03})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, src []byte) {
		j := newTestJudge(t)
		j.observe(0, lines(1, 2))
		if _, err := j.restore(src); err != nil {
			return
		}
		j.observe(1000, lines(1, 2, 3))
		again := newTestJudge(t)
		if rest, err := again.restore(j.appendState(nil)); err != nil || len(rest) != 0 {
			t.Fatalf("own state: %v, %d bytes left", err, len(rest))
		}
	})
}
