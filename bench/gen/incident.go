package gen

import (
	"math/rand/v2"
	"sort"
)

// Kind is what happens during an incident.
type Kind uint8

const (
	Drop     Kind = iota // the rate loses the part Depth at once
	Leak                 // the rate loses more and more, up to the part Depth at the end
	Shift                // the rate changes by the part Depth, either way, and stays there
	Spike                // the rate grows by the part Depth
	Frozen               // every step repeats the count of the step before the incident
	Failover             // a region is lost and the others take its load
	Errors               // the part Depth of starts fails in addition
	Slow                 // latencies grow by the part Depth

	Dip     // a deploy: like Drop, but over after a minute or two and nobody's emergency
	Gap     // no data at all
	Lost    // the part Depth of steps, taken at random, has no data
	Holiday // another level for a day, by the part Depth
	Restart // one instance begins its total from zero, so that what it counted since its last report is lost
)

// String returns the name of k.
func (k Kind) String() string {
	return [...]string{"drop", "leak", "shift", "spike", "frozen", "failover", "errors", "slow",
		"dip", "gap", "lost", "holiday", "restart"}[k]
}

// Benign reports whether a detector of starts should stay silent about k.
func (k Kind) Benign() bool { return k >= Dip }

// Incident is something that happens to a part of a service, and the ground
// truth for whoever judges a detector.
type Incident struct {
	Kind     Kind
	Start    int64   // Unix ms: the first step that shows it is the first after Start
	Duration int64   // ms; 0 means that it does not end
	Depth    float64 // a part, 0.2 = 20 %; see Kind
	Region   string  // "" = all
	Device   string  // "" = all
}

// End returns when the incident is over, and false when it does not end.
func (i Incident) End() (int64, bool) { return i.Start + i.Duration, i.Duration > 0 }

// covers reports whether the step stamped t lies in the incident.
func (i Incident) covers(t int64) bool {
	return t > i.Start && (i.Duration == 0 || t <= i.Start+i.Duration)
}

// hits reports whether the incident touches a cell.
func (i Incident) hits(region, device string) bool {
	return (i.Region == "" || i.Region == region) && (i.Device == "" || i.Device == device)
}

// factor returns what the incident does to the rate at t.
func (i Incident) factor(t int64) float64 {
	switch i.Kind {
	case Drop, Dip:
		return max(0, 1-i.Depth)
	case Leak:
		if i.Duration == 0 {
			return 1
		}
		return max(0, 1-i.Depth*float64(t-i.Start)/float64(i.Duration))
	case Shift, Spike, Holiday:
		return max(0, 1+i.Depth)
	}
	return 1
}

// Plan returns incidents of the given kinds in turn, spread at random over
// [start, end) in ascending order, with at least apart milliseconds from the
// end of one to the start of the next. Depth and duration are drawn from what
// services suffer. It stops early when no more fit.
func Plan(seed uint64, start, end, apart int64, kinds ...Kind) []Incident {
	r := noise(seed).rand(0)
	var out []Incident
	for _, k := range kinds {
		i := draw(r, k)
		span := end - start - i.Duration
		for try := 0; try < 100 && span > 0; try++ {
			i.Start = start + r.Int64N(span)
			if fits(out, i, apart) {
				out = append(out, i)
				break
			}
		}
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Start < out[b].Start })
	return out
}

func fits(placed []Incident, i Incident, apart int64) bool {
	for _, p := range placed {
		if i.Start < p.Start+p.Duration+apart && p.Start < i.Start+i.Duration+apart {
			return false
		}
	}
	return true
}

// draw returns an incident of kind k at time 0.
func draw(r *rand.Rand, k Kind) Incident {
	const minute, hour = 60_000, 3_600_000
	pick := func(depths ...float64) float64 { return depths[r.IntN(len(depths))] }
	i := Incident{Kind: k}
	switch k {
	case Drop:
		i.Depth, i.Duration = pick(0.05, 0.1, 0.2, 0.5, 1), minute*(10+r.Int64N(50))
	case Leak:
		i.Depth, i.Duration = pick(0.1, 0.2, 0.5), hour*(2+r.Int64N(4))
	case Shift:
		i.Depth, i.Duration = pick(-0.2, -0.1, 0.1, 0.2), 12*hour
	case Spike:
		i.Depth, i.Duration = pick(0.3, 1, 3), minute*(3+r.Int64N(20))
	case Frozen:
		i.Duration = minute * (20 + r.Int64N(40))
	case Failover:
		i.Depth, i.Duration = 1, minute*(20+r.Int64N(100))
	case Errors:
		i.Depth, i.Duration = pick(0.02, 0.1, 0.5), minute*(5+r.Int64N(30))
	case Slow:
		i.Depth, i.Duration = pick(0.5, 2, 10), minute*(5+r.Int64N(30))
	case Dip:
		i.Depth, i.Duration = pick(0.1, 0.3, 0.6), minute*(1+r.Int64N(2))
	case Gap:
		i.Duration = minute * (1 + r.Int64N(6))
	case Lost:
		i.Depth, i.Duration = pick(0.02, 0.1), hour
	case Holiday:
		i.Depth, i.Duration = pick(-0.2, 0.15, 0.3), 24*hour
	}
	return i
}
