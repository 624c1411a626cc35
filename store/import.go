package store

import (
	"fmt"

	"pulse/store/step"
)

// ImportBatch is values for steps of the past, a line per series. Importing
// replaces what the steps held, so that it may be repeated; it is nobody's
// report, and no rule judges it.
type ImportBatch struct {
	Lines []ImportLine
	Note  []byte // kept in the log with the values, as Batch.Note
}

// ImportLine is values of one series. Each covers (t-Step, t] and is what a
// query at that step returns: per second for rate, counter and sum. Times and
// Values have equal length; a value of NaN is left out.
type ImportLine struct {
	Ref    Ref
	Step   int64 // ms, a multiple of the primary step; 0: the primary step
	Times  []int64
	Values []float64
}

// ImportResult says what became of the values, NaN not counted, with the
// reasons of the first that were refused.
type ImportResult struct {
	Accepted, Rejected int
	Errors             []ImportError
}

// ImportError is why values of a line, counted from 0, were refused.
type ImportError struct {
	Line   int
	Reason string
}

const (
	maxImportErrors  = 20
	minLongestImport = 24 * 3600_000 // ms that one value may cover, or the longest tier's step
)

// ImportSteps returns about how many steps of the tiers the values of a line
// cover, which is what it costs to take them.
func (s *Store) ImportSteps(l *ImportLine) (n int64) {
	last := s.tiers[len(s.tiers)-1]
	every := min(or(l.Step, s.grid.step), max(minLongestImport, last.grid.step))
	for _, at := range l.Times {
		for _, t := range s.tiers {
			if at > t.floor.Load() {
				n += max(1, every/t.grid.step)
				break
			}
		}
	}
	return n
}

// importCheck decides which values of a batch are taken.
type importCheck struct {
	primary int64
	longest int64 // ms that one value may cover
	newest  int64 // the last step that is closed
	oldest  int64 // what is stamped at or before it is older than every tier
	result  *ImportResult
}

// newImportCheck returns the check of a batch; what is stamped at or before gone
// has no tier any more.
func (s *Store) newImportCheck(now, gone int64, result *ImportResult) importCheck {
	last := s.tiers[len(s.tiers)-1]
	return importCheck{
		primary: s.grid.step,
		longest: max(minLongestImport, last.grid.step),
		newest:  s.grid.floor(now - s.grid.step),
		oldest:  max(now-last.retention, gone),
		result:  result,
	}
}

// line returns the step of a line, and false when nothing of it can be taken.
func (c *importCheck) line(n int, l *ImportLine) (int64, bool) {
	every := or(l.Step, c.primary)
	if every < 0 || every%c.primary != 0 {
		c.refuse(n, l, fmt.Sprintf("step %d ms is not a multiple of the primary step %d ms", every, c.primary))
		return 0, false
	}
	if every > c.longest {
		c.refuse(n, l, fmt.Sprintf("step %d ms is longer than %d ms", every, c.longest))
		return 0, false
	}
	return every, true
}

// takes reports whether a value stamped t can be taken; good is a multiple of
// every, the one before t at best.
func (c *importCheck) takes(t, every, good int64) bool {
	return t > c.oldest && t <= c.newest && (t-good == every || t%every == 0)
}

// time is takes for line n, and counts a value that cannot be taken.
func (c *importCheck) time(n int, t, every, good int64) bool {
	if c.takes(t, every, good) {
		return true
	}
	switch wanted := c.reject(n); {
	case !wanted:
	case t > c.newest:
		c.reason(n, fmt.Sprintf("the step of timestamp %d is not closed yet, the last closed one is %d", t, c.newest))
	case t <= c.oldest:
		c.reason(n, fmt.Sprintf("timestamp %d is older than every tier, the oldest goes back to %d", t, c.oldest))
	default:
		c.reason(n, fmt.Sprintf("timestamp %d is not a multiple of step %d ms, %d and %d are",
			t, every, step.Floor(t, every), step.Ceil(t, every)))
	}
	return false
}

// refuse counts all values of a line as rejected.
func (c *importCheck) refuse(n int, l *ImportLine, reason string) {
	for _, v := range l.Values {
		if v == v && c.reject(n) {
			c.reason(n, reason)
		}
	}
}

// reject counts a value as rejected, and reports whether a reason is wanted:
// one for each line, and not for every line.
func (c *importCheck) reject(n int) (wanted bool) {
	c.result.Rejected++
	k := len(c.result.Errors)
	return k < maxImportErrors && (k == 0 || c.result.Errors[k-1].Line != n)
}

func (c *importCheck) reason(n int, text string) {
	c.result.Errors = append(c.result.Errors, ImportError{n, text})
}
