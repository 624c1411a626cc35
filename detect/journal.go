package detect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// The engine's part of the database:
//
//	detect
//	  rules        id → storedRule
//	  incidents    incident id → incident, those that are open
//	  resolved     time of the end and incident id → incident, the newest maxResolved
//	  checkpoints  rule id → head of the rule's state (save.go)
//	  states       rule id, part and step → detector states
//	  marks        rule id → the last step judged, 8 bytes; kept while an alert is pending
var (
	keyDetect      = []byte("detect")
	keyRules       = []byte("rules")
	keyIncidents   = []byte("incidents")
	keyResolved    = []byte("resolved")
	keyCheckpoints = []byte("checkpoints")
	keyStates      = []byte("states")
	keyMarks       = []byte("marks")
)

// maxResolved bounds how many ended incidents are remembered.
const maxResolved = 10_000

// storedRule is a rule and what identifies its run.
type storedRule struct {
	Rule    Rule  `json:"rule"`
	Created int64 `json:"created"` // Unix ms
	// Began is when it was put with the detector that it has.
	Began int64 `json:"began,omitempty"`
	// Origin is the step after which its detectors began to read.
	Origin int64 `json:"origin"`
	// Taught is the time up to Origin that they were taught from coarser tiers, and in
	// pieces of how many ms.
	Taught *[3]int64 `json:"taught,omitempty"`
	File   bool      `json:"file,omitempty"` // comes from a rule file
}

// Outbox takes the notifications of a transition inside the transaction that
// stores it. *notify.Service is one.
type Outbox interface {
	// EnqueueAll adds all notifications of a transaction to the outbox as part of it,
	// and returns why it refused some.
	EnqueueAll(tx *bbolt.Tx, list []notify.Notification) (refused []error)
	// Wake is called after the transaction has been committed.
	Wake()
	// Attempts returns what was tried for an incident, oldest first.
	Attempts(incident string) []notify.Attempt
}

// journal makes rules, incidents and detector states durable.
type journal struct {
	db       *bbolt.DB
	outbox   Outbox
	resolved int // records in the bucket resolved
	portion  int // see its default
}

// recalled is everything that the database held.
type recalled struct {
	rules      []storedRule
	unreadable map[string]error // rule id → why
	incidents  []*incident
	marks      map[string]int64
}

func openJournal(db *bbolt.DB, outbox Outbox) (*journal, recalled, error) {
	j := &journal{db: db, outbox: outbox, portion: portion}
	r := recalled{unreadable: map[string]error{}, marks: map[string]int64{}}
	err := db.Update(func(tx *bbolt.Tx) error {
		root, err := tx.CreateBucketIfNotExists(keyDetect)
		if err != nil {
			return err
		}
		for _, key := range [][]byte{keyRules, keyIncidents, keyResolved, keyCheckpoints, keyStates, keyMarks, keyWhys} {
			if _, err := root.CreateBucketIfNotExists(key); err != nil {
				return err
			}
		}
		j.resolved = root.Bucket(keyResolved).Stats().KeyN
		return r.load(root)
	})
	if err != nil {
		return nil, recalled{}, fmt.Errorf("open alert state: %w", err)
	}
	return j, r, nil
}

func (r *recalled) load(root *bbolt.Bucket) error {
	err := root.Bucket(keyRules).ForEach(func(id, text []byte) error {
		var s storedRule
		if err := json.Unmarshal(text, &s); err != nil {
			r.unreadable[string(id)] = fmt.Errorf("read stored rule: %w", err)
			return nil
		}
		r.rules = append(r.rules, s)
		return nil
	})
	if err != nil {
		return err
	}
	err = root.Bucket(keyIncidents).ForEach(func(id, text []byte) error {
		in := &incident{}
		if err := json.Unmarshal(text, in); err != nil {
			return fmt.Errorf("read incident %q: %w", id, err)
		}
		r.incidents = append(r.incidents, in)
		return nil
	})
	if err != nil {
		return err
	}
	return root.Bucket(keyMarks).ForEach(func(id, at []byte) error {
		if len(at) == 8 {
			r.marks[string(id)] = int64(binary.BigEndian.Uint64(at))
		}
		return nil
	})
}

// entry is what one transaction writes. Incidents are copied when they are
// added, so the engine may go on changing its own.
type entry struct {
	puts        map[string][]byte // incident id → record
	drops       []string          // incident ids that end without a trace
	unexplained [][]byte          // keys of what such were decided on
	resolved    []resolvedRecord
	notes       []notify.Notification
	marks       map[string]int64 // 0 deletes
	rules       map[string][]byte
	deleted     []string // rule ids

	scratch []byte
}

type resolvedRecord struct {
	endsAt int64
	id     string
	record []byte
}

func (e *entry) empty() bool {
	return len(e.puts) == 0 && len(e.drops) == 0 && len(e.resolved) == 0 && len(e.notes) == 0 &&
		len(e.marks) == 0 && len(e.rules) == 0 && len(e.deleted) == 0
}

// size is how many changes of alerts and notifications it has.
func (e *entry) size() int { return len(e.puts) + len(e.drops) + len(e.resolved) + len(e.notes) }

// reset empties it. Nothing is kept for the next one: most steps change nothing, and
// a storm is not to be remembered.
func (e *entry) reset() {
	e.puts, e.marks, e.rules = nil, nil, nil
	e.drops, e.unexplained, e.resolved, e.notes, e.deleted = nil, nil, nil, nil, nil
	if len(e.scratch) > 64<<10 {
		e.scratch = nil
	}
}

// record returns the record of an incident.
func (e *entry) record(in *incident) (text []byte, err error) {
	if e.scratch, err = in.appendRecord(e.scratch[:0]); err != nil {
		return nil, fmt.Errorf("store incident %s: %w", in.ID, err)
	}
	return bytes.Clone(e.scratch), nil
}

// put records the state of an open incident.
func (e *entry) put(in *incident) error {
	text, err := e.record(in)
	if err != nil {
		return err
	}
	if e.puts == nil {
		e.puts = map[string][]byte{}
	}
	e.puts[in.ID] = text
	return nil
}

// drop forgets an incident that nobody was told about.
func (e *entry) drop(id string) {
	delete(e.puts, id)
	e.drops = append(e.drops, id)
}

// resolve moves an incident to those that ended.
func (e *entry) resolve(in *incident) error {
	text, err := e.record(in)
	if err != nil {
		return err
	}
	e.drop(in.ID)
	e.resolved = append(e.resolved, resolvedRecord{in.Sent.EndsAt, in.ID, text})
	return nil
}

// giveUpEnded forgets every incident that began and ended within the entry, and
// returns how many notifications that spares: nobody was told that it began.
// Their drops stay, since one may have been stored while it was pending.
func (e *entry) giveUpEnded() int {
	const began, ended = 1, 2
	seen := map[string]int{}
	for _, n := range e.notes {
		if n.Type == notify.TypeResolved {
			seen[n.Incident] |= ended
		} else {
			seen[n.Incident] |= began
		}
	}
	before := len(e.notes)
	e.notes = slices.DeleteFunc(e.notes, func(n notify.Notification) bool { return seen[n.Incident] == began|ended })
	e.resolved = slices.DeleteFunc(e.resolved, func(r resolvedRecord) bool { return seen[r.id] == began|ended })
	return before - len(e.notes)
}

func (e *entry) mark(rule string, t int64) {
	if e.marks == nil {
		e.marks = map[string]int64{}
	}
	e.marks[rule] = t
}

func (e *entry) rule(s *storedRule) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("store rule %q: %w", s.Rule.ID, err)
	}
	if e.rules == nil {
		e.rules = map[string][]byte{}
	}
	e.rules[s.Rule.ID] = text
	return nil
}

// commit writes e in one transaction, notifications included, and wakes the
// outbox. Nothing is written on an error. A notification that the outbox
// refuses is returned with its reason; the rest is committed.
func (j *journal) commit(e *entry) (refused []error, err error) {
	resolved := j.resolved
	err = j.db.Update(func(tx *bbolt.Tx) error {
		refused, resolved = nil, j.resolved
		root := tx.Bucket(keyDetect)
		if err := e.writeIncidents(root, &resolved); err != nil {
			return err
		}
		if err := e.writeRules(root); err != nil {
			return err
		}
		refused = j.outbox.EnqueueAll(tx, e.notes)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	j.resolved = resolved
	if len(e.notes) > 0 {
		j.outbox.Wake()
	}
	return refused, nil
}

// manyPuts is from how many records of a transaction on they are packed: what begins
// together ends together, and seldom gets company between.
const manyPuts = 100

func (e *entry) writeIncidents(root *bbolt.Bucket, resolved *int) error {
	open, ended := root.Bucket(keyIncidents), root.Bucket(keyResolved)
	for _, id := range e.drops {
		if err := open.Delete([]byte(id)); err != nil {
			return err
		}
	}
	for _, key := range e.unexplained {
		if err := root.Bucket(keyWhys).Delete(key); err != nil {
			return err
		}
	}
	if len(e.puts) > manyPuts {
		open.FillPercent = 0.9
	}
	for _, id := range slices.Sorted(maps.Keys(e.puts)) { // neighbours share pages
		if err := open.Put([]byte(id), e.puts[id]); err != nil {
			return err
		}
	}
	for _, r := range e.resolved {
		key := append(binary.BigEndian.AppendUint64(nil, uint64(r.endsAt)), r.id...)
		if ended.Get(key) == nil {
			*resolved++
		}
		if err := ended.Put(key, r.record); err != nil {
			return err
		}
	}
	return trimOldest(ended, resolved)
}

// trimOldest deletes what is more than maxResolved.
func trimOldest(ended *bbolt.Bucket, resolved *int) error {
	var keys [][]byte
	cursor := ended.Cursor()
	for key, _ := cursor.First(); key != nil && *resolved-len(keys) > maxResolved; key, _ = cursor.Next() {
		keys = append(keys, slices.Clone(key))
	}
	for _, key := range keys {
		if err := ended.Delete(key); err != nil {
			return err
		}
		*resolved--
	}
	return nil
}

func (e *entry) writeRules(root *bbolt.Bucket) error {
	rules, marks := root.Bucket(keyRules), root.Bucket(keyMarks)
	for id, text := range e.rules {
		if err := rules.Put([]byte(id), text); err != nil {
			return err
		}
	}
	for id, t := range e.marks {
		var err error
		if t == 0 {
			err = marks.Delete([]byte(id))
		} else {
			err = marks.Put([]byte(id), binary.BigEndian.AppendUint64(nil, uint64(t)))
		}
		if err != nil {
			return err
		}
	}
	for _, id := range e.deleted {
		if err := forgetState(root, id); err != nil {
			return err
		}
		for _, bucket := range []*bbolt.Bucket{rules, marks} {
			if err := bucket.Delete([]byte(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended returns up to limit ended incidents, newest first.
func (j *journal) ended(limit int) ([]*incident, error) {
	var out []*incident
	err := j.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(keyDetect).Bucket(keyResolved).Cursor()
		for key, text := cursor.Last(); key != nil && len(out) < limit; key, text = cursor.Prev() {
			in := &incident{}
			if err := json.Unmarshal(text, in); err != nil {
				return fmt.Errorf("read incident %q: %w", key[8:], err)
			}
			out = append(out, in)
		}
		return nil
	})
	return out, err
}

// endedByID returns one ended incident, nil when there is none of that id. Only
// its own record is read.
func (j *journal) endedByID(id string) (in *incident, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(keyDetect).Bucket(keyResolved).Cursor()
		for key, text := cursor.Last(); key != nil; key, text = cursor.Prev() {
			if string(key[8:]) == id {
				in = &incident{}
				return json.Unmarshal(text, in)
			}
		}
		return nil
	})
	return in, err
}

// endedIDs returns the ids of all ended incidents.
func (j *journal) endedIDs() (map[string]bool, error) {
	out := make(map[string]bool, j.resolved)
	err := j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(keyDetect).Bucket(keyResolved).ForEach(func(key, _ []byte) error {
			out[string(key[8:])] = true
			return nil
		})
	})
	return out, err
}
