package store

import (
	"errors"
	"fmt"
	"math"
)

// ErrLimit is what every *LimitError is, for errors.Is.
var ErrLimit = errors.New("limit exceeded")

// LimitError says that a limit would be exceeded, and which.
type LimitError struct {
	What string // "series", "series ever seen", "new series per second", "tag keys", "tag pairs", "values for tag key node", "lines", "datapoints"
	Got  int64  // what was asked for; 0 when it is not known
	Max  int64
}

// Error returns Atlas's wording, `too many lines: 2000 > 1024`.
func (e *LimitError) Error() string {
	if e.Got == 0 {
		return fmt.Sprintf("too many %s: the limit is %d", e.What, e.Max)
	}
	return fmt.Sprintf("too many %s: %d > %d", e.What, e.Got, e.Max)
}

// Is reports whether target is ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

const maxDisorder = 1000 // ms between requests that overtake each other

// bucket is a token bucket on data time. A negative rate never refuses.
type bucket struct {
	rate, burst float64 // tokens per second; the most there can be
	tokens      float64
	last        int64
}

func newBucket(rate, burst float64) bucket { return bucket{rate: rate, burst: burst, tokens: burst} }

// refill adds the tokens that time brings. A now before the last one adds
// nothing; one that is far before it is a clock set right.
func (b *bucket) refill(now int64) {
	if now > b.last || now < b.last-maxDisorder {
		if b.last != 0 && now > b.last {
			b.tokens = min(b.burst, b.tokens+max(0, b.rate)*float64(now-b.last)/1000)
		}
		b.last = now
	}
}

// used returns how many tokens are missing, as of the last refill.
func (b *bucket) used() int { return int(math.Ceil(b.burst - b.tokens)) }

// take removes one token, and reports whether there was one.
func (b *bucket) take(now int64) bool {
	if b.rate < 0 {
		return true
	}
	b.refill(now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// giveBack undoes a take whose series was refused after all.
func (b *bucket) giveBack() { b.tokens = min(b.burst, b.tokens+1) }
