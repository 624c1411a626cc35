package notify

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The figures of delivery.
const (
	connectTimeout = 3 * time.Second
	lookupTimeout  = 2 * time.Second // of the name of a new receiver
	attemptTimeout = 10 * time.Second
	stopGrace      = 3 * time.Second // for attempts under way when Run is asked to stop
	backoffFirst   = 2 * time.Second
	backoffMost    = 5 * time.Minute
	backoffLeast   = 100 * time.Millisecond
	retryAfterMost = time.Hour
	keepTrying     = 24 * time.Hour
	maxAnswerBytes = 64 << 10
	maxHeaderBytes = 16 << 10
	concurrency    = 4 // attempts at once per receiver
	// maxUnstored bounds, per receiver, the attempts whose outcome is not stored:
	// these are repeated when the process ends.
	maxUnstored     = 64
	refusalsAllowed = 2 // attempts answered with a 4xx that is not worth repeating
	// breakerAt is how many attempts in a row must fail before the receiver
	// as a whole is taken to be down and only probed.
	breakerAt = 8
)

// verdict is what an answer means for the notification.
type verdict uint8

const (
	accepted verdict = iota
	retry
	refused  // a 4xx: once more, then dead
	hopeless // dead at once: another attempt would come to the same
	gone     // 410: the receiver wants no more
)

// judge classifies an HTTP status.
func judge(status int) verdict {
	switch {
	case status >= 200 && status < 300:
		return accepted
	case status == http.StatusGone:
		return gone
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return retry
	case status >= 400 && status < 500:
		return refused
	}
	return retry
}

// backoff returns the pause after the n-th failure in a row (n from 1): as random in
// [0,1) says, anything up to 2 s doubling to 5 min, but 0.1 s at least. Full jitter keeps
// those that failed together from coming back together.
func backoff(n int, random float64) time.Duration {
	d := backoffMost
	if shift := n - 1; shift < 9 {
		d = min(d, backoffFirst<<max(shift, 0))
	}
	return max(time.Duration(float64(d)*random), backoffLeast)
}

// retryAfter reads a Retry-After header, seconds or HTTP date, as a pause from
// now; at most an hour, 0 when absent, past or unreadable.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 32)
		if err != nil {
			return retryAfterMost
		}
		return min(time.Duration(seconds)*time.Second, retryAfterMost)
	}
	t, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(now), 0), retryAfterMost)
}
