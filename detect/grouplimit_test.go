package detect_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pulse/detect"
)

// Of a rule that grows beyond the limit the groups that came first are judged, the
// others are not, and its status says so; a back-test says so, too.
func TestGroupsBeyondTheLimit(t *testing.T) {
	r := newRig(t, 1000)
	r.groups = 3
	r.start()
	const rule = `{"id":"each","expr":"name,sps,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50}}`
	r.put(rule)
	send := func(from, to int64, nodes int, v float64) {
		for s := from; s <= to; s++ {
			r.at(s*1000 - 300)
			var points []point
			for i := range nodes {
				points = append(points, p(v, "name", "sps", "node", fmt.Sprint(i)))
			}
			r.send("a", points...)
			r.to(s*1000 + 50)
		}
	}
	send(1, 5, 3, 100)
	if s, err := r.engine.RuleStats("each"); err != nil || s.Groups != 3 || s.Errors != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	send(6, 9, 5, 100)
	send(10, 10, 5, 10)
	s, err := r.engine.RuleStats("each")
	if err != nil || s.Groups != 3 || s.Errors != 5 || !strings.Contains(s.LastError, "more than the 3 groups that are judged") {
		t.Errorf("%+v, %v", s, err)
	}
	if n := r.engine.Stats().Firing; n != 3 {
		t.Errorf("%d groups fire, want the 3 that are judged", n)
	}
	out, err := r.engine.Backtest(context.Background(), detect.Backtest{Rule: mustRule(t, strings.Replace(rule, "each", "other", 1)), Start: epoch, End: epoch + 10_000})
	if err != nil || out.Judged != 3 || len(out.Notices) != 1 || !strings.Contains(out.Notices[0], "more than the 3 groups") {
		t.Errorf("back-test: %d groups, notices %q, %v", out.Judged, out.Notices, err)
	}
	r.put(strings.Replace(rule, "50", "40", 1)) // what is in force may be changed
	err = r.engine.PutRule(mustRule(t, strings.Replace(rule, "each", "other", 1)), r.now())
	if err == nil || !strings.Contains(err.Error(), `rule "other": expr gives 5 groups, at most 3`) {
		t.Errorf("another rule: %v", err)
	}
}

// Lines of a baseline are no groups, and are limited on their own.
func TestBaselineWithinTheLimit(t *testing.T) {
	r := newRig(t, 1000)
	r.groups = 3
	r.start()
	r.at(700)
	for i := range 3 {
		r.send("a", p(1, "name", "new", "node", fmt.Sprint(i)), p(1, "name", "old", "node", fmt.Sprint(i)))
	}
	r.to(1050)
	const rule = `{"id":"ab","expr":"name,new,:eq,:sum,(,node,),:by","detector":{"kind":"compare","baseline":"name,old,:eq,:sum,(,node,),:by"}}`
	r.put(rule)
	r.at(1700)
	r.send("a", p(1, "name", "old", "node", "4"))
	r.to(2050)
	r.put(rule)
	err := r.engine.PutRule(mustRule(t, strings.Replace(rule, `"ab"`, `"cd"`, 1)), r.now())
	if err == nil || !strings.Contains(err.Error(), `detector.baseline gives 4 lines, at most 3`) {
		t.Errorf("a baseline of 4 lines: %v", err)
	}
}
