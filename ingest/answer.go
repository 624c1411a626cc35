package ingest

import (
	"net/http"
	"unicode/utf8"

	"pulse/store/tags"
)

// Answer is what became of one request.
//
//	200  everything was accepted; no text
//	202  Type partial: some datapoints were rejected
//	400  Type error: all were, or (ErrorCount 0, Message set) nothing could be read
//	409  Type error, Message: its idempotency key is in use
//	413  Type error, Message: more datapoints than one request may hold
//	429  Type error: all were rejected and a limit on series was among the reasons
//	503  Type error, Message: the store takes nothing now, or there is no place
//	     for another idempotency key; nothing was stored
//	507  Type error, Message: the disk is full; nothing was stored
//
// Accepted = Stored + Superseded + Late, and Accepted + ErrorCount is the number
// of datapoints sent. Of an answer that is Repeated only Accepted is known.
type Answer struct {
	Status     int
	Type       string   // "", "partial" or "error"
	ErrorCount int      // datapoints rejected
	Messages   []string // the first of their reasons, each with its tags
	Message    string   // of an error that concerns the whole request

	Accepted   int
	Stored     int // changed a value or the state of a normalizer
	Superseded int // changed nothing, as a repetition or NaN does
	Late       int // for a step that takes nothing any more

	// Repeated says that the request was answered before, under its idempotency
	// key, and that nothing was done this time.
	Repeated bool
	// Uncertain says that the datapoints are in the store and may or may not
	// survive its end: no answer would be true, so none must be sent.
	Uncertain bool
}

func failure(status int, message string) Answer {
	return Answer{Status: status, Type: "error", Message: message}
}

// conclude derives Status and Type from the counts. limited says whether a limit
// on series was among the reasons.
func (a *Answer) conclude(limited bool) {
	switch {
	case a.ErrorCount == 0:
		a.Status = http.StatusOK
	case a.Accepted > 0:
		a.Status, a.Type = http.StatusAccepted, "partial"
	case limited:
		a.Status, a.Type = http.StatusTooManyRequests, "error"
	default:
		a.Status, a.Type = http.StatusBadRequest, "error"
	}
}

// describe returns a rejected datapoint's message: the reason with the tags as
// JSON, of which at most limit bytes are shown.
func describe(v *Violation, t tags.Tags, limit int) string {
	text := append(make([]byte, 0, 256), v.Error()...)
	text = append(text, " (tags="...)
	from := len(text)
	text = append(text, '{')
	for i, x := range t {
		if len(text)-from > limit {
			break
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = appendQuoted(text, x.Key[:min(len(x.Key), limit+1)])
		text = append(text, ':')
		text = appendQuoted(text, x.Value[:min(len(x.Value), limit+1)])
	}
	text = append(text, '}')
	if len(text)-from > limit {
		end := from + limit
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = append(text[:end], "..."...)
	}
	return string(append(text, ')'))
}

// appendQuoted appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
