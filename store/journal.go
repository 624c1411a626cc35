package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"pulse/store/clock"
	"pulse/store/disk"
	"pulse/store/tags"
	"pulse/store/wal"
)

// journal brings operations into the log and then into the store, in one order.
// The goroutines that wait for them do it, in turns:
//
//	queue     who has its turn writes what is queued with one write(2), applies it
//	          in that order, and answers what need not be durable
//	unsynced  who has its turn syncs what was written and answers it
//
// A goroutine of its own, the keeper, syncs what nobody waits for, and tries now
// and then whether a disk that refused takes data again.
type journal struct {
	store *Store
	log   *wal.Log
	mode  Durability
	clock clock.Clock
	every time.Duration // between syncs

	operations sync.Pool // *operation
	queue      queue
	unsynced   queue // applied and not durable
	trouble    trouble
	counts     journalCounts

	open   sync.RWMutex // read: an operation is under way
	closed bool

	// Of who has the turn of queue.
	encoder  *wal.Encoder
	batch    wal.Batch
	buf      []byte
	ends     []int // of the payloads in buf
	payloads [][]byte
	taken    []*operation
	segment  int64     // bytes of payloads since the segment began
	limit    int64     // from which a new one is begun
	retry    time.Time // when the disk is asked again after a refusal
	rules    *rules    // to be written before anything else

	syncing []*operation // of who has the turn of unsynced

	stop    chan struct{}
	stopped chan struct{}
}

const (
	groupBytes = 1 << 20                // that are written at once
	retryAfter = 100 * time.Millisecond // between two attempts to write to a disk that refused
	probeAfter = 2 * time.Second        // between two attempts when nobody has anything to write
)

func newJournal(s *Store, log *wal.Log, d Durable) *journal {
	return &journal{
		store:    s,
		log:      log,
		mode:     d.Mode,
		clock:    d.Clock,
		every:    d.SyncEvery,
		queue:    queue{turn: toWrite},
		unsynced: queue{turn: toSync},
		encoder:  wal.NewEncoder(wal.EncoderOptions{Step: s.options.Step}),
		limit:    d.SegmentBytes,
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
}

func (j *journal) start() { go j.keeper() }

// close ends the keeper, waits for the operations under way, and closes the log,
// durable.
func (j *journal) close() error {
	j.open.Lock()
	j.closed = true
	j.open.Unlock()
	close(j.stop)
	<-j.stopped
	_ = j.repeat() // what the last segment defines is in it twice, too, if the disk takes it
	return j.log.Close()
}

// writeQueued has the turn of queue.
func (j *journal) writeQueued() {
	defer endProcess()
	list := j.queue.take(j.taken[:0])
	for rest := list; len(rest) > 0; {
		rest = rest[j.group(rest):]
	}
	clear(list)
	j.taken = list
	j.queue.pass()
}

// syncUnsynced has the turn of unsynced.
func (j *journal) syncUnsynced() {
	defer endProcess()
	list := j.unsynced.take(j.syncing[:0])
	if err := j.sync(); err != nil {
		j.refuse(list, fmt.Errorf("%w: %w", ErrUncertain, err))
	} else {
		for _, op := range list {
			op.answer(nil)
		}
	}
	clear(list)
	j.syncing = list
	j.unsynced.pass()
}

// endProcess makes a panic end the process, whoever recovers from it: a record
// that is applied by half must not be served, nor those behind it.
func endProcess() {
	if p := recover(); p != nil {
		go panic(fmt.Sprintf("%v\n\n%s", p, debug.Stack()))
		select {}
	}
}

// group writes and applies the first operations of a list, and returns how
// many.
func (j *journal) group(ops []*operation) int {
	if err := j.trouble.get(); err != nil && j.clock.Now().Before(j.retry) {
		j.refuse(ops, err)
		return len(ops)
	}
	n, first, err := j.write(ops)
	if errors.Is(err, ErrTooLarge) { // nothing is wrong with the disk
		j.refuse(ops[:n], err)
		return n
	}
	j.trouble.set(err)
	if err != nil {
		j.retry = j.clock.Now().Add(retryAfter)
		j.refuse(ops[:n], err)
		return n
	}
	for i, op := range ops[:n] {
		op.lsn = first + uint64(i)
		j.apply(op)
		if j.mode == Sync && op.durable() {
			j.unsynced.put(op)
		} else {
			op.answer(nil)
		}
	}
	return n
}

func (j *journal) refuse(ops []*operation, err error) {
	if errors.Is(err, ErrUncertain) {
		j.counts.doubtful.Add(int64(len(ops)))
	} else {
		j.counts.refused.Add(int64(len(ops)))
	}
	for _, op := range ops {
		op.answer(err)
	}
}

// write encodes the first operations of a list, as many as make a group, and
// writes them. It returns how many they are and the number of the first one's
// record. On an error none of them is in the log, unless it is ErrUncertain.
func (j *journal) write(ops []*operation) (n int, first uint64, err error) {
	if err := j.begin(); err != nil {
		return len(ops), 0, refusal(err)
	}
	j.encoder.Begin(j.log.Next())
	j.buf, j.ends = j.buf[:0], j.ends[:0]
	before := 0
	if j.rules != nil {
		j.buf = j.encoder.Mark(j.buf, j.rules.appendTo(nil))
		j.ends, before = append(j.ends, len(j.buf)), 1
	}
	for n < len(ops) && (n == 0 || len(j.buf) < groupBytes) {
		from := len(j.buf)
		j.encode(ops[n])
		if size := len(j.buf) - from; size > wal.MaxPayload {
			return j.writeBefore(ops, n, size)
		}
		j.ends = append(j.ends, len(j.buf))
		n++
	}
	if j.encoder.Due() {
		j.buf = j.encoder.Repeat(j.buf, false)
		j.ends = append(j.ends, len(j.buf))
	}
	first, err = j.flush()
	if err != nil {
		return n, 0, err
	}
	if j.rules != nil {
		j.store.applying.RLock()
		j.rules.happen(j.store, first)
		j.store.applying.RUnlock()
		j.rules = nil
	}
	return n, first + uint64(before), nil
}

// writeBefore is write of the operations before the n-th, which is too large to
// be written, or of that one alone, which fails.
func (j *journal) writeBefore(ops []*operation, n, size int) (int, uint64, error) {
	j.encoder.Undo()
	j.shrink()
	if n > 0 {
		return j.write(ops[:n])
	}
	return 1, 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, wal.MaxPayload)
}

// shrink gives up memory that few groups need.
func (j *journal) shrink() {
	if cap(j.buf) > 4*groupBytes {
		j.buf = nil
	}
}

// begin sees to a segment with room. Before one is closed, what it defines is
// written a second time.
func (j *journal) begin() error {
	if j.segment >= j.limit {
		if err := j.repeat(); err != nil {
			return err
		}
		j.log.Rotate()
		j.segment = 0
	}
	fresh, err := j.log.Begin(0)
	if fresh {
		j.encoder.Reset()
		j.segment = 0
	}
	return err
}

func (j *journal) repeat() error {
	for {
		j.encoder.Begin(j.log.Next())
		j.buf, j.ends = j.encoder.Repeat(j.buf[:0], true), j.ends[:0]
		if len(j.buf) == 0 {
			return nil
		}
		j.ends = append(j.ends, len(j.buf))
		if _, err := j.flush(); err != nil {
			return err
		}
	}
}

// flush writes the payloads in buf.
func (j *journal) flush() (first uint64, err error) {
	j.payloads = j.payloads[:0]
	from := 0
	for _, end := range j.ends {
		j.payloads = append(j.payloads, j.buf[from:end])
		from = end
	}
	first, err = j.log.Write(j.payloads...)
	if err != nil {
		j.encoder.Undo()
		return 0, refusal(err)
	}
	j.segment += int64(len(j.buf))
	j.shrink()
	return first, nil
}

// refusal is what a commit is answered when the log gave err.
func refusal(err error) error {
	switch {
	case errors.Is(err, ErrFull) || errors.Is(err, ErrUncertain) || errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, wal.ErrUncertain):
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	case disk.IsFull(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// encode appends the payload of an operation to buf.
func (j *journal) encode(op *operation) {
	switch op.kind {
	case opBatch:
		b := op.batch
		j.define(op, b)
		w := &j.batch
		w.Source, w.Arrival, w.Now, w.Amount, w.Note = uint32(b.Source), b.Arrival, op.now, b.Amount, b.Note
		w.Times, w.Values = b.Times, b.Values
		w.Refs = slices.Grow(w.Refs[:0], len(b.Refs))[:len(b.Refs)]
		for i, ref := range b.Refs {
			w.Refs[i] = uint32(ref)
		}
		j.buf = j.encoder.Batch(j.buf, w, op.series, op.sender)
		w.Times, w.Values, w.Note = nil, nil, nil
	case opImport:
		j.defineLines(op)
		w := wal.Import{Now: op.now, Note: op.imports.Note, Lines: make([]wal.ImportLine, len(op.imports.Lines))}
		for i, l := range op.imports.Lines {
			w.Lines[i] = wal.ImportLine{Ref: uint32(l.Ref), Step: l.Step, Times: l.Times, Values: l.Values}
		}
		j.buf = j.encoder.Import(j.buf, &w, op.series)
	case opMark:
		j.buf = j.encoder.Mark(j.buf, op.mark)
	case opEvent:
		j.buf = j.encoder.Mark(j.buf, op.event.appendTo(nil))
	}
}

// define lists the series and the sender of a batch that the log does not know.
func (j *journal) define(op *operation, b *Batch) {
	s := j.store
	op.series, op.sender = op.series[:0], op.sender[:0]
	from := uint32(0)
	for i, end := range b.ends {
		if end == from {
			continue
		}
		p := &s.parts[i]
		p.mu.RLock()
		for _, k := range b.order[from:end] {
			if n := b.Refs[k].slot(); p.flags[n]&flagLogged == 0 {
				op.series = append(op.series, wal.Series{Ref: uint32(b.Refs[k]), At: p.slots[n].last})
			}
		}
		p.mu.RUnlock()
		from = end
	}
	j.describe(op)
	if src := s.sources.get(b.Source); src != nil && !src.logged {
		op.sender = append(op.sender, wal.Sender{ID: uint32(b.Source), At: op.now, Key: src.key})
	}
}

// defineLines lists the series of an import that the log does not know.
func (j *journal) defineLines(op *operation) {
	op.series = op.series[:0]
	for i := range op.imports.Lines {
		ref := op.imports.Lines[i].Ref
		p, n := &j.store.parts[ref.partition()], ref.slot()
		p.mu.RLock()
		if p.flags[n]&flagLogged == 0 {
			op.series = append(op.series, wal.Series{Ref: uint32(ref), At: p.slots[n].last})
		}
		p.mu.RUnlock()
	}
	j.describe(op)
}

// describe adds the tags of the series to be defined, each once.
func (j *journal) describe(op *operation) {
	if len(op.series) == 0 {
		return
	}
	slices.SortFunc(op.series, func(a, b wal.Series) int { return int(int64(a.Ref) - int64(b.Ref)) })
	op.series = slices.CompactFunc(op.series, func(a, b wal.Series) bool { return a.Ref == b.Ref })
	for i := range op.series {
		op.series[i].Tags = j.store.tagsOf(Ref(op.series[i].Ref))
	}
}

// tagsOf returns the tags of a series.
func (s *Store) tagsOf(ref Ref) tags.Tags {
	p := &s.parts[ref.partition()]
	p.mu.RLock()
	defer p.mu.RUnlock()
	return s.index.Dictionary().Tags(p.pairsOf(ref.slot()))
}

// apply makes an operation that is in the log happen.
func (j *journal) apply(op *operation) {
	s := j.store
	s.applying.RLock()
	defer s.applying.RUnlock()
	for i := range op.series {
		ref := Ref(op.series[i].Ref)
		p := &s.parts[ref.partition()]
		p.mu.Lock()
		p.flags[ref.slot()] |= flagLogged
		p.mu.Unlock()
	}
	switch op.kind {
	case opBatch:
		if len(op.sender) > 0 {
			if src := s.sources.get(op.batch.Source); src != nil {
				src.logged = true
			}
		}
		op.result = s.apply(op.batch, op.now, op.lsn)
	case opImport:
		op.imported = s.applyImport(op.imports, op.now, op.lsn)
	case opMark:
		if op.at != nil {
			op.at()
		}
	case opEvent:
		op.event.happen(s, op.lsn)
	}
	s.finished.Store(op.lsn)
}

// keeper runs until the journal is closed.
func (j *journal) keeper() {
	defer close(j.stopped)
	tick := j.clock.After(j.pace())
	for {
		select {
		case <-j.stop:
			return
		case <-tick:
			j.tend()
			tick = j.clock.After(j.pace())
		}
	}
}

func (j *journal) pace() time.Duration {
	if j.mode == Interval {
		return j.every
	}
	return probeAfter
}

// tend syncs what nobody waits for, and asks a disk that refused.
func (j *journal) tend() {
	if j.log.Err() != nil {
		if err := j.log.Resume(); err == nil {
			j.trouble.set(nil)
		}
	} else if j.log.Synced()+1 < j.log.Next() {
		_ = j.sync() // the log says itself that it is read-only
	}
	if j.trouble.get() != nil && j.log.Err() == nil {
		op := j.operation()
		op.kind, op.mark = opMark, append(op.mark[:0], markNothing)
		_ = j.submit(op) // trouble says it
		j.recycle(op)
	}
}

// health returns why commits are refused, nil when they are not.
func (j *journal) health() error {
	if err := j.log.Err(); err != nil {
		return err
	}
	return j.trouble.get()
}

// settleLog makes everything durable that was applied so far: whatever goes
// into a file of its own must not outlive the record that it came from, of
// which other parts may be elsewhere.
func (s *Store) settleLog() error {
	if f := s.folder; f != nil && f.log.Synced()+1 < f.log.Next() {
		return f.log.Sync()
	}
	return nil
}
