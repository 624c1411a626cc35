package web

import (
	"maps"
	"slices"

	"pulse/store/budget"
)

// boundSamples are the numbers that say how near the server is to what it may
// use, and whether it does its work.
func (s *Server) boundSamples(l *samples) {
	h := s.opts.Store.Health()
	l.level("pulse.health.ready", "1 when queries are complete and rule files have been read.", oneIf(s.isReady(&h)))
	l.level("pulse.health.degraded", "1 while datapoints cannot be kept as configured, or snapshots fail.", oneIf(h.Degraded))
	s.memorySamples(l)
	s.diskSamples(l)
	s.logSamples(l)
	s.limitSamples(l)
	s.reloadSamples(l)
}

// reloadSamples are there when there is something to reload.
func (s *Server) reloadSamples(l *samples) {
	if s.opts.LastReload == nil {
		return
	}
	last := s.opts.LastReload()
	l.level("pulse.config.lastReloadSuccessful", "1 when all of what is in the rule files, tokens and certificates is in force.", oneIf(last.Error == ""))
	l.level("pulse.config.lastReloadSuccessTimestampSeconds", "When that was so last, Unix time.", float64(last.SucceededAt)/1000)
	l.count("pulse.config.reloadFailures", "Reloads in which something was refused.", last.Failures)
}

func (l *samples) level(name, help string, v float64) { l.add(name, help, false, v) }

func (l *samples) count(name, help string, v int64) { l.add(name, help, true, float64(v)) }

func (s *Server) memorySamples(l *samples) {
	m := s.opts.Memory
	parts := []struct {
		name string
		of   *budget.Budget
	}{{"series", m.Series}, {"ingest", m.Ingest}, {"queries", m.Queries}, {"streams", m.Streams}}
	for _, p := range parts {
		l.tagged("pulse.memory.used", "Bytes of the memory that are in use, by part.", false, "part", p.name, float64(p.of.Stats().Used))
	}
	for _, p := range parts {
		l.tagged("pulse.memory.limit", "Bytes of the memory that a part may use; 0 is no limit.", false, "part", p.name, float64(p.of.Stats().Limit))
	}
	for _, p := range parts {
		l.tagged("pulse.memory.refused", "How often a part had not enough memory.", true, "part", p.name, float64(p.of.Stats().Refused))
	}
}

func (s *Server) diskSamples(l *samples) {
	a := s.opts.Store.Stats().Archive
	l.level("pulse.disk.used", "Bytes of log, snapshots and archive files.", float64(a.Used))
	l.level("pulse.disk.limit", "Bytes that they may have.", float64(a.Budget))
	l.count("pulse.disk.dropped", "Archive files removed for want of space.", a.Dropped)
	l.level("pulse.archive.files", "Archive files.", float64(a.Files))
	l.level("pulse.archive.waiting", "Sealed block times that are not in a file yet.", float64(a.Waiting))
	l.count("pulse.archive.failures", "Writes of archive files that will be tried again.", a.Failures)
	l.count("pulse.archive.quarantined", "Damaged archive files that were put aside.", a.Quarantined)
	l.count("pulse.archive.lostBlocks", "Blocks in them.", a.LostBlocks)
}

func (s *Server) logSamples(l *samples) {
	d := s.opts.Store.Durability()
	if d.InMemory {
		return
	}
	l.level("pulse.log.bytes", "Bytes of the log's files.", float64(d.Log.Bytes))
	l.level("pulse.log.unsyncedRecords", "Records that a loss of power would take.", float64(d.Log.Next-1-d.Log.Synced))
	l.level("pulse.log.waiting", "Requests that wait for the log.", float64(d.Waiting))
	l.level("pulse.log.lastSyncSeconds", "How long the last sync took.", d.LastSync.Seconds())
	l.count("pulse.log.records", "Records written.", d.Log.Records)
	l.count("pulse.log.writtenBytes", "Bytes written.", d.Log.Written)
	l.count("pulse.log.syncs", "Syncs that succeeded.", d.Log.Syncs)
	l.count("pulse.log.refused", "Requests refused, since the disk took nothing.", d.Refused)
	l.count("pulse.log.doubtful", "Requests whose connection was closed, since their record could not be synced.", d.Doubtful)
	l.count("pulse.log.cutWrites", "Writes that failed and were cut off.", d.Log.Cuts)
	l.count("pulse.log.replacedFiles", "Files given up after an error and written again.", d.Log.Replaced)
	l.count("pulse.snapshot.taken", "Snapshots taken.", d.Snapshots)
	l.count("pulse.snapshot.failures", "Snapshots that failed.", d.SnapshotFailures)
	l.level("pulse.snapshot.bytes", "Bytes of the last one.", float64(d.SnapshotBytes))
	l.level("pulse.recovery.lostRecords", "Damaged records that the last start passed over.", float64(d.Recovery.Lost))
}

func (s *Server) limitSamples(l *samples) {
	limits := s.limits()
	shared := slices.DeleteFunc(slices.Sorted(maps.Keys(limits)), func(name string) bool { return limits[name].Used == nil })
	for _, name := range shared {
		l.tagged("pulse.limit.used", "What is used of a limit.", false, "limit", name, float64(*limits[name].Used))
	}
	for _, name := range shared {
		l.tagged("pulse.limit.most", "What a limit allows.", false, "limit", name, float64(limits[name].Limit))
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
