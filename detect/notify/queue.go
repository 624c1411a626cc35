package notify

import (
	"maps"
	"slices"
)

// queue holds what waits for one receiver and decides what happens next. It
// does no I/O; the caller guards it with a lock and passes the time, Unix ms.
//
// Of one incident at most one item is in flight, and only the newest other one
// is kept: the newest state wins.
type queue struct {
	items      []*item // ascending Seq
	bytes      int
	byIncident map[string][]*item
	open       map[string]bool   // incidents whose beginning may have been accepted
	counted    map[string]uint64 // incidents of which a summary is all that is said → its sequence
	tallies    map[uint64]*tally // summary → how many that it counts are left
	noted      int               // changes to these in the database
	keeps      bool              // what a summary opens stays open until it is resolved
	over       map[uint64]int    // held summary → how many that it counts have ended
	drops      []drop
	inFlight   int // attempts under way
	unstored   int // attempts that ended, and whose outcome is not stored yet
	disabled   bool
	everyMs    int64    // between heartbeats, 0: it gets alerts
	beatAt     int64    // when the next may go
	beating    bool     // one is under way
	name       string   // of the receiver
	host       *breaker // of the host that it is at; nil: there is none

	limit, limitBytes, limitOpen, perMinute int

	sent         []sending // the last perMinute first attempts, oldest first
	blockedSince int64     // since when the rate limit holds something back
	lastSummary  int64

	members       map[string]*member // by incident: what is told again
	byLabels      map[string]*member
	quieted       map[string][]string // incident that waits to be accepted → what will keep it from being told again
	groups        map[string]*group   // by id
	leaving       bool                // the receiver is told of ends only
	bundles       bool                // the receiver is told of a group in one message
	turn          uint64              // counts plans
	expired       []*member           // that must leave the database
	resends       bool                // the receiver is told again
	noEnds        bool                // the receiver is not told of ends
	againUnderWay bool
	againAt       int64 // when to look for what is due

	failures int   // attempts in a row that failed
	hold     int64 // nothing is attempted before

	planned int64 // time of the last plan, 0: there was none
}

func newQueue(limit, limitBytes, perMinute int) *queue {
	return &queue{
		byIncident: make(map[string][]*item), open: make(map[string]bool), counted: make(map[string]uint64), tallies: make(map[uint64]*tally), over: make(map[uint64]int),
		groups: make(map[string]*group), members: make(map[string]*member), byLabels: make(map[string]*member),
		quieted: make(map[string][]string),
		limit:   limit, limitBytes: limitBytes, limitOpen: maxOpen, perMinute: perMinute,
	}
}

// insert adds an item in its place; one that is already there is ignored.
func (q *queue) insert(it *item) {
	at, found := slices.BinarySearchFunc(q.items, it.Seq, bySeq)
	if found {
		return
	}
	q.items = slices.Insert(q.items, at, it)
	q.bytes += it.Bytes
	if g := q.groups[it.Group]; g != nil {
		at, _ := slices.BinarySearchFunc(g.items, it.Seq, bySeq)
		g.items = slices.Insert(g.items, at, it)
	}
	if it.Incident == "" {
		return
	}
	same := q.byIncident[it.Incident]
	at, _ = slices.BinarySearchFunc(same, it.Seq, bySeq)
	q.byIncident[it.Incident] = slices.Insert(same, at, it)
	q.settle(it.Incident)
}

func bySeq(it *item, seq uint64) int {
	switch {
	case it.Seq < seq:
		return -1
	case it.Seq > seq:
		return 1
	}
	return 0
}

// remove takes an item out of the queue.
func (q *queue) remove(it *item) {
	at, found := slices.BinarySearchFunc(q.items, it.Seq, bySeq)
	if !found {
		return
	}
	q.items = slices.Delete(q.items, at, at+1)
	q.bytes -= it.Bytes
	delete(q.over, it.Seq)
	if g := q.groups[it.Group]; g != nil {
		g.items = slices.DeleteFunc(g.items, func(o *item) bool { return o.Seq == it.Seq })
		q.release(g)
	}
	if it.Incident == "" {
		return
	}
	same := slices.DeleteFunc(q.byIncident[it.Incident], func(o *item) bool { return o.Seq == it.Seq })
	if len(same) == 0 {
		delete(q.byIncident, it.Incident)
		delete(q.quieted, it.Incident)
	} else {
		q.byIncident[it.Incident] = same
	}
}

// settle makes the newest state of an incident win. Items in flight are left
// alone; their end settles again.
func (q *queue) settle(incident string) {
	same := q.byIncident[incident]
	if len(same) == 0 {
		return
	}
	newest := same[len(same)-1]
	waiting := false
	over := newest.Type == TypeResolved && !newest.Unsure && !q.open[incident]
	for _, it := range same {
		waiting = waiting || it.inFlight
		over = over && !it.Unsure
	}
	over = over && !waiting
	for _, it := range slices.Clone(same) {
		switch {
		case it.inFlight:
		case it != newest && over:
			q.discard(drop{it: it, reason: reasonOver})
		case it != newest:
			q.discard(drop{it: it, reason: reasonSuperseded, markOpen: it.Unsure && it.begins() && q.begin(incident)})
		case over:
			q.discard(drop{it: it, reason: reasonNeverSent})
		case q.noEnds && it.Type == TypeResolved && !waiting:
			q.discard(drop{it: it, reason: reasonUnwanted, over: true})
			delete(q.open, incident)
			q.leave(incident)
		}
	}
}

// begin notes that the beginning of an incident may have been accepted. It
// refuses, and the incident's end will not be delivered, when maxOpen incidents
// have begun and never ended.
func (q *queue) begin(incident string) bool {
	if !q.open[incident] && len(q.open) >= q.limitOpen {
		return false
	}
	q.open[incident] = true
	return true
}

func (q *queue) discard(d drop) {
	q.remove(d.it)
	q.drops = append(q.drops, d)
}

// serve goes by the receiver whose queue it is.
func (q *queue) serve(r *Receiver, host *breaker) {
	q.name, q.host = r.Name, host
	q.keeps = keepsOpen(r.Kind)
	q.everyMs = r.every().Milliseconds()
	if no := !r.wants(TypeResolved); no != q.noEnds {
		q.noEnds = no
		for _, incident := range slices.Collect(maps.Keys(q.byIncident)) {
			q.settle(incident)
		}
	}
	q.disabled, q.resends, q.bundles = r.Disabled, r.Kind == KindAlertmanager, r.bundles()
}

// forgive forgets since when attempts are in vain.
func (q *queue) forgive() {
	for _, it := range q.items {
		if !it.inFlight {
			it.Failed = 0
		}
	}
}

// clear drops what waits for a receiver that gets no alerts any more.
func (q *queue) clear() {
	for _, it := range slices.Clone(q.items) {
		if it.inFlight {
			continue
		}
		d := drop{it: it, reason: reasonHeartbeats, over: it.Type == TypeResolved, markOpen: it.Unsure && it.begins() && q.begin(it.Incident)}
		if d.over {
			delete(q.open, it.Incident)
			q.leave(it.Incident)
		}
		q.discard(d)
	}
}

// busy reports whether something of an incident is in flight.
func (q *queue) busy(incident string) bool {
	if m := q.members[incident]; m != nil && m.inFlight {
		return true
	}
	for _, it := range q.byIncident[incident] {
		if it.inFlight {
			return true
		}
	}
	return false
}

// expire drops what is too old, and the oldest of what is too much.
func (q *queue) expire(now int64) {
	count, bytes := len(q.items), q.bytes
	oldest := now - keepTrying.Milliseconds()
	var out []drop
	for _, it := range q.items {
		full := count > q.limit || bytes > q.limitBytes
		if !full && it.Enqueued > oldest {
			break
		}
		if it.inFlight {
			continue
		}
		d := drop{it: it, reason: reasonExpired, bury: true, over: it.Type == TypeResolved,
			markOpen: it.Unsure && it.begins() && q.begin(it.Incident)}
		if d.over {
			delete(q.open, it.Incident)
			q.leave(it.Incident)
		}
		if full {
			d.reason = reasonOverflow
		}
		out = append(out, d)
		count--
		bytes -= it.Bytes
	}
	for _, d := range out {
		q.discard(d)
	}
}

// answered makes room for another attempt: that of it has ended. Its incident
// stays busy until finished.
func (q *queue) answered(it *item) {
	if it.leads {
		q.inFlight--
		q.unstored++
	}
	it.answered = true
}

// finished takes back an item the outcome of whose attempt is stored; gone tells
// that it has left the queue for good.
func (q *queue) finished(it *item, result *item, gone bool) {
	switch {
	case !it.leads:
	case it.answered:
		q.unstored--
	default:
		q.inFlight--
	}
	incident := it.Incident
	if gone {
		q.remove(it)
	}
	*it = *result
	it.inFlight, it.answered, it.leads = false, false, false
	q.settle(incident)
}

// failed notes a failure of the receiver as a whole, at a host that answers. Its pause
// begins a probing time after breakerAt failures in a row; floor is a time the receiver
// itself asked to be left alone until.
func (q *queue) failed(now, pauseMs, floor int64) {
	q.failures++
	if q.failures >= breakerAt {
		q.hold = max(q.hold, now+pauseMs)
	}
	q.hold = max(q.hold, floor)
}

// succeeded ends a probing time: what waited for its own next attempt is due.
func (q *queue) succeeded() {
	if q.failures >= breakerAt {
		q.goOn()
	}
	q.failures, q.hold = 0, 0
}

// goOn has what waits for its own next attempt tried as soon as the receiver may be: the
// host answers again.
func (q *queue) goOn() {
	for _, it := range q.items {
		if !it.held() && !it.inFlight {
			it.Next = 0
		}
	}
}
