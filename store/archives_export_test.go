package store

import (
	"github.com/rs/zerolog"

	"pulse/store/disk"
)

// AttachArchives makes the archive files of a folder those of a store that is
// new, without a log or snapshots. Advance does their work.
func (s *Store) AttachArchives(fs disk.FS, budget int64) error {
	return s.archives.attach(s, fs, zerolog.Nop(), budget)
}

// StartArchives has a goroutine do the work of Advance, until StopArchives.
func (s *Store) StartArchives() { s.archives.start() }
func (s *Store) StopArchives()  { s.archives.end() }

// TendArchives does the work that is due, once.
func (s *Store) TendArchives() { s.archives.tend() }

// Forget drops all values, but not what is known of series and sources.
func (s *Store) Forget() {
	for i := range s.parts {
		p := &s.parts[i]
		for len(p.open) > 0 {
			p.removeOpen(p.open[0])
		}
		for len(p.sealed[primary]) > 0 {
			p.removeSealed(primary, 0)
		}
	}
}
