package norm

import (
	"math"

	"pulse/store/step"
)

// Each type here takes updates in the order they arrive and passes on, through
// emit, what they give. None is safe for concurrent use.

// Weighted is State.Rate as a sequence: per-second rates at any time become
// time-weighted means per step.
type Weighted struct {
	Params Params
	state  State
}

// Update takes a rate at time t.
func (w *Weighted) Update(t int64, v float64, emit func(t int64, v float64)) {
	e, _ := w.state.Rate(w.Params, t, v)
	if e.N == 0 {
		return
	}
	emit(e.First, e.FirstValue)
	for i := range e.Count {
		emit(e.First+(i+1)*w.Params.Step, e.Value)
	}
}

// Close emits nothing: the step that is open has no end yet.
func (w *Weighted) Close(func(t int64, v float64)) {}

// RateFromCounter turns totals into rates per second at the times of the
// totals: 0 when the total went down or time did not advance. The first total
// gives nothing.
type RateFromCounter struct {
	last  int64
	total float64
	seen  bool
}

// Update takes a total at time t.
func (r *RateFromCounter) Update(t int64, v float64, emit func(t int64, v float64)) {
	if math.IsNaN(v) {
		return
	}
	if r.seen {
		rate := 0.0
		if t > r.last && v > r.total {
			rate = (v - r.total) / (float64(t-r.last) / 1000)
		}
		emit(t, rate)
	}
	r.last, r.total, r.seen = t, v, true
}

// Close emits nothing.
func (r *RateFromCounter) Close(func(t int64, v float64)) {}

// Rolling combines the values of each step and emits the step's current
// aggregate after every update. The newest steps of its window are open; an
// update of an older one is dropped.
type Rolling struct {
	step    int64
	combine func(a, b float64) float64
	times   []int64
	values  []float64
	newest  int64
	seen    bool
}

// NewRolling returns a Rolling for a step in milliseconds with window open
// steps, of which combine is Add or Max. It panics when either is below 1.
func NewRolling(step int64, window int, combine func(a, b float64) float64) *Rolling {
	if step < 1 || window < 1 {
		panic("BUG: step and window must be positive")
	}
	r := &Rolling{step: step, combine: combine, times: make([]int64, window), values: make([]float64, window)}
	for i := range r.values {
		r.values[i] = math.NaN() // whatever time the slot has, nothing was reported for it
	}
	return r
}

// Update takes a value at time t; NaN changes and emits nothing.
func (r *Rolling) Update(t int64, v float64, emit func(t int64, v float64)) {
	t = step.Ceil(t, r.step)
	if math.IsNaN(v) || r.seen && t <= r.newest-int64(len(r.times))*r.step {
		return
	}
	i := slot(t, r.step, len(r.times))
	if r.times[i] != t {
		r.times[i], r.values[i] = t, math.NaN()
	}
	if !r.seen || t > r.newest {
		r.newest, r.seen = t, true
	}
	r.values[i] = r.combine(r.values[i], v)
	emit(t, r.values[i])
}

// Close emits nothing: every value was passed on when it came.
func (r *Rolling) Close(func(t int64, v float64)) {}

// Dedup holds values back so that the last one of a time wins. It is a ring
// addressed by time: when a slot is taken by a newer time, all slots at or
// before the time that it held are passed on, in ring order. An update older
// than what its slot holds is dropped.
type Dedup struct {
	step   int64
	times  []int64
	values []float64 // NaN: the slot is empty
}

// NewDedup returns a Dedup for a step in milliseconds with n slots. It panics
// when either is below 1.
func NewDedup(step int64, n int) *Dedup {
	if step < 1 || n < 1 {
		panic("BUG: step and slots must be positive")
	}
	d := &Dedup{step: step, times: make([]int64, n), values: make([]float64, n)}
	for i := range d.values {
		d.values[i] = math.NaN()
	}
	return d
}

// Update takes the value of the step stamped t; NaN is never passed on.
func (d *Dedup) Update(t int64, v float64, emit func(t int64, v float64)) {
	if math.IsNaN(v) {
		return
	}
	i := slot(t, d.step, len(d.times))
	if !math.IsNaN(d.values[i]) && d.times[i] != t {
		if t < d.times[i] {
			return
		}
		d.flush(d.times[i], emit)
	}
	d.times[i], d.values[i] = t, v
}

// Close passes on everything that is held, in ring order.
func (d *Dedup) Close(emit func(t int64, v float64)) { d.flush(math.MaxInt64, emit) }

// flush passes on and empties every slot at or before t.
func (d *Dedup) flush(t int64, emit func(t int64, v float64)) {
	for i, v := range d.values {
		if math.IsNaN(v) || d.times[i] > t {
			continue
		}
		d.values[i] = math.NaN()
		emit(d.times[i], v)
	}
}

// slot returns the place of the step that t lies in, in a ring of n.
func slot(t, stepMs int64, n int) int {
	q := step.Floor(t, stepMs) / stepMs
	return int(q - step.Floor(q, int64(n)))
}
