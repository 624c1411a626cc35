package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"pulse/store/clock"
	"pulse/store/disk"
)

// Durability says what an acknowledged commit survives.
type Durability uint8

const (
	// None keeps no log: what came after the last snapshot is lost with the
	// process.
	None Durability = iota
	// Interval acknowledges once the record is with the operating system, which
	// is asked to keep it every SyncEvery: the end of the process loses nothing,
	// a loss of power the last interval and one sync.
	Interval
	// Sync acknowledges once the record is on the disk. Commits that wait at the
	// same time share a sync.
	Sync
)

var durabilities = [...]string{"none", "interval", "sync"}

// String returns the name that ParseDurability takes.
func (d Durability) String() string {
	if int(d) < len(durabilities) {
		return durabilities[d]
	}
	return fmt.Sprintf("durability %d", uint8(d))
}

// ParseDurability returns the mode with the given name.
func ParseDurability(name string) (Durability, error) {
	for i, n := range durabilities {
		if n == name {
			return Durability(i), nil
		}
	}
	return None, fmt.Errorf("durability %q is none of sync, interval, none", name)
}

// Durable says where a store keeps its log, snapshots and archive files, and
// when. Zero fields mean the default.
type Durable struct {
	FS            disk.FS // the data folder
	Mode          Durability
	SyncEvery     time.Duration // mode Interval; default 1 s
	SnapshotEvery time.Duration // longest time between two snapshots; default 5 min
	SegmentBytes  int64         // of one file of the log; default 64 MiB
	DiskBytes     int64         // that archive files, snapshots and log may take; default half of what is free
	Clock         clock.Clock   // paces syncs and probes
	Log           zerolog.Logger
}

const (
	defaultSyncEvery     = time.Second
	defaultSnapshotEvery = 5 * time.Minute
	defaultSegmentBytes  = 64 << 20
)

func (d Durable) withDefaults() Durable {
	d.SyncEvery = or(d.SyncEvery, defaultSyncEvery)
	d.SnapshotEvery = or(d.SnapshotEvery, defaultSnapshotEvery)
	d.SegmentBytes = or(d.SegmentBytes, defaultSegmentBytes)
	return d
}

// Errors of Commit, Import and Mark.
var (
	// ErrFull says that the disk is full. Nothing was applied.
	ErrFull = errors.New("disk full")
	// ErrUnavailable says that the log takes no records now. Nothing was applied.
	ErrUnavailable = errors.New("store unavailable")
	// ErrUncertain says that the operation is applied and may or may not survive
	// the process: its record could not be brought to the disk.
	ErrUncertain = errors.New("durability uncertain")
	// ErrTooLarge says that the operation is too large for one record of the log.
	// Nothing was applied.
	ErrTooLarge = errors.New("too large for the log")
	// ErrNotReady says that Replay has not ended. Nothing was applied.
	ErrNotReady = errors.New("store not ready")
)

// Hooks receive what came to the log from elsewhere, in its order, each with
// the store as it was at that moment.
type Hooks struct {
	Mark func(mark []byte)                // what Mark was given; valid during the call
	Note func(note []byte, arrival int64) // Batch.Note of a batch; valid during the call
}

// SnapshotHooks let others keep what they have in step with snapshots. All are
// optional and are called one at a time.
type SnapshotHooks struct {
	// Checkpoint is called when the values of a snapshot are taken and before it
	// becomes valid. Marks that were written before the call are not replayed
	// from the snapshot on. An error drops the snapshot. It is called before archive
	// files of the primary tier are written, too, since a replay begins with what
	// they have; after an error they are tried again later.
	Checkpoint func() error
	// Notes appends what is remembered of Batch.Note, for Restore.
	Notes func(dst []byte) []byte
	// Restore takes what Notes returned, before the first Hooks.Note.
	Restore func([]byte)
}

// Health says whether a store answers in full, and whether it takes data.
type Health struct {
	Ready    bool   // Replay has ended
	Refusing bool   // commits are refused
	Degraded bool   // they are, or no snapshot can be taken
	Reason   string // of Degraded
}
