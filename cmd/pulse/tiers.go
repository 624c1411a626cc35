package main

import (
	"fmt"
	"strings"
	"time"

	"pulse/store"
)

// tier is how long values of one step are kept.
type tier struct {
	step, retention span
}

func (t tier) String() string { return t.step.String() + ":" + t.retention.String() }

// tiers is a list of tiers, the finest first.
type tiers []tier

// defaultTiers are a fine step for two days, minutes for five weeks and hours
// for more than a year.
func defaultTiers() tiers {
	const day = 24 * time.Hour
	return tiers{
		{span(10 * time.Second), span(2 * day)},
		{span(time.Minute), span(35 * day)},
		{span(time.Hour), span(400 * day)},
	}
}

// tiersFrom returns the default tiers with the given primary step, without those
// that are not coarser or no multiple of it.
func tiersFrom(step span) tiers {
	out := defaultTiers()[:1]
	out[0].step = step
	for _, t := range defaultTiers()[1:] {
		if t.step > step && t.step%step == 0 {
			out = append(out, t)
		}
	}
	return out
}

// UnmarshalText reads step:retention pairs with commas between them.
func (t *tiers) UnmarshalText(b []byte) error {
	*t = nil
	for pair := range strings.SplitSeq(string(b), ",") {
		step, retention, ok := strings.Cut(strings.TrimSpace(pair), ":")
		if !ok {
			return fmt.Errorf("%q is not step:retention, such as 10s:2d", pair)
		}
		var one tier
		if err := one.step.UnmarshalText([]byte(step)); err != nil {
			return fmt.Errorf("tier %q: step: %w", pair, err)
		}
		if err := one.retention.UnmarshalText([]byte(retention)); err != nil {
			return fmt.Errorf("tier %q: retention: %w", pair, err)
		}
		*t = append(*t, one)
	}
	return nil
}

func (t tiers) String() string {
	texts := make([]string, len(t))
	for i, one := range t {
		texts[i] = one.String()
	}
	return strings.Join(texts, ",")
}

// store returns the tiers as the store takes them.
func (t tiers) store() []store.Tier {
	out := make([]store.Tier, len(t))
	for i, one := range t {
		out[i] = store.Tier{Step: one.step.ms(), Retention: one.retention.ms()}
	}
	return out
}
