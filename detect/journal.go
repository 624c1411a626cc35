package detect

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/silence"
)

// The engine's part of the database:
//
//	detect
//	  rules        id → storedRule
//	  incidents    incident id → incident, those that are open
//	  packs        number → incidents that are open and were stored together (packs.go)
//	  resolved     time of the end and incident id → incident, the newest maxResolved; or packs
//	  checkpoints  rule id → head of the rule's state (save.go)
//	  states       rule id, part and step → detector states
//	  routing      routes, inhibit rules and mutes (a value of this key, no bucket)
//	  marks        rule id → the last step judged, 8 bytes; kept while an alert is pending
var (
	keyDetect      = []byte("detect")
	keyRules       = []byte("rules")
	keyIncidents   = []byte("incidents")
	keyPacks       = []byte("packs")
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
	Source string    `json:"source,omitempty"` // name of the file that it comes from
	// Earlier is what its alerts went by before it was changed, in order.
	Earlier []earlier `json:"earlier,omitempty"`
}

// Outbox takes the notifications of a transition inside the transaction that
// stores it. *notify.Service is one.
type Outbox interface {
	// EnqueueAll adds all notifications of a transaction to the outbox as part of it,
	// and returns why it refused some.
	EnqueueAll(tx *bbolt.Tx, list []notify.Notification) (refused []error)
	// Quiet notes in a transaction what keeps alerts from being told again.
	Quiet(tx *bbolt.Tx, list []notify.Quiet) error
	// Withdraw takes back in a transaction beginnings of incidents that wait for their
	// groups, and returns which.
	Withdraw(tx *bbolt.Tx, incidents []string) ([]notify.Withdrawn, error)
	// Wake is called after the transaction has been committed.
	Wake()
	// Attempts returns what was tried for an incident, oldest first.
	Attempts(incident string) []notify.Attempt
}

// journal makes rules, incidents and detector states durable.
type journal struct {
	db       *bbolt.DB
	outbox   Outbox
	resolved int              // records in the bucket resolved
	places   map[string]place // of the records of open incidents
	silences *silence.Store   // what they have seen is stored with the alerts
	portion  int              // see its default
	damage   *damage          // records that cannot be read
}

// recalled is everything that the database held.
type recalled struct {
	rules      []storedRule
	unreadable map[string]error // rule id → why
	incidents  []*incident
	marks      map[string]int64
	routing    routing
	routingErr error
}

func openJournal(db *bbolt.DB, outbox Outbox) (*journal, recalled, error) {
	j := &journal{db: db, outbox: outbox, portion: portion, places: map[string]place{}, damage: &damage{}}
	r := recalled{unreadable: map[string]error{}, marks: map[string]int64{}}
	err := db.Update(func(tx *bbolt.Tx) error {
		root, err := tx.CreateBucketIfNotExists(keyDetect)
		if err != nil {
			return err
		}
		for _, key := range [][]byte{keyRules, keyIncidents, keyPacks, keyResolved, keyCheckpoints, keyStates, keyMarks, keyWhys} {
			if _, err := root.CreateBucketIfNotExists(key); err != nil {
				return err
			}
		}
		r.routing, r.routingErr = readRouting(root)
		return j.load(root, &r)
	})
	if err != nil {
		return nil, recalled{}, fmt.Errorf("open alert state: %w", err)
	}
	return j, r, nil
}

func (j *journal) load(root *bbolt.Bucket, r *recalled) error {
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
	open := func(x filed, at place) {
		in, err := x.read()
		if err != nil {
			j.damage.found(x.id, err)
			return
		}
		j.places[x.id], r.incidents = at, append(r.incidents, in)
	}
	err = root.Bucket(keyIncidents).ForEach(func(id, text []byte) error {
		open(filed{string(id), text}, place{})
		return nil
	})
	if err != nil {
		return err
	}
	loadPacks(root.Bucket(keyPacks), open, j.damage)
	err = root.Bucket(keyResolved).ForEach(func(key, _ []byte) error {
		n, _ := resolvedUnder(key)
		j.resolved += n
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

// read returns the incident of a record.
func (r *filed) read() (*incident, error) {
	in := &incident{}
	if err := json.Unmarshal(r.text, in); err != nil {
		return nil, r.damaged(err)
	}
	if in.ID != r.id {
		return nil, r.damaged(r.anothers(in.ID))
	}
	return in, nil
}

// commit writes e in one transaction, notifications included, and wakes the
// outbox. Nothing is written on an error. A notification that the outbox
// refuses is returned with its reason; the rest is committed.
func (j *journal) commit(e *entry) (refused []error, err error) {
	var resolved int
	var open packing
	err = j.db.Update(func(tx *bbolt.Tx) error {
		refused, resolved, open = nil, j.resolved, packing{places: j.places}
		root := tx.Bucket(keyDetect)
		if e.first != nil {
			if err := e.first(tx); err != nil {
				return err
			}
		}
		if err := e.writeOpen(root, &open); err != nil {
			return err
		}
		ended := root.Bucket(keyResolved)
		if err := errors.Join(writeResolved(ended, e.resolved, &resolved), trimOldest(ended, &resolved)); err != nil {
			return err
		}
		if err := e.writeRules(root); err != nil {
			return err
		}
		if j.silences != nil {
			if err := j.silences.Flush(tx); err != nil {
				return err
			}
		}
		refused = j.outbox.EnqueueAll(tx, e.notes)
		if len(e.quiet) > 0 {
			return j.outbox.Quiet(tx, e.quiet)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	j.resolved = resolved
	open.commit()
	if len(e.notes) > 0 {
		j.outbox.Wake()
	}
	return refused, nil
}

// writeOpen stores what became of open incidents, but for the records of those that
// ended.
func (e *entry) writeOpen(root *bbolt.Bucket, x *packing) error {
	open := root.Bucket(keyIncidents)
	for _, id := range e.drops {
		if x.leave(id) {
			if err := open.Delete([]byte(id)); err != nil {
				return err
			}
		}
	}
	for _, key := range e.unexplained {
		if err := root.Bucket(keyWhys).Delete(key); err != nil {
			return err
		}
	}
	list := slices.DeleteFunc(slices.Clone(e.records), func(r filed) bool { return r.text == nil })
	many := len(list) >= manyRecords
	for _, r := range list {
		if alone := x.leave(r.id); alone && many {
			if err := open.Delete([]byte(r.id)); err != nil {
				return err
			}
		}
	}
	packs := root.Bucket(keyPacks)
	if err := x.update(packs, open); err != nil {
		return err
	}
	if many {
		return x.add(packs, list)
	}
	slices.SortFunc(list, func(a, b filed) int { return cmp.Compare(a.id, b.id) }) // neighbours share pages
	for _, r := range list {
		if err := x.put(open, r); err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) writeRules(root *bbolt.Bucket) error {
	rules, marks := root.Bucket(keyRules), root.Bucket(keyMarks)
	if e.routing != nil {
		if err := e.routing.put(root); err != nil {
			return err
		}
	}
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
