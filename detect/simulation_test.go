package detect_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"pulse/detect/notify"
	"pulse/store/tags"
)

var (
	seeds = flag.Uint64("seeds", 10, "how many seeds the simulation runs")
	first = flag.Uint64("first", 0, "the first of them")
)

// TestSimulation drives streams in and out of their bands at known steps, sent
// in any grouping and at any moment of their step or its grace, while the engine is
// closed or dropped, with its store or without, rules are replaced, and senders
// fall silent. It checks that a stream pages once for each time it leaves its band
// at most, at a step out of band, that it resolves at a step in band, one resolve
// after each page, and that in the end exactly what is out of band fires.
func TestSimulation(t *testing.T) {
	for seed := *first; seed < *first+*seeds; seed++ {
		simulate(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// simNodes are the streams that each rule judges.
var simNodes = []string{"x", "y", "z"}

// simRules judge the streams of one name each; %d is a time in ms, %s when they flap.
var simRules = []string{
	`{"id":"gauge","expr":"name,gauge,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"for":"%dms","keep":"%dms","flap":%s,"severity":"s%d"}`,
	`{"id":"sum","expr":"name,sum,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"for":"%dms","keep":"%dms","flap":%s,"severity":"s%d"}`,
	`{"id":"truth","expr":"name,truth,:eq,:max,50,:lt,(,node,),:by","for":"%dms","keep":"%dms","flap":%s,"severity":"s%d"}`,
}

type simStream struct {
	rule, node string
	side       int           // how often it has changed sides: out of band when odd
	sides      map[int64]int // by step
	firing     string        // incident
	paged      int           // the side it was last paged on
}

type sim struct {
	*rig
	random  *rand.Rand
	streams map[string]*simStream
	at      int64 // the current step, ms since the epoch
	emptied int64 // the step at which the store was last a new one
	oneNode bool  // all streams come from one sender
}

func simulate(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	s := &sim{rig: newRig(t, []int64{100, 1000, 10_000}[random.IntN(3)]), random: random, streams: map[string]*simStream{}, oneNode: random.IntN(2) == 0}
	for i, name := range []string{"gauge", "sum", "truth"} {
		s.putSome(i)
		for _, node := range simNodes {
			s.streams[name+" "+node] = &simStream{rule: name, node: node, sides: map[int64]int{}}
		}
	}
	for range 200 {
		for _, key := range s.keys() {
			if random.IntN(12) == 0 {
				s.streams[key].side++
			}
		}
		switch n := random.IntN(40); {
		case n < 2 && s.at-s.emptied < 2*s.step: // its first steps may not be whole
		case n == 0:
			s.engine.Close()
			s.start()
		case n == 1:
			s.start()
		case n < 4:
			s.empty(random.IntN(2) == 0)
		case n == 4:
			s.putSome(random.IntN(len(simRules)))
		}
		s.one(random.IntN(10) == 0)
	}
	for range 20 {
		s.one(false)
	}
	for key, x := range s.streams {
		if out := x.side%2 == 1; out != (x.firing != "") {
			t.Errorf("%s: out of band %v, firing %q", key, out, x.firing)
		}
	}
}

// keys are the streams in an order that the seed alone decides.
func (s *sim) keys() []string {
	var out []string
	for _, name := range []string{"gauge", "sum", "truth"} {
		for _, node := range simNodes {
			out = append(out, name+" "+node)
		}
	}
	return out
}

// empty restarts the engine over a new store.
func (s *sim) empty(clean bool) {
	s.restart(clean)
	s.emptied = s.at
}

// putSome replaces a rule by one with other times.
func (s *sim) putSome(i int) {
	flap := `"off"`
	if times := s.random.IntN(4); times > 1 {
		flap = fmt.Sprintf(`{"times":%d,"calm":"%dms"}`, times, s.random.Int64N(6)*s.step+s.step)
	}
	s.put(fmt.Sprintf(simRules[i], s.random.Int64N(3)*s.step, s.random.Int64N(3)*s.step, flap, s.random.IntN(100)))
}

// one lets a step pass. A silent sender sends nothing for it. Sums come in two
// batches, of which neither tells on which side the stream is; the engine may be
// killed between them.
func (s *sim) one(silent bool) {
	s.t.Helper()
	s.at += s.step
	batches := map[string]*[2][]point{"all": {}}
	for _, node := range simNodes {
		batches[node] = &[2][]point{}
	}
	share := 0.4 + 0.2*float64(s.random.IntN(2))
	for _, key := range s.keys() {
		x := s.streams[key]
		x.sides[epoch+s.at] = x.side
		v := 100.0
		if x.side%2 == 1 {
			v = 10
		}
		to := batches[x.node]
		if s.oneNode {
			to = batches["all"]
		}
		if x.rule == "sum" {
			to[0] = append(to[0], p(v*share, "name", x.rule, "node", x.node))
			to[1] = append(to[1], p(v*(1-share), "name", x.rule, "node", x.node))
			continue
		}
		at := s.random.IntN(2)
		to[at] = append(to[at], p(v, "name", x.rule, "node", x.node, "atlas.dstype", "gauge"))
	}
	quiet := ""
	if silent {
		quiet = simNodes[s.random.IntN(len(simNodes))]
	}
	for _, sender := range append([]string{"all"}, simNodes...) {
		if len(batches[sender][1]) > 0 && sender != quiet {
			s.report(sender, batches[sender][0], batches[sender][1])
		}
	}
	s.later(s.at + s.random.Int64N(s.step))
	s.check()
}

// report sends a step's two batches in the step or in its grace, which is a step.
func (s *sim) report(sender string, batches ...[]point) {
	s.t.Helper()
	s.later(s.at - s.step + 1 + s.random.Int64N(s.step))
	for i, points := range batches {
		if s.random.IntN(4) == 0 {
			s.later(s.at + s.random.Int64N(s.step*9/10))
		}
		if i > 0 && s.random.IntN(100) == 0 {
			s.empty(false)
		}
		s.random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		s.sendAt(sender, epoch+s.at, points...)
		s.engine.Advance(s.now())
	}
}

// later moves to a moment, unless it is past.
func (s *sim) later(ms int64) {
	if epoch+ms > s.now() {
		s.to(ms)
	}
}

// check holds what was sent since against the truth.
func (s *sim) check() {
	s.t.Helper()
	for _, n := range s.took() {
		x := s.streams[n.Rule+" "+n.Tags["node"]]
		what := fmt.Sprintf("%s %s at %d", n.Type, tags.FromMap(n.Tags), (max(n.StartsAt, n.EndsAt)-epoch)/s.step)
		if x == nil {
			s.t.Errorf("%s: rule %s", what, n.Rule)
			continue
		}
		side, known := x.sides[max(n.StartsAt, n.EndsAt)]
		switch {
		case !known:
			s.t.Errorf("%s: no such step", what)
		case n.Type == notify.TypeFiring && side%2 == 0:
			s.t.Errorf("%s: in band", what)
		case n.Type == notify.TypeFiring && (x.firing != "" || x.paged == side):
			s.t.Errorf("%s: paged before, firing %q", what, x.firing)
		case n.Type == notify.TypeResolved && side%2 == 1:
			s.t.Errorf("%s: out of band", what)
		case n.Type == notify.TypeResolved && x.firing != n.Incident:
			s.t.Errorf("%s: of %s, firing %q", what, n.Incident, x.firing)
		case n.Type == notify.TypeFiring:
			x.firing, x.paged = n.Incident, side
		case n.Type == notify.TypeResolved:
			x.firing = ""
		default:
			s.t.Errorf("%s: not expected", what)
		}
	}
}
