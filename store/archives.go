package store

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"pulse/store/archive"
	"pulse/store/disk"
)

// primary is the number of the tier that has the store's own step.
const primary = 0

const (
	archiveDir    = "archive"
	archiveSuffix = ".arc"
)

// archived is one archive file: the sealed blocks of all partitions for one
// tier and block time. Arenas are mapped from it.
type archived struct {
	*archive.BlockFile
	blockTime
	owner  *archives
	lost   [partitions]atomic.Bool // partitions whose blocks cannot be read
	reason string                  // why it goes to quarantine; "": it does not. Of the goroutine that tends it
}

// blockTime names the blocks of all partitions at one time.
type blockTime struct {
	tier   int
	number int64
}

// archives keeps sealed blocks in files once all partitions have sealed a
// block time, and takes them away when they are damaged, too old or too many.
// Files are written, verified and removed by one goroutine at a time, with no
// partition locked; what cannot be written stays in memory and is tried again.
type archives struct {
	store  *Store
	fs     disk.FS // nil: there are no files
	log    zerolog.Logger
	budget int64 // bytes of the data folder

	now   atomic.Int64 // of the last Advance
	round sync.Mutex   // held while files are tended

	// Of the holder of round.
	seen         [partitions]int // partition.changes when its arenas were last looked at
	retry        int64           // no writing before that time, after a failure
	counted      int64           // when the bytes of the data folder were last counted
	failing      bool            // the last write failed, which was logged
	checkpointed bool            // in this round
	pressed      bool            // there were more patches than may wait, and are more than half of that
	foreign      int64           // bytes of files that belong to no tier
	lacks        dropped         // what meta.json says, or should say
	untold       bool            // it does not say so yet

	wake chan struct{} // to the goroutine, when there is one
	stop chan struct{} // closed by its end
	done sync.WaitGroup

	mu      sync.Mutex // a leaf: nothing else is locked under it
	files   [maxTiers]map[int64]*archived
	stale   map[blockTime]bool // some blocks are not in the file; true: not only for the patches on them
	damaged []damage           // what was found and not yet dealt with
	garbage []garbage          // files that are not used any more
	stats   ArchiveStats
}

// blocksPer returns how many blocks a tier keeps per series.
func blocksPer(tier int) int {
	if tier == primary {
		return 1
	}
	return int(fields)
}

// damage is a part of a file that cannot be read.
type damage struct {
	file *archived
	part int
	err  error
}

// garbage is a file that is to be removed or, when a reason is given, moved to
// quarantine.
type garbage struct {
	blockTime
	epoch  uint32
	name   string
	reason string
}

// ArchiveStats is what became of sealed blocks on disk. Counts are since start.
type ArchiveStats struct {
	Files  int
	Bytes  int64 // of the files
	Budget int64 // of archive files, snapshots and log
	Used   int64 // of it, when last counted

	Waiting  int   // block times that are not in a file, or not as they are now
	Written  int64 // bytes
	Failures int64 // writes that will be tried again

	Quarantined int64 // damaged files
	LostBlocks  int64 // in them
	Dropped     int64 // files, for the budget
	Uncovered   int64 // of those, what no coarser tier had
}

// attach makes the files of a data folder the store's, before anything else
// happens to it. A budget of 0 means half of what is free, not counting what is
// there already.
func (a *archives) attach(s *Store, fs disk.FS, log zerolog.Logger, budget int64) error {
	a.store, a.fs, a.log, a.budget = s, fs, log, budget
	a.stale = map[blockTime]bool{}
	if err := a.load(); err != nil {
		return err
	}
	if budget == 0 {
		used, _, err := a.usage()
		if err != nil {
			return fmt.Errorf("count bytes of the data folder: %w", err)
		}
		free, _, err := fs.Free()
		if err != nil {
			return fmt.Errorf("ask for free space: %w", err)
		}
		a.budget = max(used, used+(free-used)/2)
	}
	a.stats.Budget = a.budget
	return nil
}

// start has a goroutine do the work that Advance did until now. end ends it.
func (a *archives) start() {
	if a.fs == nil {
		return
	}
	a.wake, a.stop = make(chan struct{}, 1), make(chan struct{})
	a.done.Go(func() {
		for {
			select {
			case <-a.stop:
				return
			case <-a.wake:
				a.tend()
			}
		}
	})
}

// end waits for the goroutine of start. What is not in a file by then is the
// log's or the snapshot's to keep.
func (a *archives) end() {
	if a.stop != nil {
		close(a.stop)
		a.done.Wait()
	}
}

func (a *archives) stopping() bool {
	select {
	case <-a.stop:
		return a.stop != nil
	default:
		return false
	}
}

// advance has the work done that there is at now.
func (a *archives) advance(now int64) {
	a.now.Store(now)
	switch {
	case a.fs == nil:
	case a.wake == nil:
		a.tend()
	default:
		a.nudge()
	}
}

// nudge wakes the goroutine, if there is one.
func (a *archives) nudge() {
	select {
	case a.wake <- struct{}{}:
	default: // it is about to
	}
}

// tend does everything that is due.
func (a *archives) tend() {
	a.round.Lock()
	defer a.round.Unlock()
	a.expire()
	a.survey()
	a.tendDamage()
	wrote := a.writeStale()
	a.tellDropped()
	a.keepBudget(wrote)
	a.clear()
}

// register makes f the file of its block time and discards the one before.
func (a *archives) register(f *archived) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.discard(f.blockTime)
	if a.files[f.tier] == nil {
		a.files[f.tier] = map[int64]*archived{}
	}
	a.files[f.tier][f.number] = f
	a.stats.Files++
	a.stats.Bytes += f.Size()
}

// discard gives up the file of a block time, if there is one. Its memory stays
// as long as arenas are mapped from it. The caller holds a.mu.
func (a *archives) discard(t blockTime) {
	f := a.files[t.tier][t.number]
	if f == nil {
		return
	}
	delete(a.files[t.tier], t.number)
	a.stats.Files--
	a.stats.Bytes -= f.Size()
	a.garbage = append(a.garbage, garbage{t, f.Epoch, f.Name(), f.reason})
	f.Release()
}

// clear removes the files that are not used any more, as far as the disk lets.
func (a *archives) clear() {
	a.mu.Lock()
	list := a.garbage
	a.garbage = nil
	a.mu.Unlock()
	for _, g := range list {
		var err error
		if g.reason != "" {
			_, err = archive.Quarantine(a.fs, g.name, g.reason)
		} else {
			err = a.fs.Remove(g.name)
		}
		if err == nil || isAbsent(err) {
			continue
		}
		a.mu.Lock()
		a.garbage = append(a.garbage, g)
		a.stats.Failures++
		a.mu.Unlock()
	}
}

// figures returns the present figures.
func (a *archives) figures() ArchiveStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.stats
	st.Waiting = len(a.stale)
	return st
}

// applied returns the last record of the log that may be in an archive file.
func (a *archives) applied() uint64 {
	last := uint64(0)
	for _, files := range a.files {
		for _, f := range files {
			for i := range partitions {
				last = max(last, f.Part(i).Applied)
			}
		}
	}
	return last
}

// archiveName returns the name of a file: archive/<step>/<number>-<epoch>.arc.
func archiveName(step, number int64, epoch uint32) string {
	return path.Join(archiveDir, strconv.FormatInt(step, 10), fmt.Sprintf("%d-%d%s", number, epoch, archiveSuffix))
}

// parseArchiveName returns what the base name of a file says.
func parseArchiveName(base string) (number int64, epoch uint32, ok bool) {
	text, ok := strings.CutSuffix(base, archiveSuffix)
	at := strings.LastIndexByte(text, '-')
	if !ok || at < 1 {
		return 0, 0, false
	}
	number, err := strconv.ParseInt(text[:at], 10, 64)
	e, err2 := strconv.ParseUint(text[at+1:], 10, 32)
	if err != nil || err2 != nil || fmt.Sprintf("%d-%d%s", number, e, archiveSuffix) != base {
		return 0, 0, false
	}
	return number, uint32(e), true
}
