package store

import (
	"fmt"
	"math"
	"sync/atomic"
)

// Tier is one resolution at which values are kept. The first one is the
// primary; each further one is derived from the one before it and keeps sum,
// count, min and max of the primary values of its steps.
type Tier struct {
	Step      int64 // ms
	Retention int64 // ms
}

// Field is one of the four values that a tier above the primary keeps per
// series and step. All are of the primary values that the series has in the
// step, per second for rate, counter and sum; NaN where it has none.
type Field uint8

const (
	FieldSum Field = iota
	FieldCount
	FieldMin
	FieldMax

	fields // number of them
)

const maxTiers = 8

// dawn is earlier than every time.
const dawn = math.MinInt64 / 4

// validateTiers reports the first tier that cannot work.
func (o Options) validateTiers() error {
	if len(o.Tiers) > maxTiers {
		return fmt.Errorf("store: %d tiers, the limit is %d", len(o.Tiers), maxTiers)
	}
	first := o.Tiers[0]
	if first.Step != o.Step || first.Retention != o.Retention {
		return fmt.Errorf("store: the first tier, %d ms kept %d ms, disagrees with step %d ms kept %d ms",
			first.Step, first.Retention, o.Step, o.Retention)
	}
	for i, t := range o.Tiers[1:] {
		before := o.Tiers[i]
		switch {
		case t.Step <= before.Step:
			return fmt.Errorf("store: tier step %d ms is not longer than the one before it, %d ms", t.Step, before.Step)
		case t.Step%first.Step != 0:
			return fmt.Errorf("store: tier step %d ms is not a multiple of the primary step %d ms", t.Step, first.Step)
		case t.Step%before.Step != 0:
			return fmt.Errorf("store: tier step %d ms is not a multiple of the one before it, %d ms", t.Step, before.Step)
		case t.Step/first.Step > maxPerStep:
			return fmt.Errorf("store: tier step %d ms is more than %d primary steps", t.Step, maxPerStep)
		case t.Retention <= before.Retention:
			return fmt.Errorf("store: tier retention %d ms is not longer than the one before it, %d ms", t.Retention, before.Retention)
		case t.Retention/t.Step > maxSteps || t.Retention > math.MaxInt64/4:
			return fmt.Errorf("store: tier retention %d ms is more than %d steps", t.Retention, maxSteps)
		}
	}
	return nil
}

// maxPerStep is the most primary steps in a step of a tier: counts stay exact
// and an hour of 100 ms fits.
const maxPerStep = 1 << 20

// tier is what a store knows of one resolution.
type tier struct {
	grid      grid
	retention int64
	each      int64 // steps of the tier before it in one of its own; 1 for the primary

	floor atomic.Int64 // values stamped at or before it are gone
	built atomic.Int64 // up to where the steps of a coarser tier are there
}

func newTiers(o Options) []*tier {
	tiers := make([]*tier, len(o.Tiers))
	for i, t := range o.Tiers {
		tiers[i] = &tier{grid: newGrid(t.Step), retention: t.Retention, each: 1}
		if i > 0 {
			tiers[i].each = t.Step / o.Tiers[i-1].Step
		}
		tiers[i].floor.Store(dawn)
		tiers[i].built.Store(dawn)
	}
	return tiers
}

// TierRange says for which steps a tier is complete: those in (From, To].
//
//	From  the end of what is gone; a multiple of the next tier's step, too;
//	      a time before 1970 when nothing is gone yet
//	To    the last step that was derived from the tier before; the primary
//	      tier goes on to whatever came last, and To is math.MaxInt64
//
// The ranges of neighbours overlap or touch.
type TierRange struct {
	Step     int64 // ms
	From, To int64
}

// Tiers returns what can be read from each tier now, the primary first. Values
// at From move away as time passes: who scans a tier looks again afterwards
// whether From is still before what was read.
func (s *Store) Tiers() []TierRange {
	out := make([]TierRange, len(s.tiers))
	for i, t := range s.tiers {
		r := TierRange{Step: t.grid.step, From: t.floor.Load(), To: t.built.Load()}
		if i == 0 {
			r.To = math.MaxInt64
		}
		if i+1 < len(s.tiers) && r.From > dawn {
			r.From = s.tiers[i+1].grid.ceil(r.From)
		}
		out[i] = r
	}
	return out
}
