package algo

// excursion adds up how far a stream is from its prediction on one side: each
// step adds its distance less an allowance, and the sum never falls below 0 (E. S.
// Page, "Continuous inspection schemes", Biometrika 41, 1954). So depth is traded
// against time, and what is slight but lasts counts like what is clear but new.
//
// What one step may add is limited such that the sum needs about the hold to reach
// the height at which it is out, however deep the steps are: a dip shorter than the
// hold never gets there. Steps that only a part of a dip covers, at its edges, would
// lengthen it. So a step that is twice as far out as the steps before it starts
// the sum anew, and one half as far no longer adds to it.
//
// The height is learned: the stream's own sums exceed usual in a share tailShare
// of steps, by excess on average, and beyond it the chance of a sum falls
// exponentially, as it does for sums of this kind (D. Siegmund, "Sequential
// Analysis", 1985, chapter 2).
type excursion struct {
	sum, top      float32 // top: furthest distance of the steps that made the sum
	usual, excess float32
	age           int32 // steps since the sum was 0
}

const (
	allowanceOne = 4.5 // mean absolute residuals
	allowanceExp = -0.5
	allowanceMin = 0.5
	usualStart   = 4.0
	usualMin     = 2.0
	excessStart  = 1.2
	excessMin    = 0.8
	excessClip   = 4.0 // excesses that one step may teach
	lossMax      = 2.0 // that a step may take from the sum while not out
	edgeFrom     = 5.0 // distance from which edges are told from noise
	edgeLoss     = 0.5
	edgeRate     = 0.5    // of top, below which a step is an edge
	usualRate    = 0.0025 // by which the quantile moves per step
	excessRate   = 0.0015 // weight of one step beyond usual in excess
	holdRounding = 0.4    // of a step, so that rounding does not lengthen the hold
)

func (x *excursion) start() {
	x.usual, x.excess = float32(usualStart), float32(excessStart)
}

// height returns the sum that is out.
func (x *excursion) height(s *sumSettings) float64 {
	return float64(x.usual) + float64(s.reach*float64(x.excess))
}

// most returns what one step may add.
func (x *excursion) most(s *sumSettings) float64 {
	if most := x.height(s) * s.perHold; most > 1 {
		return most
	}
	return 1
}

// advance adds the distance z of a step, positive outwards, in mean absolute
// residuals. While out the sum falls as fast as it rose, and nothing is edge.
func (x *excursion) advance(s *sumSettings, z, back float64, out bool) {
	if x.sum == 0 && z <= s.allowance {
		return
	}
	height, most := x.height(s), x.most(s)
	sum, top := float64(x.sum), float64(x.top)
	change := clamp(z-max(s.allowance, back), most)
	if !out {
		switch {
		case change < -lossMax:
			change = -lossMax
		case top >= edgeFrom && change > 0 && z <= edgeRate*top:
			change = -edgeLoss
		case z >= edgeFrom && edgeRate*z > top && sum < height:
			sum = min(sum, float64(x.usual))
		}
	}
	sum += change
	if !(sum > 0) {
		x.sum, x.top, x.age = 0, 0, 0
		return
	}
	if x.age < maxSteps {
		x.age++
	}
	x.sum = float32(min(sum, height))
	x.top = float32(max(0, min(max(top, z), z/edgeRate*2)))
}

// full reports whether the sum is out.
func (x *excursion) full(s *sumSettings) bool { return x.sum >= float32(x.height(s)) }

// evidence returns what the sum stands for: the limit of s when it is out.
func (x *excursion) evidence(s *sumSettings) float64 {
	if x.full(s) {
		return s.limit
	}
	return s.limit * (float64(x.sum) - float64(x.usual)) / (x.height(s) - float64(x.usual))
}

// fill makes the sum one that is out.
func (x *excursion) fill(s *sumSettings) { x.sum = float32(x.height(s)) }

// learn takes the sum into usual and excess.
func (x *excursion) learn(s *sumSettings) {
	sum, usual, excess := float64(x.sum), float64(x.usual), float64(x.excess)
	if sum <= usual {
		x.calm()
		return
	}
	if !x.full(s) {
		over := min(sum-usual, excessClip*excess)
		x.excess = float32(max(excessMin, excess+float64(excessRate*(over-excess))))
	}
	x.usual = float32(usual + float64(usual*usualRate*(1-tailShare)))
}

// calm takes a sum that is not unusual into usual.
func (x *excursion) calm() {
	usual := float64(x.usual)
	if usual -= float64(usual * usualRate * tailShare); usual < usualMin {
		usual = usualMin
	}
	x.usual = float32(usual)
}
