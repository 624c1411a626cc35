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

// newSummary returns the summary of notifications of the given ids and rules, which
// are sorted. Its own ID is made of theirs.
func (s *Service) newSummary(ids, rules []string, now int64) (*item, []byte) {
	hash := sha256.New()
	for _, id := range ids {
		fmt.Fprintln(hash, id)
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	rules = rules[:min(len(rules), summaryRules)]
	id := "summary-" + hex.EncodeToString(hash.Sum(nil)[:16])
	body, err := json.Marshal(summaryBody{TypeSummary, id, len(ids), rules, s.o.Link, instant(now)})
	if err != nil {
		panic(fmt.Sprintf("BUG: summary of %d: %v", len(ids), err))
	}
	return &item{ID: id, Type: TypeSummary, Bytes: len(body), Enqueued: now}, body
}

// addSummary stores the summary of notifications that are not stored themselves.
func (s *Service) addSummary(tx *bbolt.Tx, b box, list []*letter, now int64) (*item, error) {
	ids, rules := make([]string, len(list)), make([]string, len(list))
	for i, l := range list {
		ids[i], rules[i] = l.ID, l.Rule
	}
	it, body := s.newSummary(ids, rules, now)
	return it, b.addNext(tx, it, body)
}

// fold replaces items by one summary, in one transaction.
func (s *Service) fold(c *channel, items []*item, now int64) {
	ids, rules := make([]string, len(items)), make([]string, len(items))
	drops := make([]drop, len(items))
	for i, it := range items {
		drops[i] = drop{it: it, reason: reasonFolded}
		ids[i], rules[i] = it.ID, it.Rule
	}
	summary, body := s.newSummary(ids, rules, now)
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		for _, it := range items {
			if err := b.remove(it); err != nil {
				return err
			}
		}
		if err := b.addNext(tx, summary, body); err != nil {
			return err
		}
		return s.remember(tx, noted(c, drops, now))
	})
	c.mu.Lock()
	c.queue.lastSummary = now // also when it failed: not again at once
	if err == nil {
		for _, it := range items {
			c.queue.remove(it)
			c.queue.countIn(it.Incident)
		}
		c.queue.insert(summary)
	}
	c.mu.Unlock()
	if err != nil {
		s.databaseFailed("sum up notifications", err)
		return
	}
	s.stats.folded.Add(int64(len(items)))
	for _, d := range drops {
		s.countDrop(c, d)
	}
}
