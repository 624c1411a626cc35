package store

import (
	"fmt"
	"sync"
	"sync/atomic"

	"pulse/store/wal"
)

// Commit puts the points of b into their series and returns when they are as
// durable as the mode says. On a store of New it is Append. After ErrUncertain
// the points may be there, now or after a restart; after any other error none
// of them is. b must not be used before Commit returns.
func (s *Store) Commit(b *Batch, now int64) (Result, error) {
	f := s.folder
	if f == nil {
		return s.Append(b, now), nil
	}
	if !f.ready.Load() {
		return Result{}, ErrNotReady
	}
	if f.journal == nil {
		s.applying.RLock()
		defer s.applying.RUnlock()
		return s.Append(b, now), nil
	}
	op := f.journal.operation()
	op.kind, op.batch, op.now = opBatch, b, now
	b.check()
	b.sort()
	err := f.journal.submit(op)
	r := op.result
	f.journal.recycle(op)
	return r, err
}

// Import puts the values of b in the place of what their series had, and returns
// when they are as durable as the mode says; errors are those of Commit, and
// ErrUnavailable while too many imports wait to be merged into their blocks. b
// must not be used before Import returns.
func (s *Store) Import(b *ImportBatch, now int64) (ImportResult, error) {
	for i := range b.Lines {
		if l := &b.Lines[i]; len(l.Times) != len(l.Values) {
			panic(fmt.Sprintf("BUG: import of %d times and %d values", len(l.Times), len(l.Values)))
		}
	}
	f := s.folder
	if f != nil && !f.ready.Load() {
		return ImportResult{}, ErrNotReady
	}
	if s.importing.patches.Load() > 2*s.patchLimit() {
		return ImportResult{}, fmt.Errorf("%w: imports come faster than they are merged into their blocks; try again later", ErrUnavailable)
	}
	defer s.relieve(now)
	if f == nil || f.journal == nil {
		s.applying.RLock()
		defer s.applying.RUnlock()
		return s.applyImport(b, now, 0), nil
	}
	op := operation{kind: opImport, imports: b, now: now}
	err := f.journal.submit(&op)
	return op.imported, err
}

// Mark writes bytes that come back through Hooks.Mark, at their place among
// everything else, and calls at, unless it is nil, when everything before them has happened to the store
// and nothing after them: what at reads is what Hooks.Mark will read. Commits wait for it.
// Mark returns when that is done, which is before the bytes are durable; without a log
// it only calls at, and after an error it has not.
func (s *Store) Mark(mark []byte, at func()) error {
	f := s.folder
	if f == nil || f.journal == nil && f.ready.Load() {
		if at != nil {
			at()
		}
		return nil
	}
	if !f.ready.Load() {
		return ErrNotReady
	}
	op := f.journal.operation()
	op.kind, op.at = opMark, at
	op.mark = append(append(op.mark[:0], markOthers), mark...)
	err := f.journal.submit(op)
	f.journal.recycle(op)
	return err
}

// operation is one entry of the queue.
type operation struct {
	kind    opKind
	batch   *Batch
	imports *ImportBatch
	mark    []byte
	at      func() // nil: nothing is to be done at the mark
	event   event
	now     int64
	series  []wal.Series // to be defined with it
	sender  []wal.Sender
	lsn     uint64

	result   Result
	imported ImportResult
	err      error
	turn     chan turn // has room for one
}

type opKind uint8

const (
	opBatch opKind = iota
	opImport
	opMark
	opEvent
)

// durable says whether the operation is answered only when it is durable.
func (op *operation) durable() bool { return op.kind <= opImport }

// operation returns an empty one, perhaps one that was used before.
func (j *journal) operation() *operation {
	if op, ok := j.operations.Get().(*operation); ok {
		return op
	}
	return &operation{turn: make(chan turn, 1)}
}

func (j *journal) recycle(op *operation) {
	clear(op.series)
	clear(op.sender)
	*op = operation{mark: op.mark[:0], series: op.series[:0], sender: op.sender[:0], turn: op.turn}
	j.operations.Put(op)
}

func (op *operation) answer(err error) {
	op.err = err
	op.turn <- answered
}

// turn is what the goroutine that waits for an operation is to do next.
type turn uint8

const (
	answered turn = iota // return: err is set
	toWrite              // write what is queued, this operation among it
	toSync               // sync what is unsynced, this operation among it
)

// queue is operations that wait for something to be done once for all of them,
// in the order in which they stand in the log. The first has the turn to do it,
// for itself and those that came meanwhile, and then gives the turn to the first
// of those that came since. So nobody wakes another who does not have to go on,
// and one that is alone wakes nobody.
type queue struct {
	turn turn

	mu    sync.Mutex
	list  []*operation
	taken bool // somebody has the turn
}

// put appends an operation, and gives it the turn if nobody has it.
func (q *queue) put(op *operation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, op)
	if !q.taken {
		q.taken = true
		op.turn <- q.turn
	}
}

// take replaces list, which is empty, by what is in the queue. It is called by
// who has the turn.
func (q *queue) take(list []*operation) []*operation {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, q.list = q.list, list
	return list
}

// pass gives the turn on.
func (q *queue) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken = len(q.list) > 0; q.taken {
		q.list[0].turn <- q.turn
	}
}

// length returns how many operations are queued.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

// submit makes an operation happen and returns its answer. What has to be done
// for several operations the goroutine of one of them does for all.
func (j *journal) submit(op *operation) error {
	j.open.RLock()
	defer j.open.RUnlock()
	if j.closed {
		return fmt.Errorf("%w: it is being closed", ErrUnavailable)
	}
	if op.turn == nil {
		op.turn = make(chan turn, 1)
	}
	j.queue.put(op)
	for {
		switch <-op.turn {
		case toWrite:
			j.writeQueued()
		case toSync:
			j.syncUnsynced()
		default:
			return op.err
		}
	}
}

// trouble is why commits are refused now, nil when they are not.
type trouble struct{ atomic.Pointer[error] }

func (t *trouble) get() error {
	if p := t.Load(); p != nil {
		return *p
	}
	return nil
}

func (t *trouble) set(err error) {
	if err == nil {
		t.Store(nil)
		return
	}
	t.Store(&err)
}
