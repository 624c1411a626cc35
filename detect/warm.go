package detect

import (
	"context"
	"fmt"
	"math"
	"time"

	"pulse/query/expr"
	"pulse/query/stream"
	"pulse/store/step"
)

// A new rule begins with the history that its detector asks for. What the primary
// tier has is fed step by step. What only coarser tiers have is taught: profile
// and level, since a coarse value says nothing about how much a fine one varies.

const (
	// learnWidth is what a taught value covers at least, if that is a multiple of
	// the rule's step and the tier's.
	learnWidth = 5 * minute
	// learnSteps is how many taught values of a line are read at once.
	learnSteps = 288
)

// learner is a detector that can begin with coarser values: v is the mean over
// (t-width, t].
type learner interface {
	Learn(t int64, v float64, width int64)
}

// lesson is what detectors are taught from coarser tiers: values of width ms in
// a span of multiples of it.
type lesson struct {
	span
	width int64
}

// lessonFor returns what the detectors of j are to be taught of the time from
// begin on when they are fed from the step after native on; nothing when they cannot be
// or need not.
func (e *Engine) lessonFor(c *compiled, j *judge, begin, native int64) (l lesson, found bool) {
	tiers := e.o.Store.Tiers()
	if _, learns := j.maker.New().(learner); !learns || begin >= native || len(tiers) < 2 {
		return lesson{}, false
	}
	tier := tiers[len(tiers)-1]
	for _, t := range tiers[1:] {
		if t.From <= begin {
			tier = t
			break
		}
	}
	switch l.width = tier.Step; {
	case l.width%c.step == 0:
	case c.step%l.width == 0:
		l.width = c.step
	default:
		return lesson{}, false
	}
	if learnWidth%l.width == 0 {
		l.width = learnWidth
	}
	l.start = step.Ceil(max(begin, tier.From, 0), l.width)
	l.end = step.Ceil(native, l.width)
	return l, l.start < l.end
}

// pupil is a judge on its way through a lesson.
type pupil struct {
	lesson
	at     int64 // taught so far
	judge  *judge
	stream *stream.Stream
	step   int64     // of stream
	sum    []float64 // of the judge's groups since the last taught value
	count  []float64 // values in sum
}

// study opens the values of a lesson. An expression that remembers is evaluated at
// its own step, since its windows count steps.
func (e *Engine) study(c *compiled, j *judge, l lesson) (*pupil, error) {
	p := &pupil{lesson: l, at: l.start, judge: j, step: l.width}
	if memory, err := expr.Warmup(c.expr, c.step); err != nil || memory > 0 {
		p.step = c.step
	}
	var err error
	p.stream, err = e.o.Hub.Open([]expr.TimeSeries{c.expr}, p.step, c.streamOptions(true))
	if err != nil {
		return nil, fmt.Errorf("rule %q: expr: %w", c.rule.ID, err)
	}
	return p, nil
}

// close gives back what the pupil reads from.
func (p *pupil) close() {
	if p != nil {
		p.stream.Close()
	}
}

// learn teaches the next part of the lesson and reports whether that was the last.
func (p *pupil) learn(ctx context.Context) (done bool, err error) {
	to := min(p.at+learnSteps*p.width, p.end)
	err = p.stream.History(ctx, p.at, to, func(t int64, lines []stream.Line) error {
		p.add(lines)
		if t%p.width == 0 {
			p.teach(t)
		}
		return nil
	})
	p.at = to
	return to == p.end, err
}

func (p *pupil) add(lines []stream.Line) {
	for i := range lines {
		at := p.judge.groupOf(i, &lines[i])
		for len(p.sum) < len(p.judge.groups) {
			p.sum, p.count = append(p.sum, 0), append(p.count, 0)
		}
		if v := lines[i].Value; at >= 0 && !math.IsNaN(v) {
			p.sum[at] += v
			p.count[at]++
		}
	}
}

// teach teaches the means up to t. A group may begin anywhere in its first one, which
// would then lie too low and stand for that time of the day: it is left out.
func (p *pupil) teach(t int64) {
	for i := range p.sum {
		g := &p.judge.groups[i]
		switch {
		case g.detector != nil:
			g.detector.(learner).Learn(t, p.sum[i]/p.count[i], p.width)
		case p.count[i] > 0 && (p.judge.only == nil || p.judge.only[g.key]):
			g.detector = p.judge.maker.New()
		}
		p.sum[i], p.count[i] = 0, 0
	}
}

// warmUp sets a rule that has seen nothing on the first step that its detectors
// are fed, and teaches them what is known from before. It reports whether it is
// done, and stops early as catchUp does.
func (e *Engine) warmUp(r *running, end int64, until time.Time) bool {
	if r.pupil == nil {
		begin := step.Floor(end-r.c.lookback, r.c.step)
		native := min(max(e.oldest(end, r.c.step), e.o.Store.Tiers()[0].From), end)
		l, found := e.lessonFor(r.c, r.judge, begin, native)
		if found && l.end <= end {
			var err error
			if r.pupil, err = e.study(r.c, r.judge, l); err != nil {
				e.fail(r, err)
			}
		}
		if r.pupil == nil {
			e.beginAfter(r, lesson{}, min(max(begin, e.oldest(end, r.c.step)), end))
			return true
		}
	}
	for {
		done, err := r.pupil.learn(context.Background())
		if err != nil {
			e.fail(r, err)
		}
		if done {
			break
		}
		if !until.IsZero() && e.o.Clock.Now().After(until) {
			return false
		}
	}
	e.beginAfter(r, r.pupil.lesson, r.pupil.end)
	r.pupil.close()
	r.pupil = nil
	e.kept.keep(&r.trail, r.judged, r.judge)
	return true
}

// beginAfter notes what the rule's detectors were taught and that they are fed the
// steps after t.
func (e *Engine) beginAfter(r *running, l lesson, t int64) {
	r.taught, r.origin, r.judged, r.trusted = l, t, t, true
	if err := e.entry.rule(r.stored()); err != nil {
		e.fail(r, err)
	}
}
