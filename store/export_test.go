package store

// Present reports whether a source counts as having reported a step.
func (s *Store) Present(id SourceID, t int64) bool { return s.sources.present(id, t) }
