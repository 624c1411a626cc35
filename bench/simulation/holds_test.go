package simulation_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pulse/detect"
	"pulse/detect/duration"
	"pulse/detect/route"
)

// routing is routes with what they mean, in the words of the test.
type routing struct {
	text string
	to   func(l map[string]string) []string
	// mute tells which receivers are mute during the night.
	mute func(l map[string]string, receiver string) bool
}

func never(map[string]string, string) bool { return false }

func page(l map[string]string) bool { return l["severity"] == "page" }

// routings are those that are in force in turn; W, I and R are durations.
var routings = []routing{
	{`[]`, nil, never},
	{`[{"matchers":["severity=page"],"receivers":["hook","am"],"continue":true},{"receiver":"team","group_by":["region"],"group_wait":"W","group_interval":"I","repeat_interval":"R","mute":["night"]}]`,
		func(l map[string]string) []string {
			if page(l) {
				return []string{"hook", "am", "team"}
			}
			return []string{"team"}
		},
		func(l map[string]string, receiver string) bool { return receiver == "team" }},
	{`[{"matchers":["region=~\"eu|us\""],"receivers":["hook","group"],"group_by":["severity"],"group_wait":"W","group_interval":"I","routes":[{"matchers":["severity=page"],"receivers":["hook"],"mute":["night"],"group_by":["..."]}]},{"receiver":"am"}]`,
		func(l map[string]string) []string {
			switch {
			case l["region"] == "ap" || l["region"] == "":
				return []string{"am"}
			case page(l):
				return []string{"hook"}
			}
			return []string{"group", "hook"}
		},
		func(l map[string]string, receiver string) bool { return receiver == "hook" && page(l) }},
	{`[{"receivers":["team","group"],"group_by":[],"group_wait":"W","group_interval":"I","repeat_interval":"R","continue":true},{"matchers":["region=ap"],"receivers":[]},{"receiver":"hook","active":["night"]}]`,
		func(l map[string]string) []string {
			if l["region"] == "ap" {
				return []string{"group", "team"}
			}
			return []string{"group", "hook", "team"}
		},
		func(l map[string]string, receiver string) bool { return receiver == "hook" }},
}

// active is the one whose route is mute outside of the night.
const active = 3

// isNight reports whether a time is one of the mute.
func (w *world) isNight(now int64) bool {
	minute := now / 60_000 % (24 * 60)
	return w.night && minute >= w.nightFrom && minute < w.nightTo
}

// muted reports whether a receiver of an alert is.
func (w *world) muted(l map[string]string, receiver string, now int64) bool {
	if !routings[w.routes].mute(l, receiver) {
		return false
	}
	return w.isNight(now) == (w.routes != active)
}

// mutedSince reports whether a receiver of an alert has been all the time from then on.
func (w *world) mutedSince(l map[string]string, receiver string, from int64) bool {
	now := w.clock.ms()
	for t := min(from, now); t < now; t += 60_000 {
		if !w.muted(l, receiver, t) {
			return false
		}
	}
	return w.muted(l, receiver, now)
}

// meant returns the receivers of an alert by the routes that are in force.
func (w *world) meant(x *episode) []string {
	if own := w.rules[x.rule].notify; len(own) > 0 {
		return own
	}
	if to := routings[w.routes].to; to != nil {
		return to(x.labels)
	}
	return w.everyone()
}

func (w *world) everyone() []string { return []string{"am", "group", "hook", "team"} }

// silence is one with what it means.
type silence struct {
	id       string
	what     string
	from, to int64
	over     bool // ended by hand
	normal   bool // it may have ended by itself
}

var silenced = map[string]func(l map[string]string) bool{
	`region="eu"`:     func(l map[string]string) bool { return l["region"] == "eu" },
	`severity="warn"`: func(l map[string]string) bool { return l["severity"] == "warn" },
	`alertname=~"page|warn",region!="us"`: func(l map[string]string) bool {
		return (l["rule"] == "page" || l["rule"] == "warn") && l["region"] != "us"
	},
	`type="nodata"`: func(l map[string]string) bool { return l["type"] == "nodata" },
}

// silencedNow returns a silence that means the alert, nil for none; perhaps: one that may
// have ended by itself, too.
func (w *world) silencedNow(l map[string]string, now int64, perhaps bool) *silence {
	for _, s := range w.silences {
		if !s.over && (perhaps || !s.normal) && now >= s.from && now < s.to && silenced[s.what](l) {
			return s
		}
	}
	return nil
}

// heldNow says why an alert may not be told to a receiver now, "" when it may. That was
// decided before it was stored.
func (w *world) heldNow(x *episode, receiver string) string {
	if w.unsure != nil {
		return ""
	}
	if !slices.Contains(w.meant(x), receiver) {
		return fmt.Sprintf("routes %d do not say so", w.routes)
	}
	if s := w.silencedNow(x.labels, w.decided, false); s != nil && w.clock.ms() < s.to {
		return "the silence " + s.what + " is on"
	}
	if len(w.rules[x.rule].notify) == 0 && routings[w.routes].to != nil && w.mutedSince(x.labels, receiver, w.decided) {
		return "it is mute"
	}
	return ""
}

// putRoutes puts other routes in force.
func (w *world) putRoutes(i int, wait, interval, repeat time.Duration) error {
	var c route.Config
	text := routings[i].text
	for _, x := range []struct {
		sign string
		d    time.Duration
	}{{`"W"`, wait}, {`"I"`, interval}, {`"R"`, repeat}} {
		text = strings.ReplaceAll(text, x.sign, fmt.Sprintf("%q", duration.Duration(x.d.Milliseconds())))
	}
	if err := c.UnmarshalJSON([]byte(`{"routes":` + text + `}`)); err != nil {
		panic(err)
	}
	return w.process.engine.PutRoutes(c.Routes)
}

// putNight makes the mute; it is never deleted, since routes refer to it.
func (w *world) putNight(from, to int64) error {
	var m route.Mute
	clock := func(minute int64) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }
	if err := m.UnmarshalJSON([]byte(fmt.Sprintf(`{"name":"night","intervals":[{"times":[{"start":%q,"end":%q}]}]}`, clock(from), clock(to)))); err != nil {
		panic(err)
	}
	return w.process.engine.PutMute(m)
}

func (w *world) putInhibit() error {
	var x route.Inhibit
	if err := x.UnmarshalJSON([]byte(`{"name":"over","source":["severity=page"],"target":["severity=warn"],"equal":["region"]}`)); err != nil {
		panic(err)
	}
	return w.process.engine.PutInhibit(x)
}

// putSilence makes a silence from now on.
func (w *world) putSilence(what string, d time.Duration, normal time.Duration) error {
	now := w.clock.ms()
	more := ""
	if normal > 0 {
		more = fmt.Sprintf(`,"endWhenNormalFor":%q`, duration.Duration(normal.Milliseconds()))
	}
	s, err := detect.ParseSilence([]byte(fmt.Sprintf(`{"matchers":%q,"author":"ann","comment":"c","startsAt":%d,"endsAt":%d%s}`, what, now, now+d.Milliseconds(), more)), now)
	if err != nil {
		panic(err)
	}
	if s, err = w.process.engine.PutSilence(s, now); err != nil {
		return err
	}
	w.silences = append(w.silences, &silence{id: s.ID, what: what, from: now, to: s.EndsAt, normal: normal > 0})
	return nil
}
