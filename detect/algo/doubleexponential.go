package algo

// readDoubleExponential makes Holt's linear smoothing (C. C. Holt, "Forecasting
// seasonals and trends by exponentially weighted moving averages", Office of Naval
// Research memorandum 52, 1957): the expected value is level plus trend. We
// deviate in damping the trend while an excursion lasts, so that the prediction
// does not run away from a stream that is being ignored.
func readDoubleExponential(p *params) func() Detector {
	s := readSettings(p)
	if !s.addsUp() {
		s.alpha = p.number("alpha", defaultAlpha, 1e-6, 1)
		s.beta = p.number("beta", defaultBeta, 0, 1)
		return s.newSmoothing
	}
	return s.newCusum(p, newTuner(p.step, p.number("alpha", -1, 1e-6, 1), p.number("beta", -1, 0, 1)))
}
