package store

import (
	"fmt"

	"pulse/store/block"
	"pulse/store/budget"
	"pulse/store/norm"
	"pulse/store/step"
)

// Options says how a Store keeps data. Times are milliseconds; zero means the
// default.
type Options struct {
	Step      int64  // primary step; default 10 s
	Retention int64  // how long sealed values are kept; default 2 d
	Tiers     []Tier // resolutions, the primary first; default the one of Step and Retention, which may be left out otherwise
	MaxPast   int64  // age of the oldest accepted point; default the larger of one step and min(60 s, 120 steps)
	MaxFuture int64  // how far ahead of now a point may be; default one step

	RateHeartbeat    int64 // see norm.Params; default 2.5 steps
	CounterHeartbeat int64

	MaxSeries       int            // series written within the primary retention; default 1,000,000. Those that only coarser tiers still have come on top, up to 16 times as many in all
	MaxValuesPerKey int            // distinct values of a tag key of searchable series; default 200,000
	MaxKeys         int            // distinct tag keys of searchable series; default 10,000
	MaxPairs        int            // distinct tags of searchable series; default 4 × MaxSeries
	NewSeriesRate   float64        // new series per second; default 5,000; negative: no limit
	NewSeriesBurst  float64        // default 50,000
	Cache           int64          // bytes of aggregated columns kept for scans to come, taken from Memory; 0: none
	Memory          *budget.Budget // bytes of series, their columns and blocks; nil: no limit
	MaxSources      int            // default 20,000, fewer when their presence bits would take more than 256 MiB
}

// rules are the options that decide what becomes of a point. A record of the
// log is always taken by those that were in force when it was written.
type rules struct {
	past, future  int64 // age limits, ms
	rate, counter int64 // heartbeats, ms
}

func (o Options) rules() rules {
	return rules{o.MaxPast, o.MaxFuture, o.RateHeartbeat, o.CounterHeartbeat}
}

const (
	maxPresenceBytes = 256 << 20
	maxWindowBlocks  = 10 // longest MaxPast + MaxFuture, in blocks
	seenPerSeries    = 16 // series that any tier has per one that is written
	pairsPerSeries   = 4  // tags per series, on average, that no other series has
)

// withDefaults returns o with every default filled in.
func (o Options) withDefaults() Options {
	if len(o.Tiers) > 0 {
		o.Step, o.Retention = or(o.Step, o.Tiers[0].Step), or(o.Retention, o.Tiers[0].Retention)
	}
	o.Step = or(o.Step, 10_000)
	o.Retention = or(o.Retention, 2*24*3600_000)
	if len(o.Tiers) == 0 {
		o.Tiers = []Tier{{o.Step, o.Retention}}
	}
	o.MaxPast = or(o.MaxPast, max(o.Step, min(60_000, 120*o.Step)))
	o.MaxFuture = or(o.MaxFuture, o.Step)
	o.RateHeartbeat = or(o.RateHeartbeat, norm.Heartbeat(o.Step))
	o.CounterHeartbeat = or(o.CounterHeartbeat, norm.Heartbeat(o.Step))
	o.MaxSeries = or(o.MaxSeries, 1_000_000)
	o.MaxValuesPerKey = or(o.MaxValuesPerKey, 200_000)
	o.MaxKeys = or(o.MaxKeys, 10_000)
	o.MaxPairs = or(o.MaxPairs, pairsPerSeries*o.MaxSeries)
	o.NewSeriesRate = or(o.NewSeriesRate, 5_000)
	o.NewSeriesBurst = or(o.NewSeriesBurst, 50_000)
	if o.MaxSources == 0 {
		perSource := max(1, o.Retention/max(1, o.Step)/4)
		o.MaxSources = int(min(20_000, max(256, maxPresenceBytes/perSource)))
	}
	return o
}

func or[T comparable](v, whenZero T) T {
	var zero T
	if v == zero {
		return whenZero
	}
	return v
}

// Check reports the first field of which New would say that it cannot work.
func (o Options) Check() error { return o.withDefaults().validate() }

// validate reports the first field that cannot work.
func (o Options) validate() error {
	blockMs := block.Size * o.Step
	switch {
	case !step.ValidPrimary(o.Step):
		return fmt.Errorf("store: step %d ms is not an allowed step from 100 ms to 1 min", o.Step)
	case o.Retention < blockMs:
		return fmt.Errorf("store: retention %d ms is shorter than a block of %d steps (%d ms)", o.Retention, block.Size, blockMs)
	case o.Retention/o.Step > maxSteps:
		return fmt.Errorf("store: retention %d ms is more than %d steps", o.Retention, maxSteps)
	case o.MaxPast < 0 || o.MaxFuture < 0 || o.MaxPast+o.MaxFuture > maxWindowBlocks*blockMs:
		return fmt.Errorf("store: max past %d ms and max future %d ms must not be negative and at most %d ms together",
			o.MaxPast, o.MaxFuture, maxWindowBlocks*blockMs)
	case o.Retention < o.MaxPast:
		return fmt.Errorf("store: retention %d ms is shorter than max past %d ms", o.Retention, o.MaxPast)
	case o.MaxSeries < 1 || o.MaxSeries > partitions*maxSlots/seenPerSeries:
		return fmt.Errorf("store: max series %d is not between 1 and %d", o.MaxSeries, partitions*maxSlots/seenPerSeries)
	case min(o.MaxValuesPerKey, o.MaxKeys, o.MaxPairs) < 1:
		return fmt.Errorf("store: max values per key %d, max keys %d or max pairs %d is below 1", o.MaxValuesPerKey, o.MaxKeys, o.MaxPairs)
	case o.MaxSources < 1 || o.MaxSources > 1<<24:
		return fmt.Errorf("store: max sources %d is not between 1 and %d", o.MaxSources, 1<<24)
	case o.NewSeriesRate >= 0 && o.NewSeriesBurst < 1:
		return fmt.Errorf("store: new series burst %v is below 1", o.NewSeriesBurst)
	}
	return o.validateTiers()
}
