package algo

// readExponential makes simple exponential smoothing (R. G. Brown, "Statistical
// Forecasting for Inventory Control", 1959): the expected value is the level.
func readExponential(p *params) func() Detector {
	s := readSettings(p)
	s.alpha = p.number("alpha", defaultAlpha, 1e-6, 1)
	return s.newSmoothing
}
