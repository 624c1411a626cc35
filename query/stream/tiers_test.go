package stream_test

import (
	"context"
	"math"
	"testing"

	"pulse/query/stream"
	"pulse/store"
	"pulse/store/step"
	"pulse/store/tags"
)

// History, and the look-back that comes before it, go as far as any tier does;
// shifted data of a live stream is read from where it is.
func TestHistoryOverTiers(t *testing.T) {
	const second, minute = 1000, 60_000
	st, err := store.New(store.Options{Tiers: []store.Tier{
		{Step: second, Retention: 2 * minute}, {Step: 10 * second, Retention: 4 * 60 * minute}}})
	if err != nil {
		t.Fatal(err)
	}
	begin := step.Floor(1_700_000_000_000, 60*minute)
	ts := tags.Of("name", "sps", "atlas.dstype", "sum")
	ref, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, begin)
	if err != nil {
		t.Fatal(err)
	}
	now := begin
	value := func(at int64) float64 { return float64(at / second % 97) }
	for now < begin+60*minute {
		now += second
		b := store.Batch{Arrival: now}
		b.Add(ref, now, value(now))
		st.Append(&b, now)
		st.Advance(now)
	}
	from := st.Tiers()[0].From
	if from < begin+30*minute {
		t.Fatalf("%+v", st.Tiers())
	}
	coarse := func(at int64) float64 {
		sum := 0.0
		for s := step.Ceil(at, 10*second) - 9*second; s <= step.Ceil(at, 10*second); s += second {
			sum += value(s)
		}
		return sum / 10
	}
	want := func(at int64) float64 {
		if at > from {
			return value(at)
		}
		return coarse(at)
	}
	open := func(program string) *stream.Stream {
		s, err := stream.NewHub(st).OpenProgram(program, second, stream.Options{Rule: true, ZeroFill: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

	s := open("name,sps,:eq,:sum")
	steps := 0
	err = s.History(context.Background(), from-5*minute, now, func(at int64, lines []stream.Line) error {
		steps++
		if len(lines) != 1 || !near(lines[0].Value, want(at)) {
			t.Fatalf("at %d: %+v, want %v", at-from, lines, want(at))
		}
		return nil
	})
	if err != nil || steps != int(now-from+5*minute)/second {
		t.Errorf("%d steps, %v", steps, err)
	}

	rolling := open("name,sps,:eq,:sum,60,60,:rolling-mean")
	err = rolling.History(context.Background(), from-2*minute, from+2*minute, func(at int64, lines []stream.Line) error {
		mean := 0.0
		for k := int64(0); k < 60; k++ {
			mean += want(at-k*second) / 60
		}
		if len(lines) != 1 || !near(lines[0].Value, mean) {
			t.Fatalf("rolling at %d: %+v, want %v", at-from, lines, mean)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}

	shifted := open("name,sps,:eq,:sum,20m,:offset")
	for at := from + 18*minute; at < from+22*minute; at += second {
		lines, err := shifted.Step(at)
		if err != nil || len(lines) != 1 || !near(lines[0].Value, want(at-20*minute)) {
			t.Fatalf("shifted at %d: %+v, %v, want %v", at-from, lines, err, want(at-20*minute))
		}
	}
}
