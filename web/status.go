package web

import (
	"runtime"
	"time"

	"pulse/store"
)

// ok says that the process lives.
func (s *Server) ok(r *request) { r.body("text/plain; charset=utf-8", []byte("ok\n")) }

// isReady reports whether queries are complete and the rules of files are judged.
func (s *Server) isReady(h *store.Health) bool {
	return h.Ready && (s.opts.Loaded == nil || s.opts.Loaded())
}

// ready answers 200 as soon as queries are complete and rule files have been read. A
// server that cannot store what it is sent still answers queries and judges, so that is
// said beside it.
func (s *Server) ready(r *request) {
	h := s.opts.Store.Health()
	if !s.isReady(&h) {
		s.refuse(r.ctx, errLoading)
		return
	}
	answer := map[string]any{"ingest": !h.Refusing, "query": true, "detect": true}
	if h.Degraded {
		answer["degraded"] = h.Reason
	}
	r.json(answer)
}

// tierAnswer is one tier: what it keeps, and what can be read of it now.
type tierAnswer struct {
	StepMs      int64  `json:"stepMs"`
	RetentionMs int64  `json:"retentionMs"`
	From        string `json:"from"`
	To          string `json:"to,omitempty"` // absent when it goes on
	Bytes       int64  `json:"bytes"`        // of sealed blocks, in memory or in files
}

func (s *Server) tiers(st *store.Stats) []tierAnswer {
	var out []tierAnswer
	readable := s.opts.Store.Tiers()
	for i, t := range s.opts.Store.Options().Tiers {
		a := tierAnswer{t.Step, t.Retention, rfc3339(readable[i].From), "", st.TierBytes[i]}
		if to := readable[i].To; to <= s.nowMs() {
			a.To = rfc3339(to)
		}
		out = append(out, a)
	}
	return out
}

// durable says what the log, the snapshots and the last recovery are like; all
// are null for a store in memory.
func durable(d *store.DurableStats) (log, snapshot, recovery any) {
	if d.InMemory {
		return nil, nil, nil
	}
	l, rec := &d.Log, &d.Recovery
	log = map[string]any{
		"next": l.Next, "synced": l.Synced, "files": l.Files, "bytes": l.Bytes, "unsyncedBytes": l.UnsyncedBytes,
		"records": l.Records, "writes": l.Groups, "writtenBytes": l.Written, "syncs": l.Syncs, "cutWrites": l.Cuts, "replacedFiles": l.Replaced,
		"waiting": d.Waiting, "refused": d.Refused, "doubtful": d.Doubtful, "lastSyncMs": ms(d.LastSync), "worstSyncMs": ms(d.WorstSync),
	}
	snapshot = map[string]any{"taken": d.Snapshots, "failures": d.SnapshotFailures, "lastBytes": d.SnapshotBytes, "lastTookMs": d.SnapshotMs}
	recovery = map[string]any{
		"snapshot": rec.Snapshot, "damagedSnapshots": rec.Damaged, "series": rec.Series, "records": rec.Records, "points": rec.Points,
		"lostRecords": rec.Lost, "damagedPlaces": rec.Places, "cutBytes": rec.CutBytes, "orphanPoints": rec.Orphans, "tookMs": rec.TookMs,
	}
	return log, snapshot, recovery
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// refused is what was turned away since the start, with who made the store
// refuse series.
func (s *Server) refused(st *store.Stats) map[string]any {
	in := s.opts.Pipeline.Stats()
	return map[string]any{
		"series":             map[string]any{"total": st.Refusals.Total, "byLimit": st.Refusals.ByLimit, "names": offenders(st.Refusals.Names), "keys": offenders(st.Refusals.Keys)},
		"points":             in.Total.RejectedBy(),
		"requestsTurned":     in.Total.Turned,
		"requestsUnreadable": in.Total.Unreadable,
		"sources":            st.SourcesRefused,
		"withoutToken":       s.stats.unauthorized.Load(),
		"withoutScope":       s.stats.forbidden.Load(),
	}
}

// offender is a text that refused series had, in at most Count of them and at
// least AtLeast.
type offender struct {
	Text    string `json:"text"`
	Count   int64  `json:"count"`
	AtLeast int64  `json:"atLeast"`
}

func offenders(list []store.Offender) []offender {
	out := []offender{}
	for _, x := range list {
		out = append(out, offender{x.Text, x.Count, x.Count - x.Over})
	}
	return out
}

// Reload is how the server last read its files.
type Reload struct {
	At          int64  // Unix ms
	Trigger     string // what made it do that
	Error       string // "" when all of what is in the files is in force
	SucceededAt int64  // Unix ms when that was so last, 0: never
	Failures    int64  // since the start
}

// reloaded says how the last reload went, null when there is nothing to reload, or nothing has been read yet.
func (s *Server) reloaded() any {
	if s.opts.LastReload == nil {
		return nil
	}
	l := s.opts.LastReload()
	if l.At == 0 {
		return nil
	}
	return map[string]any{
		"lastReloadAt": rfc3339(l.At), "trigger": l.Trigger, "successful": l.Error == "", "error": l.Error,
		"lastSuccessAt": rfc3339(l.SucceededAt), "failures": l.Failures,
	}
}

// status answers with how the server is: what it has, and every limit with its use.
func (s *Server) status(r *request) {
	o, st, h, m := s.opts.Store.Options(), s.opts.Store.Stats(), s.opts.Store.Health(), s.opts.Memory
	d := s.opts.Store.Durability()
	log, snapshot, recovery := durable(&d)
	r.json(map[string]any{
		"version":     s.opts.Version,
		"go":          runtime.Version(),
		"startedAt":   rfc3339(s.started.UnixMilli()),
		"now":         rfc3339(s.nowMs()),
		"ready":       s.isReady(&h),
		"degraded":    h.Reason,
		"stepMs":      o.Step,
		"retentionMs": o.Retention,
		"maxPastMs":   o.MaxPast,
		"maxFutureMs": o.MaxFuture,
		"durability":  d.Mode.String(),
		"timezone":    s.opts.Zone.String(),
		"tiers":       s.tiers(&st),
		"series":      st.Series,
		"blocks":      st.Blocks,
		"blockBytes":  st.BlockBytes,
		"headBytes":   st.HeadBytes,
		"queryCache":  map[string]any{"limit": o.Cache, "used": st.Cache.Bytes, "hits": st.Cache.Hits, "misses": st.Cache.Misses},
		"memory": map[string]any{
			"limit": m.Total, "series": m.Series.Stats(), "ingest": m.Ingest.Stats(), "queries": m.Queries.Stats(), "streams": m.Streams.Stats(),
		},
		"disk": map[string]any{
			"limit": st.Archive.Budget, "used": st.Archive.Used, "archiveFiles": st.Archive.Files, "archiveBytes": st.Archive.Bytes,
			"waiting": st.Archive.Waiting, "failures": st.Archive.Failures, "quarantined": st.Archive.Quarantined, "lostBlocks": st.Archive.LostBlocks,
			"dropped": st.Archive.Dropped, "droppedUncovered": st.Archive.Uncovered,
		},
		"log":      log,
		"snapshot": snapshot,
		"recovery": recovery,
		"refused":  s.refused(&st),
		"config":   s.reloaded(),
		"detect":   s.opts.Detect.Stats(),
		"notify":   s.opts.Notify.Stats(),
		"limits":   s.limits(),
	})
}
