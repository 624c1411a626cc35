package web

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/detect"
	"pulse/web/render"
)

// backtest judges stored history by the rule of the body. One runs at a time for
// each two cores, so that queries and live rules go on.
func (s *Server) backtest(r *request) {
	b, err := detect.ParseBacktestJSON(r.ctx.PostBody())
	if err != nil {
		r.fail(err)
		return
	}
	here, gone := context.WithCancel(s.stop)
	defer gone()
	defer watchClient(r.ctx.Conn(), gone)() // who has gone does not wait for a turn, either
	if err := s.trials.enter(here, s.opts.Clock, s.opts.QueryWait); err != nil {
		r.fail(err)
		return
	}
	defer s.trials.leave()
	ctx, cancel := context.WithTimeout(here, s.opts.BacktestTimeout)
	defer cancel()
	lease := s.opts.Query.Lease()
	defer lease.Release()
	b.Reserve = lease.Take
	out, err := s.opts.Detect.Backtest(ctx, b)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = &statusError{fasthttp.StatusServiceUnavailable, err.Error() + " (the limit is " + s.opts.BacktestTimeout.String() + ")"}
		}
		r.fail(err)
		return
	}
	r.json(shownResult(&out))
}

// The JSON of a back-test. Times of alerts are texts as in notifications, those
// of ranges are Unix ms as in requests.
type (
	shownPage struct {
		Tags     map[string]string `json:"tags"`
		Type     string            `json:"type"`
		StartsAt string            `json:"startsAt"`
		EndsAt   *string           `json:"endsAt"` // null: it is on at the end
		Value    render.Number     `json:"value"`
		Expected render.Number     `json:"expected"`
		Lower    render.Number     `json:"lower"`
		Upper    render.Number     `json:"upper"`
		Score    render.Number     `json:"score"`
		Cause    string            `json:"cause,omitempty"`
		Flapping bool              `json:"flapping,omitempty"`
	}
	shownRange struct {
		Start int64 `json:"start"`
		End   int64 `json:"end"`
		Step  int64 `json:"step"`
	}
	shownGroup struct {
		Tags          map[string]string `json:"tags"`
		Pages         int               `json:"pages"`
		MinutesFiring float64           `json:"minutesFiring"`
		MinutesJudged float64           `json:"minutesJudged"`
	}
	shownDelay struct {
		Start    int64             `json:"start"`
		End      int64             `json:"end"`
		Tags     map[string]string `json:"tags"`
		Pages    int               `json:"pages"`
		StartsAt *string           `json:"startsAt"` // of the first page; null: missed
		DelayMs  *int64            `json:"delayMs"`
	}
	shownOutcome struct {
		Pages         []shownPage  `json:"pages"`
		PageCount     int          `json:"pageCount"`
		MinutesFiring float64      `json:"minutesFiring"`
		Delays        []shownDelay `json:"delays"`
		Needless      *int         `json:"needless,omitempty"` // pages of no incident; absent without incidents
		Steps         []shownRange `json:"steps"`
		Groups        []shownGroup `json:"groups"`
		GroupsJudged  int          `json:"groupsJudged"`
		Verdicts      int64        `json:"verdicts"`
		Notices       []string     `json:"notices"`
		Incomplete    []shownRange `json:"incomplete,omitempty"`
		Trace         *shownTrace  `json:"trace,omitempty"`
	}
	shownTrace struct {
		Tags     map[string]string `json:"tags"`
		Every    int64             `json:"every"`
		T        []int64           `json:"t"`
		Value    []render.Number   `json:"value"`
		Expected []render.Number   `json:"expected"`
		Lower    []render.Number   `json:"lower"`
		Upper    []render.Number   `json:"upper"`
		Score    []render.Number   `json:"score"`
		Out      []bool            `json:"out"`
		State    []string          `json:"state"` // of the alert: inactive, pending, firing
	}
	shownMove struct {
		shownPage
		Against shownPage `json:"against"`
	}
	shownDiff struct {
		Added         []shownPage `json:"added"`
		Removed       []shownPage `json:"removed"`
		Moved         []shownMove `json:"moved"`
		Same          int         `json:"same"`
		Pages         int         `json:"pages"`
		MinutesFiring float64     `json:"minutesFiring"`
	}
	shownBacktest struct {
		shownOutcome
		Against *shownOutcome `json:"against,omitempty"`
		Diff    *shownDiff    `json:"diff,omitempty"`
	}
)

func shownResult(r *detect.BacktestResult) shownBacktest {
	out := shownBacktest{shownOutcome: outcomeOf(&r.Outcome)}
	if r.Against != nil {
		against := outcomeOf(r.Against)
		out.Against = &against
	}
	if d := r.Diff; d != nil {
		diff := shownDiff{Added: pagesOf(d.Added), Removed: pagesOf(d.Removed), Moved: []shownMove{}, Same: d.Same, Pages: d.Pages, MinutesFiring: minutes(d.Firing)}
		for i := range d.Moved {
			diff.Moved = append(diff.Moved, shownMove{pageOf(&d.Moved[i].Page), pageOf(&d.Moved[i].Other)})
		}
		out.Diff = &diff
	}
	return out
}

func outcomeOf(o *detect.Outcome) shownOutcome {
	out := shownOutcome{
		Pages: pagesOf(o.Pages), PageCount: o.PageCount, MinutesFiring: minutes(o.Firing), GroupsJudged: o.Judged, Verdicts: o.Verdicts,
		Delays: []shownDelay{}, Steps: []shownRange{}, Groups: []shownGroup{}, Notices: append([]string{}, o.Notices...),
	}
	for _, s := range o.Steps {
		out.Steps = append(out.Steps, shownRange(s))
	}
	for _, s := range o.Incomplete {
		out.Incomplete = append(out.Incomplete, shownRange(s))
	}
	for _, g := range o.Groups {
		out.Groups = append(out.Groups, shownGroup{g.Tags.Map(), g.Pages, minutes(g.FiringMs), minutes(g.JudgedMs)})
	}
	for _, d := range o.Delays {
		delay := shownDelay{Start: d.Start, End: d.End, Tags: d.Tags.Map(), Pages: d.Pages}
		if d.First != nil {
			at, ms := rfc3339(d.First.StartsAt), d.Ms
			delay.StartsAt, delay.DelayMs = &at, &ms
		}
		out.Delays = append(out.Delays, delay)
	}
	if o.Trace != nil {
		out.Trace = traceOf(o.Trace)
	}
	if len(o.Delays) > 0 {
		out.Needless = &o.Needless
	}
	return out
}

func traceOf(x *detect.Trace) *shownTrace {
	numbers := func(list []float64) []render.Number {
		out := make([]render.Number, len(list))
		for i, v := range list {
			out[i] = render.Number(v)
		}
		return out
	}
	out := &shownTrace{
		Tags: x.Tags.Map(), Every: x.Every, T: append([]int64{}, x.Times...), Value: numbers(x.Value), Expected: numbers(x.Expected),
		Lower: numbers(x.Lower), Upper: numbers(x.Upper), Score: numbers(x.Score), Out: append([]bool{}, x.Out...), State: make([]string, len(x.Phase)),
	}
	for i, p := range x.Phase {
		out.State[i] = p.String()
	}
	return out
}

func pagesOf(pages []detect.Page) []shownPage {
	out := make([]shownPage, len(pages))
	for i := range pages {
		out[i] = pageOf(&pages[i])
	}
	return out
}

func pageOf(p *detect.Page) shownPage {
	out := shownPage{
		Tags: p.Tags.Map(), Type: "alert.firing", StartsAt: rfc3339(p.StartsAt), Cause: p.Cause, Flapping: p.Flapping,
		Value: render.Number(p.Value), Expected: render.Number(p.Expected), Lower: render.Number(p.Lower), Upper: render.Number(p.Upper), Score: render.Number(p.Score),
	}
	if p.NoData {
		out.Type = "alert.nodata"
	}
	if p.EndsAt != 0 {
		at := rfc3339(p.EndsAt)
		out.EndsAt = &at
	}
	return out
}

func minutes(ms int64) float64 { return float64(ms) / float64(time.Minute.Milliseconds()) }
