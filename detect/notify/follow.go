package notify

// Delivery goes by the clock that people see, since what waits must survive a restart.
// When that clock is set, what waits neither waits until it gets there once more nor is
// given up as too old.

// setBackMs is by how much the clock goes back at least before anybody follows.
const setBackMs = 1000

// follow brings what is noted in the time before the clock was set to that of now: before
// the start, or since the last plan.
func (q *queue) follow(now int64) {
	last := q.planned
	q.planned = now
	switch back, ahead := last-now, now-last-longestWaitMs; {
	case last == 0:
		q.followStart(now)
	case back >= setBackMs:
		q.followBack(now, back)
	case ahead > 0: // while anything waits, no plan is later than that
		for _, it := range q.items {
			if !it.inFlight {
				it.Enqueued = min(it.Enqueued+ahead, now)
			}
		}
	}
}

// followStart bounds how long items wait that a process before this one has left: nobody
// knows what its clock was.
func (q *queue) followStart(now int64) {
	for _, it := range q.items {
		most := retryAfterMost.Milliseconds()
		if it.held() {
			most = minuteMs
		}
		it.Next = min(it.Next, now+most)
	}
	q.followGroups(now, 0)
}

// followBack follows a clock that was set back by so many ms. How much of a minute has
// passed nobody knows, so the rate limit begins anew.
func (q *queue) followBack(now, back int64) {
	for _, it := range q.items {
		if !it.inFlight { // or it gets a new time, and belongs to its attempt
			it.Next = max(0, it.Next-back)
			it.Failed = min(it.Failed, now)
		}
	}
	q.sent, q.hold = nil, q.hold-back
	q.blockedSince, q.lastSummary = min(q.blockedSince, now), min(q.lastSummary, now)
	q.followGroups(now, back)
}
