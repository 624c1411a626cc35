package algo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Pair is a detector that judges a stream against a second one, its baseline.
// Step and Peek are StepPair and PeekPair without a baseline.
type Pair interface {
	Detector
	// StepPair is Step for the values of both streams; NaN is no data.
	StepPair(t int64, v, baseline float64) Verdict
	// PeekPair returns what StepPair would return, and changes nothing.
	PeekPair(t int64, v, baseline float64) Verdict
}

// Decider is a detector that comes to a decision and then stays with it.
type Decider interface {
	Decision() (d Decision, at int64)
}

// Decision is what a comparison has come to. At is the step, Unix ms, at which it
// ended, 0 while it goes on; Undecided may be final.
type Decision uint8

const (
	Undecided Decision = iota
	Pass
	Fail
	decisions
)

// String returns the word of answers.
func (d Decision) String() string { return [...]string{"undecided", "pass", "fail"}[d] }

// compare judges whether the events of a stream are in proportion to those of a
// baseline: canary and baseline, region and region, A and B. What both have in
// common, such as the hour of the day, cancels. It may be looked at after every
// step: see against for the test, which is anytime-valid, and why.
//
// Values are events per second, so that value × step is a count.
//
// It fails when the ratio is proven to be beyond what does not matter, passes
// when it is proven to be within, and ends at decide_by. With split: learned a
// first stretch says what the ratio is when all is well, and the ratios that this
// leaves open do not matter; it spends half of the error rate.
type compare struct {
	set *compareSettings

	begun     bool
	begin     int64 // Unix ms of the first step's beginning
	at        int64 // Unix ms of the step that ended it; 0: none
	decision  Decision
	training  bool
	tally     tally
	low, high null // the ratios at the ends of what does not matter
}

// compareSettings are the parameters.
type compareSettings struct {
	step        int64 // ms
	seconds     float64
	split       float64 // ratio when nothing differs; learned: what training begins with
	learned     bool
	train       int64   // ms
	tolerance   float64 // as the logarithm of a ratio
	errorRate   float64
	limit       float64 // logarithm of an e-value that decides
	trainLimit  float64
	more, fewer bool  // which is worse
	decideBy    int64 // ms, 0: never
	low, high   null
}

const (
	compareVersion   = 1
	defaultErrorRate = 0.05
	defaultTrainMs   = 3_600_000
	margin           = 0.7                // of the error rate; the rest is for what is not quite normal
	trainSteps       = 10                 // at least, with events
	eventsMax        = 1e12               // of a step; what is more is no count
	unnamed          = math.Ln2           // a difference that would have been seen, where none was named
	decideByMax      = 366 * 86_400 * 1e3 // ms
)

// The facts of a comparison that say how the stream fares.
const (
	FactRatio      = "ratio" // events of the stream ÷ those of the baseline
	FactRatioLower = "ratio_lower"
	FactRatioUpper = "ratio_upper"
)

func compareKeys() []Key {
	return []Key{
		{"baseline", "expression to compare with; needed", ""},
		{"error_rate", "chance of a wrong decision, however often it is looked at", formatBound(defaultErrorRate)},
		{"tolerance", "relative difference that does not matter", "0"},
		{"decide_by", "how long after its beginning the comparison ends", "never"},
		{"direction", "what is worse: above, below or both", "both"},
		{"split", "stream ÷ baseline when nothing differs, a number or a:b; or learned", "1"},
		{"train", "with split learned: how long the split is learned", "1h"},
	}
}

func readCompare(p *params) func() Detector {
	s := &compareSettings{step: p.step, seconds: float64(p.step) / 1000, split: 1}
	if text, ok := p.values["baseline"].(string); !ok || strings.TrimSpace(text) == "" {
		given, ok := p.values["baseline"]
		if !ok {
			given = "missing"
		}
		p.fail("baseline", given, "an expression")
	}
	s.errorRate = p.number("error_rate", defaultErrorRate, 1e-9, 0.5)
	s.tolerance = math.Log1p(p.number("tolerance", 0, 0, 100))
	s.decideBy = p.ms("decide_by", 0, p.step, decideByMax)
	side := p.word("direction", "both", "above", "below")
	s.more, s.fewer = side != "below", side != "above"
	s.readSplit(p)
	rate := margin * s.errorRate
	if s.learned {
		rate /= 2
		s.trainLimit = math.Log(2 / rate)
	}
	if s.more && s.fewer {
		rate /= 2
	}
	s.limit = -math.Log(rate)
	s.low, s.high = newNull(s.split*math.Exp(-s.tolerance)), newNull(s.split*math.Exp(s.tolerance))
	return func() Detector {
		d := &compare{set: s}
		d.Reset()
		return d
	}
}

// readSplit reads a number, the text "a:b" or the word learned.
func (s *compareSettings) readSplit(p *params) {
	given, ok := p.values["split"]
	if s.learned = given == "learned"; s.learned {
		s.train = p.ms("train", max(defaultTrainMs, 2*trainSteps*p.step), trainSteps*p.step, decideByMax)
		return
	}
	if p.has("train") {
		p.fail("train", p.values["train"], "split: learned beside it")
	}
	if !ok {
		return
	}
	s.split, ok = asNumber(given)
	if text, isText := given.(string); isText && !ok {
		a, b, _ := strings.Cut(text, ":")
		x, errX := strconv.ParseFloat(strings.TrimSpace(a), 64)
		y, errY := strconv.ParseFloat(strings.TrimSpace(b), 64)
		s.split, ok = x/y, errX == nil && errY == nil
	}
	if !ok || !(s.split >= 1e-4 && s.split <= 1e4) {
		p.fail("split", given, "a number from 0.0001 to 10000, two of them as in 1:20, or learned")
		s.split = 1
	}
}

// ms returns the duration of key, which must lie in [low, high], in ms.
func (p *params) ms(key string, def, low, high int64) int64 {
	given, ok := p.values[key]
	if !ok {
		return def
	}
	ms, ok := asDuration(given)
	if !ok || !(ms >= float64(low) && ms <= float64(high)) {
		p.fail(key, given, fmt.Sprintf("a duration such as 2h from %s to %s", formatDuration(low), formatDuration(high)))
		return def
	}
	return int64(ms)
}

func (d *compare) Step(t int64, v float64) Verdict { return d.StepPair(t, v, math.NaN()) }

func (d *compare) Peek(t int64, v float64) Verdict { return d.PeekPair(t, v, math.NaN()) }

// PeekPair judges with a copy.
func (d *compare) PeekPair(t int64, v, baseline float64) Verdict {
	c := *d
	return c.StepPair(t, v, baseline)
}

func (d *compare) StepPair(t int64, v, baseline float64) Verdict {
	nan := math.NaN()
	verdict := Verdict{Expected: nan, Lower: nan, Upper: nan}
	if !d.begun {
		d.begun, d.begin = true, t-d.set.step
	}
	a, b := v*d.set.seconds, baseline*d.set.seconds
	usable := a >= 0 && b >= 0 && a <= eventsMax && b <= eventsMax // false for NaN
	if d.at == 0 && usable {
		d.tally.add(a, b, d.set.split)
	}
	if d.training {
		d.learn(t)
		return verdict
	}
	e := d.evidence(&d.low, &d.high)
	if d.at == 0 {
		d.decide(t, &e)
	}
	if verdict.Out = d.decision == Fail; usable {
		verdict.Expected = baseline * math.Sqrt(d.low.theta*d.high.theta)
		verdict.Score = 1 - d.chance(e.worse)
	}
	return verdict.because(CauseWorse)
}

// learn ends the training when it has lasted long enough and says something.
func (d *compare) learn(t int64) {
	s := d.set
	if t-d.begin < s.train || d.tally.n < trainSteps {
		return
	}
	low, high := d.tally.sequence(s.trainLimit)
	if low == 0 || math.IsInf(high, 1) {
		return
	}
	d.low, d.high = newNull(low*math.Exp(-s.tolerance)), newNull(high*math.Exp(s.tolerance))
	d.tally, d.training, d.begin = tally{}, false, t
}

// evidence is the logarithms of the e-values that decide.
type evidence struct {
	worse float64 // against nothing being worse: that of the worse side
	fine  float64 // against anything being worse: that of the worse side
}

// evidence weighs the ratios from low to high, which do not matter, against those
// beyond.
func (d *compare) evidence(low, high *null) evidence {
	e := evidence{math.Inf(-1), math.Inf(1)}
	moreHigh, lessHigh := d.tally.against(high)
	moreLow, lessLow := moreHigh, lessHigh
	if low.theta != high.theta {
		moreLow, lessLow = d.tally.against(low)
	}
	if d.set.more {
		e = evidence{moreHigh, lessHigh}
	}
	if d.set.fewer {
		e = evidence{max(e.worse, lessLow), min(e.fine, moreLow)}
	}
	return e
}

// decide ends the comparison when it can or has to.
func (d *compare) decide(t int64, e *evidence) {
	s := d.set
	switch {
	case e.worse >= s.limit:
		d.decision, d.at = Fail, t
	case e.fine >= s.limit:
		d.decision, d.at = Pass, t
	case s.decideBy > 0 && t-d.begin >= s.decideBy:
		d.at = t
		if s.tolerance == 0 {
			low, high := newNull(d.low.theta*math.Exp(-unnamed)), newNull(d.high.theta*math.Exp(unnamed))
			if d.evidence(&low, &high).fine >= s.limit {
				d.decision = Pass
			}
		}
	}
}

// chance is the anytime-valid p-value.
func (d *compare) chance(worse float64) float64 {
	return min(1, d.set.errorRate*math.Exp(d.set.limit-worse))
}

func (d *compare) Decision() (Decision, int64) { return d.decision, d.at }

// Facts are the evidence. The ratio is stream ÷ baseline; while the split is
// learned there is no p-value yet.
func (d *compare) Facts(dst []Fact) []Fact {
	nan, y := math.NaN(), &d.tally
	limit := d.set.limit
	same, evidence, chance := [2]float64{nan, nan}, nan, nan
	if d.training {
		limit = d.set.trainLimit
	} else {
		same = [2]float64{d.low.theta, d.high.theta}
		evidence = d.evidence(&d.low, &d.high).worse
		chance = d.chance(evidence)
	}
	low, high := y.sequence(limit)
	excess := nan
	if y.n > 1 {
		theta := max(y.a, 0.5) / max(y.b, 0.5)
		excess = y.scatter(theta) / (theta * (y.a + y.b))
	}
	return append(dst, Fact{"decision", [...]float64{0, 1, -1}[d.decision]}, Fact{"log_e_value", evidence},
		Fact{"p_value", chance}, Fact{"error_rate", d.set.errorRate},
		Fact{FactRatio, y.ratio()}, Fact{FactRatioLower, low}, Fact{FactRatioUpper, high},
		Fact{"same_from", same[0]}, Fact{"same_to", same[1]},
		Fact{"samples", float64(y.n)}, Fact{"events", y.a}, Fact{"baseline_events", y.b}, Fact{"dispersion", excess})
}

func (d *compare) AppendState(dst []byte) []byte {
	dst = append(dst, compareVersion, byte(d.decision))
	dst = appendFlag(appendFlag(dst, d.begun), d.training)
	dst = appendCount(dst, d.tally.n)
	for _, x := range [...]float64{float64(d.begin), float64(d.at)} {
		dst = appendFloat64(dst, x)
	}
	for _, x := range d.numbers() {
		dst = appendFloat64(dst, *x)
	}
	return dst
}

// numbers are the doubles of the state that are never negative.
func (d *compare) numbers() [11]*float64 {
	y := &d.tally
	return [...]*float64{&y.spread, &y.a, &y.b, &y.aa, &y.ab, &y.bb, &y.lastA, &y.lastB, &y.moved, &d.low.theta, &d.high.theta}
}

func (d *compare) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(compareVersion)
	if d.decision = Decision(r.take(1)[0]); d.decision >= decisions {
		r.fail("decision %d", d.decision)
	}
	d.begun, d.training = r.flag(), r.flag()
	d.tally.n = r.count(maxSteps)
	d.begin, d.at = r.time(), r.time()
	for _, x := range d.numbers() {
		if *x = r.float64(); !(*x >= 0 && *x <= eventsMax*eventsMax*maxSteps) || *x == 0 && math.Signbit(*x) {
			r.fail("a number is %v", *x)
		}
	}
	if y := &d.tally; (y.n > 0) != (y.spread >= spreadMin && y.spread <= spreadMax) || y.n == 0 && y.a+y.b > 0 {
		r.fail("%d steps have %v and %v events, spread %v", y.n, y.a, y.b, y.spread)
	}
	low, high := d.low.theta, d.high.theta
	if r.err == nil && !(low > 1e-12 && low <= high && high < 1e12) {
		r.fail("ratios from %v to %v", low, high)
	}
	if r.err == nil && !d.set.learned && (d.training || low != d.set.low.theta || high != d.set.high.theta) {
		r.fail("ratios from %v to %v were not learned", low, high)
	}
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	d.low, d.high = newNull(low), newNull(high)
	return r.src, nil
}

// time reads Unix ms that were saved as a double.
func (r *reader) time() int64 {
	x := r.float64()
	if !(math.Abs(x) <= maxStamp) || x != math.Trunc(x) || x == 0 && math.Signbit(x) {
		r.fail("a time is %v", x)
		return 0
	}
	return int64(x)
}

func (d *compare) Reset() {
	*d = compare{set: d.set, training: d.set.learned, low: d.set.low, high: d.set.high}
}
