package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pulse/store/index"
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
//	Place   orders lines by their first series, as aggregates are folded
//	Values  (End-Start)/step numbers, Values[i] stamped Start+(i+1)*step, step
//	        being the tier's; per second for rate, counter and sum; NaN = no data
type Line struct {
	Tags   tags.Tags
	Gauge  bool
	Place  int32
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
	rows, err := s.Rows(ctx, q)
	if err != nil {
		return nil, ScanStats{}, err
	}
	defer rows.Close()
	lines, err := rows.All()
	return lines, rows.Stats(), err
}

// check returns an error for a scan that makes no sense, and a *LimitError for one
// that is endless.
func (s *Store) check(q *Scan) error {
	if q.Tier < 0 || q.Tier >= len(s.tiers) || q.Field >= fields || q.Tier == primary && q.Field != FieldSum {
		return fmt.Errorf("scan: there is no field %d of tier %d", q.Field, q.Tier)
	}
	g := s.tiers[q.Tier].grid
	if q.Start%g.step != 0 || q.End%g.step != 0 || q.Start > q.End {
		return fmt.Errorf("scan (%d, %d]: not an ascending range of multiples of %d ms", q.Start, q.End, g.step)
	}
	if q.Agg == AggAll && len(q.By) > 0 {
		return fmt.Errorf("scan: all series cannot be grouped")
	}
	if steps := uint64(q.End-q.Start) / uint64(g.step); steps > maxSteps {
		return &LimitError{"datapoints", int64(steps), maxSteps}
	}
	return nil
}

// selected is the series of one partition that a scan reads.
type selected struct {
	slots  []uint32 // ascending
	groups []int32  // line of each slot; nil when all belong to line 0
}

// newRun selects and groups series and checks the limits. The caller holds the store.
func (s *Store) newRun(ctx context.Context, q Scan) (*run, error) {
	r := &run{Scan: q, ctx: ctx, store: s, epoch: s.epochs.Load()}
	if err := s.check(&q); err != nil {
		return r, err
	}
	r.grid = s.tiers[q.Tier].grid
	r.steps = int((q.End - q.Start) / r.grid.step)
	found, err := s.index.SelectUntil(q.Query, ctx.Err)
	if err != nil {
		return r, err
	}
	if err := r.reserve(runBytes + int64(found.GetCardinality())*selectedBytes); err != nil {
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
	if r.Begin != nil {
		r.Begin(r.stats.Series, r.stats.Datapoints)
	}
	return r, nil
}

// makeLines makes the lines, of NaN.
func (r *run) makeLines() error {
	if r.MaxLines > 0 && int64(r.count) > r.MaxLines {
		return &LimitError{"lines", int64(r.count), r.MaxLines}
	}
	if err := r.reserve(int64(r.count) * (lineBytes + 8*int64(r.steps))); err != nil {
		return err
	}
	r.values = make([]float64, r.count*r.steps)
	fillNaN(r.values)
	r.lines, r.keys = make([]Line, r.count), r.keys[:0]
	dict := r.store.index.Dictionary()
	for i := range r.lines {
		r.lines[i] = Line{Tags: r.tagsOf(dict, i), Gauge: r.gauge[i], Place: int32(i), Values: r.values[i*r.steps : (i+1)*r.steps : (i+1)*r.steps]}
		if len(r.By) > 0 {
			r.keys = append(r.keys, groupText(dict, r.grouper.key(int32(i))))
		}
	}
	return nil
}

// tagsOf returns the tags of line i.
func (r *run) tagsOf(dict index.Dictionary, i int) tags.Tags {
	switch {
	case len(r.By) > 0:
		return groupTags(dict, r.grouper.key(int32(i)))
	case r.Agg != AggAll:
		return nil
	}
	p := &r.store.parts[r.series[i].partition()]
	p.mu.RLock()
	defer p.mu.RUnlock()
	return dict.Tags(p.pairsOf(r.series[i].slot()))
}

const (
	runBytes      = 8 << 10                   // of a run without series
	selectedBytes = 4 + 4 + 4 + 4 + 1 + 5 + 2 // of a selected series: its seat, slot, line and reference, whether it is a gauge, what is looked at of it, and it in a set
	lineBytes     = 256                       // of a line without its values, about
)

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
// lack a key. Lines are numbered in the order of their first series.
func (r *run) group() error {
	r.grouper = newGrouper(r.By)
	r.grouper.reserve = r.Reserve
	most, all := 0, 0
	for part := range r.parts {
		n := len(r.parts[part].slots)
		most, all = max(most, n), all+n
	}
	at, flags := make([]uint32, 0, most), make([]uint8, 0, most)
	r.gauge = make([]bool, 0, all)
	if r.Agg == AggAll {
		r.series = make([]Ref, 0, all)
	}
	for part := range r.parts {
		sel := &r.parts[part]
		if len(sel.slots) == 0 {
			continue
		}
		p := &r.store.parts[part]
		at, flags = at[:0], flags[:0]
		p.mu.RLock()
		r.prune(p, sel)
		dict, pairs := r.store.index.Dictionary(), p.pairs
		for _, n := range sel.slots {
			at, flags = append(at, p.pairAt[n]), append(flags, p.flags[n])
		}
		p.mu.RUnlock()
		switch {
		case r.Agg == AggAll:
			r.single(part, sel)
		case len(r.By) > 0:
			flags = r.keyed(sel, dict, pairs, at, flags)
		default:
			r.ensure(0)
		}
		if err := r.grouper.err; err != nil {
			return err
		}
		r.gauges(sel, flags)
	}
	return nil
}

// single makes a line of each series.
func (r *run) single(part int, sel *selected) {
	sel.groups = make([]int32, len(sel.slots))
	for i, n := range sel.slots {
		sel.groups[i] = int32(r.count)
		r.series = append(r.series, makeRef(part, n))
		r.ensure(r.count)
	}
}

// keyed finds the line of each series, whose pairs begin at the given places, and
// drops those that lack a key. It returns the flags of those that are left.
func (r *run) keyed(sel *selected, dict index.Dictionary, pairs, at []uint32, flags []uint8) []uint8 {
	sel.groups = make([]int32, 0, len(sel.slots))
	kept := sel.slots[:0]
	for i, n := range sel.slots {
		line, ok := r.grouper.find(dict, pairsOf(pairs, at[i]))
		if !ok {
			continue
		}
		flags[len(kept)] = flags[i]
		kept, sel.groups = append(kept, n), append(sel.groups, line)
		r.ensure(int(line))
	}
	sel.slots = kept
	return flags[:len(kept)]
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

// ensure makes line n exist, which is at most the next one.
func (r *run) ensure(n int) {
	if n == r.count {
		r.count++
		r.gauge = append(r.gauge, true)
	}
}

// gauges takes note of the members that are no gauges. flags are those of the
// selected slots.
func (r *run) gauges(sel *selected, flags []uint8) {
	r.stats.Series += len(sel.slots)
	for i, f := range flags {
		if !isGauge(f) {
			if sel.groups == nil {
				r.gauge[0] = false
				return
			}
			r.gauge[sel.groups[i]] = false
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
