package ingest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"pulse/ingest/publish"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/tags"
)

// ImportAnswer is what became of one import.
//
//	200  every point was accepted, or there was none
//	202  some points were rejected
//	400  all were, or (Message set) nothing could be read
//	409  Message: its idempotency key is in use
//	429  all were rejected and a limit on series was among the reasons
//	503  Message: the store takes nothing now, too many imports are at work, or
//	     there is no place for another idempotency key
//	507  Message: the disk is full
//
// After 503 and 507 the first Accepted points are in the store; since an import
// replaces, the whole may be sent again.
type ImportAnswer struct {
	Status   int
	Accepted int
	Rejected int         // points; a line that cannot be read counts as one
	Errors   []LineError // the first, in order of lines
	Message  string      // of an error that concerns the whole request

	Repeated  bool // as Answer.Repeated
	Uncertain bool // as Answer.Uncertain
}

// importChunk is how many values are handed to the store at once, or the values
// of one line. It bounds the memory of an import and how long others wait for it
// in the log's queue.
const importChunk = 32 << 10

// importSteps is the same for the steps that values cover: one that stands for a
// day is thousands of them.
const importSteps = 256 << 10

// maxImportReason is the most bytes of a reason in an answer.
const maxImportReason = 300

// imports is what the imports of a pipeline share.
type imports struct {
	expander *expander
	seed     store.Hash
	slots    chan struct{}
	pool     sync.Pool      // *backfill
	budget   *budget.Budget // of columns
	hand     func(*store.ImportBatch, int64) (store.ImportResult, error)
}

func newImports(st *store.Store, l Limits, b *budget.Budget) imports {
	return imports{
		expander: newExpander(l.ImportBody, l.Imports, b), slots: make(chan struct{}, l.Imports),
		seed: st.HashTags(store.Hash{}, []byte("import")), hand: st.Import, budget: b,
	}
}

// backfill is the work on one import; it is pooled.
type backfill struct {
	pipeline *Pipeline
	now      int64

	columns publish.Columns
	batch   store.ImportBatch
	spans   []lineSpan // of the batch's lines
	steps   int64      // that the batch covers, about
	set     tags.Tags
	answer  ImportAnswer
	held    int64 // bytes of the budget
	limited bool  // a limit on series was among the reasons
	trail   store.Trail
}

// lineSpan is where the values of a line are in the columns, which may move
// while they grow.
type lineSpan struct {
	from, to int
	number   int // of the line in the body, from 1
}

// ExpandImport is Expand under the limit of imports.
func (p *Pipeline) ExpandImport(body []byte, encoding string) (out []byte, done func(), err error) {
	out, done, err = p.imports.expander.expand(body, encoding)
	if err != nil {
		p.stats.unexpandable.Add(1)
	}
	return out, done, err
}

// Import takes a body of the import route: one object per line with the values
// of a series, which replace what the store has for these times. The tags meet
// the rules of publish. now is the time of arrival, Unix ms.
func (p *Pipeline) Import(body []byte, from From, now int64) ImportAnswer {
	a := p.keyedImport(body, from, now)
	did := ImportCounts{Requests: 1, Rejected: int64(a.Rejected)}
	if !a.Repeated {
		did.Accepted = int64(a.Accepted)
	} else {
		did.Rejected = 0
	}
	p.stats.recordImport(did)
	return a
}

func (p *Pipeline) keyedImport(body []byte, from From, now int64) ImportAnswer {
	if from.Key == "" {
		return p.importBody(body, now)
	}
	var k keyed
	switch n, bad := p.claim(&k, from, now, "import", body); {
	case n != nil:
		return ImportAnswer{Status: n.status, Accepted: n.accepted, Rejected: n.rejected, Errors: n.reasons, Repeated: true}
	case bad != nil:
		return ImportAnswer{Status: bad.status, Message: bad.message, Uncertain: bad.uncertain}
	}
	defer p.release(&k)
	a := p.importBody(body, now)
	if a.Status < http.StatusBadRequest {
		// What follows is only for the answer to a repetition: without it the whole
		// is done again, which comes to the same.
		n := note{status: a.Status, accepted: a.Accepted, rejected: a.Rejected, reasons: a.Errors}
		if text := p.begin(&k, &n, now); text != nil {
			_, _ = p.commitNote(k.id, &store.Batch{Arrival: now, Note: text}, now, false)
		}
	}
	return a
}

func (p *Pipeline) importBody(body []byte, now int64) ImportAnswer {
	select {
	case p.imports.slots <- struct{}{}:
		defer func() { <-p.imports.slots }()
	default:
		return ImportAnswer{Status: http.StatusServiceUnavailable, Message: "too many imports are at work; try again later"}
	}
	defer p.store.Hold().Release()
	b, _ := p.imports.pool.Get().(*backfill)
	if b == nil {
		b = &backfill{}
	}
	b.pipeline, b.now, b.trail = p, now, store.Trail{}
	a := b.runHolding(body)
	if b.columns.Cap() <= maxPooledRequest {
		b.reset()
		p.imports.pool.Put(b)
	}
	return a
}

func (b *backfill) reset() {
	b.columns.Reset()
	clear(b.batch.Lines[:cap(b.batch.Lines)])
	clear(b.set[:cap(b.set)])
	*b = backfill{columns: b.columns, batch: store.ImportBatch{Lines: b.batch.Lines[:0]}, spans: b.spans[:0], set: b.set[:0]}
}

// runHolding is run, and gives back what that took of the budget.
func (b *backfill) runHolding(body []byte) ImportAnswer {
	defer func() { b.pipeline.imports.budget.Give(b.held) }()
	return b.run(body)
}

func (b *backfill) run(body []byte) ImportAnswer {
	a := &b.answer
	if !b.take(b.columns.Cap()) {
		return b.failed(errImportMemory)
	}
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	lines := 0
	for number := 1; len(body) > 0; number++ {
		var text []byte
		text, body, _ = bytes.Cut(body, []byte("\n"))
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		lines++
		if !b.columns.Room(min(publish.MostPoints(text), b.pipeline.opts.Limits.LinePoints), b.take) {
			return b.failed(errImportMemory)
		}
		b.line(text, number)
		if len(b.columns.Values) >= importChunk || b.steps >= importSteps {
			if err := b.flush(); err != nil {
				return b.failed(err)
			}
		}
	}
	if lines == 0 {
		return ImportAnswer{Status: http.StatusBadRequest, Message: errEmpty.Error()}
	}
	if err := b.flush(); err != nil {
		return b.failed(err)
	}
	switch {
	case a.Rejected == 0:
		a.Status = http.StatusOK
	case a.Accepted > 0:
		a.Status = http.StatusAccepted
	case b.limited:
		a.Status = http.StatusTooManyRequests
	default:
		a.Status = http.StatusBadRequest
	}
	return *a
}

var errImportMemory = fmt.Errorf("%w: too many bytes of requests are being read; try again later", store.ErrUnavailable)

// take takes memory out of the budget.
func (b *backfill) take(n int) bool {
	if !b.pipeline.imports.budget.Take(int64(n)) {
		return false
	}
	b.held += int64(n)
	return true
}

// line reads one line and puts it into the batch.
func (b *backfill) line(text []byte, number int) {
	p := b.pipeline
	from := len(b.columns.Values)
	l, err := b.columns.Line(text, p.opts.Limits.LinePoints)
	if err != nil {
		points := 1
		if fault := (*publish.LineFault)(nil); errors.As(err, &fault) {
			points = fault.Points
		}
		b.reject(number, points, err.Error())
		return
	}
	if l.Points == 0 {
		return // it would make a series without a value
	}
	ref, bad := b.resolve(l.Tags)
	if bad != nil {
		b.columns.Times, b.columns.Values = b.columns.Times[:from], b.columns.Values[:from]
		b.limited = b.limited || bad.Reason == SeriesLimit
		b.reject(number, l.Points, bad.Error())
		return
	}
	b.batch.Lines = append(b.batch.Lines, store.ImportLine{Ref: ref, Step: l.Step})
	b.steps += p.store.ImportSteps(&store.ImportLine{Step: l.Step, Times: l.Times})
	b.spans = append(b.spans, lineSpan{from, len(b.columns.Values), number})
}

// resolve returns the series with the tags written in text.
func (b *backfill) resolve(text []byte) (store.Ref, *Violation) {
	p := b.pipeline
	if ref, known := p.store.Follow(&b.trail, p.imports.seed, text); known {
		return ref, nil
	}
	set := publish.AppendTags(b.set[:0], text)
	p.publish.clean(set)
	b.set = set
	set = tags.Normalize(set)
	if bad := p.check(&p.publish, set); bad != nil {
		return store.NoRef, bad
	}
	ref, err := p.store.Resolve(p.store.HashTags(p.imports.seed, text), set, b.now)
	if err != nil {
		return store.NoRef, &Violation{Reason: SeriesLimit, Err: err}
	}
	return ref, nil
}

func (b *backfill) reject(number, points int, reason string) {
	a := &b.answer
	a.Rejected += points
	if len(a.Errors) < b.pipeline.opts.Limits.ImportErrors {
		a.Errors = append(a.Errors, LineError{number, cut(reason, maxImportReason)})
	}
}

// flush hands the lines read so far to the store.
func (b *backfill) flush() error {
	lines := b.batch.Lines
	if len(lines) == 0 {
		return nil
	}
	for i, at := range b.spans {
		lines[i].Times, lines[i].Values = b.columns.Times[at.from:at.to], b.columns.Values[at.from:at.to]
	}
	res, err := b.pipeline.imports.hand(&b.batch, b.now)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	a := &b.answer
	a.Accepted += res.Accepted
	a.Rejected += res.Rejected
	for _, e := range res.Errors {
		a.Errors = append(a.Errors, LineError{b.spans[e.Line].number, cut(e.Reason, maxImportReason)})
	}
	slices.SortStableFunc(a.Errors, func(x, y LineError) int { return cmp.Compare(x.Line, y.Line) })
	a.Errors = a.Errors[:min(len(a.Errors), b.pipeline.opts.Limits.ImportErrors)]
	b.columns.Reset()
	b.batch.Lines, b.spans, b.steps = lines[:0], b.spans[:0], 0
	return nil
}

func (b *backfill) failed(err error) ImportAnswer {
	bad := refusalOf(err)
	a := ImportAnswer{Status: bad.status, Message: bad.message, Uncertain: bad.uncertain, Accepted: b.answer.Accepted}
	if a.Accepted > 0 {
		a.Message += fmt.Sprintf("; %d points were imported before that, and the whole can be sent again", a.Accepted)
	}
	return a
}
