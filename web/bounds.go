package web

import (
	"maps"
	"slices"

	"pulse/store/budget"
)

// boundSamples are the numbers that say how near the server is to what it may
// use, and whether it does its work.
func (s *Server) boundSamples() []sample {
	var out []sample
	level := func(name, help string, v float64) { out = append(out, sample{name: name, help: help, v: v}) }
	count := func(name, help string, v int64) {
		out = append(out, sample{name: name, help: help, counter: true, v: float64(v)})
	}
	h, st := s.opts.Store.Health(), s.opts.Store.Stats()
	level("pulse.health.ready", "1 when queries are complete.", oneIf(h.Ready))
	level("pulse.health.degraded", "1 while datapoints cannot be kept as configured, or snapshots fail.", oneIf(h.Degraded))

	m := s.opts.Memory
	parts := []struct {
		name string
		of   *budget.Budget
	}{{"series", m.Series}, {"ingest", m.Ingest}, {"queries", m.Queries}, {"streams", m.Streams}}
	for _, p := range parts {
		out = append(out, sample{"pulse.memory.used", "Bytes of the memory that are in use, by part.", false, "part", p.name, float64(p.of.Stats().Used)})
	}
	for _, p := range parts {
		out = append(out, sample{"pulse.memory.limit", "Bytes of the memory that a part may use; 0 is no limit.", false, "part", p.name, float64(p.of.Stats().Limit)})
	}
	for _, p := range parts {
		out = append(out, sample{"pulse.memory.refused", "How often a part had not enough memory.", true, "part", p.name, float64(p.of.Stats().Refused)})
	}

	a := st.Archive
	level("pulse.disk.used", "Bytes of log, snapshots and archive files.", float64(a.Used))
	level("pulse.disk.limit", "Bytes that they may have.", float64(a.Budget))
	count("pulse.disk.dropped", "Archive files removed for want of space.", a.Dropped)
	level("pulse.archive.files", "Archive files.", float64(a.Files))
	level("pulse.archive.waiting", "Sealed block times that are not in a file yet.", float64(a.Waiting))
	count("pulse.archive.failures", "Writes of archive files that will be tried again.", a.Failures)
	count("pulse.archive.quarantined", "Damaged archive files that were put aside.", a.Quarantined)
	count("pulse.archive.lostBlocks", "Blocks in them.", a.LostBlocks)

	if d := s.opts.Store.Durability(); !d.InMemory {
		level("pulse.log.bytes", "Bytes of the log's files.", float64(d.Log.Bytes))
		level("pulse.log.unsyncedRecords", "Records that a loss of power would take.", float64(d.Log.Next-1-d.Log.Synced))
		level("pulse.log.waiting", "Requests that wait for the log.", float64(d.Waiting))
		level("pulse.log.lastSyncSeconds", "How long the last sync took.", d.LastSync.Seconds())
		count("pulse.log.records", "Records written.", d.Log.Records)
		count("pulse.log.writtenBytes", "Bytes written.", d.Log.Written)
		count("pulse.log.syncs", "Syncs that succeeded.", d.Log.Syncs)
		count("pulse.log.refused", "Requests refused, since the disk took nothing.", d.Refused)
		count("pulse.log.doubtful", "Requests whose connection was closed, since their record could not be synced.", d.Doubtful)
		count("pulse.log.cutWrites", "Writes that failed and were cut off.", d.Log.Cuts)
		count("pulse.log.replacedFiles", "Files given up after an error and written again.", d.Log.Replaced)
		count("pulse.snapshot.taken", "Snapshots taken.", d.Snapshots)
		count("pulse.snapshot.failures", "Snapshots that failed.", d.SnapshotFailures)
		level("pulse.snapshot.bytes", "Bytes of the last one.", float64(d.SnapshotBytes))
		level("pulse.recovery.lostRecords", "Damaged records that the last start passed over.", float64(d.Recovery.Lost))
	}

	limits := s.limits()
	shared := slices.DeleteFunc(slices.Sorted(maps.Keys(limits)), func(name string) bool { return limits[name].Used == nil })
	for _, name := range shared {
		out = append(out, sample{"pulse.limit.used", "What is used of a limit.", false, "limit", name, float64(*limits[name].Used)})
	}
	for _, name := range shared {
		out = append(out, sample{"pulse.limit.most", "What a limit allows.", false, "limit", name, float64(limits[name].Limit)})
	}
	return out
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
