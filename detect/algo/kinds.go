package algo

import (
	"fmt"
	"math"
)

// Kinds lists the detector kinds with their keys.
func Kinds() []Kind {
	alpha := Key{"alpha", "weight of a new value in the level, up to 1", "found from the stream; " + formatBound(defaultAlpha) + " where hold is one step or width is set"}
	beta := Key{"beta", "weight of a new slope in the trend, up to 1", "found from the stream; " + formatBound(defaultBeta) + " where hold is one step or width is set"}
	return []Kind{
		{"signal", "the expression's own value is the verdict: out while it is not 0", nil, readSignal},
		{"static", "fixed limits; above or below is needed", []Key{
			{"above", "out when the value is above this", ""},
			{"below", "out when the value is below this", ""},
			{"clear_above", "over when the value is at most this", "above"},
			{"clear_below", "over when the value is at least this", "below"},
			{"hold", "beyond a limit for how long before it counts", "one step"},
		}, readStatic},
		{"exponential", "exponential smoothing: expects the level of the recent past",
			append([]Key{alpha}, sharedKeys()...), readExponential},
		{"double-exponential", "Holt's double exponential smoothing: expects the level and trend of the recent past to go on",
			append([]Key{alpha, beta}, sharedKeys()...), readDoubleExponential},
		{"absence", "out when a stream that had data has none", []Key{
			{"after", "without data for how long", "60s, at least 3 steps"},
		}, readAbsence},
		{"compare", "a count against another one, its baseline, by a test that may be looked at after every step", compareKeys(), readCompare},
		{"seasonal", "profile of the day and the week: expects the usual at this time, at the level of the last hours",
			append([]Key{
				{"season", "list of day and week", "both"},
				{"timezone", "IANA name of the zone whose days and weeks they are", "UTC"},
			}, sharedKeys()...), readSeasonal},
		{"auto", "chooses between no season, the day and the week by what predicts best",
			append([]Key{
				{"sensitivity", "from 0, pages for the grossest only, to 1, instead of threshold", "0.5"},
				{"timezone", "IANA name of the zone whose days and weeks they are", "UTC"},
			}, sharedKeys()...), readAuto},
	}
}

// Lookback returns for how long before a moment a detector built from spec
// should have seen the stream to judge that moment well, in ms.
func Lookback(spec Spec, step int64) (int64, error) {
	d, err := New(spec, step)
	if err != nil {
		return 0, err
	}
	switch d := d.(type) {
	case *seasonal:
		return d.set.lookback(), nil
	case *absence:
		return int64(d.after) * step, nil // to know who had data
	case *compare:
		return (d.set.train + step - 1) / step * step, nil
	}
	if c, ok := d.(*cusum); ok {
		d = &smoothing{set: c.set.settings}
	}
	s, ok := d.(*smoothing)
	if !ok {
		return 0, nil
	}
	// The slowest estimates forget at about slowRate per step.
	n := int64(s.set.train) + int64(s.set.learnShift) + int64(3/slowRate)
	if n > math.MaxInt64/step {
		return 0, fmt.Errorf("detector %s: look-back of %d steps of %d ms is too long", spec.Kind, n, step)
	}
	return n * step, nil
}
