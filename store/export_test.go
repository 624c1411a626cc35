package store

// Present reports whether a source counts as having reported a step.
func (s *Store) Present(id SourceID, t int64) bool { return s.sources.present(id, t) }

// TableSize returns the number of places in the table of hashes.
func (s *Store) TableSize() int { return len(s.lookup.table.Load().places) }
