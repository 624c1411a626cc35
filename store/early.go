package store

// deriveEarly derives what the next tier makes of a block time although its own
// may not be over, and returns the blocks that hold it; none when there is no
// next tier, or something of the time is missing. Steps of the next tier that
// are not over below stay out.
func (s *Store) deriveEarly(t blockTime, now int64) []blockTime {
	next := t.tier + 1
	if next == len(s.tiers) {
		return nil
	}
	s.deriving.Lock()
	defer s.deriving.Unlock()
	if u := &s.rolling; u.tier != 0 && !u.all() {
		return nil
	}
	limit := s.sealedTo(now)
	if t.tier != primary {
		limit = s.tiers[t.tier].built.Load()
	}
	fine, coarse := s.tiers[t.tier].grid, s.tiers[next]
	first, last := coarse.grid.around(fine, t.number)
	limit = min(coarse.grid.floor(limit), coarse.grid.end(last))
	if limit < fine.end(t.number) || coarse.built.Load() < coarse.grid.end(first-1) {
		return nil
	}
	var made []blockTime
	for n := first; n <= last; n++ {
		if !s.deriveNow(next, n) {
			return nil
		}
		made = append(made, blockTime{next, n})
	}
	coarse.built.Store(max(coarse.built.Load(), limit))
	return made
}

// deriveNow derives what is noted as stale of a block time. The caller holds
// s.deriving.
func (s *Store) deriveNow(tier int, number int64) bool {
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		_, stale := p.stale[tier][number]
		p.mu.RUnlock()
		if !stale {
			continue
		}
		s.rolling.begin(s, task{tier, number, i})
		if !s.rolling.all() {
			return false
		}
	}
	return true
}

// all derives the rest of a block and reports whether it could.
func (u *rollup) all() bool {
	for !u.failed && u.next < u.end {
		u.portion(u.end)
	}
	failed := u.failed
	u.finish()
	return !failed
}
