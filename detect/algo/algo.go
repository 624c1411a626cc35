// Package algo judges one stream of values step by step: what was expected,
// within which band, how unlikely the value is, and whether the stream is out
// of its band now.
//
// Every detector is a strictly causal online algorithm with a few hundred
// bytes of state and no clock: feeding the same values gives the same verdicts,
// live, in a back-test and in `pulse score`. A state saved with AppendState and
// restored into a detector built from the same Spec and step goes on exactly
// where it stopped.
//
// The parts, in the order a value passes them: a kind predicts the next value
// (exponential.go, doubleexponential.go); tail.go turns distances from the
// prediction into chances, learned from the stream's own past; episode.go turns
// chances into onsets, rests and recoveries.
package algo

import (
	"fmt"
	"sort"
	"strings"
)

// Verdict is what a detector says about one step.
type Verdict struct {
	// Expected is the value predicted before the step's value was seen, NaN
	// while the detector trains.
	Expected float64
	// Lower and Upper bound the values that would not have been out of band,
	// NaN where there is no bound.
	Lower, Upper float64
	// Score is 1 − the chance that a normal step looks this extreme, in
	// [0, 1]. A step without data scores 0.
	Score float64
	// Out says that the stream is out of its band: it begins at the step whose
	// score reaches the threshold and ends when the stream has recovered or its
	// new level has become normal.
	Out bool
	// Cause says in which way the stream is out, CauseNone while it is not.
	Cause Cause
}

// Detector judges the values of one stream in order of time. It is not safe for
// concurrent use and allocates nothing per step.
type Detector interface {
	// Step judges the value v stamped t (Unix ms). Every step of the stream is
	// fed, once and in order; NaN means no data: nothing is learned from it, it
	// scores 0, and Out stays as it was. It is what absence is about, though.
	Step(t int64, v float64) Verdict
	// Peek returns what Step would return, and changes nothing.
	Peek(t int64, v float64) Verdict
	// Facts appends what the detector has learned and chosen so far to dst and
	// returns the longer slice. The names and their order depend on the Spec
	// alone.
	Facts(dst []Fact) []Fact
	// AppendState appends the state to dst and returns the longer slice.
	AppendState(dst []byte) []byte
	// Restore reads a state written by AppendState of a detector with the same
	// Spec from the front of src and returns what follows it. On an error
	// the detector is reset.
	Restore(src []byte) (rest []byte, err error)
	// Reset forgets everything learned.
	Reset()
}

// Spec names a detector kind and its parameters as they come from JSON, YAML or
// the command line: numbers, texts that read as numbers, and durations such as
// "90s" or "1h".
type Spec struct {
	Kind   string
	Params map[string]any
}

// Set takes the text key=value into the parameters.
func (s *Spec) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return fmt.Errorf("%q is not key=value", text)
	}
	if s.Params == nil {
		s.Params = map[string]any{}
	}
	s.Params[key] = value
	return nil
}

// Threshold returns the score at which a step is out: what was given, else the
// default of the kinds that have one.
func (s *Spec) Threshold() float64 {
	if v, ok := asNumber(s.Params["threshold"]); ok {
		return v
	}
	return defaultThreshold
}

// Kind describes one detector for documentation, completion and validation.
type Kind struct {
	Name string
	Doc  string
	Keys []Key
	read func(p *params) func() Detector // reads the keys once, then makes
}

// Key describes one parameter of a kind.
type Key struct {
	Name    string
	Doc     string
	Default string // as text; empty: see Doc
}

// New builds the detector that spec describes for a stream of the given step in
// ms. An unknown kind, an unknown key or a value out of range is an error that
// names it and what is allowed.
func New(spec Spec, step int64) (Detector, error) {
	m, err := Prepare(spec, step)
	if err != nil {
		return nil, err
	}
	return m.New(), nil
}

// Maker makes detectors of one Spec and step, which share their settings: the
// way to have one per group of a rule. It is immutable and safe for concurrent
// use.
type Maker struct {
	make    func() Detector
	size    int             // bytes of a state, for Fetcher
	seasons *seasonSettings // of seasonal and auto
}

// New returns a detector that has seen nothing.
func (m *Maker) New() Detector { return m.make() }

// Prepare checks spec as New does and returns what makes its detectors.
func Prepare(spec Spec, step int64) (*Maker, error) {
	kinds := Kinds()
	for i := range kinds {
		if kinds[i].Name == spec.Kind {
			return prepare(&kinds[i], spec, step)
		}
	}
	names := make([]string, len(kinds))
	for i := range kinds {
		names[i] = kinds[i].Name
	}
	return nil, fmt.Errorf("detector kind %q is unknown%s (known: %s)", spec.Kind, Meant(spec.Kind, names), strings.Join(names, ", "))
}

// prepare checks the keys of spec against the kind's table and reads them.
func prepare(kind *Kind, spec Spec, step int64) (*Maker, error) {
	if step < 1 {
		return nil, fmt.Errorf("detector %s: step %d ms is not positive", kind.Name, step)
	}
	given := make([]string, 0, len(spec.Params))
	for key := range spec.Params {
		given = append(given, key)
	}
	sort.Strings(given)
	for _, key := range given {
		if !kind.has(key) {
			return nil, fmt.Errorf("detector %s: key %q is unknown%s (known: %s)", kind.Name, key, Meant(key, kind.keyNames()), kind.keyList())
		}
	}
	p := &params{kind: kind.Name, values: spec.Params, step: step}
	make := kind.read(p)
	if p.err != nil {
		return nil, p.err
	}
	m := &Maker{make: make}
	m.measure()
	return m, nil
}

func (k *Kind) has(key string) bool {
	for i := range k.Keys {
		if k.Keys[i].Name == key {
			return true
		}
	}
	return false
}

func (k *Kind) keyList() string {
	if len(k.Keys) == 0 {
		return "none"
	}
	return strings.Join(k.keyNames(), ", ")
}

func (k *Kind) keyNames() []string {
	names := make([]string, len(k.Keys))
	for i := range k.Keys {
		names[i] = k.Keys[i].Name
	}
	return names
}
