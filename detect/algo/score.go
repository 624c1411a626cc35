package algo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
)

// ScoreOptions says how the rows of a stream lie in time.
type ScoreOptions struct {
	// Step in ms makes the rows consecutive steps whose timestamps are not
	// read. 0 takes the step from the timestamps: their most frequent distance
	// among the first stepRows rows, so that later rows change nothing before
	// them; an absent row is then a step without data.
	Step int64
	// Origin, when not nil, is the Unix ms of the first row: row i is stamped
	// Origin + i·Step, and the timestamp column shows that instead of the text
	// that came. It needs Step.
	Origin *int64
}

const (
	stepRows   = 100        // rows looked at to find the step
	maxLine    = 1 << 16    // bytes
	maxGapFeed = 2 * gapMax // steps without data fed for one gap; more teach a detector nothing
)

// Score reads a stream as CSV with the columns timestamp and value, judges it
// row by row with the detector that spec describes, and writes the verdict CSV:
// the header, then one line per input row. Empty lines are passed over, an empty
// value is no data, further columns are ignored. A detector that compares needs a
// column baseline, the third where no header names it; its own key baseline may be
// left out. Memory is bounded, whatever the input. An error about the input names
// its line.
func Score(w io.Writer, rows io.Reader, spec Spec, options ScoreOptions) error {
	in := newRowReader(rows, options.Step == 0, spec.Kind == "compare")
	out := bufio.NewWriter(w)
	if options.Origin != nil && options.Step == 0 {
		return errors.New("an origin needs a step")
	}
	step := options.Step
	var ahead []row
	if step == 0 {
		var err error
		if ahead, err = in.readAhead(stepRows); err != nil {
			return err
		}
		step = usualDistance(ahead)
	}
	d, err := NewForScore(spec, step)
	if err != nil {
		return err
	}
	if err := WriteHeader(out); err != nil {
		return err
	}
	if err := judgeRows(out, in, ahead, d, step, options); err != nil {
		return err
	}
	return out.Flush()
}

// NewForScore is New, but lets a static detector learn its band when no limit was
// given: a corpus of streams has none that fit them all.
func NewForScore(spec Spec, step int64) (Detector, error) {
	if _, given := spec.Params["baseline"]; spec.Kind == "compare" && !given {
		params := map[string]any{"baseline": "the column"}
		maps.Copy(params, spec.Params)
		spec.Params = params
	}
	if spec.Kind != "static" || !learnedStaticKeys(spec.Params) {
		return New(spec, step)
	}
	m, err := prepare(&Kind{Name: "static", Keys: sharedKeys(), read: readLearnedStatic}, spec, step)
	if err != nil {
		return nil, err
	}
	return m.New(), nil
}

// learnedStaticKeys reports whether no key belongs to fixed limits.
func learnedStaticKeys(params map[string]any) bool {
	for _, key := range []string{"above", "below", "clear_above", "clear_below"} {
		if _, ok := params[key]; ok {
			return false
		}
	}
	return true
}

// judgeRows feeds the rows read ahead and then the rest of in to d.
func judgeRows(out *bufio.Writer, in *rowReader, ahead []row, d Detector, step int64, options ScoreOptions) error {
	var line []byte
	t, last := int64(0), int64(0)
	if options.Origin != nil {
		t = *options.Origin
	}
	for i := 0; ; i++ {
		var r row
		if i < len(ahead) {
			r = ahead[i]
		} else {
			var err error
			if r, err = in.read(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
		switch {
		case i > 0:
			absent := int64(0)
			if options.Step == 0 {
				absent = missing(r.time-last, step)
			}
			for k := range min(absent, maxGapFeed) {
				stepRow(d, t+(k+1)*step, row{value: math.NaN(), baseline: math.NaN()})
			}
			t += (absent + 1) * step
		case options.Step == 0:
			t = r.time
		}
		last = r.time
		text := r.stamp
		if options.Origin != nil {
			text = strconv.FormatInt(t, 10)
		}
		line = AppendRow(line[:0], text, r.value, stepRow(d, t, r))
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
}

// stepRow feeds a row to d.
func stepRow(d Detector, t int64, r row) Verdict {
	if p, ok := d.(Pair); ok {
		return p.StepPair(t, r.value, r.baseline)
	}
	return d.Step(t, r.value)
}

// missing returns how many steps lie between two rows that are distance ms
// apart.
func missing(distance, step int64) int64 {
	n := math.Round(float64(distance)/float64(step)) - 1
	return int64(max(0, n))
}

// usualDistance returns the most frequent positive distance in ms between
// neighbouring rows, the smaller of equally frequent ones, 1 s when there is none.
func usualDistance(rows []row) int64 {
	counts := make(map[int64]int)
	best := int64(1000)
	for i := 1; i < len(rows); i++ {
		distance := rows[i].time - rows[i-1].time
		if distance <= 0 {
			continue
		}
		counts[distance]++
		if n := counts[distance]; n > counts[best] || n == counts[best] && distance < best {
			best = distance
		}
	}
	return best
}

// row is one line of the input.
type row struct {
	stamp    string // as it came
	time     int64  // Unix ms, 0 when timestamps are not read
	value    float64
	baseline float64 // where it is read
}

// rowReader reads rows from CSV, with or without a header line.
type rowReader struct {
	lines         *bufio.Scanner
	number        int  // of the line read last, from 1
	timed         bool // timestamps are parsed
	paired        bool // there is a column for the baseline
	headed        bool // the first line has been seen
	stampColumn   int
	valueColumn   int
	baseColumn    int
	columnsNeeded int
}

func newRowReader(src io.Reader, timed, paired bool) *rowReader {
	lines := bufio.NewScanner(src)
	lines.Buffer(nil, maxLine)
	in := &rowReader{lines: lines, timed: timed, paired: paired, stampColumn: 0, valueColumn: 1, baseColumn: 2, columnsNeeded: 2}
	if paired {
		in.columnsNeeded = 3
	}
	return in
}

// readAhead reads up to n rows.
func (in *rowReader) readAhead(n int) ([]row, error) {
	var rows []row
	for len(rows) < n {
		r, err := in.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// read returns the next row, or io.EOF after the last.
func (in *rowReader) read() (row, error) {
	for in.lines.Scan() {
		in.number++
		line := strings.TrimSpace(in.lines.Text())
		if in.number == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" {
			continue
		}
		fields := strings.Split(line, ",")
		if !in.headed {
			in.headed = true
			if in.header(fields) {
				continue
			}
		}
		return in.parse(fields)
	}
	if err := in.lines.Err(); err != nil {
		return row{}, fmt.Errorf("line %d: %w", in.number+1, err)
	}
	return row{}, io.EOF
}

// header takes the places of the columns from a line that names them both.
func (in *rowReader) header(fields []string) bool {
	stamp, value, base := -1, -1, -1
	for i, name := range fields {
		switch strings.ToLower(unquote(name)) {
		case "timestamp":
			stamp = i
		case "value":
			value = i
		case "baseline":
			base = i
		}
	}
	if stamp < 0 || value < 0 {
		return false
	}
	in.stampColumn, in.valueColumn = stamp, value
	in.columnsNeeded = max(stamp, value) + 1
	if in.paired && base >= 0 {
		in.baseColumn = base
	}
	if in.paired {
		in.columnsNeeded = max(in.columnsNeeded, in.baseColumn+1)
	}
	return true
}

func (in *rowReader) parse(fields []string) (row, error) {
	if len(fields) < in.columnsNeeded {
		want := "timestamp and value"
		if in.paired {
			want = "timestamp, value and baseline"
		}
		return row{}, fmt.Errorf("line %d has %d columns, want %s", in.number, len(fields), want)
	}
	r := row{stamp: fields[in.stampColumn]}
	if in.timed {
		ms, ok := parseStamp(unquote(r.stamp))
		if !ok {
			return row{}, fmt.Errorf("line %d: timestamp %.40q is not understood; with a step timestamps are not read",
				in.number, r.stamp)
		}
		r.time = ms
	}
	var err error
	if r.value, err = in.number64("value", fields[in.valueColumn]); err == nil && in.paired {
		r.baseline, err = in.number64("baseline", fields[in.baseColumn])
	}
	return r, err
}

// number64 reads a number; an empty field is no data.
func (in *rowReader) number64(column, field string) (float64, error) {
	text := unquote(field)
	if text == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("line %d: %s %.40q is not a number", in.number, column, text)
	}
	return v, nil
}

func unquote(field string) string { return strings.Trim(strings.TrimSpace(field), `"`) }

// stampLayouts are the timestamp texts read; those without a zone are UTC.
var stampLayouts = [...]string{
	"2006-01-02 15:04:05", // also with a fraction
	"2006-01-02T15:04:05",
	time.RFC3339,
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
}

// maxStamp bounds timestamps, in ms either side of the epoch, so that distances
// never overflow.
const maxStamp = 1 << 53

// parseStamp returns the Unix ms of a timestamp: one of stampLayouts, or a number,
// which counts seconds below 1e11 and ms from there.
func parseStamp(text string) (int64, bool) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		if math.Abs(v) < 1e11 {
			v *= 1000
		}
		if !(math.Abs(v) <= maxStamp) {
			return 0, false
		}
		return int64(math.Round(v)), true
	}
	for _, layout := range stampLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UnixMilli(), true
		}
	}
	return 0, false
}
