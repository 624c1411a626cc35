package detect

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/clock"
)

// testGrace is how long a test waits for silent sources: one step closes before
// the next is sent.
const testGrace = 100

// testPages is an outbox that counts what would page somebody, by rule.
type testPages map[string]int

func (c testPages) Quiet(*bbolt.Tx, []notify.Quiet) error { return nil }

func (testPages) Withdraw(*bbolt.Tx, []string) ([]notify.Withdrawn, error) { return nil, nil }

func (c testPages) EnqueueAll(tx *bbolt.Tx, list []notify.Notification) []error {
	for _, n := range list {
		if n.Type == notify.TypeFiring || n.Type == notify.TypeNoData {
			tx.OnCommit(func() { c[n.Rule]++ })
		}
	}
	return nil
}

func (testPages) Wake()                            {}
func (testPages) Attempts(string) []notify.Attempt { return nil }

// world is a whole server without its network: the store that is sent to, and the
// engine, on a clock of their own.
type world struct {
	clock  *clock.Manual
	store  *store.Store
	engine *Engine
	pages  testPages
	refs   []store.Ref
	batch  store.Batch
	close  func()
}

// run sends the series step by step and compares the alerts. An error is one of
// the rules or of the system.
func (t *ruleTest) run(rules []Rule) (faults []*Fault, err error) {
	steps := int64(0)
	for _, s := range t.series {
		steps = max(steps, int64(len(s.values)))
	}
	for _, x := range t.expect {
		steps = max(steps, int64(x.at/t.step)+1)
	}
	if steps > maxTestSteps || steps*int64(len(t.series)) > maxTestPoints {
		return nil, fmt.Errorf("it has %d steps of %d series, at most %d steps and %d values", steps, len(t.series), maxTestSteps, maxTestPoints)
	}
	w, err := t.begin(rules, steps)
	if err != nil {
		return nil, err
	}
	defer w.close()
	left := t.expect
	for i := range steps {
		at := t.start + i*int64(t.step)
		if err := w.send(t, i, at); err != nil {
			return nil, err
		}
		for _, later := range []int64{1, testGrace, 2 * testGrace} { // complete, waited for, put off
			w.to(at + later)
		}
		for len(left) > 0 && int64(left[0].at) == i*int64(t.step) {
			if f := t.compare(w.engine, &left[0]); f != nil {
				faults = append(faults, f)
			}
			left = left[1:]
		}
	}
	for _, rule := range sortedKeys(t.pages) {
		if got := w.pages[rule]; got != t.pages[rule] {
			faults = append(faults, t.fault(fmt.Errorf("pages.%s: it pages %s, want %d", rule, timesText(got), t.pages[rule]), "tests", t.index))
		}
	}
	return faults, nil
}

func timesText(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// begin makes a world in which the rules are put just before the first values.
func (t *ruleTest) begin(rules []Rule, steps int64) (w *world, err error) {
	dir, err := os.MkdirTemp("", "pulse-rules-test")
	if err != nil {
		return nil, err
	}
	w = &world{clock: clock.NewManual(time.UnixMilli(t.start - int64(t.step) + 1)), pages: testPages{}, close: func() { os.RemoveAll(dir) }}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	db, err := bbolt.Open(filepath.Join(dir, "state.db"), 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	if err != nil {
		return nil, err
	}
	w.close = func() { db.Close(); os.RemoveAll(dir) }
	retention := max((steps+240)*int64(t.step), 2*24*hour)
	if w.store, err = store.New(store.Options{Step: int64(t.step), Retention: retention}); err != nil {
		return nil, err
	}
	w.engine, err = New(Options{
		Store: w.store, Hub: stream.NewHub(w.store), DB: db, Notify: w.pages, Clock: w.clock, Log: zerolog.Nop(), Grace: testGrace,
	})
	if err != nil {
		return nil, err
	}
	now := w.clock.Now().UnixMilli()
	for _, r := range rules {
		r.Grace = 0
		if err := w.engine.PutRule(r, now); err != nil {
			return nil, err
		}
	}
	w.refs = make([]store.Ref, len(t.series))
	for i := range w.refs {
		w.refs[i] = store.NoRef
	}
	return w, nil
}

// send publishes the i-th values, stamped at, a report per source.
func (w *world) send(t *ruleTest, i, at int64) error {
	w.clock.Set(time.UnixMilli(at))
	w.store.Advance(at)
	for k := range t.series {
		source := t.series[k].source
		if slices.ContainsFunc(t.series[:k], func(s testSeries) bool { return s.source == source }) {
			continue // sent with the first of it
		}
		w.batch.Reset()
		w.batch.Source, w.batch.Arrival = w.store.Source(source, at), at
		for j := k; j < len(t.series); j++ {
			s := &t.series[j]
			if s.source != source || i >= int64(len(s.values)) || math.IsNaN(s.values[i]) {
				continue
			}
			if w.refs[j] == store.NoRef {
				ref, err := w.store.Resolve(w.store.HashTags(store.Hash{}, s.tags.AppendKey(nil)), s.tags, at)
				if err != nil {
					return fmt.Errorf("series %s: %w", s.tags, err)
				}
				w.refs[j] = ref
			}
			w.batch.Add(w.refs[j], at, s.values[i])
		}
		if len(w.batch.Refs) > 0 {
			w.store.Append(&w.batch, at)
		}
	}
	return nil
}

// to lets the time pass.
func (w *world) to(now int64) {
	w.clock.Set(time.UnixMilli(now))
	w.engine.Advance(now)
}

// compare returns what differs from what the test wants at this step.
func (t *ruleTest) compare(e *Engine, x *expectation) *Fault {
	got := e.openAlerts(func(in *incident) bool { return in.Rule == x.rule })
	slices.SortFunc(got, func(a, b Alert) int {
		if c := tagsOf(a.Tags).Compare(tagsOf(b.Tags)); c != 0 {
			return c
		}
		return strings.Compare(a.State, b.State)
	})
	var text strings.Builder
	differs := false
	taken := make([]bool, len(got))
	for i := range x.alerts {
		w := &x.alerts[i]
		at := slices.IndexFunc(got, func(a Alert) bool { return a.State == w.state && tagsOf(a.Tags).Equal(w.tags) })
		if at < 0 || taken[at] {
			differs = true
			fmt.Fprintf(&text, "\n  - %s", w)
			continue
		}
		taken[at] = true
		if wrong := w.wrong(&got[at], t.start); len(wrong) > 0 {
			differs = true
			fmt.Fprintf(&text, "\n  ! %s %s: %s", w.state, w.tags, strings.Join(wrong, "; "))
		} else {
			fmt.Fprintf(&text, "\n    %s", w)
		}
	}
	for i := range got {
		if !taken[i] {
			differs = true
			fmt.Fprintf(&text, "\n  + %s", t.shown(&got[i]))
		}
	}
	if !differs {
		return nil
	}
	what := fmt.Sprintf("at %s rule %s has other alerts (- wanted, + got, ! differs):%s", x.at, x.rule, text.String())
	if len(got) == 0 {
		what = fmt.Sprintf("at %s rule %s has no alert (- wanted):%s", x.at, x.rule, text.String())
	}
	if s, err := e.RuleStats(x.rule); err == nil && s.LastError != "" {
		what += "\n  its expression fails: " + s.LastError
	}
	place := t.fault(fmt.Errorf("%s", what), "tests", t.index, "expect", x.index)
	return place
}

// String is the alert as it was wanted.
func (w *wantedAlert) String() string {
	text := w.state + " " + w.tags.String()
	for _, b := range []struct {
		key string
		b   between
	}{{"value", w.value}, {"expected", w.expected}, {"score", w.score}} {
		if b.b.text != "" {
			text += " " + b.key + " " + b.b.text
		}
	}
	return text
}

// shown is an alert that there is.
func (t *ruleTest) shown(a *Alert) string {
	text := fmt.Sprintf("%s %s", a.State, tagsOf(a.Tags))
	for _, n := range []struct {
		key string
		v   float64
	}{{"value", a.Value}, {"expected", a.Expected}, {"score", a.Score}} {
		if !math.IsNaN(n.v) {
			text += fmt.Sprintf(" %s %.6g", n.key, n.v)
		}
	}
	return text + fmt.Sprintf(" since %s", Duration(a.PendingSince-t.start))
}

// wrong says in what a differs from what is wanted.
func (w *wantedAlert) wrong(a *Alert, start int64) (out []string) {
	for _, n := range []struct {
		key  string
		want between
		got  float64
	}{{"value", w.value, a.Value}, {"expected", w.expected, a.Expected}, {"score", w.score, a.Score}} {
		if !n.want.has(n.got) {
			out = append(out, fmt.Sprintf("%s is %.6g, want %s", n.key, n.got, n.want.text))
		}
	}
	if since := Duration(a.PendingSince - start); w.since != nil && since != *w.since {
		out = append(out, fmt.Sprintf("since %s, want %s", since, *w.since))
	}
	if w.severity != "" && a.Severity != w.severity {
		out = append(out, fmt.Sprintf("severity is %q, want %q", a.Severity, w.severity))
	}
	if w.cause != "" && a.Cause != w.cause {
		out = append(out, fmt.Sprintf("cause is %q, want %q", a.Cause, w.cause))
	}
	for _, m := range []struct {
		key       string
		want, got map[string]string
	}{{"labels", w.labels, a.Labels}, {"annotations", w.annotations, a.Annotations}} {
		for _, k := range sortedKeys(m.want) {
			if m.got[k] != m.want[k] {
				out = append(out, fmt.Sprintf("%s.%s is %q, want %q", m.key, k, m.got[k], m.want[k]))
			}
		}
	}
	return out
}
