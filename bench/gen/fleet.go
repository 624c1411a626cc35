package gen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"pulse/store/tags"
)

// Class is a kind of series that applications publish.
type Class struct {
	Name   string
	Weight int    // how common it is; the weights of Classes add up to 110
	Dstype string // rate or gauge
	draw   func(r *rand.Rand, out []float64, seconds float64)
}

// Series returns n values of the class at a step in milliseconds, NaN where
// nothing was published.
func (c Class) Series(seed uint64, n int, step int64) []float64 {
	out := make([]float64, n)
	c.draw(rand.New(rand.NewPCG(seed, mix(seed))), out, float64(step)/1000)
	return out
}

// Classes returns the assumed mix of a fleet. Weights and courses are an
// assumption: mostly counters, a third of them idle, an eighth timers.
func Classes() []Class {
	return []Class{
		{"zero", 25, "rate", func(*rand.Rand, []float64, float64) {}},
		{"constant", 8, "gauge", levels(1000, 2000)},
		{"errors", 12, "rate", errorBursts},
		{"counter-low", 15, "rate", lowCounter},
		{"counter", 15, "rate", busyCounter},
		{"sum-of-rates", 2, "rate", sumOfRates},
		{"timer-total", 5, "rate", timers(busy, timerTotal)},
		{"timer-total-rare", 3, "rate", timers(rare, timerTotal)},
		{"timer-max", 3, "gauge", timers(busy, timerMax)},
		{"timer-squares", 3, "rate", timers(busy, timerSquares)},
		{"latency", 1, "gauge", latencyGauge},
		{"integer-walk", 3, "gauge", walk(40, 1)},
		{"level", 3, "gauge", levels(64, 90)},
		{"memory", 2, "gauge", memorySawTooth},
		{"cpu", 2, "gauge", walk(1, 1)},
		{"cpu-decimals", 2, "gauge", walk(100, 100)},
		{"cpu-double", 1, "gauge", doubleWalk},
		{"float32", 1, "gauge", float32Walk},
		{"gaps", 2, "gauge", gaps},
		{"short-lived", 2, "rate", shortLived},
	}
}

// levels is a gauge of whole numbers below most, with another one after every so
// many values on average.
func levels(most, every int) func(r *rand.Rand, out []float64, _ float64) {
	return func(r *rand.Rand, out []float64, _ float64) {
		v := float64(r.IntN(most))
		for i := range out {
			if r.IntN(every) == 0 {
				v = float64(r.IntN(most))
			}
			out[i] = v
		}
	}
}

func errorBursts(r *rand.Rand, out []float64, seconds float64) {
	burst := 0
	for i := range out {
		if burst == 0 && r.IntN(400) == 0 {
			burst = 1 + r.IntN(8)
		}
		if burst > 0 {
			burst--
			out[i] = float64(1+poisson(r, 2)) / seconds
		}
	}
}

func lowCounter(r *rand.Rand, out []float64, seconds float64) {
	mean := math.Exp(r.Float64()*4 - 2)
	for i := range out {
		out[i] = float64(poisson(r, mean)) / seconds
	}
}

// busyCounter has 0.2 to 5000 events per second, with a part of a day's course.
func busyCounter(r *rand.Rand, out []float64, seconds float64) {
	for i, n := range counts(r, len(out), math.Exp(math.Log(0.2)+r.Float64()*math.Log(25_000))*seconds) {
		out[i] = float64(n) / seconds
	}
}

func counts(r *rand.Rand, n int, mean float64) []int64 {
	out := make([]int64, n)
	phase, level := r.Float64(), 0.0
	for i := range out {
		level = level*0.995 + r.NormFloat64()*0.004
		out[i] = count(r, mean*math.Exp(0.7*shape(phase+float64(i)/4320)+level), 0.0005)
	}
	return out
}

func sumOfRates(r *rand.Rand, out []float64, seconds float64) {
	for range 4 + r.IntN(60) {
		for i, n := range counts(r, len(out), 20*seconds) {
			out[i] += float64(n) / seconds
		}
	}
}

func busy(r *rand.Rand, n int, seconds float64) []int64 {
	return counts(r, n, math.Exp(r.Float64()*5)*seconds)
}

func rare(r *rand.Rand, n int, _ float64) []int64 {
	out := make([]int64, n)
	for i := range out {
		if r.IntN(3) == 0 {
			out[i] = 1
		}
	}
	return out
}

// timers draws the calls and what one statistic makes of their latencies.
func timers(calls func(r *rand.Rand, n int, seconds float64) []int64,
	value func(t Timer, seconds float64) float64,
) func(r *rand.Rand, out []float64, seconds float64) {
	return func(r *rand.Rand, out []float64, seconds float64) {
		median := math.Exp(r.Float64()*6) * 1e6
		for i, n := range calls(r, len(out), seconds) {
			out[i] = value(latencies(r, n, median), seconds)
		}
	}
}

// The three statistics round as the Java client does.
func timerTotal(t Timer, seconds float64) float64   { return float64(t.TotalNanos) / seconds * 1e-9 }
func timerSquares(t Timer, seconds float64) float64 { return t.SquaresNanos2 / seconds * 1e-18 }
func timerMax(t Timer, _ float64) float64           { return float64(t.MaxNanos) / 1e9 }

func latencyGauge(r *rand.Rand, out []float64, _ float64) {
	for i := range out {
		out[i] = math.Round(1000*math.Exp(5+0.3*r.NormFloat64())) / 1000
	}
}

// walk is a random walk of whole numbers around 50·divisor, divided.
func walk(stride, divisor float64) func(r *rand.Rand, out []float64, _ float64) {
	return func(r *rand.Rand, out []float64, _ float64) {
		v := 50 * divisor * (0.5 + r.Float64())
		for i := range out {
			v = math.Abs(v + stride*r.NormFloat64())
			out[i] = math.Round(v) / divisor
		}
	}
}

func memorySawTooth(r *rand.Rand, out []float64, _ float64) {
	const top = 2 << 30
	v, rise := top*r.Float64(), top/(40+60*r.Float64())
	for i := range out {
		v += rise * (0.5 + r.Float64())
		if v > top {
			v = top * (0.2 + 0.05*r.Float64())
		}
		out[i] = math.Floor(v/8) * 8
	}
}

func doubleWalk(r *rand.Rand, out []float64, _ float64) {
	v := 100 * r.Float64()
	for i := range out {
		v = math.Abs(v + r.NormFloat64())
		out[i] = v
	}
}

func float32Walk(r *rand.Rand, out []float64, seconds float64) {
	doubleWalk(r, out, seconds)
	for i, v := range out {
		out[i] = float64(float32(v))
	}
}

func gaps(r *rand.Rand, out []float64, seconds float64) {
	walk(100, 100)(r, out, seconds)
	for i := range out {
		if r.IntN(10) == 0 {
			out[i] = math.NaN()
		}
	}
}

func shortLived(r *rand.Rand, out []float64, seconds float64) {
	at, life := r.IntN(len(out)), 5+r.IntN(60)
	for i := range out {
		out[i] = math.NaN()
		if i >= at && i < at+life {
			out[i] = float64(poisson(r, 3)) / seconds
		}
	}
}

// FleetOptions describes a fleet. The zero value of a field means its default.
type FleetOptions struct {
	Series  int   // in all; default 1000
	PerNode int   // series of one node, which makes one body; default 500
	Step    int64 // ms; default 10 s
	Steps   int   // values per series before they repeat; default 64
	Apps    int   // applications that nodes are of; default 20
	Courses int   // series with values of their own, which the others have again; rounded up to a multiple of all weights; default all
}

// Fleet is nodes of applications that publish series of every class in
// proportion to its weight. It is immutable and safe for concurrent use.
type Fleet struct {
	options FleetOptions
	tags    []tags.Tags // without the node's own, by series
	values  []float64   // Steps per course
}

// NewFleet returns a fleet that follows from seed. It keeps every value:
// Courses × Steps × 8 bytes.
func NewFleet(seed uint64, o FleetOptions) *Fleet {
	o = FleetOptions{
		Series:  defaultTo(o.Series, 1000),
		PerNode: defaultTo(o.PerNode, 500),
		Step:    int64(defaultTo(int(o.Step), 10_000)),
		Steps:   defaultTo(o.Steps, 64),
		Apps:    defaultTo(o.Apps, 20),
		Courses: defaultTo(o.Courses, o.Series),
	}
	deck := deal()
	o.Courses = min(o.Series, (o.Courses+len(deck)-1)/len(deck)*len(deck))
	f := &Fleet{options: o}
	for i := range o.Series {
		c := deck[(i*67)%len(deck)] // 67 and the deck's length share no divisor
		f.tags = append(f.tags, seriesTags(c, i, o.PerNode))
		if i < o.Courses {
			f.values = append(f.values, c.Series(mix(seed)+uint64(i), o.Steps, o.Step)...)
		}
	}
	return f
}

func defaultTo(v, otherwise int) int {
	if v <= 0 {
		return otherwise
	}
	return v
}

// deal returns each class as often as its weight says.
func deal() []Class {
	var deck []Class
	for _, c := range Classes() {
		for range c.Weight {
			deck = append(deck, c)
		}
	}
	return deck
}

func seriesTags(c Class, i, perNode int) tags.Tags {
	endpoint := i % perNode
	return tags.Of(
		"name", "app."+c.Name,
		"atlas.dstype", c.Dstype,
		"endpoint", fmt.Sprintf("endpoint-%03d", endpoint/4),
		"id", strconv.Itoa(endpoint),
	)
}

// Nodes returns the number of nodes.
func (f *Fleet) Nodes() int { return (f.options.Series + f.options.PerNode - 1) / f.options.PerNode }

// Len returns the number of series.
func (f *Fleet) Len() int { return f.options.Series }

// Tags returns the tags of series i as the server sees them.
func (f *Fleet) Tags(i int) tags.Tags {
	out := append(slices.Clone(f.tags[i]), f.nodeTags(i/f.options.PerNode)...)
	return tags.Normalize(out)
}

func (f *Fleet) nodeTags(node int) tags.Tags {
	return tags.Of("nf.app", fmt.Sprintf("app-%02d", node%f.options.Apps), "nf.node", fmt.Sprintf("i-%05d", node))
}

// Value returns the value of series i in the step stamped t, NaN where it
// publishes none. It repeats every Steps steps.
func (f *Fleet) Value(i int, t int64) float64 {
	n := int64(f.options.Steps)
	k := ((t/f.options.Step)%n + n) % n
	return f.values[int64(i%f.options.Courses)*n+k]
}

// AppendBody appends what a node publishes for the step stamped t, a body of
// POST /api/v1/publish, and returns the longer slice and the number of
// datapoints in it. A node is numbered from 0; beyond Nodes they repeat.
func (f *Fleet) AppendBody(dst []byte, node int, t int64) (body []byte, points int) {
	node %= f.Nodes()
	dst = append(dst, `{"tags":`...)
	dst = appendTags(dst, f.nodeTags(node))
	dst = append(dst, `,"metrics":[`...)
	for i := node * f.options.PerNode; i < min((node+1)*f.options.PerNode, f.options.Series); i++ {
		v := f.Value(i, t)
		if math.IsNaN(v) {
			continue
		}
		if points > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"tags":`...)
		dst = appendTags(dst, f.tags[i])
		dst = append(dst, `,"timestamp":`...)
		dst = strconv.AppendInt(dst, t, 10)
		dst = append(dst, `,"value":`...)
		dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
		dst = append(dst, '}')
		points++
	}
	return append(dst, "]}"...), points
}

// appendTags appends an object; no tag here has a character to escape.
func appendTags(dst []byte, t tags.Tags) []byte {
	dst = append(dst, '{')
	for i, x := range t {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), x.Key...), `":"`...)
		dst = append(append(dst, x.Value...), '"')
	}
	return append(dst, '}')
}
