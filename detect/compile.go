package detect

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"

	"pulse/detect/alert"
	"pulse/detect/algo"
	"pulse/query/asl"
	"pulse/query/expr"
)

// compiled is a checked rule ready to run. It is immutable.
type compiled struct {
	rule     Rule
	sum      [sha256.Size]byte // of the rule as JSON
	expr     expr.TimeSeries
	text     string          // canonical expression
	keys     []string        // tags that tell the groups apart; nil: all tags
	baseline expr.TimeSeries // nil: nothing is compared
	baseKeys []string        // the same of the baseline
	step     int64           // ms
	grace    int64           // ms
	notes    annotations
	config   alert.Config
	lookback int64 // ms of history that a new detector reads
	zeroFill bool  // a missing value is 0 while its source reports
	// retention is how long the store keeps values of its own step, ms.
	retention int64
	maxGroups int // how many are judged
	detector  json.RawMessage
	link      string // the part of links to a graph that names the rule
	// maker makes detectors for a rule at makerStep.
	maker     *algo.Maker
	makerStep int64
}

// compiler turns rules into compiled ones for one server.
type compiler struct {
	interpreter *asl.Interpreter
	primary     int64 // ms
	grace       int64 // ms, of rules that have none
	retention   int64 // of the primary step, ms
	maxGroups   int   // of a rule
	makers      makers
}

// compile checks r completely.
func (c *compiler) compile(r Rule) (*compiled, error) {
	r.setDefaults()
	if err := r.validate(c.primary); err != nil {
		return nil, r.wrong(err)
	}
	e, err := c.expression(r.Expr)
	if err != nil {
		return nil, fmt.Errorf("rule %q: expr: %w", r.ID, err)
	}
	notes, err := parseAnnotations(r.Annotations)
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.ID, err)
	}
	detector, err := json.Marshal(specJSON(r.Detector))
	if err != nil {
		return nil, fmt.Errorf("rule %q: detector: %w", r.ID, err)
	}
	made, err := c.makers.of(r.Detector, detector, r.stepMs(c.primary))
	if err != nil {
		return nil, r.wrong(err)
	}
	out := &compiled{
		rule: r, expr: e, text: e.String(), step: r.stepMs(c.primary), grace: c.grace, retention: c.retention, maxGroups: c.maxGroups, notes: notes, detector: detector,
		lookback: made.lookback, maker: made.maker, makerStep: r.stepMs(c.primary), zeroFill: r.noData() == alert.Auto || r.noData() == alert.Zero,
	}
	if text, err := r.MarshalJSON(); err == nil {
		out.sum = sha256.Sum256(text)
	}
	out.link = "&q=" + url.QueryEscape(r.Expr) + "&rule=" + url.QueryEscape(r.ID)
	out.keys = groupKeys(e)
	if out.baseline, out.baseKeys, err = c.baselineOf(&r, out.keys); err != nil {
		return nil, fmt.Errorf("rule %q: detector.baseline: %w", r.ID, err)
	}
	if r.Grace != 0 {
		out.grace = int64(r.Grace)
	}
	out.config = alert.Config{
		Step: out.step, For: int64(r.For), Keep: max(int64(r.Keep), out.step),
		AbsenceAfter: int64(r.AbsenceAfter), NoData: r.noData(),
	}
	r.Flap.apply(&out.config, out.step)
	if out.absence() {
		out.config.NoData = alert.Keep // one alert says it
	}
	return out, nil
}

// absence reports whether having no data is what the rule judges.
func (c *compiled) absence() bool { return c.rule.Detector.Kind == "absence" }

// expression interprets the text of a rule, which must give one expression.
func (c *compiler) expression(text string) (expr.TimeSeries, error) {
	styles, err := c.interpreter.ParseStyle(text)
	if err != nil {
		return nil, err
	}
	if len(styles) != 1 {
		return nil, fmt.Errorf("gives %d expressions, a rule needs exactly one", len(styles))
	}
	return styles[0].Expr, nil
}

// groupKeys returns the keys that tell the lines of e apart: those of its final
// grouping, none when it has one line, and nil, meaning all, when it has a line
// per series.
func groupKeys(e expr.TimeSeries) []string {
	if e.Grouped() {
		return e.Keys()
	}
	for _, d := range expr.DataExprs(e) {
		if _, all := d.(*expr.All); all {
			return nil
		}
	}
	return []string{}
}

// sameStream reports whether both rules judge the same values.
func (c *compiled) sameStream(o *compiled) bool {
	return c.text == o.text && c.step == o.step && c.rule.NoData == o.rule.NoData
}

// judges says what the rule judges and how, which decides whether a detector's
// state is still of use.
func (c *compiled) judges() string {
	return fmt.Sprintf("%s at %d ms, no data %s, by %s", c.text, c.step, c.rule.NoData, c.detector)
}

// sameDetector reports whether both rules judge values alike.
func (c *compiled) sameDetector(o *compiled) bool { return string(c.detector) == string(o.detector) }

// makers is what makes detectors, by what they are made of: to prepare one may take
// a millisecond, and thousands of rules judge alike.
type makers struct {
	mu   sync.Mutex
	made map[string]made
}

type made struct {
	maker    *algo.Maker
	lookback int64 // ms
}

// maxMakers bounds how many are remembered.
const maxMakers = 256

// of returns what makes the detectors of a spec, whose JSON is text, at a step.
func (m *makers) of(spec algo.Spec, text []byte, step int64) (made, error) {
	key := fmt.Sprintf("%d %s", step, text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.made[key]; ok {
		return known, nil
	}
	maker, err := algo.Prepare(spec, step)
	if err != nil {
		return made{}, err
	}
	lookback, err := algo.Lookback(spec, step)
	if err != nil {
		return made{}, err
	}
	if len(m.made) >= maxMakers || m.made == nil {
		m.made = map[string]made{}
	}
	m.made[key] = made{maker, lookback}
	return m.made[key], nil
}

// detectors returns what makes the detectors of c.
func (c *compiled) detectors() (*algo.Maker, error) {
	if c.maker != nil && c.makerStep == c.step {
		return c.maker, nil
	}
	return algo.Prepare(c.rule.Detector, c.step)
}
