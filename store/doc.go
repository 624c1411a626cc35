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
//	                                               │ Advance, after the retention
//	                                             gone
//
// A series lives in one of 64 partitions, by tags.Hash, under a slot number
// that is never given to another series. A Ref is both; ascending Refs are the
// order in which every aggregate is folded, in a column as in a scan.
//
// An open block has a column of float64 per step, across the partition's slots.
// Blocks are 120 steps and start at multiples of their length. A sealed block
// holds what a query returns; the head holds amounts for series that are sent
// in amounts (every counter, and sums whose first point was an amount), which
// are divided by the step's seconds when they are read or sealed.
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
// # Locks
//
// In this order; a lock is only taken while those before it are held or free:
//
//	Store.advancing      one Advance at a time
//	Store.changing       which series are searchable, watches and their sources
//	Watch.mu             members and groups
//	partition.mu         everything per series; never two partitions at once
//	lookup.mu, index, sources.mu, source.mu
//
// Find takes no lock. Sealed arenas are immutable and read without one.
package store
