package algo

// Cause says in which way a stream is out of its band.
type Cause uint8

const (
	CauseNone    Cause = iota // it is not out
	CauseSignal               // the expression says so
	CauseLimit                // a fixed limit was crossed
	CauseDrop                 // well below what was expected
	CauseRise                 // well above what was expected
	CauseDrift                // a little off, for a long time
	CauseFrozen               // the same value again and again, on a stream that varies
	CauseMissing              // no data although there should be
	CauseWorse                // worse than what it is compared with
)

// String returns the word for c that answers and notifications carry, empty
// for CauseNone.
func (c Cause) String() string {
	return [...]string{"", "signal", "limit", "drop", "rise", "drift", "frozen", "missing", "worse"}[c]
}

// Fact is a number that a detector knows or goes by, for people who ask why:
// what it has learned, chosen or counted.
type Fact struct {
	Name  string // one word or two, lower case with underscores
	Value float64
}

// because fills in the cause of a verdict that is out.
func (v Verdict) because(c Cause) Verdict {
	if v.Out {
		v.Cause = c
	}
	return v
}
