package algo

// newDoubleExponential makes Holt's linear smoothing (C. C. Holt, "Forecasting
// seasonals and trends by exponentially weighted moving averages", Office of Naval
// Research memorandum 52, 1957): the expected value is level plus trend.
func newDoubleExponential(p *params) Detector {
	return &smoothing{set: readSettings(p)}
}
