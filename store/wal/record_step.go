package wal

const (
	usualStep = 10_000
	mostStep  = 1 << 40
)

// clientSteps are the steps that clients divide their counts by, in ms; it need
// not be the one that the store keeps.
var clientSteps = [...]int64{1000, 5000, 10_000, 15_000, 20_000, 30_000, 60_000, 300_000}

const (
	mostTunings = 4  // of a template in a segment
	tuneSample  = 64 // values that are looked at
	mostScales  = 16
)

// scalesOf returns the transforms for a step.
func (e *Encoder) scalesOf(stepMs int64) *scales {
	s := e.scales[stepMs]
	if s == nil {
		if len(e.scales) >= mostScales {
			clear(e.scales)
		}
		s = makeScales(stepMs, e.codes)
		e.scales[stepMs] = s
	}
	return s
}

// stepMs is what the counts of a template's batches are divided by.
func (t *template) stepMs(otherwise int64) int64 {
	if t.step == 0 {
		return otherwise
	}
	return t.step
}

// encodeTemplate finds codes and integers of the values of a template's places.
func (e *Encoder) encodeTemplate(t *template, s *scales) {
	e.column.encodeAs(s, &t.hints)
	if !t.hints.due() {
		return
	}
	t.hints.order()
	if n := t.hints.count(byBits); n > len(t.refs)/8 && t.tunings < mostTunings {
		t.tunings++
		e.tune(t, n)
	}
}

// tune looks for a step that makes counts of the n values for which nothing was
// found, and takes it for the next batches if they are more than those that
// would be lost by it.
func (e *Encoder) tune(t *template, n int) {
	places := t.hints.placesOf(byBits)
	every := (n + tuneSample - 1) / tuneSample
	var best int64
	most := t.hints.count(bySecond) + t.hints.count(byTotal)
	for _, step := range clientSteps {
		if step == t.stepMs(e.options.Step) {
			continue
		}
		s, fit := e.scalesOf(step), 0
		for k := 0; k < n; k += every {
			for _, lane := range []uint8{bySecond, byTotal} {
				if v := e.column.values[places[k]]; v != 0 {
					if _, _, ok := s[lane].try(v); ok {
						fit += every
						break
					}
				}
			}
		}
		if fit > most {
			best, most = step, fit
		}
	}
	if best != 0 {
		t.step = best
		t.hints.forget(byBits, bySecond, byTotal)
	}
}
