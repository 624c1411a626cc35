package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"pulse/query/expr"
	"pulse/store"
	"pulse/store/step"
	"pulse/store/tags"
)

// overHTTP reports whether a case is one that also runs over HTTP, if it can be
// expressed there.
func overHTTP(c *testCase) bool {
	switch c.Kind {
	case "eval", "eval-values", "fetch":
		return true
	}
	return false
}

// runOverHTTP publishes what a case gives, step by step, and asks for the graph.
// It fails with unsayable for what cannot be said in requests.
func runOverHTTP(c *testCase) error {
	var t *tape
	var expect lines
	var err error
	if c.Kind == "fetch" {
		t, expect, err = fetchTape(c)
	} else {
		t, expect, err = evalTape(c)
	}
	if err != nil {
		return err
	}
	got, err := t.serve(c.servers)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return expect.compare(got)
}

// evalTape says an evaluation in requests.
func evalTape(c *testCase) (*tape, lines, error) {
	var given evaluation
	var expect lines
	if err := c.read(nil, &given, &expect); err != nil {
		return nil, expect, err
	}
	if !step.ValidPrimary(given.Step) {
		return nil, expect, unsayable("no server has this step")
	}
	if given.custom() || given.Variables != nil {
		return nil, expect, unsayable("words and variables of the case")
	}
	if styles, err := given.styles(c.Expr); err == nil {
		for _, s := range styles {
			if s.OffsetMs() != 0 {
				return nil, expect, unsayable("the given series are what a shifted fetch returns")
			}
		}
	}
	t := &tape{
		store: newStoreOptions(given.Step),
		expr:  c.Expr, unstable: given.Features == "unstable",
		first: given.Start, last: given.end() - given.Step, step: given.Step,
	}
	for _, s := range given.all() {
		t.add(s.Tags, given.dstype(s), given.Start, given.values(s))
	}
	// A server names the lines of a fetch by their query.
	for i := range expect.Series {
		expect.Series[i].Label = nil
	}
	return t.inOrder(), expect, nil
}

// serve publishes the tape to a server and asks for its graph.
func (t *tape) serve(servers *sites) ([]expr.Line, error) {
	s, err := servers.open(t.store, true, time.UnixMilli(t.last))
	if err != nil {
		return nil, err
	}
	defer servers.close(s)
	for _, r := range t.requests {
		s.clock.Set(time.UnixMilli(r.now))
		answer, err := s.do("POST", "/api/v1/publish", nil, nil, r.body())
		if err != nil {
			return nil, err
		}
		if answer.status == http.StatusNotFound || answer.status >= 500 {
			return nil, fmt.Errorf("publish: status %d %s", answer.status, answer.body)
		}
		s.store.Advance(r.now)
	}
	s.clock.Set(time.UnixMilli(t.last))
	query := url.Values{
		"q": {t.expr}, "format": {"std.json"}, "tz": {"UTC"}, "w": {"1440"},
		"s": {instant(t.first - t.step)}, "e": {instant(t.last)}, "step": {fmt.Sprintf("%dms", t.step)},
	}
	if t.unstable {
		query.Set("features", "unstable")
	}
	answer, err := s.do("GET", "/api/v1/graph", query, nil, nil)
	if err != nil {
		return nil, err
	}
	return t.graph(answer)
}

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// graph reads the lines of a graph, or its error.
func (t *tape) graph(answer reply) ([]expr.Line, error) {
	if answer.status != http.StatusOK {
		var fault struct{ Type, Message string }
		if err := json.Unmarshal(answer.body, &fault); err != nil || fault.Type != "error" || answer.status >= 500 {
			return nil, fmt.Errorf("graph: status %d %s", answer.status, answer.body)
		}
		return nil, errors.New(fault.Message)
	}
	var g struct {
		Start, Step int64
		Legend      []string
		Metrics     []map[string]string
		Values      [][]number
	}
	if err := json.Unmarshal(answer.body, &g); err != nil {
		return nil, err
	}
	if g.Start != t.first || g.Step != t.step {
		return nil, fmt.Errorf("  got   start %d step %d\n  want  start %d step %d", g.Start, g.Step, t.first, t.step)
	}
	out := make([]expr.Line, len(g.Metrics))
	for i := range out {
		var values []float64
		for _, row := range g.Values {
			values = append(values, float64(row[i]))
		}
		out[i] = named(tags.FromMap(g.Metrics[i]), g.Legend[i], values)
	}
	return out, nil
}

// wantedReply is what a request must be answered with.
type wantedReply struct {
	Status          int
	Accepted        *int64
	Body            any
	BodyLength      *int
	BodyContains    someText
	MessageContains someText

	Names, NamesInclude, NamesExclude []string
}

// serveRequest sends one request to a server with the rules for tags that hold
// by default.
func serveRequest(c *testCase) error {
	var input struct {
		Method, Path string
		Query        url.Values
		ContentType  string
		Headers      map[string]string
		Body         json.RawMessage
	}
	var want wantedReply
	if err := c.read(&input, nil, &want); err != nil {
		return err
	}
	now := time.UnixMilli(1_700_000_000_000)
	s, err := c.servers.open(store.Options{}, false, now)
	if err != nil {
		return err
	}
	defer c.servers.close(s)
	input.Method = cmp.Or(input.Method, "GET")
	header := http.Header{}
	if len(input.Body) > 0 {
		header.Set("Content-Type", cmp.Or(input.ContentType, "application/json"))
	}
	for name, value := range input.Headers {
		header.Set(name, value)
	}
	got, err := s.do(input.Method, input.Path, input.Query, header, spell(input.Body, now))
	if err != nil {
		return err
	}
	errs := []error{want.check(got)}
	if want.Accepted != nil {
		errs = append(errs, equal(s.pipeline.Stats().Total.Accepted, *want.Accepted))
	}
	return all(errs...)
}

// spell returns the body of a request: a text as it is, anything else in JSON,
// with the time that is meant by @now.
func spell(body json.RawMessage, now time.Time) []byte {
	var text string
	if json.Unmarshal(body, &text) == nil {
		return []byte(text)
	}
	text = strings.ReplaceAll(string(body), `"@now/1000"`, fmt.Sprint(now.Unix()))
	return []byte(strings.ReplaceAll(text, `"@now"`, fmt.Sprint(now.UnixMilli())))
}

func (w *wantedReply) check(got reply) error {
	if got.status != w.Status {
		return fmt.Errorf("  got   status %d %s\n  want  status %d", got.status, clip(got.body), w.Status)
	}
	var errs []error
	for _, text := range append(w.BodyContains, w.MessageContains...) {
		if !strings.Contains(string(got.body), text) {
			errs = append(errs, fmt.Errorf("  got   %s\n  want  %s in it", clip(got.body), text))
		}
	}
	if w.Body != nil {
		var body any
		if err := json.Unmarshal(got.body, &body); err != nil || !within(body, w.Body) {
			errs = append(errs, fmt.Errorf("  got   %s\n  want  %v", clip(got.body), w.Body))
		}
	}
	if w.BodyLength != nil {
		var list []any
		errs = append(errs, json.Unmarshal(got.body, &list), equal(len(list), *w.BodyLength))
	}
	if w.Names != nil || w.NamesInclude != nil || w.NamesExclude != nil {
		errs = append(errs, w.names(got.body))
	}
	return all(errs...)
}

// names compares the field name of a list of objects.
func (w *wantedReply) names(body []byte) error {
	var list []struct{ Name string }
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	var got []string
	has := map[string]bool{}
	for _, x := range list {
		got = append(got, x.Name)
		has[x.Name] = true
	}
	var errs []error
	if w.Names != nil {
		errs = append(errs, same(got, w.Names))
	}
	for _, name := range w.NamesInclude {
		if !has[name] {
			errs = append(errs, fmt.Errorf("  got   %v\n  want  %s in it", got, name))
		}
	}
	for _, name := range w.NamesExclude {
		if has[name] {
			errs = append(errs, fmt.Errorf("  got   %v\n  want  no %s in it", got, name))
		}
	}
	return all(errs...)
}

// within reports whether got is want, where an object may have fields more.
func within(got, want any) bool {
	fields, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	have, ok := got.(map[string]any)
	for name, value := range fields {
		ok = ok && within(have[name], value)
	}
	return ok
}
