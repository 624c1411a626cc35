package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// profile is what the benchmark pays for a window found, and takes for a false
// detection and for a window missed.
type profile struct {
	name                 string
	found, false, missed float64
}

// profiles are the three of the benchmark, in the order in which they are shown.
func profiles() []profile {
	return []profile{
		{"standard", 1, 0.11, 1},
		{"reward_low_FP", 1, 0.22, 1},
		{"reward_low_FN", 1, 0.11, 2},
	}
}

// The benchmark's rules, as published by A. Lavin and S. Ahmad, "Evaluating
// real-time anomaly detection algorithms: the Numenta Anomaly Benchmark", ICMLA
// 2015, and on its scoreboard.
const (
	warmShare = 0.15 // of a stream's rows, which are not scored
	warmMost  = 750  // rows
	quietRows = 12   // without a detection, which end a false episode
)

var never = math.Inf(1) // the threshold that nothing reaches

// worth is the benchmark's sigmoid: 1 long before y = 0, −1 long after.
func worth(y float64) float64 {
	if y > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*y)) - 1
}

// span is a labelled window as rows, both included.
type span struct{ first, last int }

// stream is the geometry of one stream and what a detector said about it.
type stream struct {
	name    string // category/file
	scores  []float64
	firing  []bool // nil when unknown
	windows []span
	warm    int       // rows not scored
	inside  []int     // window of a row, −1 outside all
	cost    []float64 // of a false detection at a row outside, before the profile's weight
	seconds float64   // scored
}

// window is a labelled window as it comes, in Unix ms, both ends included.
type window struct{ start, end int64 }

// newStream returns the geometry of a stream whose rows have the given times.
// A window without a row does not count.
func newStream(name string, times []int64, windows []window) *stream {
	n := len(times)
	s := &stream{name: name, warm: min(int(warmShare*float64(n)), warmMost)}
	for _, w := range windows {
		first, last := -1, -1
		for i, t := range times {
			if t >= w.start && t <= w.end {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
		if first >= 0 {
			s.windows = append(s.windows, span{first, last})
		}
	}
	slices.SortFunc(s.windows, func(a, b span) int { return cmp.Or(a.first-b.first, a.last-b.last) })
	if n > s.warm {
		s.seconds = float64(times[n-1]-times[s.warm]) / 1000
	}
	s.inside, s.cost = make([]int, n), make([]float64, n)
	for i := range s.inside {
		s.inside[i] = -1
	}
	for k, w := range s.windows {
		for i := w.first; i <= w.last; i++ {
			s.inside[i] = k
		}
	}
	last := -1
	for i, k := range s.inside {
		switch {
		case k >= 0:
			last = k
		case last < 0:
			s.cost[i] = -1
		default:
			w := s.windows[last]
			s.cost[i] = worth(float64(i-w.last) / float64(max(w.last-w.first, 1)))
		}
	}
	return s
}

// reward is what finding window k at row i earns, 1 at its first row.
func (s *stream) reward(k, i int) float64 {
	w := s.windows[k]
	return worth(-float64(w.last-i+1)/float64(w.last-w.first+1)) / worth(-1)
}

// countWindows returns how many windows the streams have.
func countWindows(streams []*stream) int {
	n := 0
	for _, s := range streams {
		n += len(s.windows)
	}
	return n
}

// detects reports whether row i of s is a detection.
type detects func(s *stream, i int) bool

func atLeast(threshold float64) detects {
	return func(s *stream, i int) bool { return s.scores[i] >= threshold }
}

// onset takes the rows at which the detector itself says that the stream goes out.
func onset(s *stream, i int) bool { return s.firing[i] && (i == 0 || !s.firing[i-1]) }

// rawScore returns the corpus' score before it is normalized.
func rawScore(streams []*stream, p profile, found detects) float64 {
	raw := 0.0
	for _, s := range streams {
		first := make([]int, len(s.windows))
		for i := range first {
			first[i] = -1
		}
		for i := s.warm; i < len(s.scores); i++ {
			if !found(s, i) {
				continue
			}
			if k := s.inside[i]; k < 0 {
				raw += p.false * s.cost[i]
			} else if first[k] < 0 {
				first[k] = i
			}
		}
		for k, i := range first {
			if i < 0 {
				raw -= p.missed
			} else {
				raw += p.found * s.reward(k, i)
			}
		}
	}
	return raw
}

// normalize maps a raw score to the benchmark's scale: 0 for no detections at
// all, 100 for every window found at its first row and nothing else. It is NaN
// without windows.
func normalize(streams []*stream, p profile, raw float64) float64 {
	n := float64(countWindows(streams))
	if n == 0 {
		return math.NaN()
	}
	return 100 * (raw + p.missed*n) / (p.found*n + p.missed*n)
}

// scoreOf is the normalized score of detections.
func scoreOf(streams []*stream, p profile, found detects) float64 {
	return normalize(streams, p, rawScore(streams, p, found))
}

// optimum returns the threshold with the highest raw score over the streams,
// never when no detection at all is best.
func optimum(streams []*stream, p profile) float64 {
	type row struct {
		score     float64
		stream, i int
	}
	var rows []row
	earliest := make([][]int, len(streams))
	for k, s := range streams {
		earliest[k] = make([]int, len(s.windows))
		for w := range earliest[k] {
			earliest[k][w] = -1
		}
		for i := s.warm; i < len(s.scores); i++ {
			rows = append(rows, row{s.scores[i], k, i})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.score, a.score) })
	raw := -p.missed * float64(countWindows(streams))
	best, at := raw, never
	for k := 0; k < len(rows); {
		threshold := rows[k].score
		for ; k < len(rows) && rows[k].score == threshold; k++ {
			r := rows[k]
			s := streams[r.stream]
			w := s.inside[r.i]
			if w < 0 {
				raw += p.false * s.cost[r.i]
				continue
			}
			switch e := earliest[r.stream][w]; {
			case e < 0:
				raw += p.missed + p.found*s.reward(w, r.i)
				earliest[r.stream][w] = r.i
			case r.i < e:
				raw += p.found * (s.reward(w, r.i) - s.reward(w, e))
				earliest[r.stream][w] = r.i
			}
		}
		if raw > best {
			best, at = raw, threshold
		}
	}
	return at
}

// heldOut returns the score at the threshold that is best on the other half of
// the streams, both ways, on average.
func heldOut(streams []*stream, p profile) float64 {
	a, b := halves(streams)
	return (scoreOf(b, p, atLeast(optimum(a, p))) + scoreOf(a, p, atLeast(optimum(b, p)))) / 2
}

// spread returns the standard deviation of a score over corpora of as many
// streams drawn from these, with replacement (B. Efron, "Bootstrap methods:
// another look at the jackknife", Annals of Statistics 7, 1979).
func spread(streams []*stream, p profile, found detects) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	raws := make([]float64, len(streams))
	for i := range streams {
		raws[i] = rawScore(streams[i:i+1], p, found)
	}
	sum, squares, n := 0.0, 0.0, 0.0
	drawn := make([]*stream, len(streams))
	for range 500 {
		raw := 0.0
		for i := range drawn {
			k := r.IntN(len(streams))
			drawn[i] = streams[k]
			raw += raws[k]
		}
		if v := normalize(drawn, p, raw); !math.IsNaN(v) {
			sum, squares, n = sum+v, squares+v*v, n+1
		}
	}
	mean := sum / n
	return math.Sqrt(max(0, squares/n-mean*mean))
}

// forRecall returns the highest threshold at which the share want of the windows
// is found, and false when none does.
func forRecall(streams []*stream, want float64) (float64, bool) {
	var tops []float64
	for _, s := range streams {
		for _, w := range s.windows {
			top := math.Inf(-1)
			for i := max(w.first, s.warm); i <= w.last; i++ {
				top = max(top, s.scores[i])
			}
			tops = append(tops, top)
		}
	}
	slices.Sort(tops)
	slices.Reverse(tops)
	need := int(math.Ceil(want*float64(len(tops)) - 1e-9))
	if need < 1 || need > len(tops) || tops[need-1] <= 0 {
		return 0, false
	}
	return tops[need-1], true
}

// counts is what detections amount to.
type counts struct {
	windows, found int
	falseRows      int
	episodes       int     // runs of false detections
	weeks          float64 // scored
	delays         []int   // rows from the beginning of a window to its detection
}

func count(streams []*stream, found detects) counts {
	var c counts
	for _, s := range streams {
		first := make([]int, len(s.windows))
		for k := range first {
			first[k] = -1
		}
		last := -1
		for i := s.warm; i < len(s.scores); i++ {
			if !found(s, i) {
				continue
			}
			if k := s.inside[i]; k >= 0 {
				if first[k] < 0 {
					first[k] = i
				}
				continue
			}
			c.falseRows++
			if last < 0 || i-last > quietRows {
				c.episodes++
			}
			last = i
		}
		c.weeks += s.seconds / (7 * 86400)
		c.windows += len(s.windows)
		for k, i := range first {
			if i >= 0 {
				c.found++
				c.delays = append(c.delays, i-s.windows[k].first)
			}
		}
	}
	slices.Sort(c.delays)
	return c
}

func (c counts) recall() float64  { return float64(c.found) / float64(c.windows) }
func (c counts) perWeek() float64 { return float64(c.episodes) / c.weeks }

func (c counts) precision() float64 { return float64(c.found) / float64(c.found+c.episodes) }

// medianDelay is in rows, NaN when nothing was found.
func (c counts) medianDelay() float64 {
	n := len(c.delays)
	if n == 0 {
		return math.NaN()
	}
	return float64(c.delays[n/2]+c.delays[(n-1)/2]) / 2
}
