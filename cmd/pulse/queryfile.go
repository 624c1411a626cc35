package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"pulse/query"
	"pulse/query/asl"
	"pulse/query/when"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/step"
	"pulse/store/tags"
	"pulse/web/render"
)

// fileSeries is what a file has of one series, in order of its lines.
type fileSeries struct {
	tags   tags.Tags
	times  []int64
	values []float64
}

// fileLine is one line of a file: a point as it is published, or a series as it
// is imported.
type fileLine struct {
	Tags       map[string]string `json:"tags"`
	Timestamp  *int64            `json:"timestamp"`
	Value      *quoted           `json:"value"`
	Step       string            `json:"step"`
	Timestamps []int64           `json:"timestamps"`
	Values     []*quoted         `json:"values"`
}

const (
	maxFileLine = 32 << 20            // bytes of a line of a file
	maxFileTime = 253_402_300_799_999 // its latest time, the end of the year 9999; times in µs are beyond
)

// evaluate answers from the points of a file, without a server.
func (c *queryCmd) evaluate(ctx context.Context, e *env, now clock.Clock) (*query.Result, error) {
	series, every, err := c.readFile(e)
	if err != nil {
		return nil, err
	}
	st, first, last, err := storeOf(ctx, series, every)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.fileName(), err)
	}
	defer st.Close()
	r := query.Range{Start: c.Start, End: c.End, Step: c.Step, Now: last}
	if r.Start == "" {
		r.Start = time.UnixMilli(first - every).UTC().Format("2006-01-02T15:04:05.000Z")
		if c.End != "" {
			r.Start = "e-3h"
		}
	}
	if r.End == "" {
		r.End = "now"
	}
	if r.Step == "" {
		r.Step = when.FormatDuration(time.Duration(every) * time.Millisecond)
	}
	const lines, points = 10_000, 1440
	start, end, stepMs, err := query.ResolveRange(r, st.Step(), points)
	if err != nil {
		return nil, err
	}
	engine := query.New(st, query.Options{Clock: now, Limits: query.Limits{ // nobody else has to share the machine's memory
		Lines: lines, DatapointsPerLine: points, DatapointsRead: 1 << 40, Time: time.Hour, MemoryBytes: 1 << 40,
	}})
	g, err := engine.Eval(ctx, query.Request{Program: c.Expr, Start: start, End: end, Step: stepMs, Now: last, Unstable: c.Unstable})
	var program *asl.Error
	if errors.As(err, &program) {
		return nil, errors.New(program.Explain(c.Expr))
	}
	if err == nil && last <= math.MaxInt32 {
		g.Notices = append(g.Notices, "all times of the file lie in January 1970: timestamps are in ms, not in seconds")
	}
	return g, err
}

// fileName is what errors call the file.
func (c *queryCmd) fileName() string {
	if c.File == "-" {
		return "standard input"
	}
	return c.File
}

// readFile returns the series of the file and the step that its values have.
func (c *queryCmd) readFile(e *env) ([]*fileSeries, int64, error) {
	var in io.Reader = e.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, 0, err
		}
		defer f.Close()
		in = f
	}
	var every int64
	if c.FileStep != "" {
		d, err := when.ParseDuration(c.FileStep)
		if err != nil || d < time.Millisecond {
			return nil, 0, fmt.Errorf("--file-step is %q, must be a duration such as 10s", c.FileStep)
		}
		every = d.Milliseconds()
	}
	return readSeries(in, c.fileName(), every)
}

// readSeries reads a line per point or per series. every is the step that the
// values have; 0: that of the file's own lines, or their most frequent distance.
func readSeries(in io.Reader, name string, every int64) ([]*fileSeries, int64, error) {
	text, err := openText(in, maxUnpacked)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	defer text.close()
	var all []*fileSeries
	byTags := map[string]*fileSeries{}
	lines := bufio.NewScanner(text)
	lines.Buffer(make([]byte, 64<<10), maxFileLine)
	own := int64(0)
	n := 0
	for lines.Scan() {
		if n++; len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		l, err := readFileLine(lines.Bytes())
		if err == nil && every == 0 {
			own, err = l.sameStep(own)
		}
		if err != nil && lines.Err() != nil {
			n--
			break // the line is not whole
		}
		if err != nil {
			line := bytes.Clone(lines.Bytes())
			return nil, 0, fmt.Errorf("%s: %w", name, badLine(n, line, !moreText(lines), err))
		}
		key := string(tags.FromMap(l.Tags).AppendKey(nil))
		s := byTags[key]
		if s == nil {
			s = &fileSeries{tags: tags.FromMap(l.Tags)}
			byTags[key] = s
			all = append(all, s)
		}
		for i, t := range l.Timestamps {
			if v := l.Values[i]; v != nil && !math.IsNaN(float64(*v)) {
				s.times, s.values = append(s.times, t), append(s.values, float64(*v))
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, text.failed(n, err))
	}
	if every == 0 {
		every = own
	}
	if every == 0 {
		every = usualDistance(all)
	}
	for _, s := range all {
		s.align(every)
	}
	return all, every, nil
}

// moreText reports whether a line follows that is not blank.
func moreText(lines *bufio.Scanner) bool {
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			return true
		}
	}
	return false
}

// readFileLine reads a line; a point comes back as a series of one.
func readFileLine(b []byte) (*fileLine, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	l := &fileLine{}
	switch err := d.Decode(l); {
	case err != nil:
		return nil, err
	case d.More():
		return nil, errors.New("more than one object")
	case len(l.Tags) == 0:
		return nil, errors.New("no tags")
	case l.Timestamp != nil && l.Timestamps != nil:
		return nil, errors.New("timestamp and timestamps")
	case l.Timestamp != nil:
		l.Timestamps, l.Values = []int64{*l.Timestamp}, []*quoted{l.Value}
	case len(l.Timestamps) != len(l.Values):
		return nil, fmt.Errorf("%d timestamps and %d values", len(l.Timestamps), len(l.Values))
	}
	for _, t := range l.Timestamps {
		if t < 0 || t > maxFileTime {
			return nil, fmt.Errorf("timestamp %d is no time in ms since 1970 before the year 10000", t)
		}
	}
	return l, nil
}

// sameStep returns the step of the line in ms, that of the lines before, 0 for
// none, if it has none; both must agree.
func (l *fileLine) sameStep(before int64) (int64, error) {
	if l.Step == "" {
		return before, nil
	}
	d, err := when.ParseDuration(l.Step)
	switch ms := d.Milliseconds(); {
	case err != nil:
		return 0, err
	case ms < 1:
		return 0, fmt.Errorf("step %s is too short", l.Step)
	case before != 0 && before != ms:
		return 0, fmt.Errorf("step is %s, lines before have %s; --file-step says which one all have", l.Step, when.FormatDuration(time.Duration(before)*time.Millisecond))
	default:
		return ms, nil
	}
}

// usualDistance returns the distance that at least half of the neighbouring values
// of a series have. When times are not that regular each distance counts as the
// allowed step that is nearest. 10 s when there is none.
func usualDistance(all []*fileSeries) int64 {
	exact, near, n := map[int64]int{}, map[int64]int{}, 0
	for _, s := range all {
		times := slices.Sorted(slices.Values(s.times))
		for i := 1; i < len(times); i++ {
			if d := times[i] - times[i-1]; d > 0 {
				exact[d]++
				near[nearestStep(d)]++
				n++
			}
		}
	}
	if d := mostFrequent(exact); 2*exact[d] >= n && n > 0 {
		return d
	}
	return cmp.Or(mostFrequent(near), 10_000)
}

// mostFrequent returns the key of the highest count, of equal ones the lowest.
func mostFrequent(counts map[int64]int) (best int64) {
	for d, n := range counts {
		if n > counts[best] || n == counts[best] && d < best {
			best = d
		}
	}
	return best
}

func nearestStep(d int64) int64 {
	best := int64(1)
	for _, ms := range step.Steps() {
		if abs(ms-d) < abs(best-d) {
			best = ms
		}
	}
	return best
}

func abs(n int64) int64 { return max(n, -n) }

// align moves every value to the end of the step that it lies in. Of several in one a
// gauge keeps the largest, a sum their sum, and others the last.
func (s *fileSeries) align(every int64) {
	dstype, _ := s.tags.Get("atlas.dstype")
	at := make(map[int64]int, len(s.times))
	times, values := s.times[:0], s.values[:0]
	for i, t := range s.times {
		t, v := step.Ceil(t, every), s.values[i]
		j, found := at[t]
		switch {
		case !found:
			at[t] = len(times)
			times, values = append(times, t), append(values, v)
		case dstype == "gauge":
			values[j] = max(values[j], v)
		case dstype == "sum":
			values[j] += v
		default:
			values[j] = v
		}
	}
	s.times, s.values = times, values
}

// storeOf returns a store with the series, and the first and the last time that
// they have a value for.
func storeOf(ctx context.Context, all []*fileSeries, every int64) (st *store.Store, first, last int64, err error) {
	first, last = math.MaxInt64, math.MinInt64
	for _, s := range all {
		for _, t := range s.times {
			first, last = min(first, t), max(last, t)
		}
	}
	if first > last {
		return nil, 0, 0, errors.New("there is no value in it")
	}
	primary := int64(0)
	for _, ms := range step.Steps() {
		if step.ValidPrimary(ms) && every%ms == 0 {
			primary = max(primary, ms)
		}
	}
	if primary == 0 {
		return nil, 0, 0, fmt.Errorf("values are %d ms apart, which no step divides; --file-step says how long a step is", every)
	}
	const block = 120
	st, err = store.New(store.Options{
		Step: primary, Retention: last - first + every + 2*block*primary, MaxSeries: max(1000, len(all)), NewSeriesRate: -1,
		MaxValuesPerKey: max(1000, len(all)), MaxPairs: 1 << 30, MaxSources: 1,
	})
	if err != nil {
		return nil, 0, 0, err
	}
	now := last + 2*primary
	for _, s := range all {
		ref := store.NoRef
		if err = ctx.Err(); err == nil {
			ref, err = st.Resolve(st.HashTags(store.Hash{}, s.tags.AppendKey(nil)), s.tags, now)
		}
		if err == nil {
			err = fill(ctx, st, store.ImportLine{Ref: ref, Step: every, Times: s.times, Values: s.values}, now)
		}
		if err != nil {
			st.Close()
			return nil, 0, 0, err
		}
	}
	return st, first, last, nil
}

// importer is the part of a store that fill needs.
type importer interface {
	Import(*store.ImportBatch, int64) (store.ImportResult, error)
	Advance(now int64)
}

// fill imports one series, piece by piece, since the store merges what was
// imported from time to time.
func fill(ctx context.Context, st importer, l store.ImportLine, now int64) error {
	const most = 10_000
	times, values := l.Times, l.Values
	for len(times) > 0 {
		n := min(len(times), most)
		l.Times, l.Values = times[:n], values[:n]
		done, err := importPiece(ctx, st, l, now)
		if err == nil && len(done.Errors) > 0 {
			err = errors.New(done.Errors[0].Reason)
		}
		if err != nil {
			return err
		}
		times, values = times[n:], values[n:]
	}
	return nil
}

// importPiece imports values once there is room for them, which there is when the
// store has merged what was imported before. It merges a part at each Advance.
func importPiece(ctx context.Context, st importer, l store.ImportLine, now int64) (done store.ImportResult, err error) {
	const patience = 10_000
	for range patience {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		done, err = st.Import(&store.ImportBatch{Lines: []store.ImportLine{l}}, now)
		if !errors.Is(err, store.ErrUnavailable) {
			break
		}
		st.Advance(now)
	}
	return done, err
}

// appendResult appends a result in one of the formats of the command; a chart is so
// wide.
func (c *queryCmd) appendResult(dst []byte, g *query.Result, width int) ([]byte, error) {
	switch c.Format {
	case "csv":
		return render.AppendTable(dst, g, ',', time.UTC), nil
	case "txt":
		return render.AppendTable(dst, g, '\t', time.UTC), nil
	case "json":
		return append(render.AppendGraph(dst, g), '\n'), nil
	}
	var shown graph
	if err := json.Unmarshal(render.AppendGraph(nil, g), &shown); err != nil {
		return nil, fmt.Errorf("BUG: draw a result: %w", err)
	}
	return appendChart(dst, &shown, width, c.Height), nil
}
