package ingest

import (
	"encoding/binary"
	"errors"
	"math"
	"net/http"

	"pulse/store/field"
)

// A note is what a log record and a snapshot keep of a request that came with an
// idempotency key:
//
//	version   1 byte
//	id       16 bytes   scope and key
//	body     16 bytes   route and content
//	expiry   varint     Unix ms
//	status   uvarint    200 or 202
//	accepted uvarint    datapoints
//	rejected uvarint    datapoints
//	reasons  uvarint    how many follow, each a line (0: none), a length and a text
//
// Integrity is the container's affair; a note is read with care all the same.
type note struct {
	id     requestID
	body   bodyHash
	expiry int64

	status             int
	accepted, rejected int
	reasons            []LineError
}

// LineError says what is wrong with a line of a body.
type LineError struct {
	Line   int // 1 is the first
	Reason string
}

const (
	noteVersion  = 1
	notesVersion = 1 // of AppendNotes: this byte, then each note behind its length
)

var errNotes = errors.New("notes of idempotency keys are damaged or of a later version")

func noteOf(a *Answer) note {
	n := note{status: a.Status, accepted: a.Accepted, rejected: a.ErrorCount}
	for _, text := range a.Messages {
		n.reasons = append(n.reasons, LineError{Reason: text})
	}
	return n
}

// answer is what the request was answered, without what became of the datapoints
// in the store.
func (n *note) answer() Answer {
	a := Answer{Status: n.status, ErrorCount: n.rejected, Accepted: n.accepted, Repeated: true}
	if n.status == http.StatusAccepted {
		a.Type = "partial"
	}
	for _, x := range n.reasons {
		a.Messages = append(a.Messages, x.Reason)
	}
	return a
}

func (n *note) appendTo(dst []byte) []byte {
	dst = append(dst, noteVersion)
	dst = append(dst, n.id[:]...)
	dst = append(dst, n.body[:]...)
	dst = binary.AppendVarint(dst, n.expiry)
	for _, v := range []int{n.status, n.accepted, n.rejected, len(n.reasons)} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	for _, x := range n.reasons {
		dst = binary.AppendUvarint(dst, uint64(x.Line))
		dst = field.AppendText(dst, x.Reason)
	}
	return dst
}

func parseNote(text []byte) (note, error) {
	r := field.Reader{Rest: text}
	var n note
	if r.Byte() != noteVersion {
		return note{}, errNotes
	}
	copy(n.id[:], r.Bytes(len(n.id)))
	copy(n.body[:], r.Bytes(len(n.body)))
	n.expiry = r.Varint()
	n.status, n.accepted, n.rejected = r.Number(math.MaxInt32), r.Number(math.MaxInt32), r.Number(math.MaxInt32)
	for range r.Count(2) {
		line := r.Number(math.MaxInt32)
		n.reasons = append(n.reasons, LineError{line, string(r.Text())})
	}
	known := n.status == http.StatusOK || n.status == http.StatusAccepted
	if r.Bad || len(r.Rest) > 0 || !known {
		return note{}, errNotes
	}
	return n, nil
}
