package store

// ApplyImport is what an import does to the values, without a log.
func (s *Store) ApplyImport(b *ImportBatch, now int64) ImportResult { return s.applyImport(b, now, 0) }

// Patches returns how many patches of sealed blocks there are.
func (s *Store) Patches() int {
	n := 0
	for i := range s.parts {
		for _, list := range s.parts[i].sealed {
			for _, a := range list {
				n += len(a.patches)
			}
		}
	}
	return n
}
