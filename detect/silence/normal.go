package silence

import (
	"slices"
)

// A silence with EndWhenNormalFor ends of itself. Seen.Last is the newest step at
// which an alert that it means began or ended while it was active. Once that is
// EndWhenNormalFor ago, and no alert that it means is open, it is over. A silence that
// has met no alert yet waits for one: it may have been made before the work that it is
// for.

// Hit notes that an alert began, or was open, at step t under the silences of ids.
// held says that its notification was held back.
func (s *Store) Hit(ids []string, t int64, held bool) {
	s.touch(ids, func(x *entry) {
		if held {
			x.Seen.Held++
		}
		if x.EndWhenNormalFor > 0 {
			x.Seen.Last = max(x.Seen.Last, t)
		}
	})
}

// Over notes that an alert ended at step t under the silences of ids. Those that have
// hit no alert are not touched by one that was never told.
func (s *Store) Over(ids []string, t int64) {
	s.touch(ids, func(x *entry) {
		if x.EndWhenNormalFor > 0 && x.Seen.Last > 0 {
			x.Seen.Last = max(x.Seen.Last, t)
		}
	})
}

// touch changes what silences have seen.
func (s *Store) touch(ids []string, change func(*entry)) {
	if len(ids) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		x := s.all[id]
		if x == nil {
			continue
		}
		before := x.Seen
		if change(x); x.Seen != before {
			s.dirty[id] = true
			s.next = 0
		}
	}
}

// Quiet returns the ids, ascending, of the silences that end at now unless an alert
// that they mean is open.
func (s *Store) Quiet(now int64) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, x := range s.all {
		if at := x.quietAt(); at > 0 && now >= max(at, x.recheck) && x.State(now) == Active {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// NotYet notes that an alert that the silence means is open at now. Whenever that
// ends, it cannot be over before EndWhenNormalFor after now.
func (s *Store) NotYet(id string, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.all[id]; x != nil {
		x.recheck = now + x.EndWhenNormalFor
		s.next = 0
	}
}

// End ends a silence at now for a reason; Flush makes it durable.
func (s *Store) End(id, reason string, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.all[id]
	if x == nil || x.State(now) == Expired {
		return
	}
	x.end(now, reason)
	s.unfile(x)
	s.dirty[id] = true
	s.changed()
}

// Pause takes ms during which nobody judged anything off the time that the silences
// have been quiet for at now, at most all of it; Flush makes it durable.
func (s *Store) Pause(ms, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, x := range s.all {
		if x.quietAt() > 0 && x.State(now) == Active {
			x.Seen.Last = max(x.Seen.Last, min(x.Seen.Last+ms, now))
			s.dirty[id] = true
			s.next = 0
		}
	}
}
