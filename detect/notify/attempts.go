package notify

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"
)

// The outcomes of an attempt, and of a notification that was not attempted.
const (
	OutcomeAccepted = "accepted"
	OutcomeRetry    = "retry"
	OutcomeDead     = "dead letter"
	OutcomeDisabled = "receiver disabled"
	OutcomeDropped  = "dropped"
)

// Attempt is one try to deliver a notification, or why none was made.
type Attempt struct {
	T            int64  `json:"t"` // Unix ms
	Incident     string `json:"incident"`
	Notification string `json:"notification"`
	Type         string `json:"type"`
	Receiver     string `json:"receiver"`
	Number       int    `json:"number"` // from 1, 0 when no attempt was made
	Outcome      string `json:"outcome"`
	Status       int    `json:"status,omitempty"` // of HTTP or SMTP, 0 = no answer
	LatencyMs    int64  `json:"latencyMs"`
	Error        string `json:"error,omitempty"`
	Next         int64  `json:"next,omitempty"` // Unix ms of the next attempt
}

// Detail says in a line what happened, for a timeline.
func (a Attempt) Detail() string {
	out := a.Type + " to " + a.Receiver
	if a.Number > 0 {
		out += ", attempt " + strconv.Itoa(a.Number)
	}
	out += ": " + a.Outcome
	if a.Status > 0 {
		out += fmt.Sprintf(", status %d in %d ms", a.Status, a.LatencyMs)
	}
	if a.Error != "" {
		out += ", " + a.Error
	}
	return out
}

// noted returns the history's entries of drops.
func noted(c *channel, drops []drop, now int64) []Attempt {
	out := make([]Attempt, len(drops))
	for i, d := range drops {
		out[i] = Attempt{T: now, Incident: d.it.Incident, Notification: d.it.ID, Type: d.it.Type, Receiver: c.name,
			Outcome: OutcomeDropped, Error: d.reason}
		if d.bury {
			out[i].Outcome = OutcomeDead
		}
	}
	return out
}

// Of one incident the first keepFirst and the last keepLast attempts are kept.
const (
	keepFirst = 10
	keepLast  = 40
)

// history is the attempts of every incident in memory. The caller guards it
// with a lock.
type history struct {
	order      []uint64 // sequences, ascending
	incidentOf map[uint64]string
	byIncident map[string][]kept
	stale      map[uint64]bool // no longer kept, still in the database
}

type kept struct {
	seq     uint64
	attempt Attempt
}

func loadHistory(b *bbolt.Bucket) (*history, error) {
	h := &history{incidentOf: make(map[uint64]string), byIncident: make(map[string][]kept), stale: make(map[uint64]bool)}
	err := b.ForEach(func(key, src []byte) error {
		var a Attempt
		if err := json.Unmarshal(src, &a); err != nil {
			return fmt.Errorf("read stored attempt: %w", err)
		}
		h.add(binary.BigEndian.Uint64(key), a)
		return nil
	})
	return h, err
}

// add keeps an attempt; what it displaces becomes stale.
func (h *history) add(seq uint64, a Attempt) {
	at, known := slices.BinarySearch(h.order, seq)
	if known {
		return
	}
	h.order = slices.Insert(h.order, at, seq)
	h.incidentOf[seq] = a.Incident
	list := h.byIncident[a.Incident]
	at, _ = slices.BinarySearchFunc(list, seq, func(k kept, seq uint64) int { return cmp.Compare(k.seq, seq) })
	list = slices.Insert(list, at, kept{seq, a})
	h.byIncident[a.Incident] = list
	if len(list) > keepFirst+keepLast {
		h.remove(list[keepFirst].seq)
	}
	if len(h.order) > maxAttempts {
		h.remove(h.order[0])
	}
}

func (h *history) remove(seq uint64) {
	h.stale[seq] = true
	incident := h.incidentOf[seq]
	delete(h.incidentOf, seq)
	if h.order[0] == seq {
		h.order = h.order[1:]
	} else if at, found := slices.BinarySearch(h.order, seq); found {
		h.order = slices.Delete(h.order, at, at+1)
	}
	list := slices.DeleteFunc(h.byIncident[incident], func(k kept) bool { return k.seq == seq })
	if len(list) == 0 {
		delete(h.byIncident, incident)
	} else {
		h.byIncident[incident] = list
	}
}

// at returns the attempt of a sequence that is kept.
func (h *history) at(seq uint64) Attempt {
	list := h.byIncident[h.incidentOf[seq]]
	i, _ := slices.BinarySearchFunc(list, seq, func(k kept, seq uint64) int { return cmp.Compare(k.seq, seq) })
	return list[i].attempt
}

// Logged is an entry of the delivery log; entries of larger Seq came later.
type Logged struct {
	Seq uint64 `json:"seq"`
	Attempt
}

// logLook is how many entries are looked at while attempts have to wait.
const logLook = 2000

// Log returns what was tried to deliver to a receiver, newest first, at most limit
// entries from before the given sequence on, 0: from the newest. With failed only those
// that were not accepted. more says whether there may be further ones.
func (s *Service) Log(receiver string, before uint64, limit int, failed bool) (out []Logged, more bool, err error) {
	if s.channel(receiver) == nil {
		return nil, false, fmt.Errorf("%w %.70q", ErrUnknownReceiver, receiver)
	}
	if before == 0 {
		before = math.MaxUint64
	}
	for {
		var end bool
		if out, before, end = s.logPart(out, receiver, before, limit, failed); end {
			return out, false, nil
		}
		if len(out) == limit {
			return out, true, nil
		}
	}
}

// logPart goes on with a Log for logLook entries, and returns up to where it came and
// whether that was the oldest one.
func (s *Service) logPart(out []Logged, receiver string, before uint64, limit int, failed bool) ([]Logged, uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.history
	i, _ := slices.BinarySearch(h.order, before)
	for last := max(0, i-logLook); i > last && len(out) < limit; {
		i--
		before = h.order[i]
		a := h.at(before)
		if a.Receiver == receiver && (!failed || a.Outcome != OutcomeAccepted) {
			out = append(out, Logged{before, a})
		}
	}
	return out, before, i == 0
}

// Attempts returns what was tried to deliver the notifications of an incident,
// oldest first. It survives restarts and is bounded: of one incident the first
// and the last ones are kept.
func (s *Service) Attempts(incident string) []Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.history.byIncident[incident]
	out := make([]Attempt, len(list))
	for i, k := range list {
		out[i] = k.attempt
	}
	return out
}

// remember stores attempts inside tx and keeps them in memory once it commits.
// It is called once in a transaction.
func (s *Service) remember(tx *bbolt.Tx, list []Attempt) error {
	root := tx.Bucket(keyRoot)
	b := root.Bucket(keyAttempts)
	s.mu.Lock()
	stale := slices.Sorted(maps.Keys(s.history.stale))
	s.mu.Unlock()
	for _, seq := range stale {
		if err := b.Delete(sequence(seq)); err != nil {
			return err
		}
	}
	first := uint64(0)
	for i, a := range list {
		seq, err := root.NextSequence()
		if err != nil {
			return err
		}
		if i == 0 {
			first = seq
		}
		src, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if err := b.Put(sequence(seq), src); err != nil {
			return err
		}
	}
	tx.OnCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, seq := range stale {
			delete(s.history.stale, seq)
		}
		for i, a := range list {
			s.history.add(first+uint64(i), a)
		}
	})
	return nil
}
