package web

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/query"
)

// errCancelled ends a query that an operator has cancelled. Its status tells no
// client to try again.
var errCancelled = &statusError{fasthttp.StatusConflict, "the query was cancelled by an operator of this server; before you ask again, ask for fewer series or a shorter range"}

const (
	slowest      = 20   // queries that are remembered
	slowestFor   = 3600 // s, for which they are
	shownProgram = 2048 // bytes of an expression that are shown
)

// runningQuery is a query at the gate or behind it. What is not atomic does not
// change after enter.
type runningQuery struct {
	id      int64
	path    string
	program string
	client  string
	token   string
	begun   time.Time
	cancel  context.CancelCauseFunc
	ctx     context.Context

	waiting  atomic.Bool
	step     atomic.Int64
	start    atomic.Int64 // of the range, Unix ms
	end      atomic.Int64
	progress query.Progress
}

// follows takes note of what a query was found to ask for, and has it tell how far
// it is.
func (q *runningQuery) follows(r *query.Request) {
	q.step.Store(r.Step)
	q.start.Store(r.Start)
	q.end.Store(r.End)
	r.Progress = &q.progress
}

// queries knows the queries that run, and the slowest of those that have lately.
// There are no more than the gate lets in.
type queries struct {
	mu      sync.Mutex
	last    int64
	running map[int64]*runningQuery
	slow    []shownQuery // the slowest first
}

// shownQuery is a query as the API shows it.
type shownQuery struct {
	ID         int64   `json:"id"`
	Path       string  `json:"path"`
	Expr       string  `json:"expr,omitempty"` // its beginning
	Client     string  `json:"client"`         // its address, without port
	Token      string  `json:"token,omitempty"`
	Since      string  `json:"since"`
	TookMs     float64 `json:"tookMs"`            // so far
	Waiting    bool    `json:"waiting,omitempty"` // for its turn
	Start      string  `json:"start,omitempty"`
	End        string  `json:"end,omitempty"`
	StepMs     int64   `json:"stepMs,omitempty"`
	Series     int64   `json:"series"`     // read, or being read
	Datapoints int64   `json:"datapoints"` // the same
	Bytes      int64   `json:"bytes"`      // held; of one that is over 0
}

// add registers the query of a request, which waits.
func (q *queries) add(r *request, ctx context.Context, cancel context.CancelCauseFunc, now time.Time) *runningQuery {
	x := &runningQuery{path: string(r.ctx.Path()), program: clip(r.param("q"), shownProgram), client: r.from().Peer, token: r.token.Name,
		begun: now, cancel: cancel, ctx: ctx}
	x.waiting.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	x.id = q.last
	if q.running == nil {
		q.running = map[int64]*runningQuery{}
	}
	q.running[x.id] = x
	return x
}

// remove ends what add began. One that was let in is remembered if it was slow.
func (q *queries) remove(x *runningQuery, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, x.id)
	if x.waiting.Load() {
		return
	}
	q.forget(now)
	s := x.shown(now)
	same := func(o shownQuery) bool { return o.Path == s.Path && o.Expr == s.Expr && o.StepMs == s.StepMs }
	if i := slices.IndexFunc(q.slow, same); i >= 0 {
		if q.slow[i].TookMs >= s.TookMs {
			return
		}
		q.slow = slices.Delete(q.slow, i, i+1)
	}
	if n := len(q.slow); n == slowest && s.TookMs <= q.slow[n-1].TookMs {
		return
	}
	s.Bytes = 0
	at, _ := slices.BinarySearchFunc(q.slow, s, func(a, b shownQuery) int { return cmp.Compare(b.TookMs, a.TookMs) })
	q.slow = slices.Insert(q.slow, at, s)
	q.slow = q.slow[:min(len(q.slow), slowest)]
}

// forget drops what was slow long ago. The caller holds the lock.
func (q *queries) forget(now time.Time) {
	oldest := rfc3339(now.Add(-slowestFor * time.Second).UnixMilli())
	q.slow = slices.DeleteFunc(q.slow, func(s shownQuery) bool { return s.Since < oldest })
}

// list returns the queries that run, the oldest first, and the slowest of late.
func (q *queries) list(now time.Time) (running, slow []shownQuery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	running = []shownQuery{}
	for _, x := range q.running {
		running = append(running, x.shown(now))
	}
	slices.SortFunc(running, func(a, b shownQuery) int { return cmp.Compare(a.ID, b.ID) })
	q.forget(now)
	return running, append([]shownQuery{}, q.slow...)
}

// end cancels a query, and reports whether there is one of that number.
func (q *queries) end(id int64) bool {
	q.mu.Lock()
	x := q.running[id]
	q.mu.Unlock()
	if x == nil {
		return false
	}
	x.cancel(errCancelled)
	return true
}

func (x *runningQuery) shown(now time.Time) shownQuery {
	series, datapoints := x.progress.Read()
	s := shownQuery{
		ID: x.id, Path: x.path, Expr: x.program, Client: x.client, Token: x.token, Since: rfc3339(x.begun.UnixMilli()),
		TookMs: millis(now.Sub(x.begun)), Waiting: x.waiting.Load(), StepMs: x.step.Load(),
		Series: series, Datapoints: datapoints, Bytes: x.progress.Held(),
	}
	if s.StepMs > 0 {
		s.Start, s.End = rfc3339(x.start.Load()), rfc3339(x.end.Load())
	}
	return s
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// runningQueries lists the queries that run or wait, and the slowest of the last hour.
func (s *Server) runningQueries(r *request) {
	running, slow := s.queries.list(s.opts.Clock.Now())
	r.json(map[string]any{"running": running, "slowest": slow})
}

// cancelQuery ends one. It answers as soon as the query is told.
func (s *Server) cancelQuery(r *request) {
	id, err := strconv.ParseInt(r.vars["id"], 10, 64)
	if err != nil || !s.queries.end(id) {
		r.failWith(fasthttp.StatusNotFound, "no query "+clip(r.vars["id"], 40)+" is running; it may be over")
		return
	}
	r.ctx.SetStatusCode(fasthttp.StatusNoContent)
}
