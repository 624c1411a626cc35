package algo

// readExponential makes simple exponential smoothing (R. G. Brown, "Statistical
// Forecasting for Inventory Control", 1959): the expected value is the level.
func readExponential(p *params) func() Detector {
	s := readSettings(p)
	if !s.addsUp() {
		s.alpha = p.number("alpha", defaultAlpha, 1e-6, 1)
		return s.newSmoothing
	}
	return s.newCusum(p, newTuner(p.step, p.number("alpha", -1, 1e-6, 1), 0))
}
