package expr

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Window is the time an evaluation covers.
//
//	Start   stamp of the first value, a multiple of Step
//	End     stamp after the last value: exclusive, Start < End
//	Step    ms between values, each covering (stamp-Step, stamp]
//	Now     the time that `now` means in :time-span
//	Aligned let windows and the hand-overs of :sdes turn at multiples of their
//	        length since the epoch instead of counting from the first window.
//	        Once a word's look-back has passed, results then do not depend on
//	        where evaluation began, to the last bit, or for :des to a millionth;
//	        those of graphs do, as in Atlas. :time-span then takes each step for itself.
//	Unknown lets comparisons, :and and :or that no data decides be NaN; without
//	        it they are false, as in Atlas
type Window struct {
	Start, End, Step int64
	Now              int64
	Aligned          bool
	Unknown          bool
}

// Len returns the number of steps.
func (w Window) Len() int { return int((w.End - w.Start) / w.Step) }

func (w Window) check() error {
	if w.Step <= 0 || w.End <= w.Start || (w.End-w.Start)%w.Step != 0 {
		return fmt.Errorf("invalid window: start %d, end %d, step %d", w.Start, w.End, w.Step)
	}
	return nil
}

// result is what a node hands to those above it.
type result struct {
	lines []Line
	gen   uint64 // changes whenever lines differ in number, order, tags or label
	slab  []float64
}

// reset replaces the lines, whose values fit then makes room for.
func (r *result) reset(lines []Line) {
	r.lines = lines
	r.slab = nil
	r.gen++
}

// fit gives every line a buffer of n values, reusing memory when it can.
func (r *result) fit(n int) {
	need := n * len(r.lines)
	if len(r.slab) == need && (need == 0 || len(r.lines[0].Values) == n) {
		return
	}
	if cap(r.slab) < need {
		r.slab = make([]float64, need)
	}
	r.slab = r.slab[:need]
	for i := range r.lines {
		r.lines[i].Values = r.slab[i*n : (i+1)*n : (i+1)*n]
	}
}

// kernel evaluates one node. It belongs to one Evaluator and keeps state
// between windows.
type kernel interface {
	// shape derives the output lines after the set of an input's lines changed
	// and must call out.reset. It may allocate.
	shape(in []*result, out *result) error
	// run fills the values of out.lines for w. It must not change in, except
	// where out has the values of in; see sharing.go.
	run(w Window, in []*result, out *result) error
}

// supplied is the kernel of data expressions, whose lines come from outside.
type supplied struct{}

func (supplied) shape([]*result, *result) error       { return nil }
func (supplied) run(Window, []*result, *result) error { return nil }

// node is a distinct sub-expression of the evaluator's roots.
type node struct {
	expr   TimeSeries
	in     []int
	inRes  []*result
	seen   []uint64 // gen of each input when shape last ran
	shaped bool
	kernel kernel
	out    result
	flat   bool   // see sharing.go
	free   []bool // inputs whose values it may write over
	held   int64  // bytes, see afford
	steps  int    // of the window that held is for
}

// Evaluator computes one or more expressions over ascending windows of time,
// each sub-expression once. Lines and values it returns are overwritten by the
// next window. Steps skipped between windows count as steps without data. A
// stateful word takes a line that it sees for the first time, or again, to have
// been NaN meanwhile.
//
// Evaluating n steps in one window gives the same values, bit for bit, as n
// windows of one step. A window whose evaluation fails is over: the next one
// begins after it, and what could not be evaluated was without data. With windows of constant length and an unchanged set of
// lines Eval allocates nothing. An Evaluator is used by one goroutine.
type Evaluator struct {
	nodes   []*node
	roots   []int
	data    []DataExpr
	dataAt  []int // node of each data expression
	origin  int64 // start of the first window
	next    int64 // start expected of the next window
	step    int64
	started bool
	owned   bool // see Own
	notices []string

	// Budget bounds the bytes of lines and state that the nodes may hold, without
	// the lines supplied; 0 is no bound. Exceeding it is a *BudgetError.
	Budget int64
	// Reserve, if set, is told how many bytes that are before they are
	// allocated, and ends Eval with its error.
	Reserve func(bytes int64) error
	// Interrupt, if set, is asked between nodes and ends Eval with its error.
	Interrupt func() error
}

// BudgetError says how many bytes an evaluation would need.
type BudgetError struct{ Need, Budget int64 }

func (e *BudgetError) Error() string {
	return fmt.Sprintf("too many bytes for intermediate results: %d > %d", e.Need, e.Budget)
}

// NewEvaluator prepares the roots. Named rewrites are replaced first.
func NewEvaluator(roots ...TimeSeries) (*Evaluator, error) {
	e := &Evaluator{}
	memo := map[string]int{}
	for _, r := range roots {
		x, err := Expand(r)
		if err != nil {
			return nil, err
		}
		e.roots = append(e.roots, e.add(x, memo))
	}
	for _, n := range e.nodes {
		n.inRes = make([]*result, len(n.in))
		for i, j := range n.in {
			n.inRes[i] = &e.nodes[j].out
		}
		n.seen = make([]uint64, len(n.in))
	}
	e.plan()
	return e, nil
}

// add appends t and what it needs, inputs first, sharing equal nodes.
func (e *Evaluator) add(t TimeSeries, memo map[string]int) int {
	var in []int
	var key strings.Builder
	key.WriteString(t.identity())
	for _, x := range t.inputs() {
		i := e.add(x, memo)
		in = append(in, i)
		key.WriteString("|" + strconv.Itoa(i))
	}
	if i, ok := memo[key.String()]; ok {
		return i
	}
	e.nodes = append(e.nodes, &node{expr: t, in: in, kernel: t.kernel()})
	i := len(e.nodes) - 1
	memo[key.String()] = i
	if d, ok := t.(DataExpr); ok {
		e.data = append(e.data, d)
		e.dataAt = append(e.dataAt, i)
	}
	return i
}

// Data returns the distinct data expressions, in the order SetData counts.
func (e *Evaluator) Data() []DataExpr { return e.data }

// Nodes returns the number of distinct sub-expressions.
func (e *Evaluator) Nodes() int { return len(e.nodes) }

// SetData supplies the lines of data expression i for the next Eval. Values
// must have one value per step of that window. changed says that the lines
// differ from the last call in number, order, tags or labels; the first call
// counts as changed. The evaluator reads the slice until the next call and
// changes nothing in it, but for values that it owns; see Own. Lines that it
// returns may share values with those supplied.
func (e *Evaluator) SetData(i int, lines []Line, changed bool) {
	out := &e.nodes[e.dataAt[i]].out
	if changed || out.gen == 0 {
		out.gen++
	}
	out.lines = lines
}

// Chooser returns the TopK that is the only reader of data expression i, if there is
// one: whoever supplies the data may then choose the lines, see SetChosen.
func (e *Evaluator) Chooser(i int) *TopK {
	var found *TopK
	for _, n := range e.nodes {
		for _, j := range n.in {
			if j != e.dataAt[i] {
				continue
			}
			t, ok := n.expr.(*TopK)
			if !ok || found != nil {
				return nil
			}
			found = t
		}
	}
	if slices.Contains(e.roots, e.dataAt[i]) {
		return nil
	}
	return found
}

// SetChosen is SetData with the lines that the Chooser of i leaves, for the only Eval.
func (e *Evaluator) SetChosen(i int, lines []Line) {
	e.SetData(i, nil, true)
	for _, n := range e.nodes {
		if _, ok := n.expr.(*TopK); ok && n.in[0] == e.dataAt[i] {
			n.kernel = supplied{}
			n.out.reset(lines)
		}
	}
	e.plan()
}

// Eval evaluates the roots over w, which must not begin before the end of the
// window before and must have the same step.
func (e *Evaluator) Eval(w Window) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := e.advance(w); err != nil {
		return err
	}
	return e.evalNodes(w)
}

// Peek is Eval of a window of one step that changes nothing which later windows
// depend on: the step may be evaluated again, with other data.
func (e *Evaluator) Peek(w Window) error {
	if err := w.check(); err != nil {
		return err
	}
	if w.Len() != 1 {
		return fmt.Errorf("peek at %d steps, want 1", w.Len())
	}
	if err := e.advance(w); err != nil {
		return err
	}
	e.setPeek(true)
	err := e.evalNodes(w)
	e.setPeek(false)
	e.next = w.Start
	return err
}

func (e *Evaluator) setPeek(peek bool) {
	for _, n := range e.nodes {
		if k, ok := n.kernel.(*statefulKernel); ok {
			k.peek = peek
		}
	}
}

// evalNodes evaluates every node over w.
func (e *Evaluator) evalNodes(w Window) error {
	e.notices = e.notices[:0]
	e.next = w.End
	for i, n := range e.nodes {
		var err error
		if e.Interrupt != nil {
			err = e.Interrupt()
		}
		if err == nil {
			err = e.evalNode(n, w)
		}
		if err != nil {
			abandon(e.nodes[i:], w)
			return err
		}
	}
	return nil
}

// abandon leaves a window that failed at the first of nodes, which is without
// data for what remembers and was not reached.
func abandon(nodes []*node, w Window) {
	nodes[0].shaped = false
	for _, n := range nodes {
		if k, ok := n.kernel.(*statefulKernel); ok && !k.peek {
			k.skip(int64(w.Len()))
		}
	}
}

// advance checks the order of windows and evaluates the steps that no window
// covers.
func (e *Evaluator) advance(w Window) error {
	if !e.started {
		e.started, e.origin, e.next, e.step = true, w.Start, w.Start, w.Step
		return nil
	}
	if w.Step != e.step {
		return fmt.Errorf("step changed from %d to %d ms", e.step, w.Step)
	}
	if w.Start < e.next {
		return fmt.Errorf("window starts at %d, before the end %d of the one before", w.Start, e.next)
	}
	gap := (w.Start - e.next) / e.step
	if gap > MaxWindow {
		// Longer than any window: not evaluated, but no data for what remembers.
		for _, k := range e.stateful() {
			k.skip(gap)
		}
		e.next = w.Start
	}
	for e.next < w.Start {
		missing := w
		missing.Start, missing.End = e.next, min(w.Start, e.next+gapChunk*e.step)
		if err := e.evalMissing(missing); err != nil {
			return err
		}
	}
	return nil
}

// gapChunk is how many missing steps are evaluated at once.
const gapChunk = 60

// evalMissing evaluates w with the lines of the window to come, but no data.
func (e *Evaluator) evalMissing(w Window) error {
	none := appendNaN(nil, w.Len())
	given := make([][]Line, len(e.data))
	for i, at := range e.dataAt {
		out := &e.nodes[at].out
		given[i] = out.lines
		out.lines = slices.Clone(out.lines)
		for j := range out.lines {
			if e.owned {
				none = appendNaN(nil, w.Len())
			}
			out.lines[j].Values = none
		}
	}
	err := e.evalNodes(w)
	for i, at := range e.dataAt {
		e.nodes[at].out.lines = given[i]
	}
	return err
}

func (e *Evaluator) evalNode(n *node, w Window) error {
	changed := !n.shaped
	for i, r := range n.inRes {
		if n.seen[i] != r.gen {
			n.seen[i], changed = r.gen, true
		}
	}
	if changed {
		if err := e.afford(n, w, 0); err != nil {
			return err
		}
		if s, ok := n.kernel.(*statefulKernel); ok {
			if err := s.place(e, n, w); err != nil {
				return err
			}
		}
		if err := n.kernel.shape(n.inRes, &n.out); err != nil {
			return err
		}
		n.shaped = true
	}
	if changed || n.steps != w.Len() {
		if err := e.afford(n, w, len(n.out.lines)); err != nil {
			return err
		}
		n.steps = w.Len()
	}
	if _, ok := n.kernel.(supplied); ok {
		return nil
	}
	n.room(w)
	if err := n.kernel.run(w, n.inRes, &n.out); err != nil {
		return err
	}
	if f, ok := n.kernel.(*filterKernel); ok {
		e.notices = append(e.notices, f.notice)
	}
	return nil
}

// LineBytes is about what a line takes besides its values: its tags, its label
// and its place in a slice.
const LineBytes = 256

// afford checks that n fits the budget with as many lines as its inputs can
// make, of which so many have values, before these or those are allocated.
func (e *Evaluator) afford(n *node, w Window, made int) error {
	lines := int64(1)
	for _, r := range n.inRes {
		lines = max(lines, int64(len(r.lines)))
	}
	per := int64(LineBytes)
	switch x := n.expr.(type) {
	case DataExpr:
		return nil // the budget of whoever supplies it
	case *Percentiles:
		per *= int64(max(len(x.Wants), 1))
	case *MathAggregate:
		lines = 1 + lines/(LineBytes/4) // remembers the lines by 4 bytes each
	case *Stateful:
		per += x.stateBytes(w.Step)
		lines += int64(len(n.kernel.(*statefulKernel).gone))
	}
	n.held = lines*per + n.valueBytes(w, made)
	var need int64
	for _, m := range e.nodes {
		need += m.held
	}
	if e.Budget > 0 && need > e.Budget {
		return &BudgetError{need, e.Budget}
	}
	if e.Reserve != nil {
		return e.Reserve(need)
	}
	return nil
}

// Lines returns the lines of root i for the last window.
func (e *Evaluator) Lines(i int) []Line { return e.nodes[e.roots[i]].out.lines }

// Next returns the start that the next window may have at the earliest, and
// whether there was a window before.
func (e *Evaluator) Next() (start int64, began bool) { return e.next, e.started }

// Generation returns a number that changes whenever the lines of root i differ
// from the window before in number, order, tags or labels.
func (e *Evaluator) Generation(i int) uint64 { return e.nodes[e.roots[i]].out.gen }

// Notices returns remarks on the last window, such as how many lines a filter
// kept.
func (e *Evaluator) Notices() []string { return slices.Clone(e.notices) }

func appendNaN(dst []float64, n int) []float64 {
	for range n {
		dst = append(dst, math.NaN())
	}
	return dst
}

func fillNaN(dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
}
