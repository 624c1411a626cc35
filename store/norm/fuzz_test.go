package norm_test

import (
	"encoding/binary"
	"math"
	"testing"

	"pulse/store/norm"
)

// FuzzState feeds arbitrary reports. Whatever comes, steps are emitted in
// ascending order, once each, on boundaries, none of them after the report and
// no more than the heartbeat allows; finite reports never make a value that is
// no number, and a mean never leaves the range of what was reported.
func FuzzState(f *testing.F) {
	seed := []byte{}
	for i := range int64(20) {
		seed = binary.LittleEndian.AppendUint64(seed, uint64(i*10_000+7000+i%3))
		seed = binary.LittleEndian.AppendUint64(seed, math.Float64bits(float64(i*i)))
	}
	f.Add(seed, uint16(100), uint32(0), false)
	f.Add(seed, uint16(100), uint32(10_000), true)
	f.Add(append(seed, seed...), uint16(1), uint32(120_000), true)
	f.Fuzz(func(t *testing.T, src []byte, stepTenths uint16, heartbeat uint32, counter bool) {
		p := norm.Params{Step: 100 * max(int64(stepTenths), 1), Heartbeat: int64(heartbeat)}
		beat := max(p.Heartbeat, p.Step)
		if p.Heartbeat == 0 {
			beat = norm.Heartbeat(p.Step)
		}
		var s norm.State
		last, seen := int64(0), false
		low, high := 0.0, 0.0 // of the rates: a first report is 0 before its step
		for ; len(src) >= 16; src = src[16:] {
			at := int64(binary.LittleEndian.Uint64(src)) >> 2
			v := math.Float64frombits(binary.LittleEndian.Uint64(src[8:]))
			if math.IsInf(v, 0) {
				continue
			}
			var e norm.Emit
			var changed bool
			if counter {
				e, changed = s.Counter(p, at, v)
			} else {
				e, changed = s.Rate(p, at, v)
			}
			if !changed {
				if e.N != 0 {
					t.Fatalf("an ignored report emitted %+v", e)
				}
				continue
			}
			low, high = min(low, v), max(high, v)
			if e.N == 0 {
				continue
			}
			if e.N < 0 || int64(e.N) > beat/p.Step+2 || int64(e.N) != e.Count+1 {
				t.Fatalf("%d steps at once: %+v", e.N, e)
			}
			for _, x := range points(e, p.Step) {
				if x.t%p.Step != 0 || x.t > at || seen && x.t <= last {
					t.Fatalf("step %d after %d, reported at %d", x.t, last, at)
				}
				if x.v != x.v || counter && x.v < 0 {
					t.Fatalf("value %v of %+v", x.v, e)
				}
				slack := 1e-9 * max(math.Abs(low), math.Abs(high))
				if !counter && (x.v < low-slack || x.v > high+slack) {
					t.Fatalf("mean %v of rates in [%v, %v]", x.v, low, high)
				}
				last, seen = x.t, true
			}
		}
	})
}
