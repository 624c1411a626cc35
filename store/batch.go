package store

import "fmt"

// Batch is points on their way into the store, in columns of equal length. It
// may be used again, which spares its buffers; it must not be used by two
// goroutines at once.
type Batch struct {
	Source  SourceID
	Arrival int64 // ms, when the request came in
	Refs    []Ref
	Times   []int64
	Values  []float64
	// Amount says that values for sum series are amounts and not per second.
	Amount bool
	// Note is kept in the log with the points and comes back through Hooks.Note.
	Note []byte

	order   []uint32           // point numbers by partition, in each in order of arrival
	ends    [partitions]uint32 // where those of each partition end in order
	sent    []sent             // what Source has reported with it
	links   []Ref              // series that Source was not known for
	revived []Ref              // series that were no longer searchable
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Refs, b.Times, b.Values = b.Refs[:0], b.Times[:0], b.Values[:0]
	b.Source, b.Arrival, b.Amount, b.Note = 0, 0, false, nil
}

// Add appends one point.
func (b *Batch) Add(ref Ref, t int64, v float64) {
	b.Refs = append(b.Refs, ref)
	b.Times = append(b.Times, t)
	b.Values = append(b.Values, v)
}

func (b *Batch) check() {
	if len(b.Times) != len(b.Refs) || len(b.Values) != len(b.Refs) {
		panic(fmt.Sprintf("BUG: batch of %d series, %d times, %d values", len(b.Refs), len(b.Times), len(b.Values)))
	}
}

// sort fills order and ends.
func (b *Batch) sort() {
	var ends [partitions]uint32
	for _, ref := range b.Refs {
		ends[ref.partition()]++
	}
	var at [partitions]uint32
	sum := uint32(0)
	for i, n := range ends {
		at[i] = sum
		sum += n
		ends[i] = sum
	}
	if cap(b.order) < len(b.Refs) {
		b.order = make([]uint32, len(b.Refs)+len(b.Refs)/4)
	}
	b.order = b.order[:len(b.Refs)]
	for i, ref := range b.Refs {
		part := ref.partition()
		b.order[at[part]] = uint32(i)
		at[part]++
	}
	b.ends = ends
}

// sentAfter returns what was sent from the given step's end on. It stays valid
// until the next call.
func (b *Batch) sentAfter(end int64) *sent {
	for i := range b.sent {
		if b.sent[i].end == end {
			return &b.sent[i]
		}
	}
	b.sent = append(b.sent, sent{end: end})
	return &b.sent[len(b.sent)-1]
}

// Result says what became of the points of a batch:
// Stored + Superseded + Late is their number.
type Result struct {
	Stored     int // changed a value, or the state that the next value depends on
	Superseded int // changed nothing
	Repeated   int // of those superseded: reports of rates and counters that were not after the last one
	Late       int // outside the age limits, or for a step that could no longer be changed
}

func (r *Result) add(o Result) {
	r.Stored += o.Stored
	r.Superseded += o.Superseded
	r.Repeated += o.Repeated
	r.Late += o.Late
}
