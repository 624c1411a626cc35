package detect_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pulse/detect"
)

// A back-test, a check and a band follow no live series, and a back-test says before
// how much memory it takes: twice as much for values where there is a baseline.
func TestBacktestFollowsNothing(t *testing.T) {
	r := newRig(t, 1000)
	for s := int64(1); s <= 300; s++ {
		r.at(s*1000 - 300)
		var points []point
		for i := range 5 {
			points = append(points, p(100, "name", "sps", "node", fmt.Sprint(i)), p(100, "name", "base", "node", fmt.Sprint(i)))
		}
		r.send("a", points...)
		r.to(s * 1000)
	}
	r.put(`{"id":"live","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":1}}`)
	r.to(310_000)
	const each = `"expr":"name,sps,:eq,:sum,(,node,),:by,60s,:offset"`
	reserved := map[string]int64{}
	for _, rule := range []string{
		`{"id":"static",` + each + `,"detector":{"kind":"static","below":1}}`,
		`{"id":"auto",` + each + `,"detector":{"kind":"auto"}}`,
		`{"id":"compare",` + each + `,"detector":{"kind":"compare","baseline":"name,base,:eq,:sum,(,node,),:by"}}`,
	} {
		b := detect.Backtest{Rule: mustRule(t, rule), Start: epoch + 120_000, End: epoch + 300_000}
		if err := r.engine.Check(b.Rule); err != nil {
			t.Fatal(err)
		}
		b.Reserve = func(n int64) error {
			reserved[b.Rule.ID] += n
			if n := r.hub.Sources(); n != 1 {
				t.Errorf("%s: %d data expressions are followed, want that of the live rule", b.Rule.ID, n)
			}
			return nil
		}
		out, err := r.engine.Backtest(context.Background(), b)
		if err != nil || out.Judged != 5 || out.Verdicts < 5*180 {
			t.Errorf("%s: %v, %d groups, %d verdicts", b.Rule.ID, err, out.Judged, out.Verdicts)
		}
	}
	if _, err := r.engine.Band(context.Background(), "live", epoch, epoch+300_000, nil); err != nil || r.hub.Sources() != 1 {
		t.Errorf("band: %v, %d data expressions are followed", err, r.hub.Sources())
	}
	if s, c, a := reserved["static"], reserved["compare"], reserved["auto"]; s == 0 || c < 2*s || a < s+5*(24<<10) {
		t.Errorf("reserved: %s", strings.Trim(fmt.Sprint(reserved), "map"))
	}
}
