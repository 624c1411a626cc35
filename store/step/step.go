// Package step is the only place that does arithmetic on steps: the fixed
// spacing of values in time.
//
// Times are int64 Unix milliseconds, steps are milliseconds. A value stamped t
// covers (t-step, t], so a time on a step's end belongs to that step.
package step

import (
	"fmt"
	"math"
	"slices"
)

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	minPrimary = 100
	maxPrimary = minute
)

// Steps returns the allowed steps up to twelve hours in ascending order, in
// fresh memory. Beyond them every number of whole days is allowed.
func Steps() []int64 {
	return []int64{
		1, 5, 10, 50, 100, 500,
		1 * second, 2 * second, 3 * second, 4 * second, 5 * second, 6 * second,
		10 * second, 12 * second, 15 * second, 20 * second, 30 * second,
		1 * minute, 2 * minute, 3 * minute, 4 * minute, 5 * minute, 6 * minute,
		10 * minute, 12 * minute, 15 * minute, 20 * minute, 30 * minute,
		1 * hour, 2 * hour, 3 * hour, 4 * hour, 6 * hour, 8 * hour, 12 * hour,
	}
}

// ValidPrimary reports whether the store can keep data at this step: it is
// allowed and lies between 100 ms and one minute.
func ValidPrimary(step int64) bool {
	return step >= minPrimary && step <= maxPrimary && slices.Contains(Steps(), step)
}

// Floor returns the largest multiple of step at or before t. The step must be
// positive; t may be negative.
func Floor(t, step int64) int64 {
	off := t % step
	if off < 0 {
		off += step
	}
	return t - off
}

// Ceil returns the smallest multiple of step at or after t: the stamp of the
// step that t belongs to.
func Ceil(t, step int64) int64 {
	f := Floor(t, step)
	if f == t {
		return t
	}
	return f + step
}

// Round returns the smallest allowed step that is at least s and a multiple of
// primary. It fails when primary or s is not positive, or when s is beyond
// what whole days can express.
func Round(primary, s int64) (int64, error) { return RoundBlocks(primary, s, 0) }

// RoundBlocks is Round for a store whose blocks are blockStep long: the result
// also divides blockStep or is a multiple of it. A blockStep of 0 allows all.
func RoundBlocks(primary, s, blockStep int64) (int64, error) {
	if primary <= 0 {
		return 0, fmt.Errorf("primary step must be positive (%d ms)", primary)
	}
	if s <= 0 {
		return 0, fmt.Errorf("step must be positive (%d ms)", s)
	}
	if blockStep < 0 {
		return 0, fmt.Errorf("block length must not be negative (%d ms)", blockStep)
	}
	least := max(primary, s)
	for _, c := range Steps() {
		if c >= least && c%primary == 0 && fits(c, blockStep) {
			return c, nil
		}
	}
	if least > math.MaxInt64-day {
		return 0, fmt.Errorf("step is too long (%d ms)", s)
	}
	return Ceil(least, day), nil
}

func fits(step, blockStep int64) bool {
	return blockStep == 0 || blockStep%step == 0 || step%blockStep == 0
}

// Compute returns the step at which (start, end] has at most width values, as
// Atlas chooses it: the values at the primary step are shared out among width,
// and the share, rounded up, is rounded to an allowed step. A width below 1
// counts as 1; an empty range gives the primary step rounded.
func Compute(primary, width, start, end int64) int64 {
	return ComputeBlocks(primary, width, start, end, 0)
}

// ComputeBlocks is Compute with the block length of RoundBlocks.
func ComputeBlocks(primary, width, start, end, blockStep int64) int64 {
	width = max(width, 1)
	values := max(end-start, 0) / primary
	share := max((values-1)/width+1, 1)
	s, err := RoundBlocks(primary, share*primary, blockStep)
	if err != nil {
		return share * primary
	}
	return s
}

// FirstPrimary returns the first primary step inside the coarser step stamped
// t, which is multiple primary steps long. It fails when t is not a multiple
// of step, or step not a multiple of multiple.
func FirstPrimary(t, step, multiple int64) (int64, error) {
	if step <= 0 || multiple <= 0 || step%multiple != 0 {
		return 0, fmt.Errorf("step %d ms is not divisible by %d", step, multiple)
	}
	if t%step != 0 {
		return 0, fmt.Errorf("time %d is not on a boundary of step %d ms", t, step)
	}
	return t - step + step/multiple, nil
}
