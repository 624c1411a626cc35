package wal

import (
	"encoding/binary"
	"math"
	"slices"

	"pulse/store/field"
)

// Flags of a batch.
const (
	batchAmount   = 1 << 0
	batchTemplate = 1 << 1
	batchNote     = 1 << 2
	batchStep     = 1 << 3 // the step is not the usual one
	batchTimes    = 3 << 4 // one of the following
	timesOne      = 0 << 4 // all points have one time
	timesFew      = 1 << 4 // up to 16, a code of 4 bits each
	timesMany     = 2 << 4 // each as the distance to the one before in its section
	batchWidth    = 3 << 6 // bytes of a section's length: 1, 2, 4

	fewTimes = 16
)

// pointBytes is more than a point takes in a section.
const pointBytes = 5 + 10 + 9

// appendBatch appends the body of a batch; t is its template, if any, of which
// it has the whole or what the match says.
func (e *Encoder) appendBatch(dst []byte, b *Batch, t *template, whole bool) []byte {
	var few [fewTimes + 1]int64
	times := distinctTimes(few[:0], b.Times)
	step := e.options.Step
	if t != nil {
		step = t.stepMs(step)
	}
	scales := e.scalesOf(step)
	flags := batchFlags(b, t, len(times), step)
	head := len(dst)
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(b.Source))
	dst = appendVarint(dst, b.Arrival)
	dst = appendVarint(dst, b.Now-b.Arrival)
	if flags&batchStep != 0 {
		dst = binary.AppendUvarint(dst, uint64(step))
	}
	if flags&batchNote != 0 {
		dst = field.AppendText(dst, b.Note)
	}
	l, column := &e.layout, &e.column
	switch {
	case t == nil:
		l.set(b.Refs)
		dst = l.appendSections(dst)
		e.column.gather(b.Values, l.order)
		e.column.encode(scales)
	case whole:
		l = &t.layout
		dst = binary.AppendUvarint(dst, t.id<<1)
		dst = binary.LittleEndian.AppendUint32(dst, t.check)
		e.column.gather(b.Values, l.order)
		e.encodeTemplate(t, scales)
	default:
		dst = binary.AppendUvarint(dst, t.id<<1|1)
		dst = binary.LittleEndian.AppendUint32(dst, t.check)
		e.column.spread(b.Values, t.layout.order, e.templates.where)
		e.encodeTemplate(t, scales)
		dst = e.picker.pick(dst, &e.column, t, &e.templates, b.Refs, b.Values, scales)
		l, column = &e.picker.layout, &e.picker.column
	}
	width := l.width()
	dst[head] |= width << 6
	switch {
	case len(b.Times) == 0:
	case flags&batchTimes == timesOne:
		dst = appendVarint(dst, times[0]-b.Arrival)
	case flags&batchTimes == timesFew:
		dst = append(dst, byte(len(times)))
		for _, at := range times {
			dst = appendVarint(dst, at-b.Arrival)
		}
	}
	return appendPoints(dst, b, t, l, column, times, width)
}

func batchFlags(b *Batch, t *template, times int, step int64) byte {
	flags := byte(timesOne)
	switch {
	case times > fewTimes:
		flags = timesMany
	case times > 1:
		flags = timesFew
	}
	if b.Amount {
		flags |= batchAmount
	}
	if t != nil {
		flags |= batchTemplate
	}
	if len(b.Note) > 0 {
		flags |= batchNote
	}
	if step != usualStep {
		flags |= batchStep
	}
	return flags
}

// appendPoints appends the sections and, before them, the length of each but
// the last.
func appendPoints(dst []byte, b *Batch, t *template, l *layout, c *column, times []int64, width byte) []byte {
	lengths := len(dst)
	dst = append(dst, make([]byte, max(len(l.parts)-1, 0)<<width)...)
	dst = slices.Grow(dst, 9*len(l.order)+8*len(l.parts))
	from := uint32(0)
	for k, s := range l.parts {
		start := len(dst)
		order := l.order[from:s.end]
		if t == nil {
			dst = appendSlots(dst, b.Refs, order)
		}
		switch {
		case len(times) > fewTimes:
			dst = appendTimes(dst, b.Times, order, b.Arrival)
		case len(times) > 1:
			dst = appendFewTimes(dst, b.Times, order, times)
		}
		dst = c.appendTo(dst, from, s.end)
		from = s.end
		if k < len(l.parts)-1 {
			putLength(dst[lengths+k<<width:], width, len(dst)-start)
		}
	}
	return dst
}

// putLength writes a section's length in 2^width bytes.
func putLength(dst []byte, width byte, n int) {
	switch width {
	case 0:
		dst[0] = byte(n)
	case 1:
		binary.LittleEndian.PutUint16(dst, uint16(n))
	default:
		binary.LittleEndian.PutUint32(dst, uint32(n))
	}
}

// width returns the logarithm of the bytes that a section's length takes.
func (l *layout) width() byte {
	largest, from := uint32(0), uint32(0)
	for _, s := range l.parts {
		largest = max(largest, s.end-from)
		from = s.end
	}
	switch n := pointBytes * uint64(largest); {
	case n <= math.MaxUint8:
		return 0
	case n <= math.MaxUint16:
		return 1
	}
	return 2
}

// distinctTimes appends the different times to dst in order of first use, one
// more than fewTimes when there are too many.
func distinctTimes(dst, times []int64) []int64 {
	if len(times) == 0 {
		return dst
	}
	last := times[0]
	dst = append(dst, last)
	differs := int64(0)
	for _, at := range times {
		differs |= at ^ last
	}
	if differs == 0 {
		return dst
	}
	for _, at := range times {
		if at == last {
			continue
		}
		last = at
		if slices.Contains(dst, at) {
			continue
		}
		if dst = append(dst, at); len(dst) > fewTimes {
			break
		}
	}
	return dst
}

func appendTimes(dst []byte, times []int64, order []uint32, last int64) []byte {
	for _, i := range order {
		dst = appendVarint(dst, times[i]-last)
		last = times[i]
	}
	return dst
}

func appendFewTimes(dst []byte, times []int64, order []uint32, few []int64) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, (len(order)+1)/2)...)
	for k, i := range order {
		number := byte(slices.Index(few, times[i]))
		dst[at+k/2] |= number << (k & 1 * 4)
	}
	return dst
}
