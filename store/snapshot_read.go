package store

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"pulse/store/archive"
	offheap "pulse/store/arena"
)

var errStep = errors.New("another primary step")

// errDamaged says that bytes of a snapshot are not what was written.
func errDamaged(what string, n int) error {
	return fmt.Errorf("%w: %s %d", archive.ErrCorrupt, what, n)
}

// load puts what a snapshot file has into the store, which is empty. It returns
// what others kept in it. After an error the store is to be cleared.
func (s *Store) load(file *archive.File, sealed *[partitions][]*arena) (head snapshot, notes []byte, err error) {
	section := func(id uint32) (b []byte) {
		if err == nil {
			b, err = file.Section(id)
		}
		return b
	}
	src := section(snapshotHead)
	if err == nil {
		head, err = readHead(src)
	}
	if err == nil && head.step != s.options.Step {
		err = fmt.Errorf("%w: the snapshot has %d ms, not %d ms", errStep, head.step, s.options.Step)
	}
	if err == nil {
		if damaged := s.loadPartitions(head.version, section, sealed); err == nil {
			err = damaged
		}
	}
	src = section(snapshotSources)
	if err == nil {
		err = s.sources.load(src, maxSourceID)
	}
	notes = section(snapshotNotes)
	if err != nil {
		return head, nil, err
	}
	s.rules, s.sources.applied = head.rules, head.lsn
	s.finished.Store(head.lsn)
	s.burials.Store(head.buried)
	s.fadings.Store(head.faded)
	return head, append([]byte(nil), notes...), nil
}

// loadPartitions reads the sections of all partitions, several at a time.
func (s *Store) loadPartitions(version uint64, section func(uint32) []byte, sealed *[partitions][]*arena) error {
	var errs [partitions]error
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range s.parts {
		src := section(uint32(snapshotFirst + i))
		if src == nil {
			break // section has the error
		}
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			errs[i] = offheap.Guard(func() error {
				l, err := s.loadSeries(version, i, src)
				if err != nil {
					return err
				}
				defer func() { sealed[i] = l.kept }()
				return l.rest()
			})
		})
	}
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	s.enterAll()
	return nil
}

// rest reads the blocks.
func (l *loading) rest() error {
	for range l.in.Count(2) {
		if err := l.open(); err != nil {
			return err
		}
	}
	l.p.packOld(l.store)
	for range l.in.Count(6) {
		if err := l.sealed(); err != nil {
			return err
		}
	}
	if l.in.Bad || len(l.in.Rest) > 0 {
		return errDamaged("partition", l.part)
	}
	return nil
}
