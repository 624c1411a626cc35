package store

import "pulse/store/match"

// FewValues is Values of a key that has at most most values among the series
// that q selects; few is false, and the answer comes soon, when it has more.
func (s *Store) FewValues(key string, q match.Query, most int) (values []ValueCount, few bool) {
	return s.index.FewValues(key, q, most)
}
