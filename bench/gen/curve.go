package gen

import "math"

// curve is the expected rate of one stream over time.
type curve struct {
	level   float64 // geometric middle of the day, per second
	swing   float64 // peak ÷ trough
	day     float64 // length of a day, ms
	phase   float64 // when the day begins here, as a part of it
	weekend float64 // factor on days six and seven
	growth  float64 // change per week, as a part
	daily   float64 // deviation of the logarithm of a day's own level
	wander  float64 // deviation of the logarithm of the slow wander

	days, wanders, ripples noise
}

// at returns the expected rate per second at t.
func (c *curve) at(t int64) float64 {
	x := float64(t)/c.day + c.phase
	log := math.Log(c.swing) / 2 * shape(x)
	log += math.Log(c.weekend) * weekend(x)
	log += math.Log1p(c.growth) * (x - math.Floor(x/364)*364) / 7 // a year's growth, again and again
	log += c.daily * c.days.smooth(x)
	log += c.wander * (c.wanders.smooth(x*5)*0.8 + c.ripples.smooth(x*17)*0.6)
	return c.level * math.Exp(log)
}

// shape is the course of a day: -1 in the small hours, 1 in the evening.
func shape(x float64) float64 {
	const evening = 0.84                        // about eight o'clock
	const lowest, highest = -0.909926, 1.219572 // of w
	a := 2 * math.Pi * (x - evening)
	w := math.Cos(a) + 0.25*math.Cos(2*a+0.7)
	return 2*(w-lowest)/(highest-lowest) - 1
}

// weekend is 1 on Saturday and Sunday and 0 on other days, with an hour or two
// in between. Day 0 of the epoch was a Thursday.
func weekend(x float64) float64 {
	d := x + 3
	d -= math.Floor(d/7) * 7
	const soft = 0.08
	switch {
	case d < soft:
		return 1 - d/soft
	case d < 5:
		return 0
	case d < 5+soft:
		return (d - 5) / soft
	}
	return 1
}
