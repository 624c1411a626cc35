package store

import "pulse/store/norm"

// Present reports whether a source counts as having reported a step, for
// series of the given kind.
func (s *Store) Present(id SourceID, kind norm.Kind, t int64) bool {
	return s.sources.present(id, kind, t)
}

// TableSize returns the number of places in the table of hashes.
func (s *Store) TableSize() int { return len(s.lookup.table.Load().places) }
