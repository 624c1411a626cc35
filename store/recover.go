package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"pulse/store/archive"
	"pulse/store/wal"
)

// Recovery is what Replay found.
type Recovery struct {
	Snapshot uint64 // the record that the snapshot stands at; 0: there was none
	Damaged  int    // newer snapshots, which were passed over
	Series   int
	Records  int64 // of the log that were taken
	Points   int64 // in them
	Lost     int64 // records of the log that are damaged, as far as that is known
	Places   int   // in the log that are damaged
	CutBytes int64 // at the end of the log, of a write that was never acknowledged
	Orphans  int64 // points whose series nothing is known of, since what said so is damaged
	TookMs   int64
}

// Replay brings back what the data folder has and makes the store ready. It is
// called once, after Open and OnSnapshot and before anything else. When ctx
// ends it stops with ctx.Err(), and the store can only be closed: nothing has
// changed in the folder then but what a second Replay would do as well.
func (s *Store) Replay(ctx context.Context, hooks Hooks) (Recovery, error) {
	f := s.folder
	if f == nil || f.ready.Load() {
		return Recovery{}, errors.New("replay: the store is not one that was just opened")
	}
	r := replay{store: s, ctx: ctx, hooks: hooks, log: f.log, decoder: wal.NewDecoder()}
	began := f.Clock.Now()
	err := r.run()
	r.found.TookMs = f.Clock.Now().Sub(began).Milliseconds()
	if err != nil {
		return r.found, fmt.Errorf("recover: %w", err)
	}
	r.found.Series = s.searchable
	f.recovery = r.found
	s.begin()
	return r.found, nil
}

// begin makes a recovered store ready.
func (s *Store) begin() {
	f := s.folder
	for _, n := range []*atomic.Int64{&s.stored, &s.superseded, &s.repeated, &s.late} {
		n.Store(0) // what was counted by those who asked is not asked again
	}
	s.sources.freeGaps()
	s.bar()
	s.layDead()
	s.buried, s.faded = s.burials.Load(), s.fadings.Load()
	if f.Mode != None {
		j := newJournal(s, f.log, f.Durable)
		if want := s.options.rules(); s.rules != want || f.recovery.Snapshot == 0 { // without a snapshot only the log has them
			j.rules = &want
		}
		j.start()
		f.journal = j
	} else {
		s.rules = s.options.rules()
	}
	s.archives.start()
	f.replaying.Store(false)
	s.thaw()
	f.ready.Store(true)
	s.startSnapshots()
	if f.recovery.Damaged > 0 {
		f.snapshots.wake <- struct{}{} // there is one less to fall back on
	}
}

// bar keeps slots from being used of which archive files have values of a series
// that nothing is known of: one that was new after the last snapshot, and there
// is no log or it was lost. Such a slot has flagDead and no series, until a
// later start finds that nothing is left.
func (s *Store) bar() {
	s.changing.Lock()
	defer s.changing.Unlock()
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		had := len(p.slots)
		var all, later []*arena // what was sealed last may have something of slots that were free
		for _, list := range p.sealed {
			for _, a := range list {
				all = append(all, a)
				if a.applied >= p.applied {
					later = append(later, a)
				}
				for n := len(p.slots); n < min(a.end(), maxSlots); n++ {
					p.extend(uint32(n))
					p.flags[n] = flagDead
				}
			}
		}
		has := func(list []*arena, n uint32) bool {
			return slices.ContainsFunc(list, func(a *arena) bool { return int(n) < a.end() && a.has(n) })
		}
		p.free = slices.DeleteFunc(p.free, func(n uint32) bool {
			barred := p.pairAt[n] == 0 && has(later, n)
			if barred {
				p.flags[n] = flagDead
			}
			return barred
		})
		looks := maxBarLooks
		for n := range p.slots {
			if p.pairAt[n] != 0 || p.flags[n]&flagDead == 0 || looks < len(all) {
				continue
			}
			looks -= len(all)
			if !has(all, uint32(n)) {
				p.flags[n] = 0
				p.free = append(p.free, uint32(n))
			}
		}
		p.mu.Unlock()
		s.lookup.grow(len(p.slots) - had)
		s.memory.Force(int64(len(p.slots)-had) * slotCost)
	}
}

// maxBarLooks is how many blocks of a partition a start looks for: each may cost
// a read of the disk.
const maxBarLooks = 1 << 16

// layDead puts the series that nothing is left of where their slots are given
// free in time.
func (s *Store) layDead() {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.graves = nil
	var dead [partitions][]uint32
	end, any := int64(0), false
	for i := range s.parts {
		p := &s.parts[i]
		for n, flags := range p.flags {
			if flags&flagDead != 0 && p.pairAt[n] != 0 {
				dead[i] = append(dead[i], uint32(n))
				end, any = max(end, p.slots[n].last), true
			}
		}
	}
	if any {
		s.lay(&dead, end)
	}
}

// replay is a recovery under way.
type replay struct {
	store   *Store
	ctx     context.Context
	hooks   Hooks
	log     *wal.Log
	decoder *wal.Decoder
	found   Recovery

	floor    uint64 // every partition has all records up to this one
	begun    bool   // a segment was read
	advanced int64  // the time that the store was last told
	batch    Batch
}

func (r *replay) run() error {
	head, notes, err := r.snapshot()
	if err != nil {
		return err
	}
	r.store.startTime()
	r.floor, r.found.Snapshot = head.floor, head.lsn
	if restore := r.store.folder.hooks.Restore; restore != nil && len(notes) > 0 {
		restore(notes)
	}
	report, err := r.log.Segments(r.floor+1, r.segment)
	if err != nil {
		return err
	}
	r.found.Lost += int64(report.Lost)
	r.found.Places, r.found.CutBytes = len(report.Skipped), report.Tail.Bytes
	r.tell(report)
	r.store.finished.Store(max(r.store.finished.Load(), r.log.Next()-1))
	return nil
}

// tell logs what is not as it should be.
func (r *replay) tell(report wal.Report) {
	log := &r.store.folder.Log
	for _, d := range report.Skipped {
		log.Error().Str("file", d.File).Int64("offset", d.Offset).Int64("bytes", d.Bytes).Uint64("records", d.Lost).
			Str("reason", d.Reason).Str("copy", d.Kept).Msg("a damaged place in the log was passed over")
	}
	if report.Quarantine != nil {
		log.Warn().Err(report.Quarantine).Msg("no copy of a damaged file was made")
	}
	if t := report.Tail; t.Bytes > 0 {
		log.Warn().Str("file", t.File).Int64("offset", t.Offset).Int64("bytes", t.Bytes).Msg("the end of the log was cut off: its write was never acknowledged")
	}
	if r.found.Orphans > 0 {
		log.Error().Int64("points", r.found.Orphans).Msg("points of the log have no series, since its definition is damaged")
	}
}

// snapshot loads the newest snapshot that is whole.
func (r *replay) snapshot() (head snapshot, notes []byte, err error) {
	s, f := r.store, r.store.folder
	names, err := listSnapshots(f.FS)
	if err != nil {
		return head, nil, fmt.Errorf("list snapshots: %w", err)
	}
	for i, lsn := range slices.Backward(names) {
		if err := r.ctx.Err(); err != nil {
			return head, nil, err
		}
		used := s.memory.Used()
		head, notes, err = s.restore(snapshotName(lsn))
		if err == nil {
			r.keep(names[:i], head)
			return head, notes, nil
		}
		if errors.Is(err, archive.ErrVersion) || errors.Is(err, errStep) {
			return head, nil, err
		}
		s.wipe(used)
		r.found.Damaged++
		event := f.Log.Error().Err(err).Str("file", snapshotName(lsn))
		if errors.Is(err, archive.ErrCorrupt) {
			to, _ := archive.Quarantine(f.FS, snapshotName(lsn), err.Error())
			event = event.Str("moved", to)
		}
		event.Msg("a damaged snapshot was passed over")
	}
	return snapshot{}, nil, nil
}

// keep takes note of the snapshots that stay: the one that was loaded, and the
// one before it if its head can be read.
func (r *replay) keep(before []uint64, head snapshot) {
	f := r.store.folder
	if n := len(before); n > 0 {
		file, err := archive.Open(f.FS, snapshotName(before[n-1]), archive.Snapshot)
		if err == nil {
			var src []byte
			if src, err = file.Section(snapshotHead); err == nil {
				if older, err := readHead(src); err == nil {
					f.snapshots.kept = append(f.snapshots.kept, older)
				}
			}
			file.Release()
		}
	}
	f.snapshots.kept = append(f.snapshots.kept, head)
}

// segment takes the records of one segment of the log.
func (r *replay) segment(seg *wal.Segment) error {
	if next := r.found.Snapshot + 1; !r.begun && seg.Start > next {
		r.found.Lost += int64(seg.Start - next)
		r.store.folder.Log.Error().Uint64("from", next).Uint64("to", seg.Start-1).Msg("records are in no snapshot that can be read and not in the log")
	}
	r.begun = true
	r.decoder.Reset()
	for lsn, payload := range seg.Records() {
		_ = r.decoder.Scan(lsn, payload) // Decode says the same
	}
	n := 0
	for lsn, payload := range seg.Records() {
		if n++; n%256 == 0 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		if lsn <= r.floor {
			continue
		}
		record, err := r.decoder.Decode(lsn, payload, r.want(lsn))
		if err != nil {
			r.found.Lost++
			r.found.Places++
			r.store.folder.Log.Error().Err(err).Uint64("record", lsn).Msg("a record of the log was passed over")
			continue
		}
		r.found.Records++
		r.take(record)
	}
	return nil
}

// want returns a bit for each partition that has not taken the record.
func (r *replay) want(lsn uint64) uint64 {
	if lsn > r.store.sources.applied {
		return wal.AllPartitions // nothing in a snapshot is newer than its senders
	}
	bits := uint64(0)
	for i := range r.store.parts {
		if lsn > r.store.parts[i].applied {
			bits |= 1 << i
		}
	}
	return bits
}

// take applies one record.
func (r *replay) take(record *wal.Record) {
	s := r.store
	switch record.Kind { // before a slot gets another series, nothing of the old one is left
	case wal.KindBatch:
		r.advance(record.Batch.Now)
	case wal.KindImport:
		r.advance(record.Import.Now)
	}
	for i := range record.Series {
		d := &record.Series[i]
		if p := &s.parts[Ref(d.Ref).partition()]; d.LSN > p.applied {
			s.define(Ref(d.Ref), d.Tags, d.At)
			p.flags[Ref(d.Ref).slot()] |= flagLogged
		}
	}
	for i := range record.Senders {
		if d := &record.Senders[i]; d.LSN > s.sources.applied {
			s.sources.define(SourceID(d.ID), d.Key, d.At)
		}
	}
	switch record.Kind {
	case wal.KindBatch:
		r.points(record)
	case wal.KindImport:
		r.values(record)
		record.Batch.Note, record.Batch.Arrival = record.Import.Note, record.Import.Now
	case wal.KindMark:
		r.mark(record)
	}
	if note := record.Batch.Note; len(note) > 0 && r.hooks.Note != nil {
		r.hooks.Note(note, record.Batch.Arrival)
	}
}

// points applies the points of a record.
func (r *replay) points(record *wal.Record) {
	s, w, b := r.store, &record.Batch, &r.batch
	b.Reset()
	b.Source, b.Arrival, b.Amount = SourceID(w.Source), w.Arrival, w.Amount
	if s.sources.find(b.Source) == nil {
		b.Source = 0
	}
	for i, ref := range w.Refs {
		if r.known(Ref(ref)) {
			b.Add(Ref(ref), w.Times[i], w.Values[i])
		} else {
			r.found.Orphans++
		}
	}
	r.found.Points += int64(len(b.Refs))
	b.sort()
	s.apply(b, w.Now, record.LSN)
}

// advance tells the store the time, about as often as a server does. One that is
// far ahead of the clock was a mistake, on which nothing that is kept may be
// dropped.
func (r *replay) advance(now int64) {
	now = min(now, r.store.folder.Clock.Now().UnixMilli()+farAheadMs)
	if now >= r.advanced+r.store.grid.step || now < r.advanced-r.store.grid.step {
		r.advanced = now
		r.store.Advance(now)
	}
}

// farAheadMs is how far the clock of a record may be ahead.
const farAheadMs = 24 * 3600_000

// values applies an import.
func (r *replay) values(record *wal.Record) {
	w := &record.Import
	b := ImportBatch{Lines: make([]ImportLine, 0, len(w.Lines))}
	for i := range w.Lines {
		l := &w.Lines[i]
		if r.known(Ref(l.Ref)) {
			b.Lines = append(b.Lines, ImportLine{Ref: Ref(l.Ref), Step: l.Step, Times: l.Times, Values: l.Values})
			r.found.Points += int64(len(l.Values))
		} else {
			r.found.Orphans += int64(len(l.Values))
		}
	}
	r.store.applyImport(&b, w.Now, record.LSN)
}

// known reports whether there is a series at ref. One that was buried comes
// back, as it did when the request found it by its tags.
func (r *replay) known(ref Ref) bool {
	s := r.store
	p, n := &s.parts[ref.partition()], ref.slot()
	if int(n) >= len(p.pairAt) || p.pairAt[n] == 0 {
		return false
	}
	if p.flags[n]&flagDead != 0 {
		s.changing.Lock()
		s.comeBack(p, ref.partition(), n)
		s.changing.Unlock()
	}
	return true
}

// mark applies a mark: an event, or somebody's bytes.
func (r *replay) mark(record *wal.Record) {
	mark := record.Mark
	if len(mark) == 0 || mark[0] == markNothing {
		return
	}
	if mark[0] == markOthers {
		if record.LSN > r.store.sources.applied && r.hooks.Mark != nil {
			r.hooks.Mark(mark[1:])
		}
		return
	}
	e, err := readEvent(mark)
	if err != nil {
		r.found.Lost++
		r.store.folder.Log.Error().Err(err).Uint64("record", record.LSN).Msg("a record of the log was passed over")
		return
	}
	e.happen(r.store, record.LSN)
}

// define makes a number that of the sender with the given key, as a log says
// that it was.
func (t *sources) define(id SourceID, key string, now int64) {
	if id == 0 || id >= maxSourceID {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if src := t.find(id); src != nil {
		if src.key == key {
			src.logged = true
			return
		}
		delete(t.byKey, src.key)
	}
	if other := t.byKey[key]; other != 0 {
		t.table[other].Store(nil)
	}
	t.reach(id)
	src := t.fresh(key, now)
	src.logged = true
	t.byKey[key] = id
	t.table[id].Store(src)
}

// find is get for a number that may be out of range.
func (t *sources) find(id SourceID) *source {
	if int(id) >= len(t.table) {
		return nil
	}
	return t.get(id)
}

// detach ends what Replay began.
func (s *Store) detach() error {
	f := s.folder
	f.snapshots.cancel()
	<-f.snapshots.ended
	s.archives.end()
	var err error
	if f.journal != nil {
		err = f.journal.close()
	} else {
		err = s.Snapshot(context.Background())
		err = errors.Join(err, f.log.Close())
	}
	f.ready.Store(false)
	return err
}
