package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The world of the rounds: rules whose alerts find their receivers by routes. Alerts
// of host are held back while cluster fires for the same node, those of chat while
// the mute shift is on, all of them by silences.
var (
	alertRules = map[string]string{
		"page":    `"expr":"name,page,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
		"slow":    `"expr":"name,slow,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"for":"300ms","keep":"300ms","flap":"off"`,
		"cluster": `"expr":"name,cluster,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
		"host":    `"expr":"name,host,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
		"chat":    `"expr":"name,chat,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
		"group":   `"expr":"name,group,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":50},"flap":"off"`,
	}
	alertReceivers = map[string]string{"oncall": "", "other": "", "chat": "", "group": `,"format":"alertmanager"`}
	alertRoutes    = map[string]string{
		"/api/v1/routes": `{"routes":[
			{"matchers":["alertname=~\"page|slow\""],"receiver":"oncall","continue":true},
			{"matchers":["alertname=slow"],"receiver":"other"},
			{"matchers":["alertname=page"],"receivers":[]},
			{"matchers":["alertname=~\"cluster|host\""],"receiver":"other","group_by":["node"],"group_wait":"100ms","group_interval":"1s"},
			{"matchers":["alertname=chat"],"receiver":"chat","mute":["shift"],"group_by":["alertname"],"group_interval":"1s","repeat_interval":"1s"},
			{"receiver":"group","group_by":["alertname"],"group_wait":"200ms","group_interval":"1s","repeat_interval":"2s"}]}`,
		"/api/v1/inhibit/cluster-down": `{"source":["alertname=cluster"],"target":["alertname=host"],"equal":["node"]}`,
	}
	toldOf = map[string][]string{"page": {"oncall"}, "slow": {"oncall", "other"}, "cluster": {"other"}, "host": {"other"}, "chat": {"chat"}, "group": {"group"}}
)

// The mute shift, when it is on and when it is not.
const (
	shiftOn  = `{"intervals":[{"times":[{"start":"00:00","end":"24:00"}]}]}`
	shiftOff = `{"intervals":[{"years":["2000"]}]}`
)

// alertRig is a killRig with silences, inhibit rules and a mute.
type alertRig struct {
	*killRig
	silences map[string]*silenceNote // by comment
	shift    *killHold               // of the mute; nil while it is not known to be on
	made     int
}

// silenceNote is a silence that was asked for.
type silenceNote struct {
	comment string
	id      string // "" while its making was not acknowledged
	means   func(streamKey) bool
	matcher []string
	ends    int64 // by itself, Unix ms
	over    bool  // its end was asked for
	hold    *killHold
}

func newAlertRig(t *testing.T, seed uint64) *alertRig {
	t.Helper()
	k := &alertRig{killRig: newKillRig(t, seed, alertRules, alertReceivers), silences: map[string]*silenceNote{}}
	k.book.holds.route, k.book.holds.inhibits = toldOf, map[string]string{"host": "cluster"}
	return k
}

// begin starts the first server with rules, receivers and routes.
func (k *alertRig) begin() {
	k.t.Helper()
	k.start()
	for _, name := range slices.Sorted(maps.Keys(alertReceivers)) {
		k.change("receiver", name, false)
	}
	must(k.t, k.ask(http.MethodPut, "/api/v1/mute/shift", shiftOff, nil))
	for path, body := range alertRoutes {
		must(k.t, k.ask(http.MethodPut, path, body, nil))
	}
	for _, name := range slices.Sorted(maps.Keys(alertRules)) {
		k.change("rule", name, false)
	}
	k.settled()
}

// silence asks for a silence of one stream, all of a rule, or all of a node, and
// reports whether it was acknowledged.
func (k *alertRig) silence(of streamKey, d time.Duration) *silenceNote {
	k.made++
	s := &silenceNote{comment: fmt.Sprintf("work %d", k.made), ends: time.Now().Add(d).UnixMilli(), means: func(x streamKey) bool {
		return (of.rule == "" || x.rule == of.rule) && (of.node == "" || x.node == of.node)
	}}
	if of.rule != "" {
		s.matcher = append(s.matcher, `"alertname=`+of.rule+`"`)
	}
	if of.node != "" {
		s.matcher = append(s.matcher, `"node=~\"(`+of.node+`|none)\""`)
	}
	k.silences[s.comment] = s
	k.ackSilence(s)
	return s
}

// ackSilence asks for the silence, and notes that it holds from when it is answered.
func (k *alertRig) ackSilence(s *silenceNote) {
	body := fmt.Sprintf(`{"matchers":[%s],"endsAt":%d,"author":"ann","comment":%q}`, strings.Join(s.matcher, ","), s.ends, s.comment)
	var made struct{ ID string }
	if err := k.ask(http.MethodPost, "/api/v1/silences", body, &made); err != nil {
		return
	}
	k.adopt(s, made.ID)
}

// adopt notes that a silence is there.
func (k *alertRig) adopt(s *silenceNote, id string) {
	now := time.Now().UnixMilli()
	s.id, s.hold = id, k.book.hold("the silence "+s.comment, "", now, s.means)
	k.book.lift(s.hold, s.ends)
}

// endSilence asks for the end of a silence and reports whether that was acknowledged.
func (k *alertRig) endSilence(s *silenceNote) bool {
	s.over = true
	k.book.lift(s.hold, time.Now().UnixMilli())
	return k.ask(http.MethodDelete, "/api/v1/silences/"+s.id, "", nil) == nil
}

// active returns the silences that are known to be there, oldest first.
func (k *alertRig) active() []*silenceNote {
	var out []*silenceNote
	for n := range k.made {
		if s := k.silences[fmt.Sprintf("work %d", n+1)]; s != nil && s.id != "" && !s.over && s.ends > time.Now().UnixMilli() {
			out = append(out, s)
		}
	}
	return out
}

// mute turns the mute on or off.
func (k *alertRig) mute(on bool) {
	if k.shift != nil {
		k.book.lift(k.shift, time.Now().UnixMilli())
		k.shift = nil
	}
	body := shiftOff
	if on {
		body = shiftOn
	}
	if k.ask(http.MethodPut, "/api/v1/mute/shift", body, nil) == nil && on {
		k.muted()
	}
}

// muted notes that the mute is on.
func (k *alertRig) muted() {
	k.shift = k.book.hold("the mute shift", "chat", time.Now().UnixMilli(), func(x streamKey) bool { return x.rule == "chat" })
}

// recall compares silences, mute, routes and inhibit rules with what was acknowledged, and
// learns what became of what was not.
func (k *alertRig) recall() {
	k.t.Helper()
	var list []struct{ ID, State, Comment string }
	must(k.t, k.ask(http.MethodGet, "/api/v1/silences", "", &list))
	states := map[string]string{}
	asked := time.Now().UnixMilli()
	for _, x := range list {
		s := k.silences[x.Comment]
		if s == nil {
			k.t.Fatalf("silence %q was never made", x.Comment)
		}
		if states[x.Comment] != "" {
			k.book.wrong("silence %q is there twice", x.Comment)
		}
		if states[x.Comment] = x.State; s.id == "" {
			k.adopt(s, x.ID)
		}
	}
	for comment, s := range k.silences {
		state := states[comment]
		switch {
		case s.id == "":
			s.over = true // it was never made
		case !s.over && s.ends > asked && state != "active":
			k.book.wrong("silence %q is %q, and it was acknowledged", comment, state)
		case s.over && state == "active":
			k.endSilence(s)
		}
	}
	var mute struct{ Intervals []json.RawMessage }
	must(k.t, k.ask(http.MethodGet, "/api/v1/mute/shift", "", &mute))
	switch on := strings.Contains(fmt.Sprintf("%s", mute.Intervals), "24:00"); {
	case on && k.shift == nil:
		k.muted()
	case !on && k.shift != nil:
		k.book.wrong("the mute is off, and its being on was acknowledged")
	}
	var routes struct{ Routes []json.RawMessage }
	must(k.t, k.ask(http.MethodGet, "/api/v1/routes", "", &routes))
	var inhibit []json.RawMessage
	must(k.t, k.ask(http.MethodGet, "/api/v1/inhibit", "", &inhibit))
	if len(routes.Routes) != 6 || len(inhibit) != 1 {
		k.book.wrong("%d routes and %d inhibit rules, want 6 and 1", len(routes.Routes), len(inhibit))
	}
}

// everyoneTold waits until all receivers know of all alerts that nothing holds back.
func (k *alertRig) everyoneTold() {
	k.t.Helper()
	k.until("who is to know was told", func() string {
		list := k.alerts()
		if list == nil {
			return "no answer"
		}
		return k.book.untold(list)
	})
}
