package web_test

import (
	"net/url"
	"strconv"
	"testing"

	"pulse/detect"
)

// TestWhyNot: the answer names the reason, and what cannot be answered is refused.
func TestWhyNot(t *testing.T) {
	r := newRig(t, settings{})
	r.alerting()
	ask := func(rule, tags string, at int64) answer {
		v := url.Values{"tags": {tags}}
		if at != 0 {
			v.Set("t", strconv.FormatInt(at, 10))
		}
		return r.call("GET", "/api/v1/rules/"+rule+"/why?"+v.Encode(), nil)
	}
	a := ask("sps-low", "region=eu", r.now()-4000)
	w := decode[detect.WhyNot](t, a)
	if a.status != 200 || w.Rule != "sps-low" || w.Tags["region"] != "eu" || w.Reason == "" || w.Text == "" || len(w.Sentences) < 3 {
		t.Errorf("got %s", a)
	}
	fired := decode[[]detectAlert](t, r.get("/api/v1/alerts?state=firing"))
	if len(fired) != 2 {
		t.Fatalf("%d fire", len(fired))
	}
	w = decode[detect.WhyNot](t, ask("sps-low", "region=eu", r.now()-2000))
	if w.Reason != detect.ReasonNobody || len(w.Alerts) != 1 || w.Text != "Nobody was paged since there is no receiver." {
		t.Errorf("without a receiver: %s %s %+v", w.Reason, w.Text, w.Alerts)
	}
	if w = decode[detect.WhyNot](t, ask("sps-low", "region=eu", 0)); w.At != r.now()/1000*1000-1000 || w.Reason != detect.ReasonNobody {
		t.Errorf("without a time: %d %s, now %d", w.At, w.Reason, r.now())
	}
	wantError(t, "unknown rule", ask("nope", "", 0), 404, "nope")
	wantError(t, "two groups", ask("sps-low", "", 0), 400, "2 of rule")
	wantError(t, "tags", ask("sps-low", "region", 0), 400, "key=value")
	for _, at := range []string{"0", "-1", "x", "1e3", "9223372036854775807", "253402300800000"} {
		wantError(t, at, r.call("GET", "/api/v1/rules/sps-low/why?tags=region=eu&t="+at, nil), 400, "parameter t")
	}
}

// detectAlert is what is read of an alert here.
type detectAlert struct{ Incident string }
