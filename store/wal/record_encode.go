package wal

import "encoding/binary"

// EncoderOptions sizes an encoder.
type EncoderOptions struct {
	Step          int64 // ms, what most counts per second were divided by; default 10 s
	TemplateBytes int   // memory of templates; default 32 MiB
}

const (
	defaultTemplateBytes = 32 << 20
	repeatAfter          = 64 << 10 // bytes between a definition and its repetition
	repeatBytes          = 256 << 10
)

// Encoder makes the payloads of records. It remembers what the current segment
// has defined, so its payloads are to be written in their order, each once, and
// Undo is to be called when they were not.
//
// Not for concurrent use.
type Encoder struct {
	options EncoderOptions
	scales  map[int64]*scales // by step
	codes   *[transforms]codesByExponent

	lsn   uint64 // of the next payload
	bytes uint64 // of all payloads so far

	templates templates

	due      []definition // in the order written; repeated ones are in front
	repeated int          // of due, since Begin or before
	dueBytes []byte       // contents of due
	begun    begun
	defined  []*template // since Begin
	words    dictionary
	scratch  []byte
	pairs    []byte
	layout   layout // of a batch without template
	picker   picker
	column   column
}

// definition is a block that is to be written a second time.
type definition struct {
	kind  byte
	lsn   uint64 // that defined first
	bytes uint64 // of payloads before it
	end   int    // in dueBytes; it begins where the one before ends
}

// begun is what Undo goes back to.
type begun struct {
	lsn, bytes    uint64
	due, repeated int
	dueBytes      int
}

// NewEncoder returns an encoder at the beginning of a segment.
func NewEncoder(o EncoderOptions) *Encoder {
	if o.Step <= 0 || o.Step > mostStep {
		o.Step = usualStep
	}
	if o.TemplateBytes <= 0 {
		o.TemplateBytes = defaultTemplateBytes
	}
	return &Encoder{options: o, scales: map[int64]*scales{}, codes: makeCodes(), templates: newTemplates(o.TemplateBytes)}
}

// Begin says that what was encoded so far is written and that the next payload
// becomes record lsn.
func (e *Encoder) Begin(lsn uint64) {
	if e.repeated > 0 {
		end := e.due[e.repeated-1].end
		e.dueBytes = append(e.dueBytes[:0], e.dueBytes[end:]...)
		e.due = append(e.due[:0], e.due[e.repeated:]...)
		for i := range e.due {
			e.due[i].end -= end
		}
		e.repeated = 0
	}
	e.lsn = lsn
	e.defined = e.defined[:0]
	e.begun = begun{lsn: lsn, bytes: e.bytes, due: len(e.due), dueBytes: len(e.dueBytes)}
}

// Undo forgets what was encoded since Begin: it was not written.
func (e *Encoder) Undo() {
	b := e.begun
	e.lsn, e.bytes, e.repeated = b.lsn, b.bytes, b.repeated
	e.due, e.dueBytes = e.due[:b.due], e.dueBytes[:b.dueBytes]
	for _, t := range e.defined {
		t.id = 0
	}
	e.defined = e.defined[:0]
}

// Reset begins a new segment, in which no template is defined. Definitions that
// are due a second time are to be fetched by Repeat before.
func (e *Encoder) Reset() {
	e.templates.newSegment()
	e.due, e.dueBytes, e.repeated = e.due[:0], e.dueBytes[:0], 0
	e.Begin(e.lsn)
}

// Batch appends the payload of a batch that comes with the series and senders
// that the log does not know yet. b's columns have equal length.
func (e *Encoder) Batch(dst []byte, b *Batch, series []Series, senders []Sender) []byte {
	start := len(dst)
	t, whole := e.templates.find(b.Refs, e.bytes)
	dst = e.head(dst, KindBatch, series, senders, t)
	dst = e.appendBatch(dst, b, t, whole)
	return e.done(dst, start)
}

// Note appends the payload of a note that came in at arrival.
func (e *Encoder) Note(dst []byte, arrival int64, note []byte) []byte {
	start := len(dst)
	dst = e.head(dst, KindNote, nil, nil, nil)
	dst = appendVarint(dst, arrival)
	return e.done(append(dst, note...), start)
}

// Mark appends the payload of a mark.
func (e *Encoder) Mark(dst []byte, mark []byte) []byte {
	start := len(dst)
	dst = e.head(dst, KindMark, nil, nil, nil)
	return e.done(append(dst, mark...), start)
}

// Repeat appends a payload with definitions a second time: those made long
// enough ago or, before a segment is closed, all. It appends nothing when there
// are none, and no more than some 256 KiB at once.
func (e *Encoder) Repeat(dst []byte, all bool) []byte {
	start := len(dst)
	var n, size int
	for _, d := range e.due[e.repeated:] {
		if size > repeatBytes || !all && e.bytes-d.bytes < repeatAfter {
			break
		}
		n, size = n+1, d.end-e.dueStart(e.repeated)
	}
	if n == 0 {
		return dst
	}
	dst = append(dst, payloadVersion<<4|byte(KindRepeat))
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := e.repeated; i < e.repeated+n; i++ {
		d := &e.due[i]
		dst = appendBlock(dst, d.kind, e.lsn-d.lsn, e.dueBytes[e.dueStart(i):d.end])
	}
	e.repeated += n
	return e.done(dst, start)
}

// Due says whether Repeat would append something before the segment's end.
func (e *Encoder) Due() bool {
	return e.repeated < len(e.due) && e.bytes-e.due[e.repeated].bytes >= repeatAfter
}

func (e *Encoder) dueStart(i int) int {
	if i == 0 {
		return 0
	}
	return e.due[i-1].end
}

// head appends kind and definitions, and remembers these.
func (e *Encoder) head(dst []byte, kind Kind, series []Series, senders []Sender, t *template) []byte {
	blocks := 0
	if t != nil && t.id == 0 {
		blocks++
	}
	if len(series) > 0 {
		blocks++
	}
	if len(senders) > 0 {
		blocks++
	}
	dst = append(dst, payloadVersion<<4|byte(kind), byte(blocks))
	if len(series) > 0 {
		e.scratch, e.pairs = e.words.appendSeries(e.scratch[:0], e.pairs, series)
		dst = e.define(dst, blockSeries)
	}
	if len(senders) > 0 {
		e.scratch = appendSenders(e.scratch[:0], senders)
		dst = e.define(dst, blockSenders)
	}
	if t != nil && t.id == 0 {
		t.id = e.templates.nextID
		e.templates.nextID++
		e.defined = append(e.defined, t)
		e.scratch = t.appendTo(e.scratch[:0])
		dst = e.define(dst, blockTemplate)
	}
	return dst
}

// define appends scratch as a block and remembers it for Repeat.
func (e *Encoder) define(dst []byte, kind byte) []byte {
	e.dueBytes = append(e.dueBytes, e.scratch...)
	e.due = append(e.due, definition{kind: kind, lsn: e.lsn, bytes: e.bytes, end: len(e.dueBytes)})
	return appendBlock(dst, kind, 0, e.scratch)
}

func (e *Encoder) done(dst []byte, start int) []byte {
	e.lsn++
	e.bytes += uint64(len(dst) - start)
	return dst
}
