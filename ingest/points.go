package ingest

import (
	"errors"
	"math"
	"unicode/utf8"

	"pulse/ingest/publish"
	"pulse/store/tags"
)

var errNotText = errors.New("a tag is not UTF-8")

// Point is one datapoint from inside the program.
type Point struct {
	Tags  tags.Tags
	Time  int64 // Unix ms
	Value float64
}

// Append takes finished datapoints under the rules of publish. Known series cost
// no allocation per datapoint.
func (p *Pipeline) Append(points []Point, from From, now int64) Answer {
	r := p.take(&p.publish, Inside, from, now)
	defer p.give(r)
	if len(points) == 0 {
		return r.refuse(errEmpty)
	}
	for i := range points {
		r.point(&points[i], publish.Report)
	}
	return r.commit()
}

// Count adds value to the counter named name at the time of arrival. more holds
// its other tags, sorted; a name among them is ignored. The rules are those of
// publish.
func (p *Pipeline) Count(name string, more tags.Tags, value float64, from From, now int64) Answer {
	return p.one(name, more, value, publish.Add, from, now)
}

// Gauge sets a gauge, of which a step keeps the maximum; otherwise as Count.
func (p *Pipeline) Gauge(name string, more tags.Tags, value float64, from From, now int64) Answer {
	return p.one(name, more, value, publish.Max, from, now)
}

func (p *Pipeline) one(name string, more tags.Tags, value float64, op publish.Op, from From, now int64) Answer {
	r := p.take(&p.publish, ByLine, from, now)
	defer p.give(r)
	if from.Key != "" {
		if a, done := r.repeated("one "+op.Tag().Value, valueParts(name, more, value)...); done {
			return a
		}
	}
	r.amounts = true
	dstype := op.Tag()
	set := more.With("name", name).With(dstype.Key, dstype.Value)
	for _, x := range set {
		if !utf8.ValidString(x.Key) || !utf8.ValidString(x.Value) {
			return r.refuse(errNotText)
		}
	}
	if op == publish.Add && (value < 0 || math.IsInf(value, 1)) {
		if r.reject(InvalidAmount) {
			r.explain(&Violation{Reason: InvalidAmount, Amount: value}, set)
		}
		return r.commit()
	}
	r.point(&Point{Tags: set, Time: now, Value: value}, op)
	return r.commit()
}

// point admits or rejects one datapoint whose tags are known as such. They are
// hashed in their canonical form, which no text of a body can equal.
func (r *request) point(x *Point, op publish.Op) {
	p := r.pipeline
	if r.did.NoData == 0 && len(r.out.Refs) == 0 && r.answer.ErrorCount == 0 {
		r.app, r.node = appAndNode("", "", x.Tags)
	}
	if reason, bad := p.age(x.Time, r.now); bad {
		if r.reject(reason) {
			r.explain(p.ageViolation(reason, x.Time, r.now), x.Tags)
		}
		return
	}
	r.key = x.Tags.AppendKey(append(r.key[:0], 0))
	seed := r.route.seeds[op]
	if ref, known := p.store.Follow(&r.trail, seed, r.key); known {
		r.admit(ref, x.Time, x.Value)
		return
	}
	r.meet(p.store.HashTags(seed, r.key), x.Time, x.Value, x.Tags)
}
