package stream

import (
	"context"
	"fmt"
	"slices"

	"pulse/query"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/step"
	"pulse/store/tags"
)

// Line is one value of a step.
type Line struct {
	Expr  int       // which of the stream's expressions it belongs to
	Tags  tags.Tags // must not be changed
	Label string
	Value float64 // NaN: no data
}

// Stream is a set of expressions on their way through time. It goes forward
// only: each step is later than the one before. It is used by one goroutine.
type Stream struct {
	hub      *Hub
	styles   []*expr.Style
	step     int64
	options  Options
	lookback int64
	warmup   int64
	ev       *expr.Evaluator
	inputs   []*input
	began    bool  // a step was evaluated
	last     int64 // the newest step evaluated
	round    Round // of the step being evaluated
	read     int64 // the step whose data was read already, 0: none
	readErr  error

	memory    *budget.Budget // nil: no limit
	held      int64          // bytes of it
	supplied  int64          // bytes of the lines of the last window's data
	evaluated int64          // bytes of the evaluator

	lines  []Line
	gens   []uint64 // of the evaluator's roots, when lines was made
	shaped bool
}

// Lookback returns how far back, in ms, the values lie that a result depends
// on: 0 when there is no such limit, which Options.Rule refuses.
func (s *Stream) Lookback() int64 { return s.lookback }

// Series counts the series that it reads now, each as often as expressions select it; 0
// for one over stored values.
func (s *Stream) Series() (n int) {
	counted := make(map[*source]bool, len(s.inputs))
	for _, in := range s.inputs {
		if in.source != nil && !counted[in.source] {
			counted[in.source] = true
			n += in.source.members()
		}
	}
	return n
}

// tooLarge is the refusal of what does not fit Options.MemoryBytes.
func (s *Stream) tooLarge() error {
	return &query.LimitError{What: "bytes", Most: s.options.MemoryBytes}
}

// Close gives back what the stream holds. Using it further is a mistake.
func (s *Stream) Close() {
	for _, in := range s.inputs {
		if in.source != nil {
			s.hub.release(in.source)
		}
	}
	s.inputs = nil
	s.memory.Give(s.held)
	s.held = 0
}

// streamBytes is what a stream takes at least, with the expressions and what
// is on its way to the client.
const streamBytes = 64 << 10

// hold makes n the bytes that the stream has of the hub's memory, if there are
// as many.
func (s *Stream) hold(n int64) error {
	if more := n - s.held; more > 0 && !s.memory.Take(more) {
		return query.ErrBusy
	} else if more < 0 {
		s.memory.Give(-more)
	}
	s.held = n
	return nil
}

// reserve takes the memory of an evaluation over the lines supplied.
func (s *Stream) reserve(evaluated int64) error {
	s.evaluated = evaluated
	return s.hold(streamBytes + s.supplied + evaluated)
}

// supply notes the memory of the lines that are supplied from now on.
func (s *Stream) supply(bytes int64) error {
	s.supplied = bytes
	return s.hold(streamBytes + bytes + s.evaluated)
}

// more takes memory that a scan needs, until the next supply.
func (s *Stream) more(bytes int64) error { return s.hold(s.held + bytes) }

// Step evaluates the step stamped t, a multiple of the stream's step, from the
// columns of the store. Steps left out count as steps without data. The result
// is overwritten by the next call. With an unchanged set of lines nothing is
// allocated.
func (s *Stream) Step(t int64) ([]Line, error) { return s.StepIn(0, t) }

// StepIn is Step as part of a round.
func (s *Stream) StepIn(in Round, t int64) ([]Line, error) {
	s.round = in
	lines, err := s.evaluate(t, s.ev.Eval)
	if err == nil {
		s.began, s.last = true, t
	}
	return lines, err
}

// Began reports whether a step was evaluated, or a state restored that knows of one.
func (s *Stream) Began() bool { return s.began }

// Prepare reads what the step stamped t, which is over, needs of data that can change no
// more: Read then scans none of it, unless series came in between.
func (s *Stream) Prepare(t int64) {
	for _, in := range s.inputs {
		if in.stored && in.final(s) > 0 {
			_ = in.readAhead(s, t) // Read tries again and tells
		}
	}
}

// Read reads the data of the step stamped t as part of a round. StepIn evaluates
// that then, whatever is written meanwhile.
func (s *Stream) Read(in Round, t int64) {
	s.round = in
	s.read, s.readErr = t, s.fetch(t)
}

// Peek returns what StepIn would return, and changes nothing: the step may still
// be evaluated, with points that come in the meantime.
func (s *Stream) Peek(in Round, t int64) ([]Line, error) {
	s.round, s.read = in, 0
	lines, err := s.evaluate(t, s.ev.Peek)
	for _, input := range s.inputs {
		if input.final(s) < 1 && input.aheadStart+int64(input.aheadSteps-1)*s.step <= t {
			input.aheadSteps = 0 // what was read may not be all
		}
	}
	return lines, err
}

// evaluate is what Step and Peek have in common.
func (s *Stream) evaluate(t int64, eval func(expr.Window) error) ([]Line, error) {
	if t%s.step != 0 {
		return nil, fmt.Errorf("step %d is not a multiple of %d ms", t, s.step)
	}
	if s.began && t <= s.last {
		return nil, fmt.Errorf("step %d was evaluated before, up to %d", t, s.last)
	}
	if s.read != t {
		s.readErr = s.fetch(t)
	}
	if s.read = 0; s.readErr != nil {
		return nil, s.readErr
	}
	w := expr.Window{Start: t, End: t + s.step, Step: s.step, Now: t, Aligned: true, Unknown: s.options.Rule}
	if err := eval(w); err != nil {
		return nil, err
	}
	return s.collect(0)
}

// fetch hands the data of the step stamped t to the evaluator.
func (s *Stream) fetch(t int64) error {
	var held int64
	for i, in := range s.inputs {
		lines, changed, err := in.step(s, t)
		if err != nil {
			return err
		}
		s.ev.SetData(i, lines, changed)
		if held += int64(len(lines)) * expr.LineBytes; held > s.options.MemoryBytes {
			return s.tooLarge()
		}
	}
	return s.supply(held)
}

// chunk returns how much of the history after from is read at once, a multiple of
// the step: as many values of a line as the options say, of the tier that has them.
func (s *Stream) chunk(from int64) int64 {
	st, most := s.hub.store, s.options.HistorySteps
	n := most
	for n > 1 && n*s.step/st.Step() > most && query.StepsRead(st, from, from+n*s.step, s.step) > 4*most {
		n /= 2
	}
	return n * s.step
}

// History evaluates the steps in (start, end] over stored data and calls yield
// for each, in order, with lines that the next step overwrites. Start and end
// are multiples of the step. A stream that has not begun first evaluates as far
// back as its words remember, without yielding; one that has begun goes on and
// must not be beyond start. It ends with yield's error, or ctx's.
func (s *Stream) History(ctx context.Context, start, end int64, yield func(t int64, lines []Line) error) error {
	if start%s.step != 0 || end%s.step != 0 || start > end {
		return fmt.Errorf("history (%d, %d] is not an ascending range of multiples of %d ms", start, end, s.step)
	}
	if s.began && start < s.last {
		return fmt.Errorf("history from %d: steps up to %d were evaluated before", start, s.last)
	}
	from := start
	if !s.began {
		from = step.Floor(start-s.warmup, s.step)
	}
	for from < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+s.chunk(from), end)
		if from < start {
			to = min(to, start)
		}
		if err := s.replay(ctx, from, to); err != nil {
			return err
		}
		for i := 0; from >= start && i < int((to-from)/s.step); i++ {
			lines, err := s.collect(i)
			if err != nil {
				return err
			}
			if err := yield(from+int64(i+1)*s.step, lines); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// replay evaluates (from, to] in one window.
func (s *Stream) replay(ctx context.Context, from, to int64) error {
	var held int64
	for i, in := range s.inputs {
		lines, err := in.scan(ctx, s, from, to)
		if err != nil {
			return err
		}
		in.shaped = 0
		s.ev.SetData(i, lines, true)
		if held += int64(len(lines)) * (expr.LineBytes + (to-from)/s.step*8); held > s.options.MemoryBytes {
			return s.tooLarge()
		}
	}
	if err := s.supply(held); err != nil {
		return err
	}
	w := expr.Window{Start: from + s.step, End: to + s.step, Step: s.step, Now: to, Aligned: true, Unknown: s.options.Rule}
	if err := s.ev.Eval(w); err != nil {
		return err
	}
	s.began, s.last = true, to
	return nil
}

// collect returns the lines of all expressions with their i-th values of the
// last window.
func (s *Stream) collect(i int) ([]Line, error) {
	same := s.shaped
	total := 0
	for r := range s.styles {
		total += len(s.ev.Lines(r))
		if g := s.ev.Generation(r); g != s.gens[r] {
			s.gens[r], same = g, false
		}
	}
	if total > s.options.MaxLines {
		s.shaped = false
		return nil, &query.LimitError{What: "lines", Got: int64(total), Most: int64(s.options.MaxLines)}
	}
	if !same {
		s.label()
	}
	n := 0
	for r := range s.styles {
		for _, l := range s.ev.Lines(r) {
			s.lines[n].Value = l.Values[i]
			n++
		}
	}
	return s.lines, nil
}

// label makes the lines anew, without values.
func (s *Stream) label() {
	s.lines = s.lines[:0]
	for r, style := range s.styles {
		offset, legends := expr.FormatDuration(style.OffsetMs()), style.Legends()
		for _, l := range s.ev.Lines(r) {
			line := Line{Expr: r, Tags: l.Tags, Label: l.Label}
			if len(style.Settings) > 0 {
				vars := append(slices.Clone(l.Tags), tags.Tag{Key: "atlas.offset", Value: offset})
				line.Label = legends.Of(l.Label, tags.Normalize(vars))
			}
			s.lines = append(s.lines, line)
		}
	}
	s.shaped = true
}

// Completeness returns how the sources of all series the stream reads stand
// towards step t. A source that several data expressions read counts for each. A
// stream of Options.Stored does not know.
func (s *Stream) Completeness(t, now int64) store.Completeness { return s.CompletenessIn(0, t, now) }

// CompletenessIn is Completeness as part of a round.
func (s *Stream) CompletenessIn(round Round, t, now int64) store.Completeness {
	var sum store.Completeness
	for i, in := range s.inputs {
		if in.offset > 0 || in.source == nil {
			continue
		}
		c := in.source.completeness(round, t, now)
		c.Silent = slices.Clip(c.Silent)
		if i == 0 {
			sum = c
			continue
		}
		sum.Reported += c.Reported
		sum.Expected += c.Expected
		sum.LastReport = max(sum.LastReport, c.LastReport)
		for _, name := range c.Silent {
			if !slices.Contains(sum.Silent, name) && len(sum.Silent) < 16 {
				sum.Silent = append(sum.Silent, name)
			}
		}
	}
	return sum
}

// SourceInterval returns the usual distance, in ms, between the reports of the
// sources behind a line with these tags: the longest where several data
// expressions feed it, the primary step when nothing is known.
func (s *Stream) SourceInterval(t tags.Tags) int64 {
	longest := s.hub.store.Step()
	for _, in := range s.inputs {
		if ms, ok := in.interval(s.hub.store, t); ok {
			longest = max(longest, ms)
		}
	}
	return longest
}

// AppendState appends what the stream remembers. Restore, on a stream of the
// same expressions and step, takes it over and returns what follows it; the
// stream may have gone on meanwhile and stands again where the state was taken.
func (s *Stream) AppendState(dst []byte) []byte { return s.ev.AppendState(dst) }

// Restore takes over a state; see AppendState. After an error the stream must
// not be used any more.
func (s *Stream) Restore(src []byte) ([]byte, error) {
	rest, err := s.ev.Restore(src, true)
	if err != nil {
		return nil, err
	}
	next, began := s.ev.Next()
	s.began, s.last = began, next-s.step
	return rest, nil
}
