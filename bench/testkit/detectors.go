package testkit

import (
	"fmt"
	"math/rand/v2"
)

// Params draws parameters for a detector kind with the given keys, for streams
// around level at a step of stepMs ms. Each key is given or not; a key that is not
// known here is left out. Kinds refuse some combinations: draw again then.
func Params(r *rand.Rand, kind string, keys []string, level float64, stepMs int64) map[string]any {
	steps := func(from, to int64) string { return fmt.Sprintf("%dms", (from+r.Int64N(to-from+1))*stepMs) }
	between := func(from, to float64) float64 { return from + (to-from)*r.Float64() }
	draw := map[string]func() any{
		"above":       func() any { return level * between(1.1, 1.6) },
		"below":       func() any { return level * between(0.4, 0.9) },
		"clear_above": func() any { return level * between(0.95, 1.05) },
		"clear_below": func() any { return level * between(0.9, 1) },
		"alpha":       func() any { return between(0.01, 1) },
		"beta":        func() any { return between(0, 0.3) },
		"width":       func() any { return between(2, 8) },
		"train":       func() any { return steps(2, 150) },
		"direction":   func() any { return []string{"both", "above", "below"}[r.IntN(3)] },
		"threshold":   func() any { return between(0.98, 0.9999) },
		"hold":        func() any { return steps(0, 5) },
		"rest":        func() any { return steps(0, 200) },
		"clear":       func() any { return between(0.971, 0.98) },
		"learn_shift": func() any { return steps(1, 400) },
		"season":      func() any { return [][]any{{"day"}, {"week"}, {"day", "week"}}[r.IntN(3)] },
		"timezone":    func() any { return []string{"Europe/Berlin", "America/New_York", "Asia/Kolkata"}[r.IntN(3)] },
		"sensitivity": func() any { return r.Float64() },
		"after":       func() any { return steps(1, 20) },
		"error_rate":  func() any { return between(0.001, 0.2) },
		"tolerance":   func() any { return between(0, 0.3) },
		"decide_by":   func() any { return steps(20, 2000) },
		"split":       func() any { return []any{"1:20", "learned", 0.5}[r.IntN(3)] },
	}
	out := map[string]any{}
	for _, key := range keys {
		if d, ok := draw[key]; ok && r.IntN(3) == 0 {
			out[key] = d()
		}
	}
	switch kind {
	case "static":
		if r.IntN(2) == 0 {
			out["above"] = draw["above"]()
		} else {
			out["below"] = draw["below"]()
		}
	case "compare":
		out["baseline"] = "name,base,:eq,:sum"
	}
	return out
}
