package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// summaryBody is the webhook body of a summary.
type summaryBody struct {
	Type        string   `json:"type"`
	ID          string   `json:"id"`
	Count       int      `json:"count"`
	Rules       []string `json:"rules"`
	Link        string   `json:"link"`
	EvaluatedAt instant  `json:"evaluatedAt"`
}

// summaryRules bounds how many rules a summary names.
const summaryRules = 100

// summed is what a summary is made of.
type summed struct {
	ids, rules []string // of notifications, and of summaries that it takes the place of
	count      int
}

// newSummary returns a summary, whose own ID is made of those of its parts.
func (s *Service) newSummary(of summed, now int64) (*item, []byte) {
	hash := sha256.New()
	for _, id := range of.ids {
		fmt.Fprintln(hash, id)
	}
	slices.Sort(of.rules)
	rules := slices.Compact(of.rules)
	rules = rules[:min(len(rules), summaryRules)]
	id := "summary-" + hex.EncodeToString(hash.Sum(nil)[:16])
	body, err := json.Marshal(summaryBody{TypeSummary, id, of.count, rules, s.pageAt("/alerts"), instant(now)})
	if err != nil {
		panic(fmt.Sprintf("BUG: summary of %d: %v", of.count, err))
	}
	return &item{ID: id, Type: TypeSummary, Bytes: len(body), Enqueued: now}, body
}

// addSummary stores the summary of notifications that are not stored themselves. With
// a hold it waits until then to become part of another one.
func (s *Service) addSummary(tx *bbolt.Tx, b box, x *sorted, now int64) (*item, error) {
	of := summed{count: len(x.count)}
	for _, l := range x.count {
		of.ids, of.rules = append(of.ids, l.ID), append(of.rules, l.Rule)
	}
	it, body := s.newSummary(of, now)
	it.Next = x.hold
	it.opensAs(x.keeps)
	return it, b.addNext(tx, it, body)
}

// fold replaces items, and summaries that were held, by one summary, in one
// transaction.
func (s *Service) fold(c *channel, items []*item, now int64) {
	c.mu.Lock()
	keeps := c.queue.keeps
	drops, change, over := c.queue.folding(items)
	c.mu.Unlock()
	var summary *item
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		of, err := b.sum(items, over)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := b.remove(it); err != nil {
				return err
			}
		}
		if summary = nil; of.count > 0 {
			var body []byte
			summary, body = s.newSummary(of, now)
			summary.opensAs(keeps)
			if err := b.addNext(tx, summary, body); err != nil {
				return err
			}
			change.Summary, change.ID = summary.Seq, summary.ID
			if err := b.note(tx, c, change); err != nil {
				return err
			}
		}
		return s.remember(tx, noted(c, drops, now))
	})
	c.mu.Lock()
	if err != nil || summary != nil {
		c.queue.lastSummary = now // also when it failed: not again at once
	}
	if err != nil {
		for _, it := range items {
			it.folding = false
		}
		c.mu.Unlock()
		s.databaseFailed("sum up notifications", err)
		return
	}
	c.queue.folded(items, summary, change)
	c.mu.Unlock()
	s.stats.folded.Add(int64(len(drops)))
	for _, d := range drops {
		s.countDrop(c, d)
	}
}

// folding returns what comes of folding items: notifications that are dropped, who is
// counted, and how many each held summary says too many.
func (q *queue) folding(items []*item) (drops []drop, change *counts, over map[uint64]int) {
	change, over = &counts{}, make(map[uint64]int)
	for _, it := range items {
		over[it.Seq] = q.over[it.Seq]
		if it.Type == TypeSummary {
			change.From = append(change.From, it.Seq)
			continue
		}
		drops = append(drops, drop{it: it, reason: reasonFolded})
		change.In = append(change.In, it.Incident)
	}
	return drops, change, over
}

// sum adds up what items say, less those of held summaries that are over.
func (b box) sum(items []*item, over map[uint64]int) (of summed, err error) {
	for _, it := range items {
		of.ids = append(of.ids, it.ID)
		if it.Type != TypeSummary {
			of.rules = append(of.rules, it.Rule)
			of.count++
			continue
		}
		var held summaryBody
		if err := json.Unmarshal(b.bodies.Get(sequence(it.Seq)), &held); err != nil {
			return of, fmt.Errorf("read summary %d: %w", it.Seq, err)
		}
		of.rules = append(of.rules, held.Rules...)
		of.count += max(0, held.Count-over[it.Seq])
	}
	return of, nil
}

// folded puts a summary in the place of items; nil: all of it is over.
func (q *queue) folded(items []*item, summary *item, change *counts) {
	for _, it := range items {
		q.remove(it)
	}
	if summary != nil {
		q.counts(change)
		q.insert(summary)
	}
}

// opensAs gives a summary an incident of its own, where what it opens stays open until it
// is resolved.
func (it *item) opensAs(keeps bool) {
	if keeps {
		it.Incident = it.ID
	}
}

// begins tells whether an item opens something at its receiver.
func (it *item) begins() bool {
	return opens(it.Type) || it.Type == TypeSummary && it.Incident != ""
}
