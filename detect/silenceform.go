package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pulse/detect/label"
	"pulse/detect/scalar"
	"pulse/detect/silence"
	"pulse/query/when"
)

var (
	silenceKeys = []string{"id", "matchers", "startsAt", "endsAt", "author", "comment", "endWhenNormalFor"}
	previewKeys = []string{"matchers", "since"}
)

// ParseSilence reads a silence as people write it: times as RFC 3339, as Unix ms or
// relative to now such as `now+2h`, endWhenNormalFor as a duration. Unknown keys are
// errors; limits are checked when it is put.
func ParseSilence(body []byte, now int64) (silence.Silence, error) {
	f, err := readFields("silence", body, silenceKeys)
	if err != nil {
		return silence.Silence{}, err
	}
	s := silence.Silence{
		ID:               f.text("id"),
		Matchers:         f.matchers("matchers"),
		StartsAt:         f.time("startsAt", now),
		EndsAt:           f.time("endsAt", now),
		Author:           f.text("author"),
		Comment:          f.text("comment"),
		EndWhenNormalFor: int64(f.duration("endWhenNormalFor")),
	}
	if _, given := f.get("endsAt"); !given {
		f.fail("endsAt is missing")
	}
	if f.err != nil {
		return silence.Silence{}, fmt.Errorf("silence: %w", f.err)
	}
	return s, nil
}

// ParsePreview reads what a preview asks: the matchers of a silence, and how far back
// it looks, in ms; 7 days when that is not given.
func ParsePreview(body []byte) (ms label.Matchers, since int64, err error) {
	f, err := readFields("preview", body, previewKeys)
	if err != nil {
		return nil, 0, err
	}
	ms, since = f.matchers("matchers"), 7*day
	if d := f.duration("since"); d != 0 {
		since = int64(d)
	}
	if len(ms) == 0 {
		f.fail("matchers is empty, want at least one")
	}
	if f.err != nil {
		return nil, 0, fmt.Errorf("preview: %w", f.err)
	}
	return ms, since, nil
}

// readFields reads an object with these keys.
func readFields(what string, body []byte, keys []string) (fields, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fields{}, fmt.Errorf("%s is not JSON: %w", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fields{}, fmt.Errorf("%s is followed by more text at byte %d", what, d.InputOffset())
	}
	m, ok := v.(map[string]any)
	if !ok {
		return fields{}, fmt.Errorf("%s is %s, want an object with the keys %s", what, scalar.TypeName(v), strings.Join(keys, ", "))
	}
	f := fields{m: m}
	f.known(keys...)
	return f, nil
}

func (f *fields) matchers(key string) label.Matchers {
	v, _ := f.get(key)
	ms, err := label.Decode(v)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "[") {
			key += ": "
		}
		f.fail("%s%w", key, err)
	}
	return ms
}

// time reads an instant, 0 when it is not given.
func (f *fields) time(key string, now int64) int64 {
	v, given := f.get(key)
	if !given {
		return 0
	}
	switch x := v.(type) {
	case json.Number:
		if t, err := strconv.ParseInt(x.String(), 10, 64); err == nil && t != 0 {
			return t
		}
	case string:
		if x == "now" || strings.HasPrefix(x, "now+") {
			if t, err := when.ParseTime(x, when.Refs{"now": now}, time.UTC); err == nil {
				return t
			}
		}
		if t, err := time.Parse(time.RFC3339, x); err == nil && t.UnixMilli() != 0 {
			return t.UnixMilli()
		}
	}
	f.fail("%s is %.60v, want a time such as 2026-01-31T18:00:00Z or now+2h, or Unix ms", key, v)
	return 0
}
