// Package store keeps series in memory: it turns reports into one value per
// step, seals steps that are over into compressed blocks, and folds both into
// the lines that a query asks for.
//
// # Flow of a datapoint
//
//	bytes ─ HashTags ─ Find ──────────── Ref ─┐
//	              └ Resolve (first sight)  ───┤
//	                                      Batch ─ Append
//	                                               │ by partition, one lock each
//	                              store/norm: what the step holds now
//	                                               │
//	              column of the step (open block) ─┴─ Watch.Column, Scan
//	                                               │ Advance, when it can no longer change
//	              block in the arena of the partition and block time ─ Scan
//	                                               │ when all partitions have sealed it
//	              archive file, mapped in place of the arenas' memory ─ Scan
//	                                               │ Advance, after the retention
//	                                             gone
//
// A series lives in one of 64 partitions, by tags.Hash, under a slot number. A
// Ref is both; ascending Refs are the order in which every aggregate is folded,
// in a column as in a scan.
//
// An open block has a column of float64 per step, across the partition's slots;
// steps that are too old to be written are packed, half a block at most (mini.go).
// Blocks are 120 steps and start at multiples of their length. A sealed block
// holds what a query returns; the head holds amounts for series that are sent
// in amounts (every counter, and sums whose first point was an amount), which
// are divided by the step's seconds when they are read or sealed.
//
// # Series that go
//
// A series that no tier has a value of is buried: it leaves the index, the
// watches and the lookup. Its slot rests for a block time, two minutes, and
// until every Hold of before has ended; if its tags come meanwhile it comes
// back as itself, within the limits. Then slot, tags and everything learnt of
// it are free for others. Scans hold the store themselves; requests take a Hold
// before they look series up, and no Ref is kept beyond it.
//
// # Memory
//
// Options.Memory counts what series take, before it is there: slot, tags,
// lookup and postings of each, and for those that are written the columns and
// blocks that they will fill. A new series without room is refused, before
// anything is allocated; points of known ones never are. What columns and blocks
// take beyond that is charged as it is found (Advance), and keeps new series
// out. Columns lie outside the collector's heap in pieces of 128 slots, which
// exist once one of the slots is written.
//
// # Time
//
// Time is an argument: nothing here reads a clock. A value stamped t covers
// (t-step, t]. A point is accepted from now-MaxPast to now+MaxFuture. A gauge
// or a sum belongs to the step that holds its time; a rate or a counter
// completes the last step that ended at or before it, and may fill steps back
// to the one of now-MaxPast. A block is sealed once its last step is older than
// that by one step. Blocks are opened again only if the clock went back.
//
// # Sources
//
// A source is a sender. It counts its points by the step that they complete,
// knows its usual interval, and keeps a bit per step in which it reported. A
// series knows its sources and since when, so that a missing value can be told
// from a dropped zero, live and in history alike (Scan.ZeroFill,
// Watch.Column), and so that a watch knows whom a step waits for
// (Watch.Completeness).
//
// # Arenas and files
//
// The sealed blocks of a partition, tier and block time are an arena: memory
// outside the collector's heap, shared by count. Readers pin the arenas that
// they use, so that what is replaced or dropped meanwhile goes after the last
// of them. In a data folder, once every partition has sealed a block time, its
// arenas are written to one file (see package archive), which is read back and
// mapped, and the partitions go over to it; with the file is what it has of the
// log. Blocks that are opened again or patched are written again under the next
// epoch. A file that cannot be written leaves its blocks in memory, and is
// tried again.
//
// Imports into sealed blocks leave patches on them (patch.go), which readers,
// snapshots and further imports see through. Files are written again, and
// coarser blocks derived, once for all of them: when imports rest, when they
// never do after some minutes, or when the patches become too many
// (importing.go).
//
// Files are opened by their ends; a partition's part is checked when it is
// first read. A part that cannot be read, or is not what was written, is absent
// from that moment on: scans that were at it begin anew, what is sound in the
// file is written to another, and the file goes to quarantine. A log that has
// the same records still takes them again.
//
// When the data folder outgrows its budget the oldest file of the finest tier
// goes, after what the next tier makes of it was derived and written.
//
// # The data folder
//
//	lock, meta.json      who holds the folder; its format, primary step, and what went for the budget
//	wal/                 one log for all partitions, see package wal
//	snapshot/            the two newest snapshots, by the record they stand at
//	archive/             sealed block times, a file per tier and time
//	quarantine/          what was found damaged
//
//	Commit ─ queue ─ log.Write ─ apply, in the log's order ─┬─ answer (interval)
//	                                                        └─ log.Sync ─ answer (sync)
//
// A record is one request. The goroutines of the requests write, apply and sync
// in turns, each for all that wait, and one at a time does each, so that the log
// says in which order everything happened. Whatever else decides what becomes
// of later records is in the log, too: burials of series, sources that leave,
// and options that change (event.go). A series and a sender are described in
// the first record that names them, a slot's flag says that they are.
//
// Each partition knows the last record that it took, and a sealed block the last
// one that may be in it. A snapshot copies one partition at a time between two
// operations, each at a record of its own, the senders last. Replay loads the
// newest snapshot that is whole and gives each partition the records that it has
// not; a value for a block that was sealed after its record is in there. So a
// crash at any moment, in a replay as well, ends in the same state, bit for bit;
// only whether a sender's point changed something is not known any more when it
// is in an archive file that is newer than the snapshot.
//
// Nothing is made of a record into a file of its own before the record is on
// the disk (settleLog). The log is removed up to where two snapshots begin.
// When the disk refuses, nothing of a request is kept and commits fail until it
// is asked again; values are read on.
//
// # Locks
//
// In this order; a lock is only taken while those before it are held or free:
//
//	Store.advancing      one Advance at a time
//	snapshots.taking     one snapshot at a time
//	Store.applying       read: an operation is applied; write: between two
//	archives.round       one at a time tends the files
//	Store.deriving       one at a time derives coarser tiers
//	Store.changing       which series are searchable, watches and their sources
//	Watch.mu             members and groups
//	partition.mu         everything per series; never two partitions at once
//	lookup.mu, index, sources.mu, source.mu, archives.mu
//
// Find takes no lock. Sealed arenas are immutable and read without one; files
// are read under none, but where a clock that went back has a block opened.
package store
