package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"pulse/ingest"
	"pulse/query"
	"pulse/query/expr"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/match"
	"pulse/store/norm"
	"pulse/store/tags"
)

// point is one datapoint as the publish payload spells it.
type point struct {
	Tags  map[string]string `json:"tags"`
	Time  int64             `json:"timestamp"`
	Value text              `json:"value"`
}

// text is a number in JSON, a string where JSON has none.
type text float64

func (v text) MarshalJSON() ([]byte, error) {
	if f := float64(v); math.IsInf(f, 0) {
		return json.Marshal(strings.Replace(fmt.Sprint(f), "Inf", "Infinity", 1))
	}
	return json.Marshal(float64(v))
}

// tape is what is published, request by request, each at the time of its
// clock, and the question asked afterwards: the values stamped from
// first to last at a step.
type tape struct {
	store    store.Options
	requests []request
	expr     string
	unstable bool

	first, last, step int64
}

type request struct {
	now    int64
	points []point
}

func newStoreOptions(primary int64) store.Options {
	return store.Options{
		Step:             primary,
		RateHeartbeat:    norm.AtlasHeartbeat(norm.Rate, primary),
		CounterHeartbeat: norm.AtlasHeartbeat(norm.Counter, primary),
	}
}

// add plans a request for every step of the values, the first at t. All
// requests of one time are one.
func (t *tape) add(tagSet map[string]string, dstype string, at int64, values []float64) {
	all := map[string]string{}
	for k, v := range tagSet {
		all[k] = v
	}
	if dstype != "" && dstype != "rate" {
		all["atlas.dstype"] = dstype
	}
	for _, v := range values {
		if !math.IsNaN(v) {
			i := slices.IndexFunc(t.requests, func(r request) bool { return r.now == at })
			if i < 0 {
				i = len(t.requests)
				t.requests = append(t.requests, request{now: at})
			}
			t.requests[i].points = append(t.requests[i].points, point{all, at, text(v)})
		}
		at += t.store.Step
	}
}

// inOrder sorts the requests by time.
func (t *tape) inOrder() *tape {
	slices.SortStableFunc(t.requests, func(a, b request) int { return int(a.now - b.now) })
	return t
}

func (r request) body() []byte {
	b, err := json.Marshal(map[string]any{"metrics": r.points})
	if err != nil {
		panic(err)
	}
	return b
}

// replay publishes the tape into a store of its own and asks its question.
func (t *tape) replay() ([]expr.Line, error) {
	st, err := store.New(t.store)
	if err != nil {
		return nil, err
	}
	pipeline := ingest.New(st, ingest.Options{RelaxedTags: true})
	for _, r := range t.requests {
		if a := pipeline.Publish(r.body(), ingest.From{Peer: "127.0.0.1"}, r.now); a.Message != "" {
			return nil, fmt.Errorf("publish: %s", a.Message)
		}
		st.Advance(r.now)
	}
	engine := query.New(st, query.Options{})
	result, err := engine.Eval(context.Background(), query.Request{
		Program: t.expr, Start: t.first - t.step, End: t.last, Step: t.step, Now: t.last, Unstable: t.unstable,
	})
	if err != nil {
		return nil, err
	}
	var out []expr.Line
	for _, l := range result.Lines {
		out = append(out, named(l.Tags, l.Label, l.Values))
	}
	return out, nil
}

// named is a line of the server as a case names it: without the tags that are
// the server's, in the label too where that is the text of all tags.
func named(t tags.Tags, label string, values []float64) expr.Line {
	t = t.Without("atlas.offset")
	own := t.Without("atlas.dstype")
	if label == expr.TagsLabel(t) {
		label = expr.TagsLabel(own)
	}
	return expr.Line{Tags: own, Label: label, Values: values}
}

// database is the context of a fetch through an expression.
type database struct {
	language
	Step           int64
	Dstype         string
	FirstTimestamp int64
	Series         []struct {
		givenSeries
		Rollup bool
		Inputs [][]number
	}
	EvalStep, EvalStart, EvalEnd int64
}

func (d *database) tape(program string) (*tape, error) {
	t := &tape{
		store: newStoreOptions(d.Step),
		expr:  program, unstable: d.Features == "unstable",
		first: d.EvalStart, last: d.EvalEnd - d.EvalStep, step: d.EvalStep,
	}
	for _, s := range d.Series {
		dstype := s.Dstype
		if dstype == "" {
			dstype = d.Dstype
		}
		if !s.Rollup {
			t.add(s.Tags, dstype, d.FirstTimestamp, floats(s.Values))
			continue
		}
		added, err := d.added(program, tags.FromMap(s.Tags))
		if err != nil {
			return nil, err
		}
		for i, input := range s.Inputs {
			if added {
				t.add(s.Tags, "sum", d.FirstTimestamp, floats(input))
				continue
			}
			apart := maps.Clone(s.Tags)
			apart["nf.node"] = fmt.Sprint("i-", i)
			t.add(apart, dstype, d.FirstTimestamp, floats(input))
		}
	}
	return t.inOrder(), nil
}

// added reports whether a program sees of several inputs to a series only what
// they add up to, as reporters of a sum do. The other functions of a roll-up,
// such as the count, are answered from inputs that are kept apart by a tag.
func (d *database) added(program string, t tags.Tags) (bool, error) {
	styles, err := d.styles(program)
	if err != nil {
		return false, err
	}
	for _, s := range styles {
		for _, data := range expr.DataExprs(s.Expr) {
			agg := expr.AggSum
			switch x := data.(type) {
			case *expr.Aggregate:
				agg = x.Agg
			case *expr.GroupBy:
				agg = x.Aggregate.Agg
			}
			if agg != expr.AggSum && match.MatchesTags(data.Query(), t) {
				return false, nil
			}
		}
	}
	return true, nil
}

// blocks is the context of a fetch from a store of one series, a ring of blocks
// of so many steps each.
type blocks struct {
	Step, BlockSize, NumBlocks int64
	Updates                    []struct {
		Start  int64
		Values []number
	}
}

// unit is the primary step, in ms, to which the times of a block store are
// spread: with it, the step of a case is one that a graph can have.
const unit = 500

// spread returns how many primary steps are one step of the case. Where it can
// be done, a block of the case is a block of the product.
func (b *blocks) spread() int64 {
	if block.Size%b.BlockSize != 0 {
		return 1
	}
	return block.Size / b.BlockSize
}

// at returns the place of a time of the case.
func (b *blocks) at(t int64) int64 { return t / b.Step * b.spread() * unit }

// tape has a request for every update. A point is taken until it is a block
// old, and the newest NumBlocks blocks are kept.
func (b *blocks) tape(first, last int64) *tape {
	t := &tape{
		store: newStoreOptions(unit),
		expr:  "name,series,:eq,:max",
		first: b.at(first), last: b.at(last), step: b.at(b.Step),
	}
	t.store.MaxPast = b.at(b.BlockSize * b.Step)
	if b.spread() > 1 && b.NumBlocks > 1 {
		t.store.Retention = b.at((b.NumBlocks-1)*b.BlockSize*b.Step) + 1
	}
	tagSet := map[string]string{"name": "series", "atlas.dstype": "gauge"}
	now := int64(0)
	for _, u := range b.Updates {
		for i, v := range floats(u.Values) {
			at := b.at(u.Start + int64(i)*b.Step)
			now = max(now, at)
			t.requests = append(t.requests, request{now, []point{{tagSet, at, text(v)}}})
		}
	}
	return t
}

// fetchTape reads a case of kind fetch.
func fetchTape(c *testCase) (t *tape, expect lines, err error) {
	if c.Expr == "" {
		var input struct{ FetchStart, FetchEnd int64 }
		var given blocks
		if err = c.read(&input, &given, &expect); err == nil {
			t = given.tape(input.FetchStart, input.FetchEnd)
		}
		return t, expect, err
	}
	var given database
	if err = c.read(nil, &given, &expect); err == nil {
		t, err = given.tape(c.Expr)
	}
	return t, expect, err
}

func fetch(c *testCase) error {
	t, expect, err := fetchTape(c)
	if err != nil {
		return err
	}
	got, err := t.replay()
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return expect.compare(got)
}
