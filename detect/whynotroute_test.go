package detect_test

import (
	"strings"
	"testing"

	"pulse/detect"
)

// lowRouted is a rule whose receivers routes choose.
const lowRouted = `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by,10,:lt","severity":"warn","labels":{"team":"web"}}`

// TestWhyNotRouted: what routes, mutes and inhibit rules had to say is among the reasons,
// by name and with times.
func TestWhyNotRouted(t *testing.T) {
	r := newRig(t, second)
	r.put(lowRouted)
	r.routes(`[]`, night)
	r.routes(`[{"matchers":["team=playback","severity=page"],"receiver":"far"},
		{"matchers":["region=us"],"receiver":"chat","mute":["night"]},
		{"matchers":["region=ap"],"receivers":[]},
		{"matchers":["region=za"],"receiver":"oncall","continue":true},{"matchers":["region=za"],"receiver":"chat","mute":["night"]}]`)
	r.to(0)
	r.feed(1, 4, map[string]float64{"eu": 1, "us": 1, "ap": 1, "za": 1})
	w := r.wantReason("eu", 3, detect.ReasonUnrouted, "no route takes alert ", `the nearest is routes[1], which wants region="us" and not region=eu, then routes[2]`)
	if near := w.Alerts[0].Nearest; len(near) != 3 || near[0].Route != "routes[1]" || near[0].Wants[0] != `region="us" and not region=eu` {
		t.Errorf("nearest %+v", near)
	}
	r.wantReason("ap", 3, detect.ReasonUnrouted, "routes[2] takes alert ", "has no receivers")
	r.wantReason("us", 3, detect.ReasonMuted, "is held back by mute night for chat since 2026-01-01T00:00:01.000Z until 2026-01-01T00:01:00.000Z")
	w = r.wantReason("za", 3, detect.ReasonQueued, "It was not told to chat: mute night for chat since ", "queued for oncall")
	if a := w.Alerts[0]; len(a.Untold) != 1 || a.Untold[0] != "chat" || len(a.Held) != 1 {
		t.Errorf("untold %v, held %v", a.Untold, a.Held)
	}
	s := r.silence(`{region="us"}`, `,"endsAt":"now+30s"`)
	r.feed(5, 7, map[string]float64{"eu": 1, "us": 1, "ap": 1, "za": 1})
	r.wantReason("us", 6, detect.ReasonSilenced, "silence "+s.ID+" since ", " until 2026-01-01T00:00:35.000Z, mute night")
}

// TestWhyNotInhibited names the source.
func TestWhyNotInhibited(t *testing.T) {
	r := newRig(t, second)
	r.put(strings.Replace(warnRule, `"warn"`, `"low"`, 1))
	r.put(pageRule)
	r.routes(`[]`, over)
	r.to(0)
	r.feed(1, 4, map[string]float64{"eu": 1})
	source := ""
	for _, a := range r.alerts("firing") {
		if a.Rule == "page" {
			source = a.Incident
		}
	}
	r.wantReason("eu", 3, detect.ReasonInhibited, "is held back by inhibit rule over while alert "+source+" fires since 2026-01-01T00:00:01.000Z")
}

// TestWhyNotWaiting: what the outbox waits for is among the reasons.
func TestWhyNotWaiting(t *testing.T) {
	withOutbox(t, "chat oncall", func(r *outRig) {
		r.put(lowRouted)
		r.routes(`[{"matchers":["region=eu"],"receiver":"chat","group_by":["team"],"group_wait":"10s","repeat_interval":"1h"},{"receiver":"oncall"}]`)
		r.to(0)
		r.lives(1, 4, map[string]float64{"eu": 1})
		r.wantReason("eu", 3, detect.ReasonGrouped, "At chat: it waits for its group team=web until 2026-01-01T00:00:12.500Z.")
		r.lives(5, 15, map[string]float64{"eu": 1})
		w := r.wantReason("eu", 14, detect.ReasonFiring, "At chat: it is told again at 2026-01-01T01:00:12.500Z.")
		if x := w.Alerts[0].Standing; len(x) != 1 || x[0].Group["team"] != "web" {
			t.Errorf("standing %+v", x)
		}
		s := r.silence(`{region="eu"}`, "")
		r.lives(16, 17, map[string]float64{"eu": 1})
		r.wantReason("eu", 16, detect.ReasonFiring, "it is told again at 2026-01-01T01:00:12.500Z, but not while there is silence "+s.ID)
		r.phone.fails = true
		r.lives(18, 20, map[string]float64{"eu": 1, "us": 1})
		r.wantReason("us", 19, detect.ReasonRetrying, "At oncall: an attempt failed; the next is at ", "status 503")
	})
}

// TestWhyNotExcess: a group that there was no room for is named as one.
func TestWhyNotExcess(t *testing.T) {
	r := newRig(t, second)
	r.groups = 2
	r.restart(true)
	r.put(lowRouted)
	r.routes(`[{"matchers":["region=za"],"receiver":"a"}]`)
	r.to(0)
	r.feed(1, 4, map[string]float64{"ap": 1, "eu": 1})
	r.feed(5, 9, map[string]float64{"ap": 1, "eu": 1, "us": 1})
	r.wantReason("us", 7, detect.ReasonLimit, "gives more groups than the 2 that are judged")
	r.wantReason("eu", 7, detect.ReasonUnrouted)
}
