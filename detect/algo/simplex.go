package algo

import "math"

// simplex finds where a loss over one or two numbers is least: it moves a triangle, or
// a pair, of places downhill (J. A. Nelder, R. Mead, "A simplex method for function
// minimization", Computer Journal 7, 1965, in the form of J. C. Lagarias and others,
// "Convergence properties of the Nelder-Mead simplex method in low dimensions", SIAM
// Journal on Optimization 9, 1998). It allocates nothing.
type simplex struct {
	loss     func(x place) float64
	dim      int // 1 or 2
	at       [3]vertex
	centroid place // of all but the worst
	left     int   // evaluations

	best     vertex // of the last round
	improved float64
	stale    int // rounds since loss fell to that
}

// place is where a loss is asked for; with one number the second is not read.
type place [2]float64

type vertex struct {
	x    place
	loss float64
}

const (
	simplexSize   = 2
	simplexAsks   = 60 // evaluations at most, of which the last is not waited for
	simplexStale  = 12 // rounds without a clear improvement
	simplexClear  = 1e-6
	simplexShrink = 0.5
)

// least returns the place of the least loss found from start on.
func least(loss func(x place) float64, start place, dim int) place {
	s := simplex{loss: loss, dim: dim, left: simplexAsks - 1}
	from := vertex{x: start}
	s.ask(&from)
	if !(from.loss < math.Inf(1)) {
		return place{}
	}
	s.best, s.improved = from, from.loss
	if !s.surround(from) {
		return s.best.x
	}
	for s.round() && s.move() {
	}
	return s.best.x
}

// ask fills in the loss of v and reports whether another one may be asked for.
func (s *simplex) ask(v *vertex) bool {
	if s.left == 0 {
		return false
	}
	s.left--
	v.loss = s.loss(v.x)
	return true
}

// surround makes the first triangle.
func (s *simplex) surround(from vertex) bool {
	s.at[s.dim] = from
	for i := range s.dim {
		s.at[i] = from
		s.at[i].x[i] += simplexSize
		if !s.ask(&s.at[i]) {
			return false
		}
	}
	s.sort()
	return true
}

// sort puts the vertices in order of loss and computes the centroid anew.
func (s *simplex) sort() {
	for i := 1; i <= s.dim; i++ {
		for j := i; j > 0 && s.at[j].loss < s.at[j-1].loss; j-- {
			s.at[j], s.at[j-1] = s.at[j-1], s.at[j]
		}
	}
	s.centroid = place{}
	for i := range s.dim {
		for j := range s.dim {
			s.centroid[j] += s.at[i].x[j]
		}
	}
	for j := range s.dim {
		s.centroid[j] /= float64(s.dim)
	}
}

// round notes the best vertex and reports whether the loss still falls.
func (s *simplex) round() bool {
	s.best = s.at[0]
	if f := s.best.loss; f < s.improved && s.improved-f > simplexClear {
		s.improved, s.stale = f, 0
		return true
	}
	s.stale++
	return s.stale < simplexStale
}

// move takes a better place for the worst vertex, or draws all towards the best one.
func (s *simplex) move() bool {
	worst := s.at[s.dim].loss
	mirrored := s.beyond(1)
	if !s.ask(&mirrored) {
		return false
	}
	switch f := mirrored.loss; {
	case f >= s.at[0].loss && f < s.at[s.dim-1].loss:
		s.take(mirrored)
		return true
	case f < s.at[0].loss:
		further := s.beyond(2)
		if !s.ask(&further) {
			return false
		}
		if further.loss < f {
			s.take(further)
		} else {
			s.take(mirrored)
		}
		return true
	case f < worst:
		nearer := s.beyond(0.5)
		if !s.ask(&nearer) {
			return false
		}
		if nearer.loss <= f {
			s.take(nearer)
			return true
		}
	default:
		inside := s.beyond(-0.5)
		if !s.ask(&inside) {
			return false
		}
		if inside.loss < worst {
			s.take(inside)
			return true
		}
	}
	return s.shrink()
}

// beyond returns the place that lies by scale times the worst vertex's distance on the
// other side of the centroid.
func (s *simplex) beyond(scale float64) (v vertex) {
	for j := range s.dim {
		c := s.centroid[j]
		v.x[j] = float64((c-s.at[s.dim].x[j])*scale) + c
	}
	return v
}

// take puts v in the place of the worst vertex.
func (s *simplex) take(v vertex) {
	s.at[s.dim] = v
	for i := s.dim - 1; i >= 0 && !(s.at[i].loss < v.loss); i-- {
		s.at[i], s.at[i+1] = s.at[i+1], s.at[i]
	}
	each := 1 / float64(s.dim)
	for j := range s.dim {
		s.centroid[j] += float64(-each * s.at[s.dim].x[j])
		s.centroid[j] += float64(each * v.x[j])
	}
}

func (s *simplex) shrink() bool {
	best := s.at[0].x
	for i := 1; i <= s.dim; i++ {
		for j := range s.dim {
			s.at[i].x[j] = float64((s.at[i].x[j]-best[j])*simplexShrink) + best[j]
		}
		if !s.ask(&s.at[i]) {
			return false
		}
	}
	s.sort()
	return true
}
