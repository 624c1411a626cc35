package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// killBook writes down what a server that is killed again and again was told and
// what it said, and finds what breaks a promise:
//
//   - what was acknowledged about rules and receivers is there,
//   - an incident goes from pending to firing to resolved, and one that has fired
//     never vanishes,
//   - a stream that leaves its band pages once, and only out of band; a resolve
//     comes in band, or says why not,
//   - a key always carries the same body, and comes again only once after a kill or
//     a lost answer,
//   - a resolve never comes before its firing may have been sent, a firing never
//     after it, and who accepted a firing gets its resolve.
//
// Times are Unix ms. It is safe for concurrent use.
type killBook struct {
	truth *truth

	mu        sync.Mutex
	seq       int // of what is written down
	epoch     int // grows at the begin and the end of every kill
	killTimes []int64
	wants     map[string]map[string]bool // "rule r1" → revisions it may have, "" for none
	deletes   map[string][]int64         // rule → when deletes of it began
	incidents map[string]*killIncident
	bodies    map[string]string // key → body
	sent      map[string]*killDelivery
	receivers map[string]*killReceiver
	holds     holds
	faults    []string // each once

	requests, accepted, repeats, pages, resolves, summaries, changes int
}

// killIncident is what has been seen of one incident.
type killIncident struct {
	stream            streamKey
	startsAt          int64
	firstSeen         int64
	overSeen          int64
	firedSeq, overSeq int // when it was first seen firing and resolved, 0: not yet
}

// killDelivery is one key at one receiver.
type killDelivery struct {
	requests, accepted int
	lost               bool     // the answer to the last accepted request
	epoch              int      // of the last accepted request
	generation         int      // of the receiver that it was sent to
	trail              []string // what has come of each request
	parts              []string // keys of what a message of a group tells of
}

// killReceiver is how often it was asked to delete a receiver, and when it was last made.
type killReceiver struct {
	generation int
	exists     bool
	made       int64
	revisions  map[string]int // revision → generation that it is of
}

// killAlert is the part of an alert and of a notification that is looked at.
type killAlert struct {
	Type        string            `json:"type"`
	ID          string            `json:"id"`
	Incident    string            `json:"incident"`
	Rule        string            `json:"rule"`
	State       string            `json:"state"` // of an alert
	Tags        map[string]string `json:"tags"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`

	SilencedBy, MutedBy []string   // of an alert
	InhibitedBy         []struct{} // of an alert
}

func (a *killAlert) stream() streamKey { return streamKey{a.Rule, a.Tags["node"]} }

func newKillBook(t *truth) *killBook {
	return &killBook{
		truth: t, wants: map[string]map[string]bool{}, deletes: map[string][]int64{}, incidents: map[string]*killIncident{},
		bodies: map[string]string{}, sent: map[string]*killDelivery{}, receivers: map[string]*killReceiver{},
	}
}

func (b *killBook) fault(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(b.faults, text) {
		b.faults = append(b.faults, text)
	}
}

// found returns the broken promises so far.
func (b *killBook) found() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.faults)
}

// begin writes down that a change of thing ("rule r1", "receiver a") to a
// revision is asked for; "" deletes it.
func (b *killBook) begin(thing, revision string, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wants[thing] == nil {
		b.wants[thing] = map[string]bool{"": true}
	}
	b.wants[thing][revision] = true
	kind, name, _ := strings.Cut(thing, " ")
	if kind == "rule" && revision == "" {
		b.deletes[name] = append(b.deletes[name], now)
	}
	if kind != "receiver" {
		return
	}
	r := b.receiver(name)
	switch {
	case revision == "":
		r.generation++
		r.exists = false
	case !r.exists:
		r.exists, r.made = true, now
	}
	if revision != "" {
		r.revisions[revision] = r.generation
	}
}

func (b *killBook) receiver(name string) *killReceiver {
	if b.receivers[name] == nil {
		b.receivers[name] = &killReceiver{revisions: map[string]int{}}
	}
	return b.receivers[name]
}

// acknowledged writes down that the change was answered with success.
func (b *killBook) acknowledged(thing, revision string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
	b.wants[thing] = map[string]bool{revision: true}
}

// refused writes down that a live server refused a change.
func (b *killBook) refused(thing string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault("%s: the change was refused: %v", thing, err)
}

// listed compares what the server has of a kind with what it may have; what it
// has is what it must have from now on.
func (b *killBook) listed(kind string, have map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for thing, allowed := range b.wants {
		of, name, _ := strings.Cut(thing, " ")
		if of != kind {
			continue
		}
		if !allowed[have[name]] {
			b.fault("%s has revision %q, acknowledged was %q", thing, have[name], slices.Sorted(maps.Keys(allowed)))
		}
		b.wants[thing] = map[string]bool{have[name]: true}
	}
	for name := range have {
		if b.wants[kind+" "+name] == nil {
			b.fault("%s %s was never made", kind, name)
		}
	}
}

// exists returns the revision of a thing, "" when there is none or that is not known.
func (b *killBook) exists(thing string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wants[thing]) != 1 {
		return ""
	}
	for revision := range b.wants[thing] {
		return revision
	}
	return ""
}

// killing is called before the signal and once more when the process is dead.
func (b *killBook) killing(now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch++
	if b.epoch%2 == 1 {
		b.killTimes = append(b.killTimes, now)
	}
}

// asks returns what asked needs: what had been seen when the question was sent.
func (b *killBook) asks() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seq
}

// asked checks the list of alerts, for which the server was asked at since.
func (b *killBook) asked(since int, list []killAlert, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	listed := map[string]bool{}
	for i := range list {
		a := &list[i]
		if listed[a.Incident] {
			b.fault("incident %s of %v is listed twice", a.Incident, a.stream())
		}
		listed[a.Incident] = true
		in := b.incidents[a.Incident]
		switch {
		case a.State == "pending" && in != nil && in.firedSeq > 0 && in.firedSeq <= since:
			b.fault("incident %s of %v had fired and is pending", a.Incident, a.stream())
		case a.State != "pending" && a.State != "resolved" && in != nil && in.overSeq > 0 && in.overSeq <= since:
			b.fault("incident %s of %v was resolved and is %s", a.Incident, a.stream(), a.State)
		}
		if a.State != "pending" {
			b.see(a, a.State == "resolved", now)
		}
	}
	for id, in := range b.incidents {
		full := len(list) >= 1000 && in.overSeq > 0 // older ones are not listed
		if in.firedSeq <= since && !listed[id] && !full {
			b.fault("incident %s of %v has vanished", id, in.stream)
		}
	}
}

// see writes down that an incident fired, or that it is over, and compares it with
// the truth and with the other incidents of its stream.
func (b *killBook) see(a *killAlert, over bool, now int64) {
	b.seq++
	in := b.incidents[a.Incident]
	if in == nil {
		in = &killIncident{stream: a.stream(), startsAt: a.StartsAt.UnixMilli(), firstSeen: now, firedSeq: b.seq}
		if a.Rule != quietRule {
			b.pages++
			b.seePage(a.Incident, in)
		}
		b.incidents[a.Incident] = in
	}
	if in.startsAt != a.StartsAt.UnixMilli() {
		b.fault("incident %s of %v began at %d and now at %d", a.Incident, in.stream, in.startsAt, a.StartsAt.UnixMilli())
	}
	if !over || in.overSeq > 0 {
		return
	}
	in.overSeq, in.overSeen = b.seq, now
	b.resolves++
	if a.Rule != quietRule && a.Annotations["reason"] == "" && b.truth.side(in.stream, a.EndsAt.UnixMilli())%2 == 1 {
		b.fault("incident %s of %v was resolved at %d while out of band", a.Incident, in.stream, a.EndsAt.UnixMilli())
	}
}

func (b *killBook) seePage(id string, in *killIncident) {
	side := b.truth.side(in.stream, in.startsAt)
	if side%2 == 0 {
		b.fault("incident %s of %v fired at %d while in band", id, in.stream, in.startsAt)
	}
	for other, o := range b.incidents {
		if o.stream != in.stream || b.truth.side(o.stream, o.startsAt) != side {
			continue
		}
		between := func(at int64) bool { return at >= min(o.startsAt, in.startsAt) && at <= max(o.startsAt, in.startsAt) }
		if !slices.ContainsFunc(b.deletes[in.stream.rule], between) {
			b.fault("%v paged twice without having been back: incidents %s and %s", in.stream, other, id)
		}
	}
}

// arrival is a request that came: its key, "" when it cannot be read, and when that was.
type arrival struct {
	key               string
	epoch, generation int
}

// arrived checks a request at a revision of a receiver, which may be another one by now:
// one that was deleted while the request was on its way is owed no resolve.
func (b *killBook) arrived(receiver, revision string, h http.Header, body []byte, now int64) arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	var n struct {
		killAlert
		Alerts []struct{ Pulse killAlert } `json:"alerts"` // of Alertmanager's form
	}
	if err := json.Unmarshal(body, &n); err != nil {
		b.fault("body of %s cannot be read: %v", h.Get("Webhook-Id"), err)
		return arrival{}
	}
	grouped := len(n.Alerts) > 0
	if grouped {
		n.ID = h.Get("Webhook-Id")
	}
	if h.Get("Webhook-Id") != n.ID || h.Get("Idempotency-Key") != n.ID || n.ID == "" {
		b.fault("keys %q and %q, id %q", h.Get("Webhook-Id"), h.Get("Idempotency-Key"), n.ID)
	}
	if !signed(h, body) {
		b.fault("%s: the signature is not that of the receiver's secret", n.ID)
	}
	if before, ok := b.bodies[n.ID]; ok && before != string(body) && !grouped { // whose message has all that fires by then
		b.fault("key %s had the body\n%s\nand then\n%s", n.ID, before, body)
	}
	b.bodies[n.ID] = string(bytes.Clone(body))
	key := receiver + " " + n.ID
	d := b.delivery(key)
	d.trail = append(d.trail, fmt.Sprintf("request at %d", now))
	if d.accepted > 0 {
		b.repeats++
		if !d.lost && d.epoch == b.epoch {
			b.fault("%s came again, although it was accepted and nobody was killed since: %s", key, strings.Join(d.trail, ", "))
		}
	}
	d.requests++
	switch {
	case grouped:
		d.parts = nil
		for i := range n.Alerts {
			part := &n.Alerts[i].Pulse
			d.parts = append(d.parts, receiver+" "+part.ID)
			b.delivery(receiver+" "+part.ID).requests++
			b.tells(receiver, part, now)
		}
	case n.Type == "alert.summary":
		b.summaries++
	case strings.HasPrefix(n.Rule, "pulse."): // of another receiver, which fails
	default:
		b.tells(receiver, &n.killAlert, now)
	}
	return arrival{key, b.epoch, b.receiver(receiver).revisions[revision]}
}

// tells checks what a request tells of an alert.
func (b *killBook) tells(receiver string, n *killAlert, now int64) {
	b.order(receiver, n, now)
	b.see(n, n.Type == "alert.resolved", now)
	b.free(receiver, n, now)
}

// delivery returns what is known of a key at a receiver.
func (b *killBook) delivery(key string) *killDelivery {
	if b.sent[key] == nil {
		b.sent[key] = &killDelivery{}
	}
	return b.sent[key]
}

// order checks what a receiver is told of one incident.
func (b *killBook) order(receiver string, n *killAlert, now int64) {
	end := b.sent[receiver+" "+n.Incident+"-resolved"]
	if n.Type != "alert.resolved" {
		if end != nil {
			b.fault("%s: %s of %v came after its resolve", receiver, n.ID, n.stream())
		}
		return
	}
	if b.sent[receiver+" "+n.Incident+"-firing"] != nil || b.sent[receiver+" "+n.Incident+"-nodata"] != nil {
		return
	}
	began := n.StartsAt.UnixMilli()
	killed := slices.ContainsFunc(b.killTimes, func(at int64) bool { return at >= began })
	if !killed {
		b.fault("%s: %s of %v came without its firing", receiver, n.ID, n.stream())
	}
	if in, r := b.incidents[n.Incident], b.receiver(receiver); in != nil && in.firstSeen < r.made {
		b.fault("%s: %s of %v came, whose firing was before there was such a receiver", receiver, n.ID, n.stream())
	}
}

// accept writes down that a receiver took a request; lost tells that the answer does
// not get through.
func (b *killBook) accept(a arrival, lost bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.key == "" {
		return
	}
	b.accepted++
	for _, key := range append([]string{a.key}, b.sent[a.key].parts...) {
		d := b.delivery(key)
		d.accepted++
		d.epoch, d.lost, d.generation = a.epoch, lost, a.generation
		d.trail = append(d.trail, fmt.Sprintf("accepted with answer lost %t", lost))
	}
}

// told reports what receiver has not been told: incidents that fire, by the list of
// alerts, and that it has not accepted.
func (b *killBook) told(receiver string, list []killAlert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range list {
		d := b.sent[receiver+" "+a.Incident+"-"+a.State]
		if (a.State == "firing" || a.State == "nodata") && (d == nil || d.accepted == 0) {
			b.fault("%s was never told that %v is %s", receiver, a.stream(), a.State)
		}
	}
}

// finish checks what is owed when all streams are in band and all queues empty.
func (b *killBook) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, in := range b.incidents {
		if in.overSeq == 0 {
			b.fault("incident %s of %v never ended", id, in.stream)
		}
	}
	for key, d := range b.sent {
		receiver, id, _ := strings.Cut(key, " ")
		incident, kind, _ := strings.Cut(id, "-")
		r := b.receiver(receiver)
		if kind != "firing" && kind != "nodata" || d.accepted == 0 || !r.exists || d.generation != r.generation {
			continue
		}
		if end := b.sent[receiver+" "+incident+"-resolved"]; end == nil || end.accepted == 0 {
			b.fault("%s accepted %s and never got its resolve", receiver, id)
		}
	}
	b.holds.finish(b)
}

func (b *killBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d kills, %d changes acknowledged, %d pages, %d resolves, %d requests at receivers of which %d accepted, %d repeats, %d summaries, %d faults",
		len(b.killTimes), b.changes, b.pages, b.resolves, b.requests, b.accepted, b.repeats, b.summaries, len(b.faults))
}

// streamKey names a stream: the rule that judges it and its tag `node`.
type streamKey struct{ rule, node string }

// truth is on which side of their thresholds the streams are, at every step. They
// begin in band and change sides at known steps.
type truth struct {
	mu      sync.Mutex
	next    int64 // the first step that has not been pushed yet
	changes map[streamKey][]int64
}

// side returns how often the stream had changed sides by a step: out of band when odd.
func (t *truth) side(key streamKey, step int64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sideLocked(key, step)
}

func (t *truth) sideLocked(key streamKey, step int64) int {
	n := 0
	for _, at := range t.changes[key] {
		if at <= step {
			n++
		}
	}
	return n
}

// flip lets a stream change sides with the next step.
func (t *truth) flip(key streamKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes[key] = append(t.changes[key], t.next)
}

// upcoming returns the first step that has not been pushed yet.
func (t *truth) upcoming() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

// out reports whether the stream is out of band from the next step on.
func (t *truth) out(key streamKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sideLocked(key, t.next)%2 == 1
}
