package notify

import (
	"math"
	"slices"
)

// The rate limit: so many notifications in any minute per receiver. What begins
// beyond that goes into one summary, at most one a minute: at once when more than
// the limit begin together, else once the first has been held back for summaryAfter.
const (
	minuteMs       = 60_000
	summaryAfterMs = 5_000
)

// sending is a first attempt.
type sending struct {
	at  int64 // Unix ms
	end bool  // of an incident
}

// share is how many notifications of a minute are left to ends while beginnings would
// take all of them, and to beginnings while ends would.
func (q *queue) share() int { return max(q.perMinute/4, min(1, q.perMinute/2)) }

// room returns how many beginnings that come now can go before the rate limit holds
// the next one back.
func (q *queue) room(now int64) int {
	n, ends := q.perMinute, 0
	begins := q.perMinute - q.share() // while ends wait
	for _, x := range q.sent {
		if x.at+minuteMs > now {
			if n--; !x.end {
				begins--
			}
		}
	}
	mayEnd := max(0, n-q.share())
	q.turn++
	for _, it := range q.items {
		g := q.groups[it.Group]
		switch {
		case !limited(it) || it.inFlight:
		case g != nil && q.bundles && g.turn == q.turn: // goes with another
		case it.Type == TypeResolved:
			ends++
		default:
			n--
			begins--
		}
		if g != nil {
			g.turn = q.turn
		}
	}
	if ends > 0 {
		n = min(n, begins)
	}
	return max(0, n-min(ends, mayEnd))
}

// free returns from when on the rate limit allows one more. Ends leave a share to
// beginnings: when all of a storm is over, the next page does not wait for that.
// Beginnings leave one to ends, while ends wait: nobody looks after what is over.
func (q *queue) free(it *item, ends bool) int64 {
	all := func(sending) bool { return true }
	at := q.from(q.perMinute, all)
	switch most := q.perMinute - q.share(); {
	case it.Type == TypeResolved:
		own := q.from(q.share(), func(x sending) bool { return x.end })
		return max(at, min(own, q.from(most, all)))
	case ends:
		return max(at, q.from(most, func(x sending) bool { return !x.end }))
	}
	return at
}

// from returns from when on fewer than most of those that count were sent in a minute.
func (q *queue) from(most int, counts func(sending) bool) int64 {
	if most <= 0 {
		return math.MaxInt64
	}
	for _, x := range slices.Backward(q.sent) {
		if !counts(x) {
			continue
		}
		if most--; most == 0 {
			return x.at + minuteMs
		}
	}
	return 0
}

func (q *queue) count(it *item, now int64) {
	if len(q.sent) >= q.perMinute {
		q.sent = slices.Delete(q.sent, 0, len(q.sent)-q.perMinute+1)
	}
	q.sent = append(q.sent, sending{now, it.Type == TypeResolved})
}
