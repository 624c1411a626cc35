package query_test

import (
	"context"
	"math"
	"strconv"
	"testing"

	"pulse/query"
	"pulse/query/asl"
	"pulse/query/stream"
	"pulse/store/tags"
)

// Whatever a program says, the engine answers or refuses: the lines it gives
// have one value per step, and a stream takes or refuses it as well.
func FuzzEval(f *testing.F) {
	for _, w := range asl.All() {
		for _, example := range w.Examples {
			f.Add(example+",:"+w.Name, uint8(3), uint8(1))
		}
	}
	f.Add("name,x,:eq,200years,:offset,(,node,),:by", uint8(9), uint8(2))
	f.Add("name,x,:eq,86400,:rolling-max,max,1w,:consolidate", uint8(9), uint8(5))
	f.Add("name,x,:eq,(,node,),:by,node,name,:as,:dup,:add,2147483647,1,0,:sdes", uint8(9), uint8(3))
	f.Add("name,x,:eq,:all,:dup,:mul,1,:all,:add", uint8(1), uint8(1))
	st := open(f)
	for i := range 4 {
		load(f, st, 60_000, tags.Of("name", "x", "node", strconv.Itoa(i), "percentile", "T000"+strconv.Itoa(i), "distinct", "R0"+strconv.Itoa(i)), 1, 2, math.NaN(), float64(i))
	}
	engine := query.New(st, query.Options{Limits: query.Limits{MemoryBytes: 4 << 20}})
	f.Fuzz(func(t *testing.T, program string, steps, factor uint8) {
		if len(program) > 300 {
			return
		}
		step := 60_000 * int64(max(factor%6, 1))
		r, err := engine.Eval(context.Background(), query.Request{
			Program: program, Start: 0, End: step * int64(max(steps%20, 1)), Step: step, Unstable: true})
		if err == nil {
			for _, l := range r.Lines {
				if int64(len(l.Values)) != (r.End-r.Start)/step {
					t.Fatalf("%s: %d values in %s", program, len(l.Values), l.Label)
				}
			}
		}
		s, err := stream.NewHub(st).OpenProgram(program, step, stream.Options{MemoryBytes: 4 << 20})
		if err != nil {
			return
		}
		defer s.Close()
		if _, err := s.Step(step * 5); err == nil {
			_, _ = s.Step(step * 8)
			if _, err := s.Restore(s.AppendState(nil)); err != nil {
				t.Fatalf("%s: %v", program, err)
			}
		}
	})
}
