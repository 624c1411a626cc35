package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pulse/detect"
)

// outcome is the part of the server's answer that is printed.
type outcome struct {
	Pages         []page  `json:"pages"`
	PageCount     int     `json:"pageCount"`
	MinutesFiring float64 `json:"minutesFiring"`
	Delays        []delay `json:"delays"`
	Needless      *int    `json:"needless"`
	Steps         []struct{ Start, End, Step int64 }
	Groups        []struct {
		Tags                         map[string]string
		Pages                        int
		MinutesFiring, MinutesJudged float64
	}
	GroupsJudged int      `json:"groupsJudged"`
	Notices      []string `json:"notices"`
	Against      *outcome `json:"against"`
	Diff         *struct {
		Added, Removed []page
		Moved          []struct {
			page
			Against page
		}
		Same int
	}

	raw json.RawMessage
}

type page struct {
	Tags             map[string]string
	Type             string
	StartsAt, EndsAt *time.Time
	Value, Expected  *float64
	Cause            string
	Flapping         bool
}

type delay struct {
	Start, End int64
	Tags       map[string]string
	Pages      int
	DelayMs    *int64
}

// backtester asks a server for back-tests.
type backtester struct{ *client }

func newBacktester(target string) (*backtester, error) {
	c, err := newClient(target)
	if err != nil {
		return nil, err
	}
	c.http.Timeout = 2 * time.Minute // the server ends it sooner
	return &backtester{c}, nil
}

// refusal is a server's answer that is about the rule and not about the server.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// tooLarge reports whether the rule gives more than a back-test may have.
func (r *refusal) tooLarge() bool {
	return strings.Contains(r.message, "too large") || strings.Contains(r.message, "too many") || strings.Contains(r.message, "shorten the range")
}

func asRefusal(err error, to **refusal) bool { return errors.As(err, to) }

// aboutRule reports whether an answer is about the rule: 503 is, too, when judging it
// took too long, but not when the server has no place.
func aboutRule(status int, answer []byte) bool {
	return status == http.StatusBadRequest || status == http.StatusServiceUnavailable && bytes.Contains(answer, []byte("shorten the range"))
}

// busyTries is how often a server that has no place now is asked again.
const busyTries = 10

func (b *backtester) run(ctx context.Context, rule, against *detect.Rule, start, end time.Time, incidents []detect.Marked) (*outcome, error) {
	type marked struct {
		Start int64             `json:"start"`
		End   int64             `json:"end"`
		Tags  map[string]string `json:"tags"`
	}
	body := map[string]any{"rule": rule, "start": start.UnixMilli(), "end": end.UnixMilli()}
	if against != nil {
		body["against"] = against
	}
	if incidents != nil {
		list := []marked{}
		for _, m := range incidents {
			list = append(list, marked{m.Start, m.End, m.Tags.Map()})
		}
		body["incidents"] = list
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		status, answer, err := b.do(ctx, http.MethodPost, "/api/v1/backtest", text)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusServiceUnavailable && try < busyTries && !aboutRule(status, answer):
			if err := pause(ctx, time.Now().Add(time.Second)); err != nil {
				return nil, err
			}
		case aboutRule(status, answer):
			return nil, &refusal{strings.TrimPrefix(serverError(status, answer).Error(), fmt.Sprintf("server answered %d: ", status))}
		case status != http.StatusOK:
			return nil, serverError(status, answer)
		default:
			o := outcome{raw: answer}
			if err := json.Unmarshal(answer, &o); err != nil {
				return nil, fmt.Errorf("read the server's answer: %w", err)
			}
			return &o, nil
		}
	}
}
