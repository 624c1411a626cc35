package web_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// compareStatus is what a script reads of the groups of a rule that compares.
type compareStatus struct {
	Groups []struct {
		Tags      map[string]string
		State     string
		Decision  string
		DecidedAt int64
		Cause     string
		Facts     map[string]*float64
	}
}

// A canary that is worse by 20 % fails and pages; one that is equal passes by
// decide_by without a page. A script waits for either by asking for the groups
// until decidedAt is there.
func TestCanaryIsDecidedWithoutAPerson(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("canary", `{"expr":"name,errors,:eq,role,canary,:eq,:and,:sum,(,app,),:by","severity":"page",
		"detector":{"kind":"compare","baseline":"name,errors,:eq,role,baseline,:eq,:and,:sum,(,app,),:by","direction":"above","decide_by":"90s"}}`)
	random := rand.New(rand.NewPCG(1, 2))
	count := func(mean float64) float64 { return float64(int(mean + 30*random.NormFloat64())) }
	decided := map[string]string{}
	for i := 0; i < 100 && len(decided) < 2; i++ {
		now := r.now()
		var points []string
		for app, worse := range map[string]float64{"equal": 1, "worse": 1.2} {
			points = append(points, point(now, count(1000*worse), "sum", "errors", "role", "canary", "app", app),
				point(now, count(1000), "sum", "errors", "role", "baseline", "app", app))
		}
		r.publish(points...)
		r.move(time.Second)
		r.move(time.Second) // its source has reported
		for _, g := range decode[compareStatus](t, r.get("/api/v1/rules/canary/groups")).Groups {
			if app := g.Tags["app"]; g.DecidedAt != 0 && decided[app] == "" {
				decided[app] = fmt.Sprint(g.Decision, " ", g.State, " ", g.Cause)
				if g.Facts["p_value"] == nil || g.Facts["ratio_lower"] == nil || g.Facts["ratio"] == nil || *g.Facts["ratio"] < *g.Facts["ratio_lower"] {
					t.Errorf("%s: evidence %v", app, g.Facts)
				}
			} else if g.DecidedAt == 0 && g.Decision != "undecided" {
				t.Errorf("%s: %s without a time", app, g.Decision)
			}
		}
	}
	if decided["worse"] != "fail firing worse" || decided["equal"] != "pass inactive " {
		t.Errorf("decided: %v", decided)
	}
	type alert struct {
		Incident, Cause string
		Tags            map[string]string
		Why             struct{ Text string }
	}
	alerts := decode[[]alert](t, r.get("/api/v1/alerts?state=firing"))
	if len(alerts) != 1 || alerts[0].Cause != "worse" || alerts[0].Tags["app"] != "worse" {
		t.Fatalf("alerts: %+v", alerts)
	}
	if why := decode[alert](t, r.get("/api/v1/alerts/"+alerts[0].Incident)).Why.Text; !strings.HasPrefix(why, "worse than what it is compared with: ") || !strings.Contains(why, " % more, surely ") {
		t.Errorf("why: %s", why)
	}
}

func TestRefusedComparisons(t *testing.T) {
	r := newRig(t, settings{})
	for body, want := range map[string]string{
		`{"expr":"name,a,:eq","detector":{"kind":"compare"}}`:                                             "baseline is missing, want an expression",
		`{"expr":"name,a,:eq","detector":{"kind":"compare","baseline":"name,b,:eqq"}}`:                    "detector.baseline: ",
		`{"expr":"name,a,:eq","detector":{"kind":"compare","baseline":"name,b,:eq,name,c,:eq"}}`:          "detector.baseline: gives 2 expressions",
		`{"expr":"name,a,:eq","detector":{"kind":"compare","baseline":"name,b,:eq,(,x,),:by"}}`:           "detector.baseline: is grouped by x, but expr is not grouped",
		`{"expr":"name,a,:eq,(,y,),:by","detector":{"kind":"compare","baseline":"name,b,:eq,(,x,),:by"}}`: "is grouped by x, but expr is grouped by y",
		`{"expr":"name,a,:eq,(,y,),:by","detector":{"kind":"compare","baseline":"name,b,:eq,:all"}}`:      "gives a line per series",
		`{"expr":"name,a,:eq","detector":{"kind":"compare","baseline":"name,b,:eq,:integral"}}`:           ":integral not supported",
		`{"expr":"name,a,:eq","no_data":"alert","detector":"absence"}`:                                    "no_data is alert, want auto or keep",
		`{"expr":"name,a,:eq","absence_after":"5m","detector":"absence"}`:                                 "want detector.after instead",
	} {
		wantError(t, body, r.call("PUT", "/api/v1/rules/x", body, asJSON), 400, want)
	}
}
