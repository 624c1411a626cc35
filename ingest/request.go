package ingest

import (
	"errors"
	"math"
	"net/http"

	"pulse/ingest/publish"
	"pulse/store"
	"pulse/store/tags"
)

var errEmpty = errors.New("empty payload")

// request is the work on one request; it is pooled. out is what passed.
type request struct {
	pipeline *Pipeline
	route    *route
	from     From
	now      int64
	hold     store.Hold // series that were looked up stay who they are
	amounts  bool       // values of sums are amounts, not per second
	way      Ways

	batch   publish.Batch
	refs    []store.Ref  // series of the batch's datapoints; NoRef where not known
	strange []store.Hash // of those not known, in their order; zero: tags too long to be hashed

	out    store.Batch
	did    Counts
	answer Answer

	common tags.Tags   // the batch's common tags, sorted
	read   bool        // common is set
	set    tags.Tags   // tags of the datapoint under work, sorted
	app    string      // nf.app of the source
	node   string      // nf.node of the source
	key    []byte      // scratch
	trail  store.Trail // of points looked up one by one

	sender *sender // who is counted for it, once known
	keyed  keyed
}

// reset keeps the columns and cuts every tie to the body.
func (r *request) reset() {
	r.batch.Reset()
	r.out.Reset()
	clear(r.set[:cap(r.set)])
	clear(r.common[:cap(r.common)])
	*r = request{batch: r.batch, refs: r.refs[:0], strange: r.strange[:0], out: r.out, set: r.set[:0], common: r.common[:0], key: r.key[:0]}
}

// refuse answers for a request that is turned down as a whole.
func (r *request) refuse(err error) Answer {
	status := http.StatusBadRequest
	var limit *publish.LimitError
	if errors.As(err, &limit) {
		status = http.StatusRequestEntityTooLarge
	}
	r.did.Unreadable = 1
	r.record(err.Error())
	return failure(status, err.Error())
}

// look finds the series of every datapoint that is known by the text of its
// tags. It is false when the tags of one that is not are no tags, which can only
// be after Quick.
func (r *request) look() bool {
	p, b := r.pipeline, &r.batch
	seeds := r.route.seeds
	if common := b.Common(); common != nil {
		for op := range seeds {
			seeds[op] = p.store.HashTags(seeds[op], common)
		}
	}
	r.refs, r.strange = r.refs[:0], r.strange[:0]
	var trail store.Trail
	for i := 0; i < b.Len(); i = len(r.refs) {
		if trail.Lost() {
			if !r.lookTogether(&trail, &seeds) {
				return false
			}
			continue
		}
		text, ok := b.Tags(i)
		if !ok {
			r.refs = append(r.refs, store.NoRef)
			r.strange = append(r.strange, store.Hash{})
			continue
		}
		seed := seeds[b.Op(i)]
		ref, known := p.store.Follow(&trail, seed, text)
		if !known {
			if !b.Verify(i) {
				return false
			}
			r.strange = append(r.strange, p.store.HashTags(seed, text))
		}
		r.refs = append(r.refs, ref)
	}
	return true
}

// lookTogether is look for some of the datapoints that follow, whose series come
// in an order that is not known.
func (r *request) lookTogether(trail *store.Trail, seeds *[3]store.Hash) bool {
	b, from := &r.batch, len(r.refs)
	var hashes [32]store.Hash
	n := min(len(hashes), b.Len()-from)
	for k := range n {
		if text, ok := b.Tags(from + k); ok {
			hashes[k] = r.pipeline.store.HashTags(seeds[b.Op(from+k)], text)
		}
		r.refs = append(r.refs, store.NoRef)
	}
	r.pipeline.store.FindAll(trail, hashes[:n], r.refs[from:])
	for k, ref := range r.refs[from:] {
		if ref != store.NoRef {
			continue
		}
		if hashes[k] != (store.Hash{}) && !b.Verify(from+k) {
			return false
		}
		r.strange = append(r.strange, hashes[k])
	}
	return true
}

// walk admits or rejects every datapoint that was looked at.
func (r *request) walk() {
	p, b := r.pipeline, &r.batch
	r.identify()
	crowded := len(r.common) > 4*p.opts.Limits.Tags // merging them each time would cost far more than the body
	strange := r.strange
	for i, ref := range r.refs {
		op, t, v := b.Op(i), b.Times[i], b.Values[i]
		var h store.Hash
		if ref == store.NoRef {
			h, strange = strange[0], strange[1:]
		}
		if reason, bad := p.age(t, r.now); bad {
			if r.reject(reason) {
				r.explain(p.ageViolation(reason, t, r.now), r.tagsOf(i, op))
			}
			continue
		}
		if op == publish.Add && (v < 0 || math.IsInf(v, 1)) {
			if r.reject(InvalidAmount) {
				r.explain(&Violation{Reason: InvalidAmount, Amount: v}, r.tagsOf(i, op))
			}
			continue
		}
		switch {
		case ref != store.NoRef:
			r.admit(ref, t, v)
		case h == store.Hash{}:
			if r.reject(TagsTooLong) {
				r.explain(&Violation{Reason: TagsTooLong, Limit: publish.MaxTags}, nil)
			}
		case crowded:
			if r.reject(TooManyTags) {
				r.explain(&Violation{Reason: TooManyTags, Limit: int64(p.opts.Limits.Tags)}, r.common)
			}
		default:
			r.meet(h, t, v, r.tagsOf(i, op))
		}
	}
}

// admit puts a datapoint of a known series into the batch for the store. NaN is
// accepted and never written, so it goes no further.
func (r *request) admit(ref store.Ref, t int64, v float64) {
	if v != v {
		r.did.NoData++
		return
	}
	r.out.Add(ref, t, v)
}

// meet checks the tags of a datapoint whose hash is not known and finds or makes
// its series. A value that is no data makes none.
func (r *request) meet(h store.Hash, t int64, v float64, set tags.Tags) {
	p := r.pipeline
	bad := p.check(r.route, set)
	if bad == nil && v == v {
		ref, err := p.store.Resolve(h, set, r.now)
		if err == nil {
			r.admit(ref, t, v)
			return
		}
		bad = &Violation{Reason: SeriesLimit, Err: err}
	}
	if bad != nil {
		if r.reject(bad.Reason) {
			r.explain(bad, set)
		}
		return
	}
	r.did.NoData++
}

// check returns what is wrong with the tags of a series, nil if nothing is.
func (p *Pipeline) check(rt *route, set tags.Tags) *Violation {
	for _, rule := range rt.rules {
		if bad := rule.Check(set); bad != nil {
			return bad
		}
	}
	if limit := p.opts.Limits.Tags; len(set) > limit {
		return &Violation{Reason: TooManyTags, Limit: int64(limit)}
	}
	return nil
}

// tagsOf writes out the tags of datapoint i: the common ones, its own over them,
// the operation's over both. The result is valid until the next call.
func (r *request) tagsOf(i int, op publish.Op) tags.Tags {
	r.readCommon()
	own, _ := r.batch.Tags(i)
	set := publish.AppendTags(append(r.set[:0], r.common...), own)
	r.route.clean(set[len(r.common):])
	if op != publish.Report {
		set = append(set, op.Tag())
	}
	r.set = set
	return tags.Normalize(set)
}

func (r *request) readCommon() {
	if !r.read {
		common := publish.AppendTags(r.common[:0], r.batch.Common())
		r.route.clean(common)
		r.common, r.read = tags.Normalize(common), true
	}
}

// clean replaces, in place, the characters that the route replaces.
func (rt *route) clean(set tags.Tags) {
	if rt.replace != nil {
		for i := range set {
			set[i].Key, set[i].Value = rt.replace.replace(set[i].Key), rt.replace.replace(set[i].Value)
		}
	}
}

// identify reads who sent the request out of the common tags, or out of the
// first datapoint where they do not say.
func (r *request) identify() {
	r.readCommon()
	r.app, r.node = appAndNode("", "", r.common)
	if (r.app == "" || r.node == "") && r.batch.Len() > 0 {
		own, _ := r.batch.Tags(0)
		r.app, r.node = appAndNode(r.app, r.node, publish.AppendTags(r.set[:0], own))
	}
}

// reject counts a rejected datapoint and tells whether its message is wanted.
func (r *request) reject(reason Reason) bool {
	r.did.Rejected[reason]++
	r.answer.ErrorCount++
	return len(r.answer.Messages) < r.pipeline.opts.Limits.Messages
}

func (r *request) explain(v *Violation, set tags.Tags) {
	r.answer.Messages = append(r.answer.Messages, describe(v, set, r.pipeline.opts.Limits.MessageTags))
}

// repeated answers a request with an idempotency key that is not to be done.
func (r *request) repeated(route string, parts ...[]byte) (a Answer, done bool) {
	n, bad := r.pipeline.claim(&r.keyed, r.from, r.now, route, parts...)
	switch {
	case n != nil:
		r.did.Again = 1
		r.record("")
		return n.answer(), true
	case bad != nil:
		return r.turnAway(bad, store.Result{}), true
	}
	return Answer{}, false
}

// commit hands what was admitted to the store and answers.
func (r *request) commit() Answer {
	p, a := r.pipeline, &r.answer
	a.Accepted = len(r.out.Refs) + int(r.did.NoData)
	a.conclude(r.did.Rejected[SeriesLimit] > 0)
	sample := ""
	if len(a.Messages) > 0 {
		sample = a.Messages[0]
	}
	if len(r.out.Refs) > 0 {
		r.out.Source = p.store.Source(r.enter().Key, r.now)
	}
	commit := p.commit
	if r.keyed.held && a.Status < http.StatusBadRequest {
		n := noteOf(a)
		if r.out.Note = p.begin(&r.keyed, &n, r.now); r.out.Note == nil {
			return r.turnAway(&refusal{status: http.StatusServiceUnavailable,
				message: "too much to remember of requests with an Idempotency-Key; try again later, or send without one"}, store.Result{})
		}
		commit = func(b *store.Batch, now int64) (store.Result, error) { return p.commitNote(r.keyed.id, b, now, false) }
	}
	if len(r.out.Refs) > 0 || r.out.Note != nil {
		r.out.Arrival, r.out.Amount = r.now, r.amounts
		res, err := commit(&r.out, r.now)
		if err != nil {
			return r.turnAway(refusalOf(err), res)
		}
		a.Stored, a.Superseded, a.Late = res.Stored, res.Superseded, res.Late
		r.did.Repeated = int64(res.Repeated)
	}
	a.Superseded += int(r.did.NoData)
	d := &r.did
	d.Accepted, d.Stored, d.Superseded, d.Late = int64(a.Accepted), int64(a.Stored), int64(a.Superseded), int64(a.Late)
	r.record(sample)
	return *a
}

// turnAway answers for a request of which nothing was taken, or, where that is
// uncertain, of which res was taken and may not survive.
func (r *request) turnAway(bad *refusal, res store.Result) Answer {
	r.did = Counts{Turned: 1}
	if bad.status == http.StatusBadRequest {
		r.did = Counts{Unreadable: 1}
	}
	if bad.uncertain {
		d := &r.did
		d.Stored, d.Superseded, d.Repeated, d.Late = int64(res.Stored), int64(res.Superseded), int64(res.Repeated), int64(res.Late)
		d.Accepted = d.Stored + d.Superseded + d.Late
	}
	r.record(bad.message)
	a := failure(bad.status, bad.message)
	a.Uncertain = bad.uncertain
	return a
}

// enter returns the sender that the request counts for.
func (r *request) enter() *sender {
	if r.sender == nil {
		r.key = appendSource(r.key[:0], r.from, r.app, r.node)
		r.sender = r.pipeline.stats.enter(r.key, r.from, r.now)
	}
	return r.sender
}

func (r *request) record(sample string) {
	r.did.Requests = 1
	r.pipeline.stats.record(r.enter(), r.way, r.now, &r.did, sample)
}

// age checks a timestamp against the store's limits.
func (p *Pipeline) age(t, now int64) (Reason, bool) {
	switch age := now - t; {
	case age > p.maxPast || t < 0:
		return TooOld, true
	case age < -p.maxFuture:
		return FromFuture, true
	}
	return 0, false
}

func (p *Pipeline) ageViolation(reason Reason, t, now int64) *Violation {
	age := now - t
	if t < 0 && age < 0 {
		age = math.MaxInt64 // farther back than the difference can say
	}
	return &Violation{Reason: reason, Now: now, Time: t, Got: age, Limit: p.maxPast}
}
