// Package ingest takes datapoints from their bytes to the store.
//
// One publish: the body is expanded (Expand), read into columns in one pass
// (ingest/publish). A datapoint whose tags have been seen in the same spelling is
// found by a hash of their bytes and only its age is checked; any other has its
// tags read, checked by the rules and resolved to a series.
// What passed goes to the store in one batch, and the Answer counts what became
// of each datapoint.
//
// A Pipeline is safe for concurrent use. Nothing of a body is kept: what the
// store remembers is copied.
package ingest

import (
	"runtime"
	"sync"

	"pulse/ingest/publish"
	"pulse/store"
	"pulse/store/budget"
)

// Limits bound requests. Zero means the default.
type Limits struct {
	Body        int // bytes after decompression; default 32 MiB
	Expansions  int // compressed bodies held expanded at once; default 4 × cores
	Points      int // datapoints in a request; default 100,000
	Depth       int // objects and lists inside each other; default 32
	Tags        int // tags of a series, of whatever kind; default 30
	Messages    int // reasons in an answer; default 5
	MessageTags int // bytes of tags in each; default 200
	Keys        int // requests with an idempotency key that are remembered; default 100,000
	KeyBytes    int // of their answers; default 32 MiB

	ImportBody   int // bytes of an import after decompression; default 32 MiB
	Imports      int // at work at once; default 2 × cores
	LinePoints   int // points in a line of an import; default 1,000,000
	ImportErrors int // reasons in the answer to an import; default 50
}

// Options configure a Pipeline.
type Options struct {
	Limits Limits
	Budget *budget.Budget // bytes of bodies being expanded, of all requests; nil: no limit beyond Limits

	Rules       []Rule // of publish, count and gauge; nil means PublishRules
	UpdateRules []Rule // of update; nil means UpdateRules

	// ReplaceCharacters makes publish, too, replace characters outside
	// DefaultCharacters by `_`, as update always does.
	ReplaceCharacters bool

	// RelaxedTags turns all rules and replacements off, for tests that name
	// series freely. Limits stay.
	RelaxedTags bool
}

func (o Options) withDefaults() Options {
	l := &o.Limits
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Body, 32 << 20}, {&l.Expansions, 4 * runtime.GOMAXPROCS(0)}, {&l.Points, 100_000},
		{&l.Depth, 32}, {&l.Tags, 30}, {&l.Messages, 5}, {&l.MessageTags, 200},
		{&l.Keys, 100_000}, {&l.KeyBytes, 32 << 20},
		{&l.ImportBody, 32 << 20}, {&l.Imports, 2 * runtime.GOMAXPROCS(0)}, {&l.LinePoints, 1_000_000}, {&l.ImportErrors, 50},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Rules == nil {
		o.Rules = PublishRules()
	}
	if o.UpdateRules == nil {
		o.UpdateRules = UpdateRules()
	}
	if o.RelaxedTags {
		o.Rules, o.UpdateRules, o.ReplaceCharacters = nil, nil, false
	}
	return o
}

// Pipeline is the way in for datapoints.
type Pipeline struct {
	store     *store.Store
	opts      Options
	maxPast   int64 // ms
	maxFuture int64 // ms
	publish   route
	update    route
	expander  *expander
	requests  sync.Pool // *request
	imports   imports
	memory    *memory
	commit    func(*store.Batch, int64) (store.Result, error) // the store's
	stats     counters
}

// route is what the ways in differ by.
type route struct {
	rules   []Rule
	replace *charset // characters outside are replaced by `_`; nil: none are
	// seeds are where the hashes of a route's tags begin, by operation. Tags that
	// passed the rules of one route have not passed those of another, and an
	// operation adds a tag that is not in the text.
	seeds [3]store.Hash
}

// New returns a pipeline into st.
func New(st *store.Store, o Options) *Pipeline {
	o = o.withDefaults()
	effective := st.Options()
	p := &Pipeline{
		store: st, opts: o, maxPast: effective.MaxPast, maxFuture: effective.MaxFuture,
		expander: newExpander(o.Limits.Body, o.Limits.Expansions, o.Budget),
		memory:   newMemory(o.Limits.Keys, o.Limits.KeyBytes),
		commit:   st.Commit,
		imports:  newImports(st, o.Limits, o.Budget),
	}
	p.stats.mu.senders = newSenders(effective.MaxSources, max(meterWidth, effective.Step))
	p.publish = route{rules: o.Rules, seeds: seeds(st, "publish")}
	p.update = route{rules: o.UpdateRules, seeds: seeds(st, "update")}
	if o.ReplaceCharacters {
		p.publish.replace = defaultCharset()
	}
	if !o.RelaxedTags {
		p.update.replace = defaultCharset()
	}
	p.requests.New = func() any { return new(request) }
	return p
}

func seeds(st *store.Store, name string) (out [3]store.Hash) {
	for op := range out {
		out[op] = st.HashTags(store.Hash{}, append([]byte(name), byte('0'+op)))
	}
	return out
}

// Limits returns the limits in force.
func (p *Pipeline) Limits() Limits { return p.opts.Limits }

// Publish takes a body of the publish route. now is the time of arrival, Unix ms.
func (p *Pipeline) Publish(body []byte, from From, now int64) Answer {
	r := p.take(&p.publish, ByPublish, from, now)
	defer p.give(r)
	if from.Key != "" {
		if a, done := r.repeated("publish", body); done {
			return a
		}
	}
	limits := p.scannerLimits()
	if publish.Quick(&r.batch, body, limits) != nil || !r.look() {
		if err := publish.Decode(&r.batch, body, limits); err != nil {
			return r.refuse(err)
		}
		r.look()
	}
	if r.batch.Len() == 0 {
		return r.refuse(errEmpty)
	}
	r.walk()
	return r.commit()
}

// Update takes a body of the update route: amounts and maxima since the last
// report, which count for the step of their arrival.
func (p *Pipeline) Update(body []byte, from From, now int64) Answer {
	r := p.take(&p.update, ByUpdate, from, now)
	defer p.give(r)
	if from.Key != "" {
		if a, done := r.repeated("update", body); done {
			return a
		}
	}
	if err := publish.DecodeUpdate(&r.batch, body, p.scannerLimits()); err != nil {
		return r.refuse(err)
	}
	for i := range r.batch.Times {
		r.batch.Times[i] = now
	}
	r.amounts = true
	r.look()
	r.walk()
	return r.commit()
}

func (p *Pipeline) scannerLimits() publish.Limits {
	return publish.Limits{Points: p.opts.Limits.Points, Depth: p.opts.Limits.Depth}
}

// maxPooledRequest is the most memory a request's columns may take to be used
// again.
const maxPooledRequest = 8 << 20

func (p *Pipeline) take(rt *route, way Ways, from From, now int64) *request {
	r := p.requests.Get().(*request)
	r.pipeline, r.route, r.way, r.from, r.now = p, rt, way, from, now
	r.hold = p.store.Hold()
	return r
}

func (p *Pipeline) give(r *request) {
	p.release(&r.keyed)
	r.hold.Release()
	if r.batch.Cap()+20*cap(r.out.Refs)+4*cap(r.refs)+16*cap(r.strange)+cap(r.key) > maxPooledRequest {
		return // one huge payload must not pin memory for ever
	}
	r.reset()
	p.requests.Put(r)
}
