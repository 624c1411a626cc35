package norm_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/store/norm"
)

type sequence interface {
	Update(t int64, v float64, emit func(t int64, v float64))
	Close(emit func(t int64, v float64))
}

// TestSequences plays updates `time value` and shows what each one emits, then
// what closing emits.
func TestSequences(t *testing.T) {
	testkit.Run(t, "testdata/*.txt", func(t *testing.T) func(*testkit.Command) string {
		return func(c *testkit.Command) string {
			number := func(key string) int64 {
				n, err := strconv.ParseInt(c.Arg(key, "0"), 10, 64)
				if err != nil {
					t.Fatalf("%s: %v", c.Pos, err)
				}
				return n
			}
			stepMs, window := number("step"), int(number("window"))
			var s, next sequence
			switch c.Name {
			case "weighted":
				s = &norm.Weighted{Params: norm.Params{Step: stepMs, Heartbeat: number("heartbeat")}}
			case "rate":
				s = &norm.RateFromCounter{}
			case "sum":
				s = norm.NewRolling(stepMs, window, norm.Add)
			case "max":
				s = norm.NewRolling(stepMs, window, norm.Max)
			case "sum-dedup":
				s, next = norm.NewRolling(stepMs, window, norm.Add), norm.NewDedup(stepMs, window)
			default:
				t.Fatalf("%s: unknown sequence %q", c.Pos, c.Name)
			}
			return play(c.Lines(), s, next)
		}
	})
}

func play(lines []string, s, next sequence) string {
	var out strings.Builder
	show := func(t int64, v float64) {
		fmt.Fprintf(&out, " [%d %v]", t, math.Round(v*1e12)/1e12)
	}
	emit := show
	if next != nil {
		emit = func(t int64, v float64) { next.Update(t, v, show) }
	}
	for _, line := range lines {
		var t int64
		var v float64
		fmt.Sscan(line, &t, &v)
		fmt.Fprintf(&out, "%d:", t)
		s.Update(t, v, emit)
		out.WriteString("\n")
	}
	out.WriteString("close:")
	s.Close(emit)
	if next != nil {
		next.Close(show)
	}
	return out.String()
}
