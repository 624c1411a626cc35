package query

import (
	"context"
	"fmt"
	"time"

	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/clock"
	"pulse/store/match"
	"pulse/store/tags"
)

// Options are what an Engine is built with.
type Options struct {
	Limits Limits
	// Interpreter reads programs; nil means the whole language.
	Interpreter *asl.Interpreter
	// Memory is what all queries may hold together; nil is no limit. Plans get at
	// most half of it, since those who read their pieces may take their time.
	Memory *budget.Budget
	// Clock measures how long fetching takes, for Explain, how much of its time a
	// plan has used, and when a query lets others work; nil leaves out the first
	// and the last and does not add up the other.
	Clock clock.Clock
	// SimpleLegends gives lines without a legend a short one, see
	// expr.SimpleLegends.
	SimpleLegends bool
}

// Engine answers queries from a store. It is safe for concurrent use.
type Engine struct {
	store   *store.Store
	options Options
	plans   *budget.Budget // part of options.Memory
}

// New returns an engine over st.
func New(st *store.Store, o Options) *Engine {
	o.Limits = o.Limits.withDefaults()
	if o.Interpreter == nil {
		o.Interpreter = asl.New(asl.All(), asl.Limits{})
	}
	e := &Engine{store: st, options: o}
	if o.Memory != nil {
		e.plans = o.Memory.Within(o.Memory.Limit() / 2)
	}
	return e
}

// Limits returns the limits in force.
func (e *Engine) Limits() Limits { return e.options.Limits }

// Interpreter returns what reads the programs.
func (e *Engine) Interpreter() *asl.Interpreter { return e.options.Interpreter }

// Request is one query.
type Request struct {
	Program string
	// Start and End are multiples of Step, the range is (Start, End].
	// ResolveRange makes them.
	Start, End, Step int64
	Now              int64          // what `now` means in :time-span
	Zone             *time.Location // of :time-span; nil is UTC
	CQ               string         // a query that restricts every expression; "" for none
	Unstable         bool           // permit words marked unstable
	Binary           []int          // Y axes, statistics of whose lines have binary prefixes in legends
	// Lease is charged for the memory of the query and its result, which Eval
	// leaves to the caller to release; nil: one that ends with Eval. A Plan has
	// its own.
	Lease *Lease
	// Progress, if set, is told how far the query is.
	Progress *Progress
}

// Result is the answer to a Request.
//
//	len(Lines[i].Values)  (End-Start)/Step; Values[j] is stamped Start+(j+1)*Step
type Result struct {
	Start, End, Step int64
	Lines            []ResultLine
	Notices          []string
	Explain          Explain
}

// ResultLine is a line and how to show it.
type ResultLine struct {
	Style  *expr.Style
	Label  string    // default label
	Legend string    // text to show
	Tags   tags.Tags // with atlas.offset, the shift of the data, `0w` for none
	Values []float64
	// Expr counts the expressions. Among the Of lines of its own, before those are
	// sorted and limited as the style says, the line is the Nth by its legend, from
	// 0 on: its colour goes by that, so that it stays whatever the order.
	Expr, Nth, Of int
}

// Explain says what a query cost.
type Explain struct {
	DataFetchMs            int64 // time spent reading from the store
	InputLines             int64 // series read
	InputDatapoints        int64 // series × steps, of each tier that was read; of a coarser one also for how many values there are
	IntermediateLines      int64 // lines fetched
	IntermediateDatapoints int64
	GraphLines             int64 // lines of the result
	GraphDatapoints        int64
}

// Eval answers r. The error is an *asl.Error for a program that does not run,
// a *LimitError, ErrBusy, ErrTimeout, ctx.Err(), or the text of what an evaluation
// refuses. Lines are ordered by expression, and within one as its style says.
func (e *Engine) Eval(ctx context.Context, r Request) (*Result, error) {
	if err := e.checkRange(r); err != nil {
		return nil, err
	}
	limits := e.options.Limits
	if n := (r.End - r.Start) / r.Step; n > int64(limits.DatapointsPerLine) {
		return nil, &LimitError{What: "datapoints per line", Got: n, Most: int64(limits.DatapointsPerLine)}
	}
	styles, err := e.parse(r)
	if err != nil {
		return nil, err
	}
	if r.Lease == nil {
		r.Lease = e.Lease()
		defer r.Lease.Release()
	}
	r.Progress.holds(r.Lease)
	x := &execution{engine: e, request: r, styles: styles, left: limits.Time}
	ev, err := x.evaluator(r.Lease)
	if err != nil {
		return nil, err
	}
	return x.inTime(ctx, ev)
}

func (e *Engine) checkRange(r Request) error {
	if r.Step <= 0 || r.Start >= r.End || r.Start%r.Step != 0 || r.End%r.Step != 0 || r.Step%e.store.Step() != 0 {
		return fmt.Errorf("invalid range: start %d, end %d, step %d", r.Start, r.End, r.Step)
	}
	return nil
}

// parse reads the program and returns one style per line set to show.
func (e *Engine) parse(r Request) ([]*expr.Style, error) {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	in := e.options.Interpreter
	parsed, err := in.ParseStyleWith(r.Program, asl.Options{Vars: map[string]any{"tz": zone}, Unstable: r.Unstable})
	if err != nil {
		return nil, err
	}
	var common match.Query = match.True
	if r.CQ != "" {
		if common, err = in.ParseQuery(r.CQ); err != nil {
			return nil, err
		}
	}
	for i, s := range parsed {
		x, err := expr.CommonQuery(s, common)
		if err != nil {
			return nil, err
		}
		parsed[i] = x.(*expr.Style)
	}
	return expr.SplitOffsets(parsed)
}
