package detect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pulse/detect/algo"
)

// explain says in plain words what a decision of w was made on, such as
//
//	85 % below what was expected for 40 s: 147, expected 980 ± 60 from the last
//	hour; completeness 20/20; 95 % of the change is device=tv
func (w *Why) explain(d *Decision, since, step int64) string {
	parts := []string{w.whatHappened(d, since, step)}
	if text := w.expectation(d, step); text != "" {
		parts[0] += ": " + text
	}
	if d.Sources > 0 {
		text := fmt.Sprintf("completeness %d/%d", d.Reported, d.Sources)
		if len(d.Silent) > 0 {
			text += ", without " + quoted(d.Silent, d.Sources-d.Reported)
		}
		parts = append(parts, text)
	}
	if p := d.PutOff; p != nil {
		parts = append(parts, fmt.Sprintf("judged only after waiting for %s", quoted(p.Silent, p.Sources-p.Reported)))
	}
	if d.Kind == StatePending && d.For != nil && d.For.Needs > 0 {
		parts = append(parts, "pages when it lasts "+spoken(d.For.Needs))
	}
	if text := w.Breakdown.words(); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// whatHappened says in which way the stream was out, and for how long.
func (w *Why) whatHappened(d *Decision, since, step int64) string {
	value, expected := float64(d.Value), float64(d.Expected)
	span := ""
	if lasted := d.T - w.offFrom(d, since, step); lasted > step { // else nothing but this step is known of it
		span = " for " + spoken(lasted)
	}
	switch {
	case d.Kind == StateNoData:
		text := "no data"
		if d.Absent != nil {
			text += " for " + spoken(d.Absent.Passed)
		}
		return text
	case d.Kind == StateResolved:
		return "over, " + d.Value.String()
	}
	switch d.Cause {
	case algo.CauseDrop.String(), algo.CauseRise.String():
		return apart(value, expected) + span
	case algo.CauseDrift.String():
		return apart(value, expected) + ", a little but for long"
	case algo.CauseFrozen.String():
		return "the same value " + d.Value.String() + " again and again, on a stream that varies"
	case algo.CauseMissing.String():
		return "no data" + span + ", although there should be"
	case algo.CauseWorse.String():
		return w.compared(d)
	case algo.CauseSignal.String():
		return "the expression is true (" + d.Value.String() + ")" + span
	case algo.CauseLimit.String():
		return beyond(d) + span
	}
	if math.IsNaN(value) {
		return "no data" + span
	}
	return "out of band" + span
}

// offFrom returns the last step before the one in which the stream was off on the
// side of d. It was so before it counted: as long as the detector says, or longer where
// the steps before are known.
func (w *Why) offFrom(d *Decision, since, step int64) int64 {
	from := since - step
	if held, ok := w.fact(&w.Decisions[0].JudgedStep, algo.FactHeld); ok && held > 1 && w.Decisions[0].T == since {
		from -= int64(held-1) * step
	}
	below := d.Value < d.Expected
	at, missed := since-step, 0
	for i := len(w.Steps) - 1; i >= 0 && missed < 2; i-- {
		switch s := &w.Steps[i]; {
		case s.T > at:
		case s.T < at:
			return from // steps between are not known
		case s.isOff(below):
			missed, from = 0, min(from, at-step)
			at -= step
		default:
			missed++
			at -= step
		}
	}
	return from
}

// isOff reports whether the step was more than half-way from what was expected
// to the edge of the band on a side.
func (s *JudgedStep) isOff(below bool) bool {
	edge := s.Upper
	if below {
		edge = s.Lower
	}
	half := float64(edge-s.Expected) / 2 // negative below
	gap := float64(s.Value - s.Expected)
	return half != 0 && gap/half > 1
}

// compared says how a stream fares against its baseline.
func (w *Why) compared(d *Decision) string {
	ratio, known := w.fact(&d.JudgedStep, algo.FactRatio)
	low, _ := w.fact(&d.JudgedStep, algo.FactRatioLower)
	high, _ := w.fact(&d.JudgedStep, algo.FactRatioUpper)
	text := "worse than what it is compared with"
	if !known || math.IsNaN(ratio) {
		return text
	}
	text += ": " + asMany(ratio)
	switch { // no bound is null, which is NaN again
	case low > 0 && high > 0 && !math.IsInf(high, 1):
		return text + ", surely " + asMany(low) + " to " + asMany(high)
	case low > 0:
		return text + ", surely at least " + asMany(low)
	}
	return text
}

// asMany says a ratio of counts.
func asMany(ratio float64) string {
	switch more := 100 * (ratio - 1); {
	case ratio >= 2 || ratio <= 0.5:
		return people(ratio) + " times as many"
	case more > 0:
		return people(more) + " % more"
	case more < 0:
		return people(-more) + " % fewer"
	}
	return "as many"
}

// sayable is the largest multiple or percentage that says anything.
const sayable = 1e6

// apart says how far v is from what was expected.
func apart(v, expected float64) string {
	side := " below"
	if v > expected {
		side = " above"
	}
	gap := math.Abs(v - expected)
	switch {
	case math.IsNaN(expected):
		return "out of band"
	case expected == 0:
		return Number(gap).String() + side + " what was expected"
	case v/expected > sayable || gap/math.Abs(expected) > sayable/100:
		return "far" + side + " what was expected"
	case v > 3*expected && expected > 0:
		return rounded(v/expected) + " times what was expected"
	}
	return rounded(100*gap/math.Abs(expected)) + " %" + side + " what was expected"
}

// beyond says which limit was crossed.
func beyond(d *Decision) string {
	switch v := d.Value; {
	case v < d.Lower:
		return v.String() + " is below the limit of " + d.Lower.String()
	case v > d.Upper:
		return v.String() + " is above the limit of " + d.Upper.String()
	}
	return "not back within the limits"
}

// expectation says what was expected, how exactly, and where that comes from.
func (w *Why) expectation(d *Decision, step int64) string {
	if math.IsNaN(float64(d.Expected)) || d.Kind == StateNoData {
		return ""
	}
	text := "expected " + people(float64(d.Expected))
	if d.Kind != StateResolved && !math.IsNaN(float64(d.Value)) {
		text = people(float64(d.Value)) + ", " + text
	}
	lower, upper := float64(d.Lower), float64(d.Upper)
	down, up := float64(d.Expected)-lower, upper-float64(d.Expected)
	switch {
	case math.IsNaN(down) && math.IsNaN(up):
	case math.IsNaN(up):
		text += " (at least " + people(lower) + ")"
	case math.IsNaN(down):
		text += " (at most " + people(upper) + ")"
	case math.Abs(up-down) <= 0.25*max(up, down):
		text += " ± " + people((up+down)/2)
	default:
		text += " (" + people(lower) + " to " + people(upper) + ")"
	}
	switch hours, _ := w.fact(&d.JudgedStep, algo.FactSeason); hours {
	case 24:
		return text + " at this time of day"
	case 168:
		return text + " at this time of the week"
	}
	if steps, ok := w.fact(&d.JudgedStep, algo.FactMemory); ok && steps > 1 {
		text += " from the last " + roughly(int64(steps)*step)
	}
	return text
}

// words says which values carry the change.
func (b *Breakdown) words() string {
	if b == nil || len(b.Values) == 0 {
		return ""
	}
	if b.Even {
		return "no tag value stands out"
	}
	names := make([]string, 0, len(b.Values))
	for _, v := range b.Values {
		names = append(names, clip(b.Key, 40)+"="+clip(v.Value, 40))
	}
	share := float64(b.Explained)
	if share > 0.99 {
		return "all of the change is " + listed(names)
	}
	return rounded(100*share) + " % of the change is " + listed(names)
}

// quoted lists up to three names of n things.
func quoted(names []string, n int) string {
	if len(names) == 0 {
		return counted(n, "source")
	}
	shown := make([]string, 0, 3)
	for _, name := range names[:min(len(names), 3)] {
		shown = append(shown, strconv.Quote(name))
	}
	if more := max(n, len(names)) - len(shown); more > 0 {
		return strings.Join(shown, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return listed(shown)
}

func listed(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

func counted(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// people prints a number with three significant digits, four from 1000 on, as
// one says it.
func people(x float64) string {
	if a := math.Abs(x); a >= 1000 && a < 1e15 {
		digits := 0
		for b := a; b >= 10000; b /= 10 {
			digits++
		}
		unit := math.Pow10(digits)
		return grouped(strconv.FormatFloat(math.Round(x/unit)*unit, 'f', 0, 64))
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	if err != nil {
		rounded = x
	}
	return Number(rounded).String()
}

// grouped separates the thousands of an integer's digits.
func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// rounded prints a percentage or a multiple.
func rounded(x float64) string {
	if x < 10 {
		return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
	}
	return grouped(strconv.FormatFloat(math.Round(x), 'f', 0, 64))
}

// units of time, the largest first, in ms.
var units = []struct {
	ms   int64
	name string
}{{24 * hour, "d"}, {hour, "h"}, {minute, "min"}, {second, "s"}, {1, "ms"}}

// spoken prints a time in its two largest units: 1 min 30 s.
func spoken(ms int64) string {
	for i, u := range units {
		if ms < u.ms && u.ms > 1 {
			continue
		}
		text := fmt.Sprintf("%d %s", ms/u.ms, u.name)
		if rest := ms % u.ms; i+1 < len(units) && rest >= units[i+1].ms && (u.ms > second || ms < 10*second) {
			text += fmt.Sprintf(" %d %s", rest/units[i+1].ms, units[i+1].name)
		}
		return text
	}
	return "0 s"
}

// roughly prints a time as one says it: 56 min is an hour.
func roughly(ms int64) string {
	for _, u := range []struct {
		ms        int64
		one, many string
	}{{7 * 24 * hour, "week", "weeks"}, {24 * hour, "day", "days"}, {hour, "hour", "hours"}, {minute, "minute", "minutes"}, {second, "second", "seconds"}} {
		if n := math.Round(float64(ms) / float64(u.ms)); n == 1 && float64(ms) > 0.75*float64(u.ms) {
			return u.one
		} else if n > 1 {
			return people(n) + " " + u.many
		}
	}
	return spoken(ms)
}

// newest returns the decision of a kind that was made last.
func (w *Why) newest(kinds ...string) *Decision {
	for i := len(w.Decisions) - 1; i >= 0; i-- {
		if slices.Contains(kinds, w.Decisions[i].Kind) {
			return &w.Decisions[i]
		}
	}
	return nil
}
