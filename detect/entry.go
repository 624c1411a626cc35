package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// entry is what one transaction writes. Incidents are copied when they are
// added, so the engine may go on changing its own.
type entry struct {
	records     []filed        // of open incidents, in the order in which they changed first
	puts        map[string]int // incident id → its place in records
	drops       []string       // incident ids that end without a trace
	unexplained [][]byte       // keys of what such were decided on
	resolved    []resolvedRecord
	notes       []notify.Notification
	quiet       []notify.Quiet
	marks       map[string]int64 // 0 deletes
	rules       map[string][]byte
	deleted     []string                 // rule ids
	routing     *routing                 // nil: as it was
	first       func(tx *bbolt.Tx) error // what the transaction begins with; may add to the entry

	texts []byte // what follows its length is free for records
}

type resolvedRecord struct {
	endsAt int64
	filed
}

func (e *entry) empty() bool {
	return len(e.puts) == 0 && len(e.drops) == 0 && len(e.resolved) == 0 && len(e.notes) == 0 && len(e.quiet) == 0 &&
		len(e.marks) == 0 && len(e.rules) == 0 && len(e.deleted) == 0
}

// size is how many changes of alerts and notifications it has.
func (e *entry) size() int { return len(e.puts) + len(e.drops) + len(e.resolved) + len(e.notes) }

// reset empties it. Nothing is kept for the next one: most steps change nothing, and
// a storm is not to be remembered.
func (e *entry) reset() { *e = entry{} }

// The room for records is taken in pieces, each twice as large as the one before.
const (
	leastTexts = 4 << 10
	mostTexts  = 256 << 10
)

// record returns the record of an incident.
func (e *entry) record(in *incident) ([]byte, error) {
	if free := cap(e.texts) - len(e.texts); free < leastTexts/2 {
		e.texts = make([]byte, 0, min(max(leastTexts, 2*cap(e.texts)), mostTexts))
	}
	from := len(e.texts)
	texts, err := in.appendRecord(e.texts)
	if err != nil {
		return nil, fmt.Errorf("store incident %s: %w", in.ID, err)
	}
	e.texts = texts
	return texts[from:len(texts):len(texts)], nil
}

// put records the state of an open incident.
func (e *entry) put(in *incident) error {
	text, err := e.record(in)
	if err != nil {
		return err
	}
	if e.puts == nil {
		e.puts = map[string]int{}
	}
	at, known := e.puts[in.ID]
	if !known {
		at = len(e.records)
		e.puts[in.ID] = at
		e.records = append(e.records, filed{id: in.ID})
	}
	e.records[at].text = text
	return nil
}

// drop forgets an incident that nobody was told about.
func (e *entry) drop(id string) {
	if at, known := e.puts[id]; known {
		delete(e.puts, id)
		e.records[at].text = nil
	}
	e.drops = append(e.drops, id)
}

// resolve moves an incident to those that ended.
func (e *entry) resolve(in *incident) error {
	text, err := e.record(in)
	if err != nil {
		return err
	}
	e.drop(in.ID)
	e.resolved = append(e.resolved, resolvedRecord{in.Sent.EndsAt, filed{in.ID, text}})
	return nil
}

// tell queues a notification. Lists of a storm grow in few strides, since each copies them.
func (e *entry) tell(n notify.Notification) {
	if len(e.notes) == cap(e.notes) {
		e.notes = slices.Grow(e.notes, 3*len(e.notes)+1)
	}
	e.notes = append(e.notes, n)
}

// giveUpEnded forgets every incident that began and ended within the entry, and
// returns how many notifications that spares: nobody was told that it began. One that
// somebody was told of before is told to be over.
// Their drops stay, since one may have been stored while it was pending.
func (e *entry) giveUpEnded() int {
	type receivers struct{ began, ended int }
	seen := map[string]receivers{}
	for _, n := range e.notes {
		x := seen[n.Incident]
		if to := max(1, len(n.To)); n.Type == notify.TypeResolved {
			x.ended += to
		} else {
			x.began += to
		}
		seen[n.Incident] = x
	}
	within := func(id string) bool { return seen[id].ended > 0 && seen[id].ended == seen[id].began }
	before := len(e.notes)
	e.notes = slices.DeleteFunc(e.notes, func(n notify.Notification) bool { return within(n.Incident) })
	e.resolved = slices.DeleteFunc(e.resolved, func(r resolvedRecord) bool { return within(r.id) })
	return before - len(e.notes)
}

// shrink forgets, once there is much of it, what an entry that cannot be written need not
// hold: that incidents ended which the database never had, and all but the newest that
// ended, since no more are kept. known are those that it has.
func (e *entry) shrink(known map[string]place) {
	if len(e.records)+len(e.drops)+len(e.resolved)+len(e.unexplained) < 4*maxResolved {
		return
	}
	e.resolved = slices.Clone(newest(e.resolved, maxResolved))
	e.unexplained = slices.Clone(newest(e.unexplained, maxResolved)) // what is left over is forgotten when it is old
	seen := make(map[string]bool, len(e.drops))
	e.drops = slices.DeleteFunc(e.drops, func(id string) bool {
		_, there := known[id]
		again := seen[id]
		seen[id] = true
		return !there || again
	})
	records := make([]filed, 0, len(e.puts))
	for _, r := range e.records {
		if r.text != nil {
			e.puts[r.id] = len(records)
			records = append(records, filed{r.id, bytes.Clone(r.text)})
		}
	}
	e.records, e.texts = records, nil
	for i := range e.resolved { // or they would keep all texts that they were written between
		e.resolved[i].text = bytes.Clone(e.resolved[i].text)
	}
}

// newest returns the last n of a list.
func newest[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

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
