package query

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits bound one query. A zero field means the default.
type Limits struct {
	Lines             int           // lines of the result, 1024
	DatapointsPerLine int           // steps of the range, 1440
	DatapointsRead    int64         // series × primary steps read, 20,000,000
	Time              time.Duration // from the call of Eval, 10 s
	MemoryBytes       int64         // lines and values fetched and computed, and state, 64 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Lines == 0 {
		l.Lines = 1024
	}
	if l.DatapointsPerLine == 0 {
		l.DatapointsPerLine = 1440
	}
	if l.DatapointsRead == 0 {
		l.DatapointsRead = 20_000_000
	}
	if l.Time == 0 {
		l.Time = 10 * time.Second
	}
	if l.MemoryBytes == 0 {
		l.MemoryBytes = 64 << 20
	}
	return l
}

// ErrTimeout is what the error of a query that took too long is, for errors.Is.
var ErrTimeout = errors.New("query time limit exceeded")

// Timeout returns the error of a query that took longer than limit.
func Timeout(limit time.Duration) error { return fmt.Errorf("%w: %s", ErrTimeout, limit) }

// InTime returns err, or why ctx has ended if that is what err says: that the time
// was over, when the cause is a Timeout, or the cause with which it was cancelled.
func InTime(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(cause, ErrTimeout),
		errors.Is(err, context.Canceled) && cause != nil && !errors.Is(cause, context.Canceled):
		return cause
	}
	return err
}

// ErrLimit is what every *LimitError is, for errors.Is.
var ErrLimit = errors.New("query limit exceeded")

// LimitError says which limit a query would exceed.
type LimitError struct {
	What      string // lines, datapoints per line, datapoints, bytes
	Got, Most int64  // Got 0: not known
	Help      string // what to do about it; "" where that is plain
}

// Error is in Atlas's words, `too many lines: 2000 > 1024`.
func (e *LimitError) Error() string {
	text := fmt.Sprintf("too many %s: %d > %d", e.What, e.Got, e.Most)
	if e.Got == 0 {
		text = fmt.Sprintf("too many %s: the limit is %d", e.What, e.Most)
	}
	if e.Help != "" {
		text += "; " + e.Help
	}
	return text
}

// tooLarge is the refusal of a query that needs so many bytes, 0 when nobody
// knows.
func (l Limits) tooLarge(need int64) error {
	return &LimitError{
		What: "bytes", Got: need, Most: l.MemoryBytes,
		Help: "ask for fewer lines, a shorter range or a longer step, or raise --max-query-memory",
	}
}

func (e *LimitError) Is(target error) bool { return target == ErrLimit }
