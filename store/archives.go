package store

import (
	"sync"
	"sync/atomic"

	"pulse/store/archive"
)

// primary is the number of the tier that has the store's own step.
const primary = 0

// archived is one archive file that arenas are mapped from.
type archived struct {
	*archive.BlockFile
	tier  int
	owner *archives
	lost  [partitions]atomic.Bool // partitions whose blocks cannot be read
}

// archives is the archive files of a store.
type archives struct {
	mu      sync.Mutex // a leaf: nothing else is locked under it
	damaged []damage   // what was found and not yet dealt with
}

// damage is a part of a file that cannot be read.
type damage struct {
	file *archived
	part int
	err  error
}

// lose takes a partition's blocks out of use, at once for whoever looks at them
// from now on.
func (f *archived) lose(part int, err error) {
	if f.lost[part].Swap(true) {
		return
	}
	f.owner.mu.Lock()
	defer f.owner.mu.Unlock()
	f.owner.damaged = append(f.owner.damaged, damage{f, part, err})
}
