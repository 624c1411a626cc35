package wal

import (
	"errors"
	"fmt"
	"math"

	"pulse/store/tags"
)

// Batch is the points of one request, in columns of equal length. The upper 6
// bits of a ref are its partition. Decoded points are grouped by partition,
// ascending, and keep their order inside each.
type Batch struct {
	Source       uint32 // who sent it; 0 is nobody
	Arrival, Now int64  // ms: when it came in, and the clock it was judged by
	Amount       bool   // values for sum series are amounts, not per second
	Refs         []uint32
	Times        []int64 // ms
	Values       []float64
	Note         []byte // opaque
}

// Import is back-filled values, a line per series and step.
type Import struct {
	Now   int64 // ms
	Lines []ImportLine
	Note  []byte // opaque
}

// ImportLine is values that each cover (t-Step, t]; Times and Values have equal
// length.
type ImportLine struct {
	Ref    uint32
	Step   int64 // ms
	Times  []int64
	Values []float64
}

// Series says what a ref stands for from record LSN on. The encoder sets LSN
// itself.
type Series struct {
	Ref  uint32
	At   int64 // ms, when it was created
	Tags tags.Tags
	LSN  uint64
}

// Sender says what a source number stands for from record LSN on. The encoder
// sets LSN itself.
type Sender struct {
	ID  uint32
	At  int64 // ms
	Key string
	LSN uint64
}

// Kind says what a record holds.
type Kind uint8

const (
	KindBatch  Kind = 1
	KindImport Kind = 2
	KindMark   Kind = 3 // opaque bytes that keep their place between the others
	KindNote   Kind = 4 // opaque bytes and an arrival, as a batch without points
	KindRepeat Kind = 5 // definitions a second time, for readers that miss the first
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindBatch:
		return "batch"
	case KindImport:
		return "import"
	case KindMark:
		return "mark"
	case KindNote:
		return "note"
	case KindRepeat:
		return "repeat"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// AllPartitions asks Decode for every section of a record.
const AllPartitions uint64 = math.MaxUint64

const (
	payloadVersion = 1
	partitions     = 64
	slotBits       = 26
	slotMask       = 1<<slotBits - 1
)

// ErrCorrupt is what every *PayloadError is.
var ErrCorrupt = errors.New("corrupt record")

// PayloadError says why a payload could not be read.
type PayloadError struct {
	LSN    uint64
	Offset int // in the payload
	Reason string
}

func (e *PayloadError) Error() string {
	return fmt.Sprintf("corrupt record %d at byte %d: %s", e.LSN, e.Offset, e.Reason)
}

// Is makes every PayloadError an ErrCorrupt.
func (e *PayloadError) Is(target error) bool { return target == ErrCorrupt }
