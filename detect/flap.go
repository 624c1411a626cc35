package detect

import (
	"fmt"

	"pulse/detect/alert"
	"pulse/detect/scalar"
)

// Flap is when a rule's alerts flap: begin again and again, soon after they ended. One
// that does is told once more and then stays on until it has been calm.
type Flap struct {
	Off bool
	// Times is the beginning in a row from which on an alert flaps; 0 is 5.
	Times int
	// Calm is how long it must have been in band, or, of a no-data alert, have had
	// data, to be over then; when it is over for less, the next beginning follows in a
	// row. 0 is 10 min, and 10 steps where that is longer.
	Calm Duration
}

// Defaults and limits of Flap.
const (
	defaultFlaps     = 5
	minFlaps         = 2
	maxFlaps         = 1_000
	defaultCalm      = 10 * minute
	defaultCalmSteps = 10
)

var flapKeys = []string{"times", "calm"}

// flap reads `off` or an object.
func (f *fields) flap(key string) (out Flap) {
	v, ok := f.get(key)
	if !ok {
		return out
	}
	if text, isText := scalar.Text(v); isText && (text == "off" || text == "false") {
		return Flap{Off: true}
	}
	m, ok := v.(map[string]any)
	if !ok {
		f.fail("%s is %s, want off or an object such as {times: 5, calm: 10m}", key, shownValue(v))
		return out
	}
	in := fields{m: m}
	in.known(flapKeys...)
	out.Times, out.Calm = in.whole("times"), in.duration("calm")
	if _, given := in.get("times"); given && out.Times == 0 {
		in.fail("times is 0, want %d to %d, or flap: off", minFlaps, maxFlaps)
	}
	if _, given := in.get("calm"); given && out.Calm == 0 {
		in.fail("calm is 0s, want one step or more, or flap: off")
	}
	if in.err != nil {
		f.fail("%s.%w", key, in.err)
	}
	return out
}

// shownValue says what a value is that should be something else.
func shownValue(v any) string {
	if text, ok := scalar.Text(v); ok {
		return fmt.Sprintf("%q", clip(text, 40))
	}
	return scalar.TypeName(v)
}

// check refuses what is beyond the limits, for a rule with the given step in ms.
func (f *Flap) check(step int64) error {
	if f.Times != 0 && (f.Times < minFlaps || f.Times > maxFlaps) {
		return fmt.Errorf("flap.times is %d, want %d to %d", f.Times, minFlaps, maxFlaps)
	}
	if f.Calm != 0 && (int64(f.Calm) < step || f.Calm > maxWait) {
		return fmt.Errorf("flap.calm is %s, want one step (%s) to %s", f.Calm, Duration(step), maxWait)
	}
	return nil
}

// value is what the rule's key holds, and whether anything was given.
func (f *Flap) value() (v any, given bool) {
	m := map[string]any{}
	if f.Times != 0 {
		m["times"] = f.Times
	}
	if f.Calm != 0 {
		m["calm"] = f.Calm.String()
	}
	if f.Off {
		return "off", true
	}
	return m, len(m) > 0
}

// apply sets the state machine's part, for a rule with the given step in ms.
func (f *Flap) apply(c *alert.Config, step int64) {
	if f.Off {
		return
	}
	if c.Flaps = int32(f.Times); f.Times == 0 {
		c.Flaps = defaultFlaps
	}
	if c.Calm = max(int64(f.Calm), step); f.Calm == 0 {
		c.Calm = max(int64(defaultCalm), defaultCalmSteps*step)
	}
}

// eventFlapping is the kind of event that says from when on an alert stays on because
// it flaps.
const eventFlapping = "flapping"

// noteFlapping says in the timeline that the incident, which began so many times in a
// row, stays on, if it does, and how much calm it needs to be over.
func (in *incident) noteFlapping(t int64, times int32, c *alert.Config, needs int64) {
	if !in.Sent.Flapping {
		return
	}
	calm := "in band"
	if in.Absence {
		calm = "with data"
	}
	in.note(t, eventFlapping, fmt.Sprintf("it began %d times in a row, each time less than %s after it had been over: it stays on until it has been %s for %s",
		times, spoken(c.Calm), calm, spoken(needs)))
}

// reflap has the alerts that are on say whether they flap by what the rule says by now.
func (e *Engine) reflap(r *running) {
	c := &r.c.config
	bring := func(in *incident, k *alert.Streak, needs int64) {
		if in == nil || !in.fires() || in.Sent.Flapping == k.Flapping(c) {
			return
		}
		if in.Sent.Flapping = k.Flapping(c); in.Sent.Flapping {
			in.noteFlapping(e.now, k.Times, c, needs)
		} else {
			in.note(e.now, eventFlapping, "the rule has changed: it does not flap any more")
		}
		e.putOpen(in)
	}
	for i := range r.alerts {
		a := &r.alerts[i]
		bring(a.breach, &a.state.Fires, a.state.Needs(c))
		bring(a.absence, &a.state.Losses, c.Calm)
	}
}

// calmed says for how long an incident that flapped has been calm when it ends.
func calmed(in *incident, needs int64) string {
	if !in.Sent.Flapping {
		return ""
	}
	return " for " + spoken(needs) + " after it flapped"
}

// needs is how long the alert must have been in band to be over.
func (a *WhyAlert) needs(c *alert.Config) int64 {
	if a.Flapping && c.Flaps > 0 {
		return max(c.Keep, c.Calm)
	}
	return c.Keep
}

// keptBy names what that is.
func (a *WhyAlert) keptBy() string {
	if a.Flapping {
		return "calm that it needs since it flaps"
	}
	return "keep"
}
