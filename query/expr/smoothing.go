package expr

import "math"

// des is double exponential smoothing. Its result is the level after the value
// before, decided without looking at the current one, and NaN until `training`
// values were seen. NaN neither changes nor advances it.
type des struct {
	training, alpha, beta float64
	samples               float64 // values seen, counted up to training
	level, slope          float64
}

func newDES(training, alpha, beta float64) *des {
	return &des{training: training, alpha: alpha, beta: beta}
}

// Peek does not depend on its argument.
func (d *des) Peek(float64) float64 {
	if d.samples >= d.training && d.samples > 0 {
		return d.level
	}
	return math.NaN()
}

func (d *des) Next(v float64) float64 {
	out := d.Peek(v)
	if math.IsNaN(v) {
		return out
	}
	if d.samples == 0 {
		d.level, d.slope = v, 0
	} else {
		level := d.alpha*v + (1-d.alpha)*(d.level+d.slope)
		d.slope = d.beta*(level-d.level) + (1-d.beta)*d.slope
		d.level = level
	}
	if d.samples < max(d.training, 1) {
		d.samples++
	}
	return out
}

func (d *des) Skip(int64)    {}
func (d *des) Reset()        { d.samples, d.level, d.slope = 0, 0, 0 }
func (d *des) IsEmpty() bool { return d.samples == 0 }
func (d *des) AppendState(dst []byte) []byte {
	return appendFloats(dst, d.samples, d.level, d.slope)
}
func (d *des) Restore(src []byte) ([]byte, error) {
	return readFloats(src, &d.samples, &d.level, &d.slope)
}

// slidingDES is two smoothers taking turns, so that what it remembers lies at
// most two training windows back: every `training` steps the active one is
// reset and the other becomes active.
//
// The first `blind` values are taken as NaN, so that learning begins at a
// multiple of the training window. They count for the turns, unless aligned.
type slidingDES struct {
	a, b     des
	training int64
	blind    int64
	aligned  bool
	seen     int64 // values taken, up to blind
	turn     int64 // values since the last hand-over
	second   bool  // b is active
}

func newSlidingDES(training, alpha, beta float64, blind int64, aligned bool) *slidingDES {
	d := *newDES(training, alpha, beta)
	return &slidingDES{a: d, b: d, training: int64(training), blind: blind, aligned: aligned}
}

func (s *slidingDES) Next(v float64) float64 {
	if s.seen < s.blind {
		s.seen++
		if s.aligned {
			return math.NaN()
		}
		v = math.NaN()
	}
	out, other := s.a.Next(v), s.b.Next(v)
	if s.second {
		out = other
	}
	if s.turn++; s.turn == s.training {
		s.turn = 0
		if s.second {
			s.b.Reset()
		} else {
			s.a.Reset()
		}
		s.second = !s.second
	}
	return out
}

func (s *slidingDES) Peek(v float64) float64 {
	switch {
	case s.seen < s.blind && s.aligned:
		return math.NaN()
	case s.second:
		return s.b.Peek(v)
	}
	return s.a.Peek(v)
}

func (s *slidingDES) Skip(n int64) {
	if s.aligned {
		k := min(n, s.blind-s.seen)
		s.seen += k
		n -= k
	}
	s.seen = min(s.seen+n, s.blind)
	turns := (s.turn + n) / s.training
	s.turn = (s.turn + n) % s.training
	if turns > 1 || turns == 1 && !s.second {
		s.a.Reset()
	}
	if turns > 1 || turns == 1 && s.second {
		s.b.Reset()
	}
	if turns%2 == 1 {
		s.second = !s.second
	}
}

func (s *slidingDES) Reset() {
	s.a.Reset()
	s.b.Reset()
	s.seen, s.turn, s.second = 0, 0, false
}

func (s *slidingDES) IsEmpty() bool { return s.a.IsEmpty() && s.b.IsEmpty() }

func (s *slidingDES) AppendState(dst []byte) []byte {
	second := int64(0)
	if s.second {
		second = 1
	}
	return s.b.AppendState(s.a.AppendState(appendInts(dst, s.blind, s.seen, s.turn, second)))
}

func (s *slidingDES) Restore(src []byte) ([]byte, error) {
	var second int64
	src, err := readInts(src, &s.blind, &s.seen, &s.turn, &second)
	if err != nil {
		return nil, err
	}
	if s.turn < 0 || s.turn >= s.training || second&^1 != 0 {
		return nil, errState
	}
	s.second = second == 1
	if src, err = s.a.Restore(src); err != nil {
		return nil, err
	}
	return s.b.Restore(src)
}
