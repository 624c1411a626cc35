package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pulse/store/match"
	"pulse/store/tags"
)

// Scan asks for aggregated values of the series that Query selects, over
// (Start, End] of one tier.
type Scan struct {
	Query match.Query
	By    []string // one line per combination of these keys' values; nil: one line. Series that lack a key are left out
	Agg   Agg      // AggAll: one line per series; By must be empty

	Start, End int64 // ms, multiples of the tier's step

	Tier  int   // as numbered by Tiers; 0 is the primary
	Field Field // which value of a tier above the primary

	// ZeroFill takes a missing value of a rate, counter or sum for 0 where a
	// source of the series reported the step, from the series' first value on.
	// Who reported is known for the primary tier only.
	ZeroFill bool

	MaxLines      int64 // lines returned; 0: no limit
	MaxDatapoints int64 // series × steps read; 0: no limit

	// Reserve, if set, is told of memory before it is allocated, and ends the
	// scan with its error. Nothing of it is told back.
	Reserve func(bytes int64) error

	// Begin, if set, is told what is going to be read before the first value is.
	Begin func(series int, datapoints int64)
}

const maxSteps = 1 << 31 // of one scan, and of the retention

// Line is one group of a scan.
//
//	Tags    the pairs of By; the series' tags for AggAll; nil when not grouped
//	Gauge   every member is a gauge
//	Values  (End-Start)/step numbers, Values[i] stamped Start+(i+1)*step, step
//	        being the tier's; per second for rate, counter and sum; NaN = no data
type Line struct {
	Tags   tags.Tags
	Gauge  bool
	Values []float64
}

// ScanStats is what a scan read.
type ScanStats struct {
	Series     int
	Datapoints int64 // series × steps
	Blocks     int64 // sealed blocks that were decoded
	Cached     int64 // block times that were in the cache
}

// Scan reads the values of many series in one pass, folding each step
// in the order of partitions and slots, so that the same data gives the same
// bits. Lines are ordered by group key, `(k1=v1 k2=v2)` in the order of By, or
// by tags for AggAll; there is none when no series matches. They share no
// memory with the store.
//
// It fails with a *LimitError before any value is read, and with ctx.Err()
// soon after ctx ends.
func (s *Store) Scan(ctx context.Context, q Scan) ([]Line, ScanStats, error) {
	defer s.Hold().Release()
	if q.Tier < 0 || q.Tier >= len(s.tiers) || q.Field >= fields || q.Tier == primary && q.Field != FieldSum {
		return nil, ScanStats{}, fmt.Errorf("scan: there is no field %d of tier %d", q.Field, q.Tier)
	}
	g := s.tiers[q.Tier].grid
	if q.Start%g.step != 0 || q.End%g.step != 0 || q.Start > q.End {
		return nil, ScanStats{}, fmt.Errorf("scan (%d, %d]: not an ascending range of multiples of %d ms", q.Start, q.End, g.step)
	}
	if q.Agg == AggAll && len(q.By) > 0 {
		return nil, ScanStats{}, fmt.Errorf("scan: all series cannot be grouped")
	}
	if steps := uint64(q.End-q.Start) / uint64(g.step); steps > maxSteps {
		return nil, ScanStats{}, &LimitError{"datapoints", int64(steps), maxSteps}
	}
	r, err := s.newRun(ctx, q)
	if err != nil || len(r.lines) == 0 {
		return nil, r.stats, err
	}
	for err = r.read(); err == errLost; err = r.read() {
		r.stats.Blocks, r.stats.Cached = 0, 0
		fillNaN(r.values)
	}
	if err != nil {
		return nil, r.stats, err
	}
	r.order()
	return r.lines, r.stats, nil
}

// selected is the series of one partition that a scan reads.
type selected struct {
	slots  []uint32 // ascending
	groups []int32  // line of each slot; nil when all belong to line 0
}

// newRun selects and groups series and checks the limits. Without an error it
// has either no lines or lines of NaN.
func (s *Store) newRun(ctx context.Context, q Scan) (*run, error) {
	g := s.tiers[q.Tier].grid
	r := &run{Scan: q, ctx: ctx, store: s, grid: g, steps: int((q.End - q.Start) / g.step), epoch: s.epochs.Load()}
	found, err := s.index.SelectUntil(q.Query, ctx.Err)
	if err != nil {
		return r, err
	}
	if err := r.reserve(int64(found.GetCardinality()) * r.perSeries()); err != nil {
		return r, err
	}
	r.split(found.ToArray())
	if err := r.group(); err != nil {
		return r, err
	}
	r.stats.Datapoints = int64(r.stats.Series) * int64(r.steps)
	if q.MaxDatapoints > 0 && r.stats.Datapoints > q.MaxDatapoints {
		return r, &LimitError{"datapoints", r.stats.Datapoints, q.MaxDatapoints}
	}
	if err := r.reserve(int64(len(r.lines)) * (lineBytes + 8*int64(r.steps))); err != nil {
		return r, err
	}
	if r.Begin != nil {
		r.Begin(r.stats.Series, r.stats.Datapoints)
	}
	r.values = make([]float64, len(r.lines)*r.steps)
	fillNaN(r.values)
	for i := range r.lines {
		r.lines[i].Values = r.values[i*r.steps : (i+1)*r.steps : (i+1)*r.steps]
	}
	return r, nil
}

const (
	selectedBytes = 12  // of a selected series: its reference and group
	lineBytes     = 256 // of a line without its values, about
)

// perSeries is the memory that selecting and grouping takes for each series.
func (r *run) perSeries() int64 {
	if r.Agg == AggAll && r.MaxLines == 0 {
		return selectedBytes + lineBytes
	}
	return selectedBytes
}

func (r *run) reserve(bytes int64) error {
	if r.Reserve == nil {
		return nil
	}
	return r.Reserve(bytes)
}

// split sorts the selected series, of which seats has the seats in ascending
// order, into partitions.
func (r *run) split(seats []uint32) {
	var ends [partitions]int
	for _, seat := range seats {
		ends[refOfSeat(seat).partition()]++
	}
	slots, from := make([]uint32, len(seats)), 0
	for part, n := range ends {
		r.parts[part].slots = slots[from : from : from+n]
		from += n
	}
	for _, seat := range seats {
		ref := refOfSeat(seat)
		list := &r.parts[ref.partition()].slots
		*list = append(*list, ref.slot())
	}
}

// group decides which line each series belongs to, and drops the series that
// lack a key.
func (r *run) group() error {
	g := newGrouper(r.By)
	for part := range r.parts {
		sel := &r.parts[part]
		if len(sel.slots) == 0 {
			continue
		}
		p := &r.store.parts[part]
		p.mu.RLock()
		r.prune(p, sel)
		dict := r.store.index.Dictionary()
		pairs, at, flags := p.pairs, slices.Clone(p.pairAt), slices.Clone(p.flags)
		p.mu.RUnlock()
		if r.Agg != AggAll && len(r.By) == 0 {
			r.ensure(0)
			r.gauges(sel, flags)
			continue
		}
		kept := sel.slots[:0]
		sel.groups = make([]int32, 0, len(sel.slots))
		for _, slot := range sel.slots {
			n, ok := int32(len(r.lines)), true
			if r.Agg != AggAll {
				n, ok = g.find(dict, pairsOf(pairs, at[slot]))
			}
			if !ok {
				continue
			}
			if r.ensure(int(n)) && r.Agg == AggAll {
				r.lines[n].Tags = dict.Tags(pairsOf(pairs, at[slot]))
			}
			kept, sel.groups = append(kept, slot), append(sel.groups, n)
		}
		sel.slots = kept
		r.gauges(sel, flags)
		if r.MaxLines > 0 && int64(len(r.lines)) > r.MaxLines {
			return &LimitError{"lines", int64(len(r.lines)), r.MaxLines}
		}
	}
	dict := r.store.index.Dictionary()
	for i, key := range g.keys {
		r.lines[i].Tags = groupTags(dict, key)
		r.keys = append(r.keys, groupText(dict, key))
	}
	return nil
}

// prune drops the series that were last written before the range and that only
// coarser tiers have something of: there may be far more of them than of
// others. The caller holds the lock of p.
func (r *run) prune(p *partition, sel *selected) {
	if len(r.store.tiers) == 1 {
		return
	}
	kept := sel.slots[:0]
	for _, n := range sel.slots {
		if p.flags[n]&flagFaded == 0 || p.slots[n].last > r.Start {
			kept = append(kept, n)
		} else {
			r.pruned = max(r.pruned, p.slots[n].last)
		}
	}
	sel.slots = kept
}

// ensure makes line n exist, and reports whether it is new.
func (r *run) ensure(n int) bool {
	if n < len(r.lines) {
		return false
	}
	r.lines = append(r.lines, Line{Gauge: true})
	return true
}

// gauges takes note of the members that are no gauges.
func (r *run) gauges(sel *selected, flags []uint8) {
	r.stats.Series += len(sel.slots)
	for i, slot := range sel.slots {
		if !isGauge(flags[slot]) {
			if sel.groups == nil {
				r.lines[0].Gauge = false
				return
			}
			r.lines[sel.groups[i]].Gauge = false
		}
	}
}

// order sorts the lines by key, or by tags.
func (r *run) order() {
	if r.Agg == AggAll {
		slices.SortFunc(r.lines, func(a, b Line) int { return a.Tags.Compare(b.Tags) })
		return
	}
	if len(r.keys) < 2 {
		return
	}
	at := make([]int, len(r.lines))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(a, b int) int { return strings.Compare(r.keys[a], r.keys[b]) })
	sorted := make([]Line, len(at))
	for i, n := range at {
		sorted[i] = r.lines[n]
	}
	r.lines = sorted
}
