package notify

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// The outbox in the database:
//
//	notify
//	  clean                 present while no process delivers: every pending item's count of attempts is exact
//	  receivers             name → storedReceiver
//	  owners                name → owner, of those that come from files
//	  beat                  Unix ms, big-endian, of the last heartbeat that was to be sent
//	  failing               name → Failing, of those that do
//	  outbox
//	    <receiver>
//	      pending           sequence → item
//	      bodies            sequence → webhook body of a pending item
//	      open              incident → nothing; incidents whose beginning may have been accepted
//	      dead              sequence → DeadLetter, the newest maxDead
//	      members           incident → member; what is told again, the newest state that was accepted
//	      counted           sequence → counts, changes to whom a summary counts
//	      groups            id → groupRecord, while it has links
//	      links             id of a group, then i and a sequence or m and an incident → nothing
//	  attempts              sequence → Attempt, the newest maxAttempts
//
// A sequence is 8 bytes, big-endian, from one counter for all, so that key
// order is order of arrival and no number is used twice.
var (
	keyRoot      = []byte("notify")
	keyClean     = []byte("clean")
	keyReceivers = []byte("receivers")
	keyOwners    = []byte("owners")
	keyFailing   = []byte("failing")
	keyBeat      = []byte("beat")
	keyOutbox    = []byte("outbox")
	keyPending   = []byte("pending")
	keyBodies    = []byte("bodies")
	keyOpen      = []byte("open")
	keyDead      = []byte("dead")
	keyMembers   = []byte("members")
	keyGroups    = []byte("groups")
	keyCounted   = []byte("counted")
	keyLinks     = []byte("links")
	keyAttempts  = []byte("attempts")
)

// Bounds of what is kept beside the queue.
const (
	maxBodyBytes = 64 << 10
	maxDead      = 1000    // per receiver
	maxOpen      = 100_000 // per receiver
	maxAttempts  = 80_000  // over all receivers and incidents: beginnings and ends of 10,000 alerts at three receivers, and some more
)

// item is a notification on its way to one receiver, without its body.
type item struct {
	Seq      uint64 `json:"-"`
	ID       string `json:"id"`
	Incident string `json:"incident,omitempty"`
	Type     string `json:"type"`
	Rule     string `json:"rule,omitempty"`
	Bytes    int    `json:"bytes"`
	Enqueued int64  `json:"enqueued"` // Unix ms
	Attempts int    `json:"attempts,omitempty"`
	Refusals int    `json:"refusals,omitempty"`
	Next     int64  `json:"next,omitempty"` // Unix ms before which it is not attempted
	// Unsure is set when an attempt may have reached the receiver although no
	// answer says so.
	Unsure    bool   `json:"unsure,omitempty"`
	Failed    int64  `json:"failed,omitempty"` // Unix ms of the first attempt in vain
	LastError string `json:"lastError,omitempty"`
	Group     string `json:"group,omitempty"`  // id of the group it is told of with
	Repeat    bool   `json:"repeat,omitempty"` // tells again what was accepted
	Set       string `json:"set,omitempty"`    // name of the message that it is a part of

	inFlight bool // until its outcome is stored
	answered bool // the attempt under way has ended
	leads    bool // that attempt counts for it, and for no other of its message
	released bool // it has waited for its group
	folding  bool // it becomes part of a summary
	guessed  bool // Unsure since an unclean end, and not so in the database
}

// DeadLetter is a notification that was given up.
type DeadLetter struct {
	ID       string          `json:"id"`
	Incident string          `json:"incident"`
	Type     string          `json:"type"`
	Rule     string          `json:"rule"`
	Enqueued int64           `json:"enqueued"` // Unix ms
	Died     int64           `json:"died"`     // Unix ms
	Attempts int             `json:"attempts"`
	Reason   string          `json:"reason"`
	Body     json.RawMessage `json:"body"`
}

func sequence(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// createBuckets makes the fixed part of the layout.
func createBuckets(tx *bbolt.Tx) error {
	root, err := tx.CreateBucketIfNotExists(keyRoot)
	if err != nil {
		return err
	}
	for _, key := range [][]byte{keyReceivers, keyOwners, keyFailing, keyOutbox, keyAttempts} {
		if _, err := root.CreateBucketIfNotExists(key); err != nil {
			return err
		}
	}
	return nil
}

// box is the outbox of one receiver inside a transaction.
type box struct {
	pending, bodies, open, dead, members, counted, groups, links *bbolt.Bucket
}

func createBox(tx *bbolt.Tx, receiver string) error {
	b, err := tx.Bucket(keyRoot).Bucket(keyOutbox).CreateBucketIfNotExists([]byte(receiver))
	if err != nil {
		return err
	}
	for _, key := range [][]byte{keyPending, keyBodies, keyOpen, keyDead, keyMembers, keyCounted, keyGroups, keyLinks} {
		if _, err := b.CreateBucketIfNotExists(key); err != nil {
			return err
		}
	}
	return nil
}

// boxOf returns the outbox of receiver and whether there is one.
func boxOf(tx *bbolt.Tx, receiver string) (box, bool) {
	b := tx.Bucket(keyRoot).Bucket(keyOutbox).Bucket([]byte(receiver))
	if b == nil {
		return box{}, false
	}
	return box{b.Bucket(keyPending), b.Bucket(keyBodies), b.Bucket(keyOpen), b.Bucket(keyDead), b.Bucket(keyMembers), b.Bucket(keyCounted), b.Bucket(keyGroups), b.Bucket(keyLinks)}, true
}

func (b box) put(it *item) error {
	src, err := json.Marshal(it)
	if err != nil {
		return err
	}
	return b.pending.Put(sequence(it.Seq), src)
}

// add stores a new item with its body.
func (b box) add(it *item, body []byte) error {
	if err := b.put(it); err != nil {
		return err
	}
	if it.Group != "" {
		if err := b.links.Put(it.link(), nil); err != nil {
			return err
		}
	}
	return b.bodies.Put(sequence(it.Seq), body)
}

func (b box) remove(it *item) error {
	key := sequence(it.Seq)
	return errors.Join(b.pending.Delete(key), b.bodies.Delete(key), b.unlink(it.Group, it.link()))
}

// bury moves it from the queue to the dead letters, of which the oldest make
// room.
func (b box) bury(it *item, now int64, reason string) error {
	d := DeadLetter{it.ID, it.Incident, it.Type, it.Rule, it.Enqueued, now, it.Attempts, reason, b.bodies.Get(sequence(it.Seq))}
	src, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := b.dead.Put(sequence(it.Seq), src); err != nil {
		return err
	}
	return b.remove(it)
}

// trimDead deletes all but the newest maxDead dead letters. Callers that bury
// call it once at the end of their transaction.
func (b box) trimDead() error {
	c := b.dead.Cursor()
	n := 0
	var old [][]byte
	for key, _ := c.Last(); key != nil; key, _ = c.Prev() {
		if n++; n > maxDead {
			old = append(old, slices.Clone(key))
		}
	}
	for _, key := range old {
		if err := b.dead.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// load reads the queue of one receiver. After an unclean end an attempt may
// have been made that nobody could note, so every beginning counts as unsure. An
// end does not: none is attempted before its incident stands under open.
func (b box) load(clean bool) (items []*item, open map[string]bool, err error) {
	open = make(map[string]bool)
	err = b.pending.ForEach(func(key, value []byte) error {
		it := &item{Seq: binary.BigEndian.Uint64(key)}
		if err := json.Unmarshal(value, it); err != nil {
			return fmt.Errorf("read pending notification %d: %w", it.Seq, err)
		}
		if !clean && !it.Unsure && it.begins() {
			it.Unsure, it.guessed = true, true
		}
		items = append(items, it)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	err = b.open.ForEach(func(key, _ []byte) error {
		open[string(key)] = true
		return nil
	})
	return items, open, err
}
