package algo

// The names of facts that mean the same in every kind that has them. Together
// they say how far a stream is from being out.
const (
	FactThreshold = "threshold"    // score at which a step is out
	FactClear     = "clear"        // score below which it is over
	FactHold      = "hold"         // steps that an excursion must last before it counts
	FactHeld      = "held"         // steps that the excursion has lasted so far, at most hold
	FactMemory    = "memory"       // steps that the width of the band is learned from
	FactSeason    = "season_hours" // length of the season that is expected to repeat, 0: none
	FactStepsOut  = "steps_out"    // steps that the stream has been out, the onset included; 0 while in band
)

// facts appends how far the stream is from being out, or from being over.
func (e *episode) facts(s *settings, dst []Fact) []Fact {
	out := 0.0
	if e.out {
		out = float64(e.outFor) + 1
	}
	return append(dst, Fact{FactThreshold, s.scoreOf(s.limit)}, Fact{FactClear, s.scoreOf(s.clear)},
		Fact{FactHold, float64(s.hold)}, Fact{FactHeld, float64(max(e.run[up], e.run[down]))}, Fact{FactStepsOut, out})
}

// Find returns the fact of a name, and whether there is one.
func Find(facts []Fact, name string) (float64, bool) {
	for _, f := range facts {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}
