package algo

// newExponential makes simple exponential smoothing (R. G. Brown, "Statistical
// Forecasting for Inventory Control", 1959): the expected value is the level.
func newExponential(p *params) Detector {
	s := readSettings(p)
	s.beta = 0
	return &smoothing{set: s}
}
