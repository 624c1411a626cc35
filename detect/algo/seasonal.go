package algo

import (
	"math"
	"time"
)

// seasonal judges a stream that follows the day or the week: `seasonal` always
// does once a cycle has been seen, `auto` when it predicts better (auto.go).
// Until then the stream is judged by smoothing alone.
//
// Steps of up to two minutes are judged by windows of minutes and hours around
// profile and level (windows.go, drift.go); longer ones by smoothing of the
// stream without its season.
//
// What every step reads comes first, the profile last; a state has some 11 KB, of
// which a step touches a dozen cache lines.
type seasonal struct {
	set *seasonSettings

	tickSum, tickProfile  float64
	bucketAt              int64   // start of the bucket that is being filled, local
	bucketSum             float64 // of values
	bucketLow, bucketHigh float64
	fitted                int64 // step index of the last choice ÷ fitEvery
	scale                 scale
	tickN, bucketN        int32
	choice                season
	next                  season // chosen, waiting for its step
	stage                 uint8  // of choices and fits
	free                  bool   // the day goes the way of a free day
	whole                 bool   // all values so far are multiples of one event per step
	plainOut              bool   // plain is out
	excused               bool   // for what came yesterday too
	peeking               bool   // this is a copy that must leave plain as it is
	pager                 pager
	frozen                frozen
	windows               windows

	calendar  calendar // not part of the state: follows from the time zone
	middle    float64  // of the profile
	begin     int32    // bucket of the day at which a day begins, -1 when not known
	beginNext int32
	plain     Detector  // of the stream as it is
	adjusted  smoothing // of the stream without its season, where steps are long
	profile   profile
}

// seasonSettings are the parameters of seasonal and auto.
type seasonSettings struct {
	*settings
	newPlain    func() Detector
	step        int64 // ms
	tick        int64 // ms, of windows
	fine        bool  // judged by windows
	auto        bool
	zone        *time.Location // nil: UTC
	allowed     [seasons]bool
	shape       shape
	spans       [stretches]span
	minute      int64 // ms, of the windows' minutes
	minuteTicks float64
	wander      float64 // variance of the change of a level's logarithm per tick
	deep        int     // ticks of a minute; 0: not heard
	tickFast    float64
	warm        int32 // ticks before windows are heard
}

const (
	fineStepMs   = 120_000
	warmMs       = 6 * 3_600_000
	slowWarm     = 288 // buckets
	spanMarginMs = 10_000
)

func readSeasonal(p *params) func() Detector {
	s := readSeasonSettings(p)
	s.allowed = [seasons]bool{seasonDay: true, seasonWeek: true}
	if given, ok := p.values["season"]; ok {
		s.allowed = p.seasons("season", given)
	}
	return s.new
}

func readSeasonSettings(p *params) *seasonSettings {
	shared := readSettings(p)
	s := &seasonSettings{settings: shared, step: p.step, shape: shapeOf(p.step)}
	s.fine = p.step <= fineStepMs
	s.newPlain = readDoubleExponential(p)
	s.zone = p.zone("timezone")
	s.beta = defaultBeta
	s.tick = p.step
	if s.tick < leastTickMs {
		s.tick = (leastTickMs + p.step - 1) / p.step * p.step
	}
	ticks := func(ms int64) int { return int((ms + s.tick - 1) / s.tick) }
	hold := int64(s.hold) * p.step
	if !p.has("hold") {
		hold = defaultHoldMs
	}
	s.minute = (minuteMs + s.tick - 1) / s.tick * s.tick
	s.minuteTicks = float64(s.minute / s.tick)
	n := ticks(hold + spanMarginMs)
	if p.step >= minuteMs {
		n = ticks(hold)
	}
	n = min(max(n, 1), tickRing)
	edge := (n + 3) / 7
	if n > 1 {
		edge = max(edge, 1)
	}
	minutes := func(ms int64) int { return int((ms + s.minute - 1) / s.minute) }
	skip := minutes(int64(n) * s.tick)
	s.spans = [stretches]span{
		{n, edge, skip, 1.0 / 20_000, int32(max(1, n/5))},
		{max(5, skip), 1, max(5, skip), 1.0 / 5000, 1},
		{max(10, skip), 3, max(10, skip), 1.0 / 5000, 2},
	}
	s.wander = wanderPerMinute * float64(s.tick) / minuteMs
	s.deep = ticks(min(60_000, max(hold, 1)))
	if p.has("hold") && hold > defaultHoldMs {
		s.deep = 0
	}
	s.tickFast = -math.Expm1(-float64(s.tick) / fastBuckets)
	s.warm = int32(max(200, min(warmMs/s.tick, 4000)))
	return s
}

func (s *seasonSettings) new() Detector {
	d := s.beside(s.newPlain())
	d.Reset()
	return d
}

func (d *seasonal) Reset() {
	d.restart()
	d.plain.Reset()
	d.plainOut = false
	d.adjusted = smoothing{set: d.set.settings}
	d.scale = scale{}
}

// restart forgets all but the scale and the smoothing.
func (d *seasonal) restart() {
	*d = seasonal{
		set: d.set, plain: d.plain, plainOut: d.plainOut, peeking: d.peeking, adjusted: d.adjusted,
		scale: d.scale, calendar: d.calendar, whole: true, begin: -1, beginNext: -1, fitted: math.MinInt64,
	}
	d.profile.reset()
	d.windows.reset(0)
}

func (d *seasonal) Step(t int64, v float64) Verdict {
	if math.Abs(v) > valueMax {
		v = math.NaN()
	}
	if v < 0 && !d.scale.linear {
		d.restart()
		d.scale.linear = true
	}
	middle := d.calendar.local(d.set.zone, t) - d.set.step/2
	d.fill(middle)
	d.schedule(floorDiv(t, d.set.step))
	if v == v {
		d.add(v)
	}
	if d.set.fine {
		return d.stepFine(t, middle, v)
	}
	return d.stepCoarse(t, middle, v)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// fill closes the bucket that was being filled when local time middle lies in
// another.
func (d *seasonal) fill(middle int64) {
	at := floorDiv(middle, d.set.shape.bucket) * d.set.shape.bucket
	if at == d.bucketAt {
		return
	}
	from := d.bucketAt + d.set.shape.bucket/2
	then, was := d.profile.freeDay(&d.set.shape, d.choice, from) // before it is learned
	switch first := d.scale.floor == 0; {
	case d.bucketN == 0:
	case first && d.share() < 1: // a stream begins anywhere
		d.scale.see(d.bucketMean())
	default:
		d.close(from, d.bucketMean())
	}
	d.goOn(then-from, was, at+d.set.shape.bucket/2)
	d.bucketAt, d.bucketSum, d.bucketN = at, 0, 0
}

// goFree decides whether the day goes the way of a free day; ok says that it could.
func (d *seasonal) goFree(at int64, ok bool) {
	free := ok && d.windows.slow.goesFree(d.free, d.scale.linear)
	if free == d.free {
		return
	}
	before, known := d.course(at)
	d.free = free
	after, too := d.course(at)
	if known && too {
		d.windows.rescale(math.Exp(clamp(before-after, 10)), false)
	}
}

// since returns how many buckets ago the day began, -1 when that is not known.
func (d *seasonal) since(at int64) int {
	if d.begin < 0 {
		return -1
	}
	n := int64(d.set.shape.days)
	now := within(at, dayMs) / d.set.shape.bucket
	return int(((now-int64(d.begin)+dayLead)%n + n) % n)
}

// dayLead is how long before the bucket that tells two days apart a day has begun.
const dayLead = 16

// course returns what the profile says about local time at.
func (d *seasonal) course(at int64) (float64, bool) {
	if d.free {
		if free, ok := d.profile.freeDay(&d.set.shape, d.choice, at); ok {
			at = free
		}
	}
	return d.profile.at(&d.set.shape, d.choice, at)
}

// add takes a value into the bucket.
func (d *seasonal) add(v float64) {
	d.addWide(v, 1)
}

// addWide takes a value that stands for n steps.
func (d *seasonal) addWide(v float64, n int32) {
	if d.bucketN == 0 {
		d.bucketLow, d.bucketHigh = v, v
	}
	d.bucketSum += v * float64(n)
	d.bucketLow, d.bucketHigh = min(d.bucketLow, v), max(d.bucketHigh, v)
	d.bucketN += n
}

// share is how much of the bucket that is being filled has come, as a part of what makes
// it a whole one: more than half of its steps.
func (d *seasonal) share() float64 {
	return min(1, 2*float64(d.bucketN)*float64(d.set.step)/float64(d.set.shape.bucket))
}

// bucketMean returns the mean of the bucket without its least and largest value,
// since a first value, or one after a gap, may cover a part of its step only.
func (d *seasonal) bucketMean() float64 {
	if d.bucketN < 4 {
		return d.bucketSum / float64(d.bucketN)
	}
	return clamp3((d.bucketSum-d.bucketLow-d.bucketHigh)/float64(d.bucketN-2), d.bucketLow, d.bucketHigh)
}

// clamp3 limits x, which rounding may have moved, to [low, high].
func clamp3(x, low, high float64) float64 { return max(low, min(x, high)) }

// close learns the bucket around local time at, whose mean is v.
func (d *seasonal) close(at int64, v float64) {
	s := &d.set.shape
	d.scale.see(v)
	y := d.scale.of(v)
	if d.set.fine && d.choice != seasonNone {
		own, other := float32(unknownBucket), float32(unknownBucket)
		if cell := d.profile.cell(s, d.choice, at); *cell != unknownBucket {
			own = float32(y - float64(*cell))
		}
		free, ok := d.profile.freeDay(s, d.choice, at)
		if cell := d.profile.cell(s, d.choice, free); ok && *cell != unknownBucket {
			other = float32(y - float64(*cell))
		}
		d.windows.slow.push(d.set, own, other, d.profile.tracks[d.choice].usual, d.since(at), d.free, d.scale.linear, !d.pager.out)
		d.goFree(at, ok)
		if !d.scale.linear && !d.pager.out && d.windows.slow.home(math.Log(d.windows.level)) {
			d.arrive()
		}
	}
	gone := d.set.fine && d.choice != seasonNone && d.nothing(d.windows.level, goneShare)
	d.profile.learn(s, at, y, d.share(), d.out() || d.free || gone)
	if !d.set.auto && d.choice == seasonNone {
		if c := d.profile.best(s, d.set.allowed, d.choice); c != seasonNone {
			d.follow(c)
		}
	}
}

func (d *seasonal) out() bool {
	switch {
	case !d.judging():
		return d.plainOut
	case d.set.fine:
		return d.pager.out
	}
	return d.adjusted.episode.out
}

// judging reports whether the season has a say yet.
func (d *seasonal) judging() bool {
	if d.choice == seasonNone {
		return false
	}
	if d.set.fine {
		return d.windows.seen >= d.set.warm
	}
	return int(d.adjusted.seen) >= max(d.set.train, defaultTrain)
}

// follow makes c the season that is followed.
func (d *seasonal) follow(c season) {
	if c == d.choice {
		return
	}
	if d.choice == seasonNone {
		d.windows.reset(d.scale.factor(d.profile.tracks[c].fast))
		d.adjusted = smoothing{set: d.set.settings}
		d.pager = pager{out: d.plainOut && !d.excused, side: down, depth: 0.1}
	} else {
		d.windows.level = d.levelFor(c)
		d.windows.unlearn()
	}
	if c == seasonNone {
		d.plain.Reset()
		d.plainOut = false
	} else {
		d.middle = d.profile.middle(&d.set.shape, c)
	}
	d.choice, d.free = c, false
}

// stepCoarse judges a long step by smoothing of the stream without its season.
func (d *seasonal) stepCoarse(t, middle int64, v float64) Verdict {
	verdict := d.stepUnseasoned(t, middle, v)
	base, known := d.profile.at(&d.set.shape, d.choice, middle)
	if d.choice == seasonNone || !known {
		return verdict
	}
	judging := d.judging()
	base -= d.middle
	var adjusted Verdict
	if d.scale.linear {
		adjusted = d.adjusted.Step(t, v-base)
		adjusted.Expected += base
		adjusted.Lower += base
		adjusted.Upper += base
	} else {
		factor := math.Exp(base)
		adjusted = d.adjusted.Step(t, v/factor)
		adjusted.Expected *= factor
		adjusted.Lower *= factor
		adjusted.Upper *= factor
	}
	if !judging {
		return verdict
	}
	return adjusted
}

// stepPlain judges the stream as it is.
func (d *seasonal) stepPlain(t int64, v float64) Verdict {
	if d.peeking {
		return d.plain.Peek(t, v)
	}
	verdict := d.plain.Step(t, v)
	d.plainOut = verdict.Out
	return verdict
}

// stepUnseasoned judges the stream as it is while no season is followed. What came at
// the same time yesterday is no news, though: it does not page.
func (d *seasonal) stepUnseasoned(t, middle int64, v float64) Verdict {
	verdict := d.stepPlain(t, v)
	if !verdict.Out {
		d.excused = false
		return verdict
	}
	if verdict.Score >= d.set.scoreOf(d.set.limit) {
		d.excused = d.yesterday(middle, v, verdict.Expected)
	}
	if d.excused {
		verdict.Out, verdict.Cause, verdict.Score = false, CauseNone, min(verdict.Score, repeatScore)
	}
	return verdict
}

// yesterday reports whether the profile of the day comes much closer to v than
// expected does.
func (d *seasonal) yesterday(middle int64, v, expected float64) bool {
	if !d.set.allowed[seasonDay] || d.profile.tracks[seasonDay].predicted < probationBkt {
		return false
	}
	y, known := d.profile.at(&d.set.shape, seasonDay, middle)
	return known && math.Abs(v-d.scale.back(y+d.profile.tracks[seasonDay].slow)) < yesterdayShare*math.Abs(v-expected)
}

const yesterdayShare = 0.3

// Peek judges with a copy.
func (d *seasonal) Peek(t int64, v float64) Verdict {
	c := *d
	c.peeking = true
	return c.Step(t, v)
}

// lookback is four weeks in whole steps.
func (s *seasonSettings) lookback() int64 {
	const want = 4 * weekMs
	return (want + s.step - 1) / s.step * s.step
}
