// Package stream evaluates expressions step by step, as data arrives.
//
// A Hub keeps one store.Watch per distinct data expression, whoever asks for
// it. A Stream is a set of expressions evaluated together: Step reads the
// columns of a closed step and runs the same evaluator that graphs use, and
// History runs it over stored data. Both give the same values, bit for bit.
//
// Times are Unix ms, steps are ms. A value stamped t covers (t-step, t].
package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"pulse/query"
	"pulse/query/asl"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/match"
)

// Hub shares columns between streams. It is safe for concurrent use; it starts
// no goroutine.
type Hub struct {
	store  *store.Store
	parser *asl.Interpreter
	memory *budget.Budget // of streams that are no rules; nil: no limit
	rounds atomic.Uint64

	mu      sync.Mutex
	sources map[string]*source
}

// NewHub returns a hub over st that understands the whole language.
func NewHub(st *store.Store) *Hub {
	return &Hub{store: st, parser: asl.New(asl.All(), asl.Limits{}), sources: map[string]*source{}}
}

// Within makes all streams but those of rules take their memory from b. It is
// called before the first is opened.
func (h *Hub) Within(b *budget.Budget) { h.memory = b }

// Round is a moment that many streams look at together: what one of them has
// read in it the others see, too, whatever is written meanwhile, so that a column
// is read once. The zero Round is nobody's: what was written is seen at once.
type Round uint64

// Round begins a round.
func (h *Hub) Round() Round { return Round(h.rounds.Add(1)) }

// maxWarmup is how many steps a rule's expression may need before its values
// mean something: that many are evaluated when it begins.
const maxWarmup = 4 * expr.MaxWindow

// Options are what a stream is opened with. Zero means the default.
type Options struct {
	// Rule refuses expressions whose result depends on when evaluation began, and
	// lets conditions that no data decides be NaN instead of false.
	Rule bool
	// ZeroFill takes a missing value of a rate, counter or sum for 0 where its
	// source reported the step.
	ZeroFill    bool
	MaxLines    int   // lines of a step, 10,000
	MemoryBytes int64 // lines, values and state, 64 MiB
	// Stored reads stored values only and follows no live series: for a stream that
	// is only asked for History, or once for a step.
	Stored bool
	// HistorySteps is how many steps History reads at once, up to four times as
	// many values of a line where it reads finer ones; 120.
	HistorySteps int64
}

func (o Options) withDefaults() Options {
	if o.MaxLines == 0 {
		o.MaxLines = 10_000
	}
	if o.HistorySteps == 0 {
		o.HistorySteps = 120
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 64 << 20
	}
	return o
}

// Open returns a stream of the expressions at a step, a multiple of the
// store's. It fails for expressions that need a whole range at once.
func (h *Hub) Open(exprs []expr.TimeSeries, stepMs int64, o Options) (*Stream, error) {
	styles := make([]*expr.Style, len(exprs))
	for i, x := range exprs {
		styles[i] = expr.NewStyle(x)
	}
	return h.openStyles(styles, stepMs, o)
}

// OpenProgram is Open for the text of a program; lines are labelled with the
// legends that it sets.
func (h *Hub) OpenProgram(program string, stepMs int64, o Options) (*Stream, error) {
	parsed, err := h.parser.ParseStyle(program)
	if err != nil {
		return nil, err
	}
	styles, err := expr.SplitOffsets(parsed)
	if err != nil {
		return nil, err
	}
	return h.openStyles(styles, stepMs, o)
}

// maxStreamQuery is the largest query of a stream, as match.Size counts: every new
// series is tried against it.
const maxStreamQuery = 500

// Try fails for a program that OpenProgram refuses for its text, or that is not
// to be followed for anybody: its queries are tried on every new series, and first
// on all that there are, which has to be done before ctx ends.
func (h *Hub) Try(ctx context.Context, program string) error {
	parsed, err := h.parser.ParseStyle(program)
	if err != nil {
		return err
	}
	for _, style := range parsed {
		for _, q := range expr.Queries(style.Expr) {
			if n := match.Size(q, maxStreamQuery); n > maxStreamQuery {
				return fmt.Errorf("a query of a stream is too large: more than %d nodes, of which patterns have one for 4 instructions", maxStreamQuery)
			}
			if err := h.store.Try(ctx, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// openStyles is Open with legends.
func (h *Hub) openStyles(styles []*expr.Style, stepMs int64, o Options) (*Stream, error) {
	primary := h.store.Step()
	if stepMs < primary || stepMs%primary != 0 {
		return nil, fmt.Errorf("step %d ms is not a multiple of the primary step %d ms", stepMs, primary)
	}
	s := &Stream{hub: h, styles: slices.Clone(styles), step: stepMs, options: o.withDefaults()}
	if !o.Rule {
		s.memory = h.memory
	}
	if most := (s.options.MemoryBytes - expr.LineBytes) / 8; stepMs/primary > most {
		return nil, fmt.Errorf("step %d ms is longer than %d steps of %d ms", stepMs, most, primary)
	}
	roots := make([]expr.TimeSeries, len(styles))
	for i, x := range styles {
		roots[i] = x.Expr
		if err := expr.CheckStream(x.Expr); err != nil {
			return nil, err
		}
		lookback, err := expr.Lookback(x.Expr, stepMs)
		if err != nil {
			if o.Rule {
				return nil, err
			}
			continue
		}
		warmup, _ := expr.Warmup(x.Expr, stepMs)
		if steps := warmup / stepMs; o.Rule && steps > maxWarmup {
			return nil, fmt.Errorf("expression looks back %d steps, the limit is %d", steps, maxWarmup)
		}
		s.lookback, s.warmup = max(s.lookback, lookback), max(s.warmup, warmup)
	}
	ev, err := expr.NewEvaluator(roots...)
	if err != nil {
		return nil, err
	}
	ev.Budget = s.options.MemoryBytes
	ev.Reserve = s.reserve
	s.ev = ev
	s.gens = make([]uint64, len(roots))
	if err := s.hold(streamBytes); err != nil {
		return nil, err
	}
	for _, d := range ev.Data() {
		s.inputs = append(s.inputs, s.newInput(d))
	}
	return s, nil
}

// acquire returns the source of d's columns; release gives it back.
func (h *Hub) acquire(d expr.DataExpr) *source {
	scan := query.ScanOf(d)
	key := fmt.Sprintf("%d %q %s", scan.Agg, scan.By, scan.Query)
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sources[key]
	if s == nil {
		s = newSource(h.store, key, d)
		h.sources[key] = s
	}
	s.users++
	return s
}

func (h *Hub) release(s *source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(h.sources, s.key)
		s.close()
	}
}

// Sources returns the number of distinct data expressions that streams follow.
func (h *Hub) Sources() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sources)
}
