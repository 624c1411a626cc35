package expr

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"pulse/store/step"
	"pulse/store/tags"
)

// Stateful feeds every line through an online algorithm of its own.
type Stateful struct {
	Name string // the word without its colon
	Expr TimeSeries
	// Args are the word's arguments; the window of trend is in ms.
	Args []float64
}

// StatefulOps returns the words a Stateful can be made of.
func StatefulOps() []string {
	return []string{"delay", "rolling-count", "rolling-sum", "rolling-min", "rolling-max", "rolling-mean",
		"derivative", "integral", "cumulative-max", "trend", "des", "sdes"}
}

// NewStateful returns t fed through the algorithm of a word; see NewAlgorithm
// for the arguments. The argument of trend is a duration in ms.
func NewStateful(name string, t TimeSeries, args ...float64) (*Stateful, error) {
	s := &Stateful{Name: name, Expr: t, Args: args}
	if name == "trend" {
		if len(args) != 1 || !(args[0] >= 0) {
			return nil, errRequire("trend takes a duration that is not negative")
		}
		return s, nil
	}
	if err := checkArguments(name, args); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Stateful) word() string {
	var b strings.Builder
	for i, a := range s.Args {
		switch {
		case s.Name == "trend":
			b.WriteString(FormatDuration(int64(a)))
		case strings.HasSuffix(s.Name, "des") && i > 0:
			b.WriteString(FormatDouble(a))
		default:
			b.WriteString(integerText(a))
		}
		b.WriteByte(',')
	}
	return b.String() + ":" + s.Name
}

func (s *Stateful) String() string       { return operationText(s) }
func (s *Stateful) Grouped() bool        { return s.Expr.Grouped() }
func (s *Stateful) Keys() []string       { return s.Expr.Keys() }
func (s *Stateful) inputs() []TimeSeries { return []TimeSeries{s.Expr} }
func (s *Stateful) identity() string     { return s.word() }
func (s *Stateful) withInputs(in []TimeSeries) (TimeSeries, error) {
	return &Stateful{Name: s.Name, Expr: in[0], Args: s.Args}, nil
}
func (s *Stateful) kernel() kernel {
	return &statefulKernel{expr: s, gone: map[string]departed{}}
}

// algorithm returns a new algorithm for an evaluation that starts at origin.
// Aligned, it does not matter for later results where that was: folds and
// hand-overs happen at multiples of their length since the epoch.
func (s *Stateful) algorithm(origin, stepMs int64, aligned bool) (Algorithm, error) {
	a, err := s.create(origin, stepMs, aligned)
	if err != nil {
		return nil, err
	}
	if p, ok := a.(interface{ phase(k int64) }); ok && aligned {
		p.phase(origin / stepMs)
	}
	return a, nil
}

func (s *Stateful) create(origin, stepMs int64, aligned bool) (Algorithm, error) {
	switch s.Name {
	case "trend":
		n := math.Trunc(s.Args[0] / float64(stepMs))
		if n <= 1 {
			return identity{}, nil
		}
		return NewAlgorithm("trend-by-count", n)
	case "sdes":
		blind := int64(0)
		if turn := stepMs * int64(s.Args[0]); turn > 0 {
			blind = (step.Ceil(origin, turn) - origin) / stepMs
		}
		return newSlidingDES(s.Args[0], s.Args[1], s.Args[2], blind, aligned), nil
	}
	return NewAlgorithm(s.Name, s.Args...)
}

// departed is the algorithm of a line that the last window did not have.
type departed struct {
	algo  Algorithm
	since int64 // time of the first value it was not fed
	left  int64 // time of the first value there was not
}

// statefulKernel keeps one algorithm per line, found by the line's tags. A
// line that appears late counts as NaN since the start of the evaluation, and
// one that is away counts as NaN meanwhile. It is forgotten when it is away for
// longer than the algorithm's memory, at most MaxWindow steps.
type statefulKernel struct {
	expr  *Stateful
	peek  bool        // the next run changes nothing
	algos []Algorithm // of each input line
	keys  []string    // identity of each input line
	gone  map[string]departed
}

func (k *statefulKernel) skip(n int64) {
	for _, a := range k.algos {
		a.Skip(n)
	}
}

// place gives every line of the changed input its algorithm.
func (k *statefulKernel) place(e *Evaluator, n *node, w Window) error {
	for i, key := range k.keys {
		k.gone[key] = departed{k.algos[i], w.Start, w.Start}
	}
	lines := n.inRes[0].lines
	k.algos, k.keys = make([]Algorithm, 0, len(lines)), make([]string, 0, len(lines))
	for _, l := range lines {
		key := string(l.Tags.AppendKey(nil))
		d, known := k.gone[key]
		if known {
			delete(k.gone, key)
		} else {
			a, err := k.expr.algorithm(e.origin, e.step, w.Aligned)
			if err != nil {
				return err
			}
			d = departed{algo: a, since: e.origin}
		}
		d.algo.Skip((w.Start - d.since) / e.step)
		k.algos, k.keys = append(k.algos, d.algo), append(k.keys, key)
	}
	memory, endless := k.expr.memory(e.step)
	if endless != "" {
		memory = MaxWindow
	}
	for key, d := range k.gone {
		if d.since < w.Start {
			d.algo.Skip((w.Start - d.since) / e.step)
			d.since = w.Start
			k.gone[key] = d
		}
		if d.algo.IsEmpty() || (w.Start-d.left)/e.step > memory {
			delete(k.gone, key)
		}
	}
	return nil
}

func (k *statefulKernel) shape(in []*result, out *result) error {
	lines := make([]Line, len(in[0].lines))
	for i, l := range in[0].lines {
		lines[i] = Line{Tags: l.Tags, Label: k.expr.Name + "(" + l.Label + ")", Gauge: l.Gauge}
	}
	out.reset(lines)
	return nil
}

func (k *statefulKernel) run(_ Window, in []*result, out *result) error {
	for i := range out.lines {
		dst, a := out.lines[i].Values, k.algos[i]
		if k.peek {
			dst[0] = a.Peek(in[0].lines[i].Values[0])
			continue
		}
		for j, v := range in[0].lines[i].Values {
			dst[j] = a.Next(v)
		}
	}
	return nil
}

// stateVersion is the first byte of an evaluator's state.
const stateVersion = 1

// AppendState appends everything a new Evaluator of the same expressions needs
// to go on where this one stands:
//
//	version      1 byte
//	fingerprint  8 bytes, of the expressions
//	origin, next, step, stateful nodes   8 bytes each, little-endian
//	per node     number of lines, then per line the length of its key, the
//	             key, and the state of its algorithm
//
// Lines whose algorithm remembers nothing are left out.
func (e *Evaluator) AppendState(dst []byte) []byte {
	dst = append(dst, stateVersion)
	ks := e.stateful()
	dst = appendInts(dst, int64(e.fingerprint()), e.origin, e.next, e.step, int64(len(ks)))
	for _, k := range ks {
		var body []byte
		count := int64(0)
		put := func(key string, a Algorithm) {
			if a.IsEmpty() {
				return
			}
			count++
			body = a.AppendState(append(appendInts(body, int64(len(key))), key...))
		}
		for i, key := range k.keys {
			put(key, k.algos[i])
		}
		for _, key := range sortedKeys(k.gone) {
			d := k.gone[key]
			d.algo.Skip((e.next - d.since) / max(e.step, 1))
			d.since = e.next
			k.gone[key] = d
			put(key, d.algo)
		}
		dst = append(appendInts(dst, count), body...)
	}
	return dst
}

// Restore takes over a state and returns what follows it; what the evaluator
// knew before is forgotten. aligned is Window.Aligned of the windows to come.
// On an error the evaluator must not be used any more.
func (e *Evaluator) Restore(src []byte, aligned bool) ([]byte, error) {
	if len(src) == 0 || src[0] != stateVersion {
		return nil, fmt.Errorf("unknown version of evaluation state")
	}
	var print, nodes int64
	ks := e.stateful()
	src, err := readInts(src[1:], &print, &e.origin, &e.next, &e.step, &nodes)
	if err != nil {
		return nil, err
	}
	if uint64(print) != e.fingerprint() || nodes != int64(len(ks)) {
		return nil, fmt.Errorf("evaluation state belongs to another expression")
	}
	if e.step < 0 || e.next < e.origin {
		return nil, errState
	}
	e.started = e.step > 0 // else it was saved before the first window
	for _, n := range e.nodes {
		if _, ok := n.kernel.(*statefulKernel); ok {
			n.shaped = false
		}
	}
	for _, k := range ks {
		k.algos, k.keys, k.gone = nil, nil, map[string]departed{}
		if src, err = k.restore(src, e, aligned); err != nil {
			return nil, err
		}
	}
	return src, nil
}

func (k *statefulKernel) restore(src []byte, e *Evaluator, aligned bool) ([]byte, error) {
	var count int64
	src, err := readInts(src, &count)
	if err != nil {
		return nil, err
	}
	if count < 0 || count > 0 && !e.started {
		return nil, errState
	}
	for range count {
		var size int64
		if src, err = readInts(src, &size); err != nil {
			return nil, err
		}
		if size < 0 || size > int64(len(src)) {
			return nil, errState
		}
		key := string(src[:size])
		a, err := k.expr.algorithm(e.origin, e.step, aligned)
		if err != nil {
			return nil, err
		}
		if src, err = a.Restore(src[size:]); err != nil {
			return nil, err
		}
		k.gone[key] = departed{a, e.next, e.next}
	}
	return src, nil
}

func (e *Evaluator) stateful() []*statefulKernel {
	var out []*statefulKernel
	for _, n := range e.nodes {
		if k, ok := n.kernel.(*statefulKernel); ok {
			out = append(out, k)
		}
	}
	return out
}

// sortedKeys returns the keys of m in ascending order.
func sortedKeys(m map[string]departed) []string { return slices.Sorted(maps.Keys(m)) }

// fingerprint identifies the roots; it is the same in every process.
func (e *Evaluator) fingerprint() uint64 {
	t := make(tags.Tags, 0, len(e.roots))
	for _, r := range e.roots {
		t = append(t, tags.Tag{Key: e.nodes[r].expr.String()})
	}
	return t.Hash()
}
