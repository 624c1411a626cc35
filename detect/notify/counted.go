package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"go.etcd.io/bbolt"
)

// Alerts that began in a storm and are counted in a summary: the receiver hears nothing
// else of them. Where what a summary opens stays open until it is resolved, that is done
// when all of them are over. Who is counted is kept in the database as a list of
// changes, a few for each transaction however large the storm is.

// maxChanges is how many of them are kept before they are written anew as one for each
// summary.
const maxChanges = 1000

// counts is one change.
type counts struct {
	Summary uint64   `json:"summary,omitempty"` // its sequence
	ID      string   `json:"id,omitempty"`
	In      []string `json:"in,omitempty"`   // incidents that it counts from now on
	From    []uint64 `json:"from,omitempty"` // summaries whose place it takes
	Over    int      `json:"over,omitempty"` // of those that it says to count
	Out     []string `json:"out,omitempty"`  // incidents that ended, whosoever counts them
}

// tally is a summary and how many of those that it counts are not over.
type tally struct {
	id   string
	left int
}

// countIn notes that a summary is all that is said of an incident, if that is so.
func (q *queue) countIn(incident string, summary uint64) {
	_, known := q.counted[incident]
	if known || len(q.counted) >= q.limitOpen || q.open[incident] || len(q.byIncident[incident]) > 0 {
		return
	}
	q.counted[incident] = summary
	if t := q.tallies[summary]; t != nil {
		t.left++
	}
}

// isCounted tells whether a summary is all that is said of an incident.
func (q *queue) isCounted(incident string) bool {
	_, counted := q.counted[incident]
	return counted
}

// countOut forgets such an incident, which has ended. A summary that is held counts it
// no longer.
func (q *queue) countOut(incident string) {
	seq, known := q.counted[incident]
	if !known {
		return
	}
	delete(q.counted, incident)
	if t := q.tallies[seq]; t != nil {
		if t.left--; t.left == 0 {
			delete(q.tallies, seq)
		}
	}
	if at, waits := slices.BinarySearchFunc(q.items, seq, bySeq); waits && q.items[at].held() {
		q.over[seq]++
	}
}

// counts goes by a change.
func (q *queue) counts(x *counts) {
	if x.Summary > 0 {
		q.tallies[x.Summary] = &tally{id: x.ID}
		for incident, seq := range q.counted {
			if slices.Contains(x.From, seq) {
				q.counted[incident] = x.Summary
				q.tallies[x.Summary].left++
			}
		}
		for _, seq := range x.From {
			delete(q.tallies, seq)
		}
		for _, incident := range x.In {
			q.countIn(incident, x.Summary)
		}
		if x.Over > 0 {
			q.over[x.Summary] = x.Over
		}
		if q.tallies[x.Summary].left == 0 {
			delete(q.tallies, x.Summary)
		}
	}
	for _, incident := range x.Out {
		q.countOut(incident)
	}
}

// ended returns the names of the summaries of which nothing is left when incidents have
// ended.
func (q *queue) ended(out []string) (ids []string) {
	gone := map[uint64]int{}
	for _, incident := range out {
		if seq, known := q.counted[incident]; known {
			gone[seq]++
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(gone)) {
		if t := q.tallies[seq]; t != nil && t.left == gone[seq] {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// changes returns what q counts as one change for each summary.
func (q *queue) changes() (list []*counts) {
	of := map[uint64]*counts{}
	for _, incident := range slices.Sorted(maps.Keys(q.counted)) {
		seq := q.counted[incident]
		if of[seq] == nil {
			of[seq] = &counts{Summary: seq, Over: q.over[seq]}
			if t := q.tallies[seq]; t != nil {
				of[seq].ID = t.id
			}
		}
		of[seq].In = append(of[seq].In, incident)
	}
	for _, seq := range slices.Sorted(maps.Keys(of)) {
		list = append(list, of[seq])
	}
	return list
}

// note stores a change, and nothing at all when nobody is counted any more.
func (b box) note(tx *bbolt.Tx, c *channel, x *counts) error {
	c.mu.Lock()
	q := c.queue
	none := len(q.counted)+len(x.In) == len(x.Out)
	var list []*counts
	if q.noted++; none || q.noted > maxChanges {
		q.noted = 0
		list = append(q.changes(), x)
	}
	c.mu.Unlock()
	switch {
	case none:
		return b.noteAll(tx, nil)
	case list != nil:
		return b.noteAll(tx, list)
	}
	return b.noteAs(tx, x)
}

// noteCounts stores what x changes, and with the last alert of a summary its end, where
// what it has opened stays open until then.
func (s *Service) noteCounts(tx *bbolt.Tx, b box, c *channel, x *sorted, summary *item, now int64) (ends []*item, err error) {
	x.change = &counts{}
	if summary != nil {
		x.change.Summary, x.change.ID = summary.Seq, summary.ID
		for _, l := range x.count {
			x.change.In = append(x.change.In, l.Incident)
		}
	}
	for _, l := range x.spare {
		x.change.Out = append(x.change.Out, l.Incident)
	}
	slices.Sort(x.change.Out)
	x.change.Out = slices.Compact(x.change.Out)
	c.mu.Lock()
	over := c.queue.ended(x.change.Out)
	c.mu.Unlock()
	for _, id := range over {
		if !x.keeps {
			break
		}
		n := Notification{ID: id + "-resolved", Incident: id, Type: TypeResolved, Status: "resolved", Rule: ruleSummary, Severity: "page",
			Annotations: map[string]string{"summary": "all alerts of the summary are over"}, StartsAt: now, EndsAt: now, EvaluatedAt: now, Completeness: 1}
		n.Value = math.NaN()
		n.unknown()
		end := &letter{Notification: &n, written: &written{}}
		it := end.item(now)
		if err := b.enqueue(tx, it, end); err != nil {
			return nil, err
		}
		ends = append(ends, it)
	}
	return ends, b.note(tx, c, x.change)
}

// endCounted counts out incidents whose ends came while their beginnings became part of a
// summary: these ends were dropped as those of incidents that nobody was told of.
func (s *Service) endCounted(c *channel, drops []drop, now int64) {
	var x sorted
	c.mu.Lock()
	x.keeps = c.queue.keeps
	for _, d := range drops {
		if d.reason == reasonNeverSent && c.queue.isCounted(d.it.Incident) {
			x.spare = append(x.spare, &letter{Notification: &Notification{Incident: d.it.Incident}})
		}
	}
	c.mu.Unlock()
	if len(x.spare) == 0 {
		return
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		ends, err := s.noteCounts(tx, b, c, &x, nil, now)
		tx.OnCommit(func() { s.enqueued(c, ends, nil, &sorted{change: x.change}, now) })
		return err
	})
	if err != nil { // they are counted out after a restart
		s.databaseFailed("count out what is over", err)
	}
}

func (b box) noteAs(tx *bbolt.Tx, x *counts) error {
	src, err := json.Marshal(x)
	if err != nil {
		return err
	}
	seq, err := tx.Bucket(keyRoot).NextSequence()
	if err != nil {
		return err
	}
	return b.counted.Put(sequence(seq), src)
}

// noteAll replaces the changes that are stored.
func (b box) noteAll(tx *bbolt.Tx, list []*counts) error {
	var keys [][]byte
	if err := b.counted.ForEach(func(key, _ []byte) error { keys = append(keys, slices.Clone(key)); return nil }); err != nil {
		return err
	}
	for _, key := range keys {
		if err := b.counted.Delete(key); err != nil {
			return err
		}
	}
	for _, x := range list {
		if err := b.noteAs(tx, x); err != nil {
			return err
		}
	}
	return nil
}

// loadCounted brings q, which has its items, to what is stored, and stores it anew.
func (b box) loadCounted(tx *bbolt.Tx, q *queue) error {
	err := b.counted.ForEach(func(key, src []byte) error {
		x := &counts{}
		if err := json.Unmarshal(src, x); err != nil {
			return fmt.Errorf("read what is counted: %w", err)
		}
		q.counts(x)
		return nil
	})
	if err != nil {
		return err
	}
	return b.noteAll(tx, q.changes())
}
