package simulation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pulse/detect/alert"
	"pulse/ingest"
)

// Regions, each of whose series one node sends.
var regions = []string{"ap", "eu", "us"}

// levels are what the series of a region may show.
var levels = []float64{100, 100, 100, 60, 35, 10, 10}

// rule is one whose alerts the test foresees: what a level says.
type rule struct {
	id, text   string
	says       func(level float64) alert.Observation
	forMs, ms  int64 // for, keep
	notify     []string
	since      time.Duration // when it was put
	absence    int64         // ms without data that raise the no-data alert; 0: none
	adaptive   bool          // nothing is foreseen
	missingOut bool          // no data is out of band
}

func below(limit float64) func(float64) alert.Observation {
	return func(v float64) alert.Observation {
		if v < limit {
			return alert.Out
		}
		return alert.In
	}
}

// ruleTexts are the rules; F and K stand for durations, S for steps.
var ruleTexts = []rule{
	{id: "warn", text: `{"id":"warn","flap":"off","severity":"warn","expr":"name,level,:eq,:max,(,region,),:by","detector":{"kind":"static","below":50},"for":"F","keep":"K","no_data":"auto","absence_after":"5S"}`, says: below(50)},
	{id: "page", text: `{"id":"page","flap":"off","severity":"page","expr":"name,level,:eq,:max,(,region,),:by","detector":{"kind":"static","below":20},"for":"F","keep":"K","no_data":"ok"}`, says: below(20)},
	{id: "truth", text: `{"id":"truth","severity":"warn","expr":"name,level,:eq,:max,(,region,),:by,30,:lt","for":"F","keep":"K","no_data":"keep","notify":["group","hook"]}`, says: below(30), notify: []string{"group", "hook"}},
	{id: "clear", text: `{"id":"clear","flap":"off","severity":"page","expr":"name,level,:eq,:max,(,region,),:by","detector":{"kind":"static","below":50,"clear_below":70},"for":"F","keep":"K","no_data":"keep"}`,
		says: func(v float64) alert.Observation {
			if v >= 50 && v < 70 {
				return alert.Unjudged // it depends on what was before
			}
			return below(50)(v)
		}},
	{id: "there", text: `{"id":"there","severity":"warn","expr":"name,level,:eq,:max,(,region,),:by","detector":{"kind":"static","below":5},"for":"F","keep":"K","no_data":"alert"}`, says: below(5), missingOut: true},
}

// cell is what one region sent for one step.
type cell struct {
	values []float64
	// sure says that all of it was there in time, with the process up and the disks whole
	// until the step was judged.
	sure bool
	sent bool
}

// post is a request of a node that is to be answered.
type post struct {
	region string
	step   int64
	body   []byte
	key    string
	from   string
	at     time.Duration // when it is tried next
	tries  int
	value  float64
}

// data is what the nodes send, and what of it is known to be there.
type data struct {
	level map[string]float64
	dead  map[string]bool
	cells map[string]map[int64]*cell
	open  []*post
	keys  int
	twice int64 // Unix ms: steps before may have been judged with other values, too
}

func newData() data {
	d := data{level: map[string]float64{}, dead: map[string]bool{}, cells: map[string]map[int64]*cell{}}
	for _, r := range regions {
		d.level[r], d.cells[r] = 100, map[int64]*cell{}
	}
	return d
}

func (d *data) cell(region string, step int64) *cell {
	c := d.cells[region][step]
	if c == nil {
		c = &cell{}
		d.cells[region][step] = c
	}
	return c
}

// gather draws what the nodes send for a step that ends at t (Unix ms) and in so long.
func (w *world) gather(t int64, end time.Duration) {
	step := time.Duration(w.step) * time.Millisecond
	for i, region := range regions {
		if w.data.dead[region] {
			continue
		}
		v := w.data.level[region]
		at := end - step + time.Duration(1+w.random.Int64N(w.step-1))*time.Millisecond
		if w.faulty && w.random.IntN(12) == 0 { // late: in the grace, or far beyond
			at = end + time.Duration(w.random.Int64N(w.step*[]int64{1, 1, 4}[w.random.IntN(3)]))*time.Millisecond
		}
		noise := 50 + 10*w.noise.Float64()
		if w.noise.IntN(60) == 0 {
			noise *= []float64{0.2, 3}[w.noise.IntN(2)]
		}
		point := func(name, kind string, v float64, more string) string {
			return fmt.Sprintf(`{"tags":{"name":%q,"region":%q,"nf.node":"n-%s","atlas.dstype":%q%s},"timestamp":%d,"value":%v}`, name, region, region, kind, more, t, v)
		}
		points := []string{
			point("level", "gauge", v, ""),
			point("busy", "rate", noise, ""),
			point("busy", "rate", noise/2, `,"part":"b"`),
			point("hits", "sum", float64(int(noise)), ""),
		}
		w.random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		cut := len(points)
		if w.random.IntN(3) == 0 {
			cut = 1 + w.random.IntN(len(points)-1)
		}
		for _, part := range [][]string{points[:cut], points[cut:]} {
			if len(part) == 0 {
				continue
			}
			w.data.keys++
			p := &post{region: region, step: t, at: at, value: v, key: fmt.Sprint("k", w.data.keys), from: fmt.Sprintf("10.0.0.%d", i+1), body: []byte(`{"metrics":[` + strings.Join(part, ",") + `]}`)}
			if !strings.Contains(string(p.body), `"level"`) {
				p.step = 0
			}
			w.data.open = append(w.data.open, p)
			at += time.Duration(w.random.Int64N(20)) * time.Millisecond
		}
	}
	slices.SortStableFunc(w.data.open, func(a, b *post) int { return int(a.at - b.at) })
}

// publish sends the first of the open posts, whose time has come. What is refused or has
// no answer is sent again, under its key.
func (w *world) publish() {
	p := w.data.open[0]
	w.data.open = w.data.open[1:]
	p.tries++
	again := func(why string) {
		w.tracef("data", "%s of %s for %d: %s", p.key, p.region, (p.step-epoch)/w.step, why)
		if p.tries < 6 {
			p.at = w.clock.since() + time.Duration(w.step/2+w.random.Int64N(w.step))*time.Millisecond
			w.data.open = append(w.data.open, p)
			slices.SortStableFunc(w.data.open, func(a, b *post) int { return int(a.at - b.at) })
		}
	}
	c := &cell{}
	if p.step != 0 {
		c = w.data.cell(p.region, p.step)
	}
	if w.process == nil {
		again("nobody listens")
		return
	}
	now := w.clock.ms()
	c.sent = true
	if !slices.Contains(c.values, p.value) {
		c.values = append(c.values, p.value)
	}
	var a ingest.Answer
	if dies(func() {
		w.point("before a publish")
		a = w.process.pipeline.Publish(p.body, ingest.From{Peer: p.from, Key: p.key}, now)
		w.alive()
		w.point("after a publish")
	}) {
		w.kill()
		again("killed")
		return
	}
	if a.Uncertain || a.Status >= 500 || a.Status == 409 || a.Status == 429 {
		c.sure = false
		again(fmt.Sprint("answer ", a.Status, a.Message, a.Uncertain))
		return
	}
	if a.Status != 200 {
		w.tracef("data", "%s of %s: answer %d %v", p.key, p.region, a.Status, a.Messages)
		return
	}
	c.sure = p.tries == 1 && now <= p.step && len(c.values) == 1
	if w.faulty && w.random.IntN(15) == 0 && p.tries < 3 { // sent twice, since the answer was lost
		p.at = w.clock.since() + time.Duration(w.random.Int64N(w.step))*time.Millisecond
		w.data.open = append([]*post{p}, w.data.open...)
		slices.SortStableFunc(w.data.open, func(a, b *post) int { return int(a.at - b.at) })
	}
	w.advance()
}

// may reports whether the rule may have taken what the region sent for a step for this.
func (w *world) may(r *rule, region string, step int64, o alert.Observation) bool {
	c := w.data.cells[region][step]
	if step <= w.data.twice {
		return true
	}
	if c == nil || !c.sent {
		return o == alert.Missing
	}
	for _, v := range c.values {
		if says := r.says(v); says == o || says == alert.Unjudged && o != alert.Missing {
			return true
		}
	}
	return o == alert.Missing && !c.sure
}

// surely returns what a rule takes of a step, and whether that is known.
func (w *world) surely(r *rule, region string, step int64) (alert.Observation, bool) {
	c := w.data.cells[region][step]
	if c == nil || !c.sure || step <= w.data.twice {
		return 0, false
	}
	o := r.says(c.values[0])
	return o, o != alert.Unjudged
}

// ruleIDs are the rules in their order.
func (w *world) ruleIDs() []string { return slices.Sorted(maps.Keys(w.rules)) }
