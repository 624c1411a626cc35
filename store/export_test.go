package store

import "pulse/store/norm"

// Present reports whether a source counts as having reported a step, for
// series of the given kind.
func (s *Store) Present(id SourceID, kind norm.Kind, t int64) bool {
	return s.sources.present(id, kind, t)
}

// TableSize returns the number of places in the table of hashes.
func (s *Store) TableSize() int { return len(s.lookup.table.Load().places) }

// Links returns how many sources of series are kept, without the first of each.
func (s *Store) Links() int {
	n := 0
	for i := range s.parts {
		n += len(s.parts[i].linked)
	}
	return n
}
