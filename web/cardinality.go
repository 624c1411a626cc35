package web

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"pulse/query"
	"pulse/query/when"
	"pulse/store"
	"pulse/store/match"
)

const (
	cardinalityPage    = 100
	maxCardinalityPage = 1000
	defaultWindow      = time.Hour
	maxWindow          = 24 * time.Hour
	silentAfter        = 5 * time.Minute // a series without a value for so long, or for 5 steps, is gone
	maxFind            = 256             // bytes of find
	valueBytes         = 64              // that a value takes while it is counted, without its text, which the index has
)

// valueSeries is a value with how many series have it.
type valueSeries struct {
	Value  string `json:"value"`
	Series int    `json:"series"`
}

// keyValues is a key with how many values it has.
type keyValues struct {
	Key    string `json:"key"`
	Values int    `json:"values"`
	Series int    `json:"series"`
}

// nameChurn is a name with how many series are new and gone.
type nameChurn struct {
	Name string `json:"name"`
	New  int    `json:"new"`
	Gone int    `json:"gone"`
}

// newValues is a key with how many values new series have.
type newValues struct {
	Key    string `json:"key"`
	Values int    `json:"values"`
}

// cardinality says what the series are made of that q selects: which keys have most
// values, what came and went lately, how near the limits are and what they refused.
func (s *Server) cardinality(r *request) {
	q, limit, err := s.readCardinality(r)
	if err != nil {
		r.fail(err)
		return
	}
	window, err := readWindow(r)
	if err != nil {
		r.fail(err)
		return
	}
	lease := s.opts.Query.Lease()
	defer lease.Release()
	if err := lease.Take(int64(s.opts.Store.Stats().Series) * store.ChurnBytes); err != nil {
		r.fail(err)
		return
	}
	out, err := s.composition(r.query, q, limit, window)
	if err != nil {
		r.fail(query.InTime(r.query, err))
		return
	}
	r.json(out)
}

func (s *Server) composition(ctx context.Context, q match.Query, most int, window int64) (map[string]any, error) {
	st := s.opts.Store
	keys, err := st.CountKeys(ctx, q)
	if err != nil {
		return nil, err
	}
	now := s.nowMs()
	silent := now - max(silentAfter.Milliseconds(), 5*st.Step())
	c, err := st.Churn(ctx, q, now-window, silent, most)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, func(a, b store.KeyCount) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), cmp.Compare(b.Series, a.Series), cmp.Compare(a.Key, b.Key))
	})
	top := make([]keyValues, min(len(keys), most))
	for i := range top {
		top[i] = keyValues(keys[i])
	}
	stats := st.Stats()
	bounds := s.sharedLimits()
	limits := map[string]limit{}
	for _, name := range []string{"series", "keys", "pairs", "valuesPerKey", "newSeriesPerSecond", "newSeriesBurst"} {
		limits[name] = bounds[name]
	}
	return map[string]any{
		"series": c.Series, "keys": top, "keyCount": len(keys),
		"churn":  map[string]any{"windowMs": window, "silentMs": now - silent, "new": c.New, "gone": c.Gone, "names": shownNames(c.Names), "keys": shownKeys(c.Keys)},
		"limits": limits,
		"refused": map[string]any{"total": stats.Refusals.Total, "byLimit": stats.Refusals.ByLimit,
			"names": offenders(stats.Refusals.Names), "keys": offenders(stats.Refusals.Keys)},
	}, nil
}

func shownNames(list []store.NameChurn) []nameChurn {
	out := make([]nameChurn, len(list))
	for i, x := range list {
		out[i] = nameChurn(x)
	}
	return out
}

func shownKeys(list []store.ValueCount) []newValues {
	out := make([]newValues, len(list))
	for i, x := range list {
		out[i] = newValues{x.Value, x.Count}
	}
	return out
}

// readCardinality reads the parameters that both routes have.
func (s *Server) readCardinality(r *request) (match.Query, int, error) {
	n, err := r.number("limit", cardinalityPage, 1, maxCardinalityPage)
	if err != nil || !r.has("q") || r.param("q") == "" {
		return match.True, int(n), err
	}
	q, err := s.opts.Query.Interpreter().ParseQuery(r.param("q"))
	return q, int(n), err
}

// readWindow reads how far back churn is counted, in ms.
func readWindow(r *request) (int64, error) {
	text := r.param("window")
	if text == "" {
		return defaultWindow.Milliseconds(), nil
	}
	d, err := when.ParseDuration(text)
	if err != nil || d < time.Minute || d > maxWindow {
		return 0, badRequest("parameter window is " + clip(text, 40) + ", must be a duration from 1m to 24h")
	}
	return d.Milliseconds(), nil
}

// keyCardinality lists the values of a key by how many series have each, most first.
func (s *Server) keyCardinality(r *request) {
	q, limit, err := s.readCardinality(r)
	if err != nil {
		r.fail(err)
		return
	}
	offset, err := r.number("offset", 0, 0, math.MaxInt32)
	if err != nil {
		r.fail(err)
		return
	}
	find := strings.ToLower(r.param("find"))
	if len(find) > maxFind {
		r.fail(badRequest("parameter find is too long"))
		return
	}
	lease := s.opts.Query.Lease()
	defer lease.Release()
	if err := lease.Take(int64(s.opts.Store.Options().MaxValuesPerKey) * valueBytes); err != nil {
		r.fail(err)
		return
	}
	list, err := s.opts.Store.FindValues(r.query, r.vars["key"], q, "", 0)
	if err != nil {
		r.fail(query.InTime(r.query, err))
		return
	}
	series, values := 0, len(list)
	for _, v := range list {
		series += v.Count
	}
	if find != "" {
		list = slices.DeleteFunc(list, func(v store.ValueCount) bool { return !strings.Contains(strings.ToLower(v.Value), find) })
	}
	slices.SortStableFunc(list, func(a, b store.ValueCount) int { return cmp.Compare(b.Count, a.Count) })
	from := min(int(offset), len(list))
	to := min(from+limit, len(list))
	page := make([]valueSeries, to-from)
	for i, v := range list[from:to] {
		page[i] = valueSeries{v.Value, v.Count}
	}
	out := map[string]any{"key": r.vars["key"], "values": values, "series": series, "found": len(list), "items": page}
	if to < len(list) {
		out["next"] = to
	}
	r.json(out)
}
