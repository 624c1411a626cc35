package simulation_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"pulse/detect/notify"
)

// receiver is one that notifications go to, as it is in reality.
type receiver struct {
	w    *world
	name string
	kind string // of the receiver, with its format
	ills []illness
	got  map[string]*delivery // by the name of the message
}

// illness is what is wrong with a receiver for a while.
type illness struct {
	from, to time.Duration
	what     string
}

func (r *receiver) ill(at time.Duration) string {
	for _, x := range r.ills {
		if at >= x.from && at < x.to {
			return x.what
		}
	}
	return ""
}

// delivery is what a receiver knows of one message.
type delivery struct {
	body  []byte
	taken int
	// excused is how many of those may be there although one was taken before: its
	// answer was lost, or a kill came before the outcome was stored.
	excused  int
	unstored int // whose outcome is perhaps not stored
}

func (r *receiver) delivery(id string) *delivery {
	d := r.got[id]
	if d == nil {
		d = &delivery{}
		r.got[id] = d
	}
	return d
}

// unrecorded notes that nobody will remember that a message was taken.
func (r *receiver) unrecorded(id string) { r.delivery(id).excused++ }

// part is one alert in a message.
type part struct {
	incident string
	id       string // of the notification, "" where the body does not say
	over     bool
	again    bool // it tells again
}

// parts reads a message.
func (r *receiver) parts(body []byte) (list []part, err error) {
	type alert struct {
		ID, Type, Incident string
	}
	read := func(a alert) part {
		id, again := a.ID, false
		if at := strings.LastIndex(id, "-r"); at > 0 && !strings.HasSuffix(id, "-resolved") {
			id, again = id[:at], true
		}
		return part{a.Incident, id, a.Type == notify.TypeResolved, again}
	}
	switch r.kind {
	case "alertmanager":
		var posted []struct {
			EndsAt       time.Time
			GeneratorURL string
		}
		if err := json.Unmarshal(body, &posted); err != nil {
			return nil, err
		}
		for _, a := range posted {
			link, err := url.Parse(a.GeneratorURL)
			if err != nil {
				return nil, err
			}
			list = append(list, part{incident: link.Query().Get("alert"), over: !a.EndsAt.After(r.w.clock.Now().Add(-2 * time.Minute))})
		}
		for i, a := range posted { // what fires is said to last for four minutes
			list[i].over = a.EndsAt.Sub(r.w.clock.Now()) < 2*time.Minute
		}
	case "grouping":
		var post struct {
			Alerts []struct{ Pulse alert }
			Type   string
		}
		if err := json.Unmarshal(body, &post); err != nil {
			return nil, err
		}
		for _, a := range post.Alerts {
			list = append(list, read(a.Pulse))
		}
	default:
		var a alert
		if err := json.Unmarshal(body, &a); err != nil {
			return nil, err
		}
		if a.Incident != "" {
			list = append(list, read(a))
		}
	}
	return list, nil
}

// episode is one incident as it was told.
type episode struct {
	id, rule, region string
	absence          bool
	labels           map[string]string
	starts           int64
	ended            bool
	legs             map[string]*leg
	free             map[string]time.Duration
}

// leg is what a receiver was told of an episode.
type leg struct {
	at     time.Duration
	ended  bool
	killed bool // a process was killed since
	// how often the beginning and the end were sent and taken.
	begun, begunTaken, over, overTaken int
}

// book is all that was to be told and all that was.
type book struct {
	w        *world
	mu       sync.Mutex
	episodes map[string]*episode
	told     int
	withdrew int
}

// names returns whom a notification is for.
func (b *book) names(n *notify.Notification) []string {
	var out []string
	switch {
	case n.To != nil:
		for _, x := range n.To {
			out = append(out, x.Receiver)
		}
	case len(n.Notify) > 0:
		out = slices.Clone(n.Notify)
	}
	if len(out) == 0 && n.To == nil || slices.Contains(out, "") {
		return slices.Sorted(maps.Keys(b.w.receivers))
	}
	slices.Sort(out)
	return out
}

// committed takes notifications whose transaction is durable.
func (b *book) committed(list []notify.Notification) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range list {
		n := &list[i]
		b.told++
		names := b.names(n)
		what := fmt.Sprintf("%s of %s %s", strings.TrimPrefix(n.Type, "alert."), n.Rule, n.Tags["region"])
		b.w.tracef("engine", "%s to %s", what, strings.Join(names, " "))
		x := b.episodes[n.Incident]
		if n.Type == notify.TypeResolved {
			b.end(x, what, names)
			continue
		}
		if x == nil {
			x = &episode{id: n.Incident, rule: n.Rule, region: n.Tags["region"], absence: n.Absence, starts: n.StartsAt, legs: map[string]*leg{}, free: map[string]time.Duration{}}
			x.labels = labelsOf(n)
			b.episodes[n.Incident] = x
		}
		if x.ended {
			b.w.fail("%s is told after its end", what)
		}
		for _, name := range names {
			if x.legs[name] != nil {
				b.w.fail("%s is told to %s once more", what, name)
			}
			x.legs[name] = &leg{at: b.w.clock.since()}
			if why := b.w.heldNow(x, name); why != "" {
				b.w.fail("%s is told to %s: %s", what, name, why)
			}
		}
	}
}

func (b *book) end(x *episode, what string, names []string) {
	if x == nil {
		b.w.fail("%s, and its beginning was not told", what)
		return
	}
	if told := slices.Sorted(maps.Keys(x.legs)); !slices.Equal(told, names) {
		b.w.fail("%s is told to %v, its beginning to %v", what, names, told)
	}
	if x.ended {
		b.w.fail("%s is told twice", what)
	}
	x.ended = true
	for _, l := range x.legs {
		l.ended = true
	}
}

// withdrawn takes back what nobody has heard of.
func (b *book) withdrawn(list []notify.Withdrawn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range list {
		l := b.episodes[x.Incident].legs[x.Receiver]
		if l == nil || l.begun > 0 {
			b.w.fail("%s is taken back from %s: %+v", x.ID, x.Receiver, l)
		}
		b.withdrew++
		b.w.tracef("engine", "%s is taken back from %s", x.ID, x.Receiver)
		delete(b.episodes[x.Incident].legs, x.Receiver)
	}
}

// killed notes that a process was.
func (b *book) killed() {
	for _, x := range b.episodes {
		for _, l := range x.legs {
			l.killed = true
		}
	}
	for _, r := range b.w.receivers {
		for _, d := range r.got {
			d.excused += d.unstored
			d.unstored = 0
		}
	}
}

// sent takes a message that has left.
func (b *book) sent(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, err := r.to.parts(r.body)
	if err != nil {
		b.w.fail("%s: %v: %.300s", r.to.name, err, r.body)
	}
	if key := r.header.Get("Idempotency-Key"); key != r.header.Get("Webhook-Id") {
		b.w.fail("%s: %s has the key %q", r.to.name, r.id, key)
	}
	if r.to.kind == "webhook" {
		d := r.to.delivery(r.id)
		if d.body == nil {
			d.body = r.body
		}
		if !sameBody(d.body, r.body) {
			b.w.fail("%s: %s has another body:\n%s\n%s", r.to.name, r.id, d.body, r.body)
		}
	}
	for _, p := range list {
		b.part(r, p)
	}
}

// part holds an alert of a message against what was to be told.
func (b *book) part(r *request, p part) {
	if own(p.incident) {
		return
	}
	x := b.episodes[p.incident]
	if x == nil || x.legs[r.to.name] == nil {
		b.w.fail("%s gets %+v, which it is not to be told", r.to.name, p)
		return
	}
	l := x.legs[r.to.name]
	want := map[bool]string{false: "-firing", true: "-resolved"}[p.over]
	if x.absence && !p.over {
		want = "-nodata"
	}
	switch {
	case p.id != "" && p.id != x.id+want:
		b.w.fail("%s gets %s for the state %s", r.to.name, p.id, want)
	case p.over && !l.ended:
		b.w.fail("%s gets the end of %s %s, which goes on", r.to.name, x.rule, x.region)
	case p.over && l.begun == 0 && !l.killed:
		b.w.fail("%s gets the end of %s %s before its beginning", r.to.name, x.rule, x.region)
	case !p.over && l.over > 0:
		b.w.fail("%s gets the beginning of %s %s after its end", r.to.name, x.rule, x.region)
	case p.over:
		l.over++
	default:
		l.begun++
	}
}

// own reports whether an incident is one of the delivery itself: a receiver was disabled.
func own(incident string) bool { return incident == "" || strings.HasPrefix(incident, "pulse-") }

// take lets a receiver have a message.
func (w *world) take(r *request) {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	w.tracef(r.to.name, "%s taken", r.id)
	d := r.to.delivery(r.id)
	if d.taken > d.excused && r.to.kind != "alertmanager" { // which is told again and again
		w.fail("%s takes %s for the %d. time, and there is excuse for %d", r.to.name, r.id, d.taken+1, d.excused)
	}
	d.taken++
	list, _ := r.to.parts(r.body)
	for _, p := range list {
		if x := w.book.episodes[p.incident]; x != nil && x.legs[r.to.name] != nil {
			l := x.legs[r.to.name]
			if p.over {
				l.overTaken++
			} else {
				l.begunTaken++
			}
		}
	}
}

// labelsOf returns what silences, routes and inhibit rules of the simulation look at.
func labelsOf(n *notify.Notification) map[string]string {
	kind := "alert"
	if n.Absence {
		kind = "nodata"
	}
	return map[string]string{"rule": n.Rule, "alertname": n.Rule, "severity": n.Severity, "region": n.Tags["region"], "type": kind}
}

// terminal reports what the timeline says of why a receiver will not get something.
func terminal(list []notify.Attempt, name string, over bool) string {
	for _, a := range list {
		if a.Receiver == name && (a.Type == notify.TypeResolved) == over && (a.Outcome == notify.OutcomeDropped || a.Outcome == notify.OutcomeDead) {
			return a.Outcome + ": " + a.Error
		}
	}
	return ""
}
