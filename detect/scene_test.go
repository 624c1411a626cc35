package detect_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/detect/algo"
)

// scene is rules of every kind and what sources send, drawn from a seed, in order
// of time. Times are ms after the epoch.
type scene struct {
	step, grace int64
	rules       []sceneRule
	deliveries  []delivery
	looks       []int64 // when the engine looks at the clock
	end         int64
	late        bool // points arrive after the close of their step
}

type sceneRule struct {
	id, body string
	step     int64
	put      int64
	spec     algo.Spec
}

// delivery is what a source sends at once. Those in time arrive before their step
// is over, so that nothing closes among them.
type delivery struct {
	now, at int64
	source  string
	points  []point
	inTime  bool
}

// sceneLines are the expressions of rules, each with about the level of its lines.
var sceneLines = []struct {
	expr, base string
	level      float64
}{
	{"name,sps,:eq,:sum,(,region,),:by", "name,base,:eq,:sum,(,region,),:by", 200},
	{"name,sps,:eq,:sum,(,region,),:by", "name,base,:eq,:sum", 200},
	{"name,sps,:eq,:sum", "name,base,:eq,:sum", 400},
	{"name,temp,:eq,:max,(,node,),:by", "name,base,:eq,:sum,(,node,),:by", 100},
	{"name,hits,:eq,:sum,(,node,),:by", "name,base,:eq,:sum", 100},
	{"name,sps,:eq,:sum,5,3,:rolling-mean", "name,base,:eq,:sum", 400},
	{"name,sps,:eq,:sum,(,node,),:by,name,base,:eq,:sum,(,node,),:by,:add", "name,base,:eq,:sum,(,node,),:by", 200},
}

// sceneSignals make a condition of an expression of about 100 to 400.
var sceneSignals = []string{
	"%s,90,:lt", "%s,:dup,10,0.1,0.5,:des,0.7,:mul,:lt", "%s,:dup,:sdes-fast,0.6,:mul,:lt", "%s,10,0.1,0.5,0.2,0.2,4,:des-epic-signal",
	"%s,5,:rolling-min,60,:lt", "%s,:derivative,-70,:lt", "%s,:dup,%s,:offset,0.8,:mul,:lt", "%s,:dup,%s,:offset,:sub,-60,:lt",
}

// newScene draws one with n steps.
func newScene(t testing.TB, r *rand.Rand, n int64) *scene {
	t.Helper()
	step := []int64{500, 1000, 1000, 10_000, 60_000}[r.IntN(5)]
	s := &scene{step: step, grace: max(100, step/5), late: r.IntN(2) == 0}
	start := r.Int64N(720) * step // a choice of the detectors may come anywhere
	s.end = start + n*step
	kinds := algo.Kinds()
	for i := range kinds {
		s.rules = append(s.rules, s.rule(t, r, &kinds[i], start))
	}
	s.send(r, start, n)
	for at := start + step; at <= s.end; at += step {
		s.looks = append(s.looks, at+1, at+s.grace, at+2*s.grace)
	}
	slices.Sort(s.looks)
	return s
}

func (s *scene) rule(t testing.TB, r *rand.Rand, kind *algo.Kind, start int64) sceneRule {
	lines := sceneLines[r.IntN(len(sceneLines))]
	every := s.step * []int64{1, 1, 1, 5}[r.IntN(4)]
	spec := drawSpec(t, r, kind, lines.level, every)
	if kind.Name == "compare" {
		spec.Params["baseline"] = lines.base
	}
	if kind.Name == "signal" {
		lines.expr = strings.Replace(sceneSignals[r.IntN(len(sceneSignals))], "%s", lines.expr, 1)
		lines.expr = strings.ReplaceAll(lines.expr, "%s", ms(s.step*(1+r.Int64N(shortScene)))) // of a shift
	}
	detector := map[string]any{"kind": kind.Name}
	for key, v := range spec.Params {
		detector[key] = v
	}
	body := map[string]any{
		"id": kind.Name, "expr": lines.expr, "step": ms(every), "grace": ms(s.grace), "detector": detector,
		"for": ms(every * r.Int64N(4)), "keep": ms(every * r.Int64N(4)),
	}
	if r.IntN(2) == 0 && kind.Name != "absence" {
		body["no_data"] = []string{"auto", "ok", "alert", "keep", "zero"}[r.IntN(5)]
	}
	if r.IntN(2) == 0 && kind.Name != "absence" {
		body["absence_after"] = ms(every * (1 + r.Int64N(20)))
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return sceneRule{kind.Name, string(text), every, start + r.Int64N(2)*r.Int64N(100)*s.step + s.step/2, spec}
}

func ms(d int64) string { return fmt.Sprintf("%dms", d) }

// drawSpec returns a kind with drawn parameters that it accepts.
func drawSpec(t testing.TB, r *rand.Rand, kind *algo.Kind, level float64, step int64) algo.Spec {
	var keys []string
	for _, k := range kind.Keys {
		keys = append(keys, k.Name)
	}
	var err error
	for range 100 {
		spec := algo.Spec{Kind: kind.Name, Params: testkit.Params(r, kind.Name, keys, level, step)}
		if _, err = algo.New(spec, step); err == nil {
			return spec
		}
	}
	t.Fatalf("%s: no parameters are good: %v", kind.Name, err)
	return algo.Spec{}
}

// send draws what four sources send: in time, in the grace, late, or nothing for
// short and for long, with incidents of single series and of a source.
func (s *scene) send(r *rand.Rand, start, n int64) {
	for i, node := range []string{"a", "b", "c", "d"} {
		const inTime, lags, late, silent = 0, 1, 2, 3
		mode, left := inTime, int64(0)
		appears := int64(0)
		if r.IntN(4) == 0 {
			appears = r.Int64N(n / 2)
		}
		factor, hurt := [4]float64{1, 1, 1, 1}, int64(0)
		for k := appears + 1; k <= n; k++ {
			if left--; left < 0 {
				if mode = inTime; r.IntN(25) == 0 {
					mode, left = 1+r.IntN(3), r.Int64N([]int64{3, 30, 120}[r.IntN(3)])
				}
			}
			if hurt--; hurt < 0 {
				if factor = [4]float64{1, 1, 1, 1}; r.IntN(50) == 0 {
					hurt = r.Int64N(40)
					factor[r.IntN(4)] = []float64{0, 0.3, 0.7, 2}[r.IntN(4)]
				}
			}
			at := start + k*s.step
			d := delivery{at: at, source: node, inTime: mode == inTime}
			switch mode {
			case inTime:
				d.now = at - 1 - r.Int64N(s.step-1)
			case lags:
				d.now = at + 2 + r.Int64N(s.grace-2)
			case late:
				if d.now = at + 3*s.grace; !s.late {
					continue
				}
			case silent:
				continue
			}
			value := func(j int) float64 {
				return math.Round(factor[j] * 100 * (1 + 0.3*math.Sin(float64(k)/30+float64(j)) + 0.03*r.NormFloat64()))
			}
			region := []string{"eu", "us"}[i%2]
			d.points = []point{
				p(value(0), "name", "sps", "node", node, "region", region),
				p(value(1), "name", "base", "node", node, "region", region),
				p(value(2), "name", "temp", "node", node, "atlas.dstype", "gauge"),
			}
			if hits := value(3); r.IntN(10) > 0 {
				d.points = append(d.points, p(hits, "name", "hits", "node", node, "atlas.dstype", "rate"))
			}
			s.deliveries = append(s.deliveries, d)
		}
	}
	s.inOrder()
}

func (s *scene) inOrder() {
	slices.SortStableFunc(s.deliveries, func(a, b delivery) int { return int(a.now - b.now) })
}

// rebatched is the scene with what comes in time in other pieces, orders and
// moments between the end of its step and the last that comes of the step before.
func (s *scene) rebatched(r *rand.Rand) *scene {
	out := *s
	out.deliveries = nil
	for _, d := range s.deliveries {
		closed := d.at - s.step + 3*s.grace
		if !d.inTime || d.now <= closed {
			out.deliveries = append(out.deliveries, d)
			continue
		}
		points := slices.Clone(d.points)
		r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		for len(points) > 0 {
			k := 1 + r.IntN(len(points))
			d.points, points = points[:k], points[k:]
			d.now = closed + 1 + r.Int64N(d.at-1-closed)
			out.deliveries = append(out.deliveries, d)
		}
	}
	out.inOrder()
	return &out
}

// play runs the scene on a rig. Before each of its events it calls between, if
// that is set, and after each look it calls after.
func (s *scene) play(r *rig, between func(), look func(ms int64)) {
	puts := slices.Clone(s.rules)
	slices.SortStableFunc(puts, func(a, b sceneRule) int { return int(a.put - b.put) })
	for d, l := 0, 0; d < len(s.deliveries) || l < len(s.looks); {
		sends := d < len(s.deliveries) && (l == len(s.looks) || s.deliveries[d].now <= s.looks[l])
		now := int64(0)
		if sends {
			now = s.deliveries[d].now
		} else {
			now = s.looks[l]
		}
		for len(puts) > 0 && puts[0].put <= now {
			r.to(puts[0].put)
			r.put(puts[0].body)
			puts = puts[1:]
		}
		between()
		if !sends {
			look(now)
			l++
			continue
		}
		x := &s.deliveries[d]
		r.at(x.now)
		r.store.Advance(r.now())
		r.sendAt(x.source, epoch+x.at, x.points...)
		look(x.now)
		d++
	}
}
