package notify

import (
	"maps"
	"slices"
)

// Reasons for which a notification is not delivered.
const (
	reasonSuperseded = "superseded by a newer state"
	reasonOver       = "over before its beginning could be accepted"
	reasonNeverSent  = "its beginning was never delivered"
	reasonFolded     = "counted in a summary"
	reasonExpired    = "not accepted within 24 hours"
	reasonOverflow   = "queue is full"
	reasonUnwanted   = "send_resolved is false"
	reasonHeartbeats = "the receiver gets heartbeats only"
)

// drop is an item that has left the queue undelivered and must leave the
// database too.
type drop struct {
	it       *item
	reason   string
	bury     bool // to the dead letters
	markOpen bool // the incident's beginning may have been accepted
	over     bool // the incident's end, after which nothing follows
}

// plan is what a queue wants done now.
type plan struct {
	now     int64
	start   []start // marked in flight
	drops   []drop
	fold    []*item   // to be replaced by one summary
	again   []*member // marked in flight, in one message
	repeat  []string  // groups to be told of again
	expired []*member // that are not told again any more
	wake    int64     // Unix ms at which to plan again, 0 = when woken

	host    *breaker // that is told what comes of telling again
	beat    bool     // a heartbeat goes
	probes  bool     // which is the probe of a host that is down
	slots   int      // attempts that may be under way
	ends    bool     // ends wait
	blocked []*item  // held back by the rate limit
	held    int64    // when the first of them is due that is a summary
	shut    int64    // when to ask the host's breaker again, 0: it was not asked, or let all go
}

// start is one attempt to begin.
type start struct {
	items  []*item      // one, or several of a group
	id     string       // of the message of a group
	group  *groupRecord // nil: the item goes by itself
	others []string     // incidents of the group that go on, in order
	host   *breaker     // that it is told what comes of it
	probe  bool         // of a host that is down
}

// wakeAt has the queue planned again at t, Unix ms, at the latest.
func (p *plan) wakeAt(t int64) {
	if t > 0 && t != untilAnswered && (p.wake == 0 || t < p.wake) {
		p.wake = t
	}
}

// plan decides what to start, drop and fold at now.
func (q *queue) plan(now int64) plan {
	p := plan{now: now, host: q.host}
	q.follow(now)
	q.expire(now)
	if q.everyMs > 0 {
		q.clear()
	}
	p.drops, q.drops = q.drops, nil
	if at := slices.IndexFunc(q.items, func(it *item) bool { return !it.inFlight }); at >= 0 {
		p.wakeAt(q.items[at].Enqueued + keepTrying.Milliseconds())
	}
	if q.disabled {
		return p
	}
	if q.everyMs > 0 {
		q.planBeat(&p)
		return p
	}
	var at int64
	p.again, at = q.planAgain(&p)
	p.wakeAt(at)
	p.expired, q.expired = q.expired, nil
	p.repeat, at = q.planRepeats(now)
	p.wakeAt(at)
	if q.failures < breakerAt {
		p.slots = concurrency
	} else {
		p.slots = 1
	}
	p.ends = slices.ContainsFunc(q.items, func(it *item) bool { return q.waitingEnd(it) && it.Next <= now })
	q.turn++
	for _, it := range q.items {
		if !it.inFlight && !q.busy(it.Incident) {
			q.planItem(&p, it)
		}
	}
	if t := q.foldAt(now, len(p.blocked) > 0, p.held); t > now {
		p.wakeAt(t)
	} else if t > 0 {
		p.fold = p.blocked
		for _, it := range p.fold {
			it.folding = true
		}
	}
	return p
}

// planItem starts an item, or what is told with it, if it is its turn.
func (q *queue) planItem(p *plan, it *item) {
	due := max(it.Next, q.hold)
	var st start
	if g := q.groups[it.Group]; g != nil {
		if st, due = q.planGroup(g, it, due, p.now); st.items == nil {
			return
		}
		it = lead(st.items)
	}
	if it.held() {
		if p.blocked = append(p.blocked, it); p.held == 0 || it.Next < p.held {
			p.held = it.Next
		}
		return
	}
	if limited(it) {
		if free := q.free(it, p.ends); free > p.now {
			due = max(due, free)
			p.blocked = q.foldable(p, it, st.items)
		}
	}
	if due > p.now {
		p.wakeAt(due)
		return
	}
	if q.inFlight >= p.slots || q.inFlight+q.unstored >= maxUnstored {
		return // the end of an attempt plans again
	}
	ok, probe := q.enter(p)
	if !ok {
		return
	}
	if limited(it) {
		q.count(it, p.now)
	}
	st.host, st.probe = q.host, probe
	p.start = append(p.start, q.begun(it, st))
}

// enter asks the breaker of the host for an attempt that is begun at once.
func (q *queue) enter(p *plan) (ok, probe bool) {
	if q.host == nil {
		return true, false
	}
	if p.shut == 0 {
		if ok, probe, p.shut = q.host.enter(q.name, p.now); ok {
			return true, probe
		}
	}
	p.wakeAt(p.shut)
	return false, false
}

// limited tells whether the rate limit counts an item: every notification
// once, but not the summary that stands for the rest.
func limited(it *item) bool { return it.Attempts == 0 && it.Type != TypeSummary }

// foldable appends what may become part of a summary of an item, or of those of its
// message: beginnings of incidents that the receiver knows nothing of, unless they are
// being taken back. A resolve waits instead.
func (q *queue) foldable(p *plan, it *item, message []*item) []*item {
	out := p.blocked
	if message == nil {
		message = []*item{it}
	}
	for _, one := range message {
		if opens(one.Type) && !one.Unsure && !q.open[one.Incident] && one.Next <= p.now {
			out = append(out, one)
		}
	}
	return out
}

// begun marks in flight what is attempted now; it is the item that counts for it.
func (q *queue) begun(it *item, st start) start {
	if st.items == nil {
		st.items = []*item{it}
	}
	for _, one := range st.items {
		one.inFlight = true
	}
	it.leads = true
	q.inFlight++
	if st.group == nil {
		return st
	}
	for _, incident := range slices.Sorted(maps.Keys(q.groups[it.Group].members)) {
		if len(q.byIncident[incident]) == 0 && len(q.members[incident].Quiet) == 0 { // else something newer goes now, or next
			st.others = append(st.others, incident)
		}
	}
	return st
}

// held tells whether an item is a summary that waits to become part of the next one.
func (it *item) held() bool {
	return it.Type == TypeSummary && it.Attempts == 0 && !it.Unsure && it.Next > 0
}

// waitingEnd tells whether an item is the end of an incident that may not have been
// sent yet.
func (q *queue) waitingEnd(it *item) bool {
	return it.Type == TypeResolved && limited(it) && !q.busy(it.Incident)
}

// foldAt returns when what is held back becomes a summary, 0 for never. What was
// counted already waits for no company.
func (q *queue) foldAt(now int64, blocked bool, held int64) int64 {
	if !blocked {
		q.blockedSince = 0
		return 0
	}
	if q.blockedSince == 0 {
		q.blockedSince = now
	}
	at := q.blockedSince + summaryAfterMs
	if held > 0 {
		at = held
	}
	if q.lastSummary > 0 {
		at = max(at, q.lastSummary+minuteMs)
	}
	return at
}

// heldUntil returns until when a summary that is made now is held: there is one a
// minute. 0: it may go.
func (q *queue) heldUntil(now int64) int64 {
	if q.lastSummary == 0 || now >= q.lastSummary+minuteMs {
		return 0
	}
	return q.lastSummary + minuteMs
}
