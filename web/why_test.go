package web_test

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

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
	wantError(t, "at", r.call("GET", "/api/v1/rules/sps-low/why?tags=region%3Deu&at=foo", nil), 400, "the time is t, in Unix ms")
}

// TestContributors: who carries a change that no alert is about is answered, and what cannot
// be answered is refused.
func TestContributors(t *testing.T) {
	r := newRig(t, settings{})
	if a := r.call("PUT", "/api/v1/rules/low", `{"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":15},"for":"1h"}`, "Content-Type: application/json"); a.status != 200 {
		t.Fatal(a)
	}
	var last int64
	for i := range 26 {
		r.move(500 * time.Millisecond)
		for _, region := range []string{"eu", "us"} {
			tv := 10.0
			if region == "eu" && i == 25 {
				tv = 1
			}
			r.publish(point(r.now(), tv, "sum", "sps", "region", region, "device", "tv"), point(r.now(), 10, "sum", "sps", "region", region, "device", "phone"))
		}
		r.move(500 * time.Millisecond)
		last = r.now() / 1000 * 1000
	}
	r.move(2 * time.Second)
	ask := func(rule, tags string, since, at any) answer {
		return r.call("GET", "/api/v1/rules/"+rule+"/contributors?"+url.Values{"tags": {tags}, "since": {fmt.Sprint(since)}, "t": {fmt.Sprint(at)}}.Encode(), nil)
	}
	a := ask("low", "region=eu", last-1000, last)
	b := decode[detect.Breakdown](t, a)
	if a.status != 200 || b.Key != "device" || len(b.Values) == 0 || b.Values[0].Value != "tv" || b.Values[0].Delta != -9 || b.Values[0].Share != 1 {
		t.Errorf("got %s", a)
	}
	for what, a := range map[string]answer{"nothing changed": ask("low", "region=us", last-1000, last), "no such group": ask("low", "region=ap", last-1000, last), "not judged yet": ask("low", "region=eu", last, last+60_000)} {
		if b := decode[detect.Breakdown](t, a); a.status != 200 || len(b.Values) > 0 {
			t.Errorf("%s: %s", what, a)
		}
	}
	wantError(t, "unknown rule", ask("nope", "", 1, 2), 404, "nope")
	wantError(t, "two groups", ask("low", "", last-1000, last), 400, "2 of rule")
	wantError(t, "backwards", ask("low", "region=eu", last, last), 400, "not before")
	wantError(t, "no since", ask("low", "region=eu", "", last), 400, "since")
	wantError(t, "no t", ask("low", "region=eu", last, "x"), 400, "parameter t")
}

// detectAlert is what is read of an alert here.
type detectAlert struct{ Incident string }
