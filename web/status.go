package web

import (
	"runtime"
)

// ok says that the process lives.
func (s *Server) ok(r *request) { r.body("text/plain; charset=utf-8", []byte("ok\n")) }

// ready answers 200 as soon as queries are complete. A server that cannot store
// what it is sent still answers queries and judges, so that is said beside it.
func (s *Server) ready(r *request) {
	h := s.opts.Store.Health()
	if !h.Ready {
		s.refuse(r.ctx, errLoading)
		return
	}
	answer := map[string]any{"ingest": !h.Degraded, "query": true, "detect": true}
	if h.Degraded {
		answer["degraded"] = h.Reason
	}
	r.json(answer)
}

// status answers with limits and their use.
func (s *Server) status(r *request) {
	o, st, limits := s.opts.Store.Options(), s.opts.Store.Stats(), s.opts.Pipeline.Limits()
	type limit struct {
		Limit int64  `json:"limit"`
		Used  *int64 `json:"used,omitempty"` // absent for what one request or key may have
	}
	used := func(n int64) *int64 { return &n }
	r.json(map[string]any{
		"version":     s.opts.Version,
		"go":          runtime.Version(),
		"startedAt":   rfc3339(s.started.UnixMilli()),
		"now":         rfc3339(s.nowMs()),
		"stepMs":      o.Step,
		"retentionMs": o.Retention,
		"maxPastMs":   o.MaxPast,
		"maxFutureMs": o.MaxFuture,
		"durability":  "none",
		"timezone":    s.opts.Zone.String(),
		"series":      st.Series,
		"blocks":      st.Blocks,
		"blockBytes":  st.BlockBytes,
		"headBytes":   st.HeadBytes,
		"detect":      s.opts.Detect.Stats(),
		"notify":      s.opts.Notify.Stats(),
		"limits": map[string]limit{
			"series":          {int64(o.MaxSeries), used(int64(st.Series))},
			"valuesPerKey":    {int64(o.MaxValuesPerKey), nil},
			"keys":            {int64(o.MaxKeys), used(int64(st.Keys))},
			"pairs":           {int64(o.MaxPairs), used(int64(st.Pairs))},
			"idempotencyKeys": {int64(limits.Keys), used(int64(s.opts.Pipeline.Stats().Keys))},
			"sources":         {int64(o.MaxSources), used(int64(st.Sources))},
			"connections":     {int64(s.opts.MaxConns), used(int64(s.http.GetOpenConnectionsCount()))},
			"queries":         {int64(s.opts.Queries), used(int64(s.gate.running()))},
			"queriesWaiting":  {int64(s.opts.QueryQueue), used(s.gate.waiting.Load())},
			"eventStreams":    {int64(s.opts.Streams), used(s.open.Load())},
			"bodyBytes":       {int64(s.opts.MaxBody), nil},
			"bodiesBytes":     {int64(s.opts.MaxBodies), used(s.bodies.budget.Used())},
			"expandedBytes":   {int64(limits.Body), nil},
			"pointsPerBody":   {int64(limits.Points), nil},
		},
	})
}
