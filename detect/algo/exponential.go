package algo

// newExponential makes simple exponential smoothing (R. G. Brown, "Statistical
// Forecasting for Inventory Control", 1959): the expected value is the level.
func newExponential(p *params) Detector {
	s := readSettings(p)
	s.alpha = p.number("alpha", defaultAlpha, 1e-6, 1)
	return &smoothing{set: s}
}
