package silence

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"pulse/detect/label"
)

// The silences in the database:
//
//	silences    id → Silence; its sequence numbers them
var keySilences = []byte("silences")

// Store holds all silences in memory and in the database.
//
// Put and Expire are durable when they return. What the alerts bring about (Hit,
// Over, End and Collect) changes memory; Flush writes it inside the transaction that
// stores the alerts, and again with the next one if that fails.
//
// Locks: Store.admin, then a database transaction, then Store.mu, which is held for
// moments only.
type Store struct {
	db    *bbolt.DB
	admin sync.Mutex // one change by people at a time

	mu      sync.Mutex
	all     map[string]*entry
	index   index // of those that are not over, or have not been for long
	filed   int   // how many are in it
	dirty   map[string]bool
	version uint64
	next    int64 // the first change after nextOf; 0: not known
	nextOf  int64
}

var errOtherID = errors.New("it has another id")

// entry is a silence and its place in the index.
type entry struct {
	Silence
	filed  *label.Matcher // nil: not in the index
	prefix string         // what every value begins with that filed accepts, if it is a pattern
	// recheck is a time before which it will not end of itself.
	recheck int64
}

// Open returns the silences of the database. A record that cannot be read is left
// there and silences nothing; unreadable says why, by id.
func Open(db *bbolt.DB) (s *Store, unreadable map[string]error, err error) {
	s = &Store{db: db, all: map[string]*entry{}, dirty: map[string]bool{}}
	unreadable = map[string]error{}
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(keySilences)
		if err != nil {
			return err
		}
		return bucket.ForEach(func(id, record []byte) error {
			x := &entry{}
			if err := json.Unmarshal(record, &x.Silence); err != nil || x.ID != string(id) {
				unreadable[string(id)] = fmt.Errorf("read stored silence: %w", cmp.Or(err, errOtherID))
				return nil
			}
			s.set(x)
			return nil
		})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open silences: %w", err)
	}
	return s, unreadable, nil
}

// set puts x in the place of the one of its id.
func (s *Store) set(x *entry) {
	if old := s.all[x.ID]; old != nil {
		s.unfile(old)
	}
	s.all[x.ID] = x
	if x.EndsAt > x.StartsAt {
		s.index.add(x)
		s.filed++
	}
	s.changed()
}

// unfile takes x out of the index.
func (s *Store) unfile(x *entry) {
	if x.filed != nil {
		s.index.remove(x)
		s.filed--
	}
}

func (s *Store) changed() {
	s.version++
	s.next = 0
}

// Put stores what x asks for at now and returns what became of it. Without an ID it
// is a new silence. With one it changes that silence, if what was silenced so far
// stays as it was; otherwise that one ends now and a new one takes its place. Without
// a start, or with one in the past, a new silence starts now.
func (s *Store) Put(x Silence, now int64) (Silence, error) {
	if x.StartsAt == 0 {
		x.StartsAt = now
	}
	x.normalize()
	x.UpdatedAt, x.EndedBy, x.Seen = now, "", Seen{}
	if err := x.Check(); err != nil {
		return Silence{}, err
	}
	if x.EndsAt <= now {
		return Silence{}, fmt.Errorf("%w: endsAt %s is in the past", ErrInvalid, rfc3339(x.EndsAt))
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	old, known := s.Get(x.ID)
	if x.ID != "" && !known {
		return Silence{}, fmt.Errorf("%w %.80q", ErrUnknown, x.ID)
	}
	if known && old.mayBecome(&x, now) {
		if old.State(now) == Active {
			x.StartsAt = old.StartsAt
		}
		return s.change([]Silence{x}, now)
	}
	x.ID, x.StartsAt = "", max(x.StartsAt, now)
	if !known || old.State(now) == Expired {
		return s.change([]Silence{x}, now)
	}
	old.end(now, "replaced")
	return s.change([]Silence{x, old}, now)
}

// end makes x one that is over at now.
func (x *Silence) end(now int64, reason string) {
	x.StartsAt, x.EndsAt = min(x.StartsAt, now), now
	x.UpdatedAt, x.EndedBy = now, reason
}

// change writes silences, of which the first may be new, and returns that. Of one that
// is there, what it has hit stays.
func (s *Store) change(list []Silence, now int64) (Silence, error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(keySilences)
		first := &list[0]
		if first.ID == "" {
			if n := s.Len(now); n+1-(len(list)-1) > MaxSilences {
				return fmt.Errorf("%w: there are %d, at most %d", ErrLimit, n, MaxSilences)
			}
			n, err := bucket.NextSequence()
			if err != nil {
				return err
			}
			first.ID = newID(n, now, first)
		}
		for i := range list {
			list[i].Seen = s.seen(list[i].ID)
			if err := write(bucket, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrLimit):
		return Silence{}, err
	case err != nil:
		return Silence{}, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		if old := s.all[list[i].ID]; old != nil && old.Seen != list[i].Seen { // hit meanwhile
			list[i].Seen = old.Seen
			s.dirty[list[i].ID] = true
		}
		s.set(&entry{Silence: list[i]})
	}
	return list[0], nil
}

// newID returns a UUID of version 8: the beginning of a hash over what no two
// silences of a database share.
func newID(n uint64, now int64, x *Silence) string {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, n))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(now)))
	h.Write([]byte(x.Matchers.String() + "\n" + x.Author + "\n" + x.Comment))
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func write(bucket *bbolt.Bucket, x *Silence) error {
	record, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return bucket.Put([]byte(x.ID), record)
}

func (s *Store) seen(id string) Seen {
	x, _ := s.Get(id)
	return x.Seen
}

// Expire ends a silence at now for a reason. One that is over stays as it is.
func (s *Store) Expire(id, reason string, now int64) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	x, ok := s.Get(id)
	if !ok {
		return fmt.Errorf("%w %.80q", ErrUnknown, id)
	}
	if x.State(now) == Expired {
		return nil
	}
	x.end(now, reason)
	_, err := s.change([]Silence{x}, now)
	return err
}

// Get returns the silence of an id and whether there is one.
func (s *Store) Get(id string) (Silence, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.all[id]; x != nil {
		return x.Silence, true
	}
	return Silence{}, false
}

// List returns all silences: those that end next come first, those that are over at
// now last, the newest of them first.
func (s *Store) List(now int64) []Silence {
	s.mu.Lock()
	out := make([]Silence, 0, len(s.all))
	for _, x := range s.all {
		out = append(out, x.Silence)
	}
	s.mu.Unlock()
	slices.SortFunc(out, func(a, b Silence) int {
		overA, overB := a.State(now) == Expired, b.State(now) == Expired
		switch {
		case overA && overB:
			return Compare(b, a)
		case overA:
			return 1
		case overB:
			return -1
		}
		return Compare(a, b)
	})
	return out
}

// Len returns how many silences are pending or active at now.
func (s *Store) Len(now int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, x := range s.all {
		if x.State(now) != Expired {
			n++
		}
	}
	return n
}

// By returns the ids, ascending, of the silences that are active at t and mean an
// alert of this set; nil when none does.
func (s *Store) By(set label.Set, t int64) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filed == 0 {
		return nil
	}
	s.index.visit(set, func(x *entry) {
		if x.State(t) == Active && x.Matchers.Matches(set) {
			ids = append(ids, x.ID)
		}
	})
	slices.Sort(ids)
	return ids
}

// Any reports whether there may be a silence that is not over.
func (s *Store) Any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filed > 0
}

// sweepAfter is how long after its end a silence leaves the index, in ms: the clock
// may be set back.
const sweepAfter = 3_600_000

// sweep takes what is over out of the index.
func (s *Store) sweep(now int64) {
	for _, x := range s.all {
		if x.filed != nil && x.EndsAt+sweepAfter <= now {
			s.unfile(x)
		}
	}
}

// Version changes with every change that may change what By answers, but for those
// that only the passage of time brings: NextChange tells when these come.
func (s *Store) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// NextChange returns the first time after t at which a silence begins, ends, or may
// end of itself; math.MaxInt64: never.
func (s *Store) NextChange(t int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextOf <= t && t < s.next {
		return s.next
	}
	s.nextOf, s.next = t, math.MaxInt64
	consider := func(at int64) {
		if at > t {
			s.next = min(s.next, at)
		}
	}
	for _, x := range s.all {
		if x.State(t) == Expired {
			continue
		}
		consider(x.StartsAt)
		consider(x.EndsAt)
		if at := x.quietAt(); at > 0 {
			consider(max(at, x.recheck, t+1))
		}
	}
	return s.next
}

// GC forgets silences that have been over for Keep at now, and the oldest of those
// that are too many. Flush makes it durable.
func (s *Store) GC(now int64) (removed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	var over []Silence
	for _, x := range s.all {
		if x.State(now) == Expired {
			over = append(over, x.Silence)
		}
	}
	slices.SortFunc(over, Compare)
	for i, x := range over {
		if x.EndsAt+Keep > now && len(over)-i <= maxExpired {
			break
		}
		s.unfile(s.all[x.ID])
		delete(s.all, x.ID)
		s.dirty[x.ID] = true
		removed++
	}
	return removed
}

// Dirty reports whether there is something to flush.
func (s *Store) Dirty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dirty) > 0
}

// Flush writes what is not stored yet inside tx. When tx is not committed, the next
// Flush writes it again.
func (s *Store) Flush(tx *bbolt.Tx) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirty) == 0 {
		return nil
	}
	bucket := tx.Bucket(keySilences)
	written := map[string]Silence{}
	for _, id := range slices.Sorted(maps.Keys(s.dirty)) {
		x := s.all[id]
		if x == nil {
			if err := bucket.Delete([]byte(id)); err != nil {
				return err
			}
			written[id] = Silence{}
			continue
		}
		if err := write(bucket, &x.Silence); err != nil {
			return err
		}
		written[id] = x.Silence
	}
	tx.OnCommit(func() { s.flushed(written) })
	return nil
}

// flushed marks as stored what has not changed since it was written.
func (s *Store) flushed(written map[string]Silence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, w := range written {
		x := s.all[id]
		if x == nil && w.ID == "" || x != nil && x.Seen == w.Seen && x.EndsAt == w.EndsAt && x.UpdatedAt == w.UpdatedAt {
			delete(s.dirty, id)
		}
	}
}
