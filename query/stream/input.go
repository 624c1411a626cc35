package stream

import (
	"context"
	"errors"
	"math"

	"pulse/query"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/match"
	"pulse/store/step"
	"pulse/store/tags"
)

// columnsPerStep is up to how many primary steps a coarser step is put
// together from columns; beyond it a scan is cheaper.
const columnsPerStep = 8

// prefetch is how many steps of shifted data are read at once.
const prefetch = 60

// input supplies one data expression.
type input struct {
	data   expr.DataExpr
	source *source // its series; for shifted data too; nil: of Options.Stored
	offset int64   // ms, a multiple of the primary step
	m      int     // primary steps per step
	stored bool    // steps are read by scans, not from columns

	// As of the last step read from columns.
	shape  shape
	raw    []float64 // m values per line
	lines  []expr.Line
	values []float64 // of lines, one each

	// Steps read ahead by a scan, for shifted and coarse data.
	ahead      []expr.Line
	aheadStart int64 // stamp of the first value
	aheadSteps int
	aheadGen   uint64 // of the source's lines then
	reach      int64  // how many steps may be read ahead, 0: prefetch
	renewed    bool   // its lines changed when it was read ahead

	// shaped is what the evaluator has seen: 0 nothing, 1 columns, 2 a scan.
	shaped int
}

func (s *Stream) newInput(d expr.DataExpr) *input {
	primary := s.hub.store.Step()
	in := &input{data: d, m: int(s.step / primary), offset: step.Floor(d.OffsetMs(), primary)}
	in.stored = s.options.Stored || in.offset > 0 || in.m > columnsPerStep || in.m > 1 && expr.PerSeries(d)
	if !s.options.Stored {
		in.source = s.hub.acquire(d)
		if !in.stored {
			in.source.keeps(in.m)
		}
	}
	return in
}

// step returns the lines for the step stamped t, one value each, and whether
// they differ from the last ones in more than their values.
func (in *input) step(s *Stream, t int64) ([]expr.Line, bool, error) {
	if in.stored {
		return in.scanned(s, t)
	}
	changed := in.fit()
	for !in.read(s, t) {
		changed = in.fit() || changed
	}
	return in.lines, changed, nil
}

// read fills the values for the step stamped t from columns, and reports
// whether the lines still hold.
func (in *input) read(s *Stream, t int64) bool {
	if in.m == 1 {
		return in.source.read(s.round, t, s.options.ZeroFill, &in.shape, in.values, 1)
	}
	for j := range in.m {
		at := t - int64(in.m-1-j)*s.hub.store.Step()
		if !in.source.read(s.round, at, s.options.ZeroFill, &in.shape, in.raw[j:], in.m) {
			return false
		}
	}
	for i := range in.shape.group {
		in.values[i] = in.data.CF().Of(in.raw[i*in.m:(i+1)*in.m], in.lines[i].Gauge)
	}
	return true
}

// fit makes room for the source's present lines.
func (in *input) fit() (changed bool) {
	now := in.source.current()
	if in.shaped == 1 && in.shape.gen == now.gen {
		return false
	}
	in.shaped, in.shape = 1, now
	n := len(now.lines)
	in.lines = append(in.lines[:0], now.lines...)
	in.values = make([]float64, max(n, 1))
	if in.m > 1 {
		in.raw = make([]float64, n*in.m+in.m)
	}
	if _, single := in.data.(*expr.Aggregate); single && n == 0 {
		in.lines = append(in.lines, expr.NoData(in.data, 1))
		in.values[0] = math.NaN()
	}
	for i := range in.lines {
		in.lines[i].Values = in.values[i : i+1 : i+1]
	}
	return true
}

// scanned is step from stored data.
func (in *input) scanned(s *Stream, t int64) ([]expr.Line, bool, error) {
	if err := in.readAhead(s, t); err != nil {
		return nil, false, err
	}
	i := int((t - in.aheadStart) / s.step)
	changed := in.renewed
	in.renewed = false
	for j := range in.lines {
		in.values[j] = in.ahead[j].Values[i]
		in.lines[j].Values = in.values[j : j+1 : j+1]
	}
	return in.lines, changed, nil
}

// final is how many steps there are from one on, read when it is over, of which no point
// can change any more.
func (in *input) final(s *Stream) int64 { return (in.offset - s.hub.store.Options().MaxPast) / s.step }

// readAhead scans the step stamped t and some after it, unless it was read.
func (in *input) readAhead(s *Stream, t int64) error {
	i := int((t - in.aheadStart) / s.step)
	gen := in.generation()
	if in.shaped == 2 && t >= in.aheadStart && i < in.aheadSteps && gen == in.aheadGen {
		return nil
	}
	k := max(1, min(in.final(s), in.reaches(i, gen)))
	lines, err := in.scan(context.Background(), s, t-s.step, t+(k-1)*s.step)
	if k > 1 && errors.Is(err, query.ErrLimit) {
		k = 1
		lines, err = in.scan(context.Background(), s, t-s.step, t)
	}
	if err != nil {
		return err
	}
	in.renewed = in.renewed || in.shaped != 2 || !sameLines(in.ahead, lines)
	in.shaped, in.ahead, in.aheadStart, in.aheadSteps, in.aheadGen = 2, lines, t, int(k), gen
	in.lines = append(in.lines[:0], lines...)
	in.values = make([]float64, len(lines))
	return nil
}

// generation changes with the lines of the source. Of shifted data, too, there is a line
// as long as there is such a series now, whenever it was read.
func (in *input) generation() uint64 {
	if in.source == nil {
		return 0
	}
	return in.source.current().gen
}

// reaches returns how many steps are worth reading ahead when so many of those read
// last were used: fewer where lines come and go all the time.
func (in *input) reaches(used int, gen uint64) int64 {
	switch {
	case in.reach == 0:
		in.reach = prefetch
	case gen != in.aheadGen && used < in.aheadSteps:
		in.reach = max(1, 2*int64(used))
	default:
		in.reach = min(prefetch, 2*in.reach)
	}
	return in.reach
}

// scan returns the lines for the steps in (start, end] from stored data.
func (in *input) scan(ctx context.Context, s *Stream, start, end int64) ([]expr.Line, error) {
	start, end = start-in.offset, end-in.offset
	most := s.options.MemoryBytes / (expr.LineBytes + query.StepsRead(s.hub.store, start, end, s.step)*8)
	if most < 1 {
		return nil, s.tooLarge()
	}
	f, err := query.Fetch(ctx, s.hub.store, in.data, query.FetchRange{
		Start: start, End: end, Step: s.step, ZeroFill: s.options.ZeroFill, MaxLines: most, Reserve: s.more,
	})
	var limit *store.LimitError
	if errors.As(err, &limit) {
		err = s.tooLarge()
	}
	return f.Lines, err
}

// interval returns the usual distance between the reports behind a line with these
// tags, and false when there is no such line.
func (in *input) interval(st *store.Store, t tags.Tags) (int64, bool) {
	if in.source != nil {
		return in.source.interval(t)
	}
	q := in.data.Query()
	for _, k := range lineKeys(in.data, t) {
		v, ok := t.Get(k)
		if !ok {
			return 0, false
		}
		q = match.NewAnd(q, &match.Equal{Key: k, Value: v})
	}
	return st.SourceInterval(q)
}

func sameLines(a, b []expr.Line) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Gauge != b[i].Gauge || !a[i].Tags.Equal(b[i].Tags) || a[i].Label != b[i].Label {
			return false
		}
	}
	return true
}
