package detect

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"pulse/detect/alert"
	"pulse/detect/algo"
	"pulse/query/stream"
	"pulse/store/tags"
)

// Groups of one rule. Lines beyond Options.MaxGroups are not judged, which the
// rule's status says; those that came before are.
const (
	defaultGroups = 50_000
	maxGroups     = 1_000_000 // the most that Options.MaxGroups may be
)

// judge runs one detector per group of an expression. The live rule, its warm
// start and the band of a graph are all this code over the lines of a stream,
// so they agree to the last bit. It is not safe for concurrent use.
type judge struct {
	maker  *algo.Maker
	step   int64
	keys   []string     // tags that tell the groups apart; nil: all
	noData alert.NoData // Zero turns no data into 0; Alert makes groups of lines without data
	learns bool         // the detector trains, so a verdict may be unknown
	past   bool         // steps are read from history, in which nobody's data means that nobody was there

	forget uint32   // steps; see leave
	gone   int      // groups that left so far
	at     int64    // the step of the last observe
	turn   int      // how often the clock had been set back then
	ahead  turnStep // the latest step that a group has seen before the others
	most   int      // groups
	excess int      // lines of the last step that would have made more

	absence  bool       // having no data is what is judged
	baseline *baselines // nil: nothing is compared

	groups []group // in order of appearance
	index  map[string]int
	lines  []lineRef // line number → group, as of the last step
	tick   uint64
	only   map[string]bool // keys of the groups that are judged; nil: all

	fresh  algo.Detector // has seen nothing, for peek
	peeked []float64
	left   []int

	scratch    []byte
	idScratch  tags.Tags
	keyScratch []byte
}

// group is one stream of values and its detector.
type group struct {
	tags     tags.Tags
	key      string
	detector algo.Detector // nil until the first value
	value    float64       // of the last step
	baseline float64       // of the last step, where groups are compared
	against  baselineRef
	verdict  algo.Verdict
	tick     uint64   // of the last step that had a line for it
	absent   uint32   // steps without data since the last with some
	seen     turnStep // up to this step it was judged before, and passes by what is observed
}

// turnStep is where a step is in the order in which steps are judged: some are judged again
// after the clock was set back. The zero one is before all steps.
type turnStep struct {
	turn int // how often the clock had been set back
	t    int64
}

func (p turnStep) before(q turnStep) bool { return p.turn < q.turn || p.turn == q.turn && p.t < q.t }

// lineRef remembers the group of a line, so that a step whose lines are those of
// the step before needs no look-up.
type lineRef struct {
	tags  tags.Tags
	group int
}

func newJudge(c *compiled) (*judge, error) {
	maker, err := c.detectors()
	if err != nil {
		return nil, err
	}
	j := &judge{
		maker: maker, step: c.step, keys: c.keys, noData: c.rule.noData(), learns: c.lookback > 0 && !c.absence(), absence: c.absence(),
		index: map[string]int{}, forget: uint32(max(c.retention, day) / c.step), most: c.maxGroups,
	}
	if c.baseline != nil {
		j.baseline = &baselines{keys: c.baseKeys}
	}
	return j, nil
}

// observe feeds the lines of step t, which must follow the step before. Groups
// without a line have no data. Before, groups that are long gone leave; left are
// the numbers that they had, ascending, and is overwritten by the next call.
func (j *judge) observe(t int64, lines []stream.Line) (left []int) {
	j.at = t
	left = j.leave(t)
	j.take(lines)
	j.decideAll(t)
	return left
}

// take gives every group its value of the lines of a step.
func (j *judge) take(lines []stream.Line) {
	j.tick++
	j.excess = 0
	some := false
	lines = j.takeBaseline(lines)
	for i := range lines {
		if !j.tells(lines[i].Value) {
			continue
		}
		if at := j.groupOf(i, &lines[i]); at >= 0 {
			j.groups[at].tick, j.groups[at].value = j.tick, lines[i].Value
			some = some || !math.IsNaN(lines[i].Value)
		}
	}
	for i := range j.groups {
		g := &j.groups[i]
		if j.passes(g) {
			continue
		}
		if j.baseline != nil {
			g.baseline = j.baseline.of(g.tags, &g.against)
			j.fillBaseline(g)
		}
		switch {
		case g.tick == j.tick && !math.IsNaN(g.value):
			g.absent = 0
			continue
		case some || !j.past:
			g.absent++
		}
		g.value = math.NaN()
	}
}

// hasSeen reports whether there was data for any group.
func (j *judge) hasSeen() bool {
	return slices.ContainsFunc(j.groups, func(g group) bool { return g.detector != nil })
}

// passes reports whether g has seen the step being observed.
func (j *judge) passes(g *group) bool {
	return j.ahead != turnStep{} && !g.seen.before(turnStep{j.turn, j.at})
}

// takeBaseline takes the lines of the baseline and returns the others.
func (j *judge) takeBaseline(lines []stream.Line) []stream.Line {
	if j.baseline == nil {
		return lines
	}
	lines, baseline := split(lines)
	j.baseline.take(baseline)
	return lines
}

// fillBaseline makes no data 0 in the baseline, too, where the rule says so.
func (j *judge) fillBaseline(g *group) {
	if j.noData == alert.Zero && math.IsNaN(g.baseline) {
		g.baseline = 0
	}
}

// leave takes out, every checkpointSteps steps, the groups that have been without
// data for a day, or the store's retention if that is longer. The order of the
// others stays.
func (j *judge) leave(t int64) []int {
	j.left = j.left[:0]
	if t/j.step%checkpointSteps != 0 {
		return nil
	}
	for i := range j.groups {
		if g := &j.groups[i]; j.isGone(g) && !j.passes(g) {
			j.left = append(j.left, i)
		}
	}
	if len(j.left) == 0 {
		return nil
	}
	j.gone += len(j.left)
	j.drop(j.left)
	return j.left
}

// drop takes out the groups of the given numbers, which are ascending.
func (j *judge) drop(which []int) {
	for _, i := range which {
		delete(j.index, j.groups[i].key)
	}
	j.groups = without(j.groups, which)
	for i := range j.groups {
		j.index[j.groups[i].key] = i
	}
	for i := range j.lines {
		j.lines[i].group = -1
	}
}

// keep takes out all groups but those of the given keys, and makes no others.
func (j *judge) keep(groups map[string]bool) {
	j.only = groups
	var others []int
	for i := range j.groups {
		if !groups[j.groups[i].key] {
			others = append(others, i)
		}
	}
	j.drop(others)
}

func (j *judge) isGone(g *group) bool {
	switch {
	case g.absent <= j.forget:
		return false
	case j.noData == alert.Zero:
		return g.tick != j.tick && !g.verdict.Out
	case j.noData == alert.Alert:
		return g.tick != j.tick // or it would be made again at once
	}
	return true
}

// without takes the elements of the given numbers, which are ascending and may be
// beyond its end, out of list.
func without[T any](list []T, numbers []int) []T {
	if len(numbers) == 0 {
		return list
	}
	kept := list[:0]
	for i := range list {
		if len(numbers) > 0 && numbers[0] == i {
			numbers = numbers[1:]
			continue
		}
		kept = append(kept, list[i])
	}
	clear(list[len(kept):])
	return kept
}

// shareGroups is how many groups are worth a goroutine.
const shareGroups = 2048

// decideAll lets every detector judge the value that take gave its group.
func (j *judge) decideAll(t int64) {
	n := len(j.groups)
	workers := min(runtime.GOMAXPROCS(0), n/shareGroups)
	if workers < 2 {
		j.decideSome(j.groups, t)
		return
	}
	var wait sync.WaitGroup
	for w := 1; w < workers; w++ {
		part := j.groups[w*n/workers : (w+1)*n/workers]
		wait.Go(func() { j.decideSome(part, t) })
	}
	j.decideSome(j.groups[:n/workers], t)
	wait.Wait()
}

func (j *judge) decideSome(groups []group, t int64) {
	next := j.maker.Fetcher(t)
	for i := range groups {
		if k := i + algo.FetchAhead; k < len(groups) {
			next.Fetch(groups[k].detector)
		}
		if !j.passes(&groups[i]) {
			j.decide(&groups[i], t)
		}
	}
}

// peek returns whether f answers true for any group, given what the lines of
// step t would mean for its alert. It changes nothing; i is -1 for a group that is
// not there yet.
func (j *judge) peek(t int64, lines []stream.Line, f func(i int, o alert.Observation) bool) bool {
	if j.fresh == nil {
		j.fresh = j.maker.New()
	}
	j.peeked = slices.Grow(j.peeked[:0], len(j.groups))[:len(j.groups)]
	for i := range j.peeked {
		j.peeked[i] = math.NaN()
	}
	lines = j.takeBaseline(lines)
	for i := range lines {
		at := j.find(i, &lines[i])
		if at >= 0 {
			j.peeked[at] = lines[i].Value
			continue
		}
		if len(j.groups) >= j.most || !j.makes(&lines[i]) {
			continue
		}
		g := group{value: lines[i].Value, detector: j.fresh, tags: j.idScratch}
		if f(-1, j.wouldBe(&g, t)) {
			return true
		}
	}
	for i, v := range j.peeked {
		g := group{value: v, detector: j.groups[i].detector, tags: j.groups[i].tags}
		if g.detector == nil {
			g.detector = j.fresh
		}
		if f(i, j.wouldBe(&g, t)) {
			return true
		}
	}
	return false
}

// wouldBe says what the value of g at step t would mean for its alert.
func (j *judge) wouldBe(g *group, t int64) alert.Observation {
	if j.noData == alert.Zero && math.IsNaN(g.value) {
		g.value = 0
	}
	if j.baseline != nil {
		g.baseline = j.baseline.of(g.tags, &baselineRef{})
		j.fillBaseline(g)
	}
	if !math.IsNaN(g.value) || j.absence {
		g.verdict = peekDetector(g.detector, t, g.value, g.baseline)
	}
	return j.observation(g)
}

// decide lets the group's detector judge its value of step t.
func (j *judge) decide(g *group, t int64) {
	if j.noData == alert.Zero && math.IsNaN(g.value) {
		g.value = 0
	}
	if g.detector == nil {
		if math.IsNaN(g.value) {
			g.verdict = unknown()
			return
		}
		g.detector = j.maker.New()
	}
	g.verdict = stepDetector(g.detector, t, g.value, g.baseline)
}

// unknown is the verdict about a group that has not had any data.
func unknown() algo.Verdict {
	nan := math.NaN()
	return algo.Verdict{Expected: nan, Lower: nan, Upper: nan}
}

// observation says what the group's last step means for its alert.
func (j *judge) observation(g *group) alert.Observation {
	switch {
	case math.IsNaN(g.value) && !(j.absence && g.verdict.Out):
		return alert.Missing
	case g.verdict.Out:
		return alert.Out
	case j.learns && math.IsNaN(g.verdict.Expected):
		return alert.Unjudged
	}
	return alert.In
}

// groupOf returns the index of the group that line i belongs to, or -1 when it
// has none: it never had data, or there are too many.
func (j *judge) groupOf(i int, line *stream.Line) int {
	at := j.find(i, line)
	if at >= 0 || !j.makes(line) {
		return at
	}
	if len(j.groups) >= j.most {
		j.excess++
		return -1
	}
	at = j.add(append(tags.Tags(nil), j.idScratch...))
	j.lines[i] = lineRef{line.Tags, at}
	return at
}

// makes reports whether a line that belongs to no group, as find has just said,
// makes one if there is room. A group begins with its first value. The one group of a rule
// without grouping is there before, where having no data is out of band.
func (j *judge) makes(line *stream.Line) bool {
	if math.IsNaN(line.Value) && (j.noData != alert.Alert || j.keys == nil || len(j.keys) > 0) {
		return false
	}
	return j.only == nil || j.only[string(j.keyScratch)]
}

// tells reports whether a line of a group with value v is something else than no line: no
// data is, where the rule says what that means.
func (j *judge) tells(v float64) bool {
	return !math.IsNaN(v) || j.noData == alert.Zero || j.noData == alert.Alert
}

// find returns the index of the group that line i belongs to, or -1; the group's
// tags are in j.idScratch then.
func (j *judge) find(i int, line *stream.Line) int {
	for len(j.lines) <= i {
		j.lines = append(j.lines, lineRef{group: -1})
	}
	ref := &j.lines[i]
	if ref.group >= 0 && sameTags(ref.tags, line.Tags) {
		return ref.group
	}
	ref.group = -1
	j.idScratch = identity(j.idScratch[:0], line.Tags, j.keys)
	j.keyScratch = j.idScratch.AppendKey(j.keyScratch[:0])
	if j.only != nil && !j.only[string(j.keyScratch)] {
		return -1
	}
	at, ok := j.index[string(j.keyScratch)]
	if !ok {
		return -1
	}
	*ref = lineRef{line.Tags, at}
	return at
}

// add makes a group of the given tags, which no group has.
func (j *judge) add(t tags.Tags) int {
	key := string(t.AppendKey(nil))
	at := len(j.groups)
	j.groups = append(j.groups, group{tags: t, key: key, value: math.NaN(), verdict: unknown()})
	j.index[key] = at
	return at
}

// sameTags reports whether a and b are one slice; tags are immutable.
func sameTags(a, b tags.Tags) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// identity appends the tags of t with the given keys, or all for nil.
func identity(dst, t tags.Tags, keys []string) tags.Tags {
	if keys == nil {
		return append(dst, t...)
	}
	for _, tag := range t {
		for _, key := range keys {
			if key == tag.Key {
				dst = append(dst, tag)
				break
			}
		}
	}
	return dst
}
