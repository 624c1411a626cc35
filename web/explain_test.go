package web_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"pulse/query"
	"pulse/store/clock"
)

// lapse is a clock that stands but for one look at it, before which time passes.
type lapse struct {
	*clock.Manual
	at atomic.Int64 // how many looks from now
	by time.Duration
}

func (l *lapse) Now() time.Time {
	if l.at.Add(-1) == 0 {
		l.Manual.Advance(l.by)
	}
	return l.Manual.Now()
}

// explained is what the formats of a graph say of what it cost.
type explained struct {
	DataFetchTime, InputLines, IntermediateLines, GraphLines, InputDatapoints, IntermediateDatapoints, GraphDatapoints int64
}

// Every format says the same figures, which are those that were published: 6 series,
// half of them on each of 2 nodes, in 30 steps.
func TestExplainInFormats(t *testing.T) {
	clk := &lapse{Manual: clock.NewManual(time.UnixMilli(epoch)), by: 1234567 * time.Microsecond}
	r := newRig(t, settings{query: query.Options{Clock: clk}})
	for range 30 {
		r.move(step * time.Millisecond)
		var points []string
		for i := range 6 {
			points = append(points, point(r.now(), float64(i), "gauge", "load", "id", fmt.Sprint(i), "node", fmt.Sprint(i%2)))
		}
		r.publish(points...)
	}
	ask := func(program, more string, lapseAt int64) (figures map[string]explained, metadata map[string]json.RawMessage) {
		figures = map[string]explained{}
		for _, format := range []string{"json", "std.json"} {
			clk.at.Store(lapseAt)
			a := r.get("/api/v1/graph?s=e-30s&format=" + format + more + "&q=" + url.QueryEscape(program))
			figures[format] = decode[struct{ Explain explained }](t, a).Explain
		}
		clk.at.Store(lapseAt)
		items := decode[[]map[string]json.RawMessage](t, r.get("/api/v1/graph?s=e-30s&format=v2.json&hints=no-image"+more+"&q="+url.QueryEscape(program)))
		for _, item := range items {
			if string(item["type"]) == `"graph-metadata"` {
				return figures, item
			}
		}
		t.Fatalf("%s: no metadata in %v", program, items)
		return nil, nil
	}
	const by = "name,load,:eq,(,node,),:by"
	for _, c := range []struct {
		program, more string
		want          explained
	}{
		{"name,load,:eq,id,1,:eq,:and", "", explained{0, 1, 1, 1, 30, 30, 30}},
		{by, "", explained{0, 6, 2, 2, 180, 60, 60}},
		{by, "&step=10s", explained{0, 6, 2, 2, 180, 6, 6}},
		{by, "&w=6", explained{0, 6, 2, 2, 180, 12, 12}},
		{by, "&cq=" + url.QueryEscape("node,1,:eq"), explained{0, 3, 1, 1, 90, 30, 30}},
		{by + ",max,1,:topk", "", explained{0, 6, 2, 1, 180, 60, 30}},
		{by + ",name,load,:eq,:max,:sub", "", explained{0, 12, 3, 2, 360, 90, 60}},
		{by + ",:dup,1,:axis,5s,:offset", "&sort=max&order=desc", explained{0, 12, 4, 4, 360, 120, 120}},
		{"name,none,:eq", "", explained{0, 0, 0, 1, 0, 0, 30}},
		{"1,2", "", explained{0, 0, 0, 2, 0, 0, 60}},
	} {
		figures, metadata := ask(c.program, c.more, 0)
		for format, got := range figures {
			if got != c.want {
				t.Errorf("%s%s as %s:\n got %+v\nwant %+v", c.program, c.more, format, got, c.want)
			}
		}
		want := fmt.Sprintf(`{"inputLines":%d,"inputDatapoints":%d,"outputLines":%d,"outputDatapoints":%d}`, c.want.InputLines, c.want.InputDatapoints, c.want.GraphLines, c.want.GraphDatapoints)
		if got := string(metadata["stats"]); got != want || metadata["loadTime"] != nil {
			t.Errorf("%s%s as v2.json: stats %s, want %s; loadTime %s, want none", c.program, c.more, got, want, metadata["loadTime"])
		}
	}
	// The time that passes while data is read is told alike.
	for at := int64(1); ; at++ {
		figures, metadata := ask(by, "", at)
		if clk.at.Load() > 0 {
			t.Fatalf("no lapse before one of %d looks at the clock was one of fetching", at)
		}
		if figures["json"].DataFetchTime == 0 {
			continue
		}
		if times := fmt.Sprintf("%d %d %s", figures["json"].DataFetchTime, figures["std.json"].DataFetchTime, metadata["loadTime"]); times != "1234 1234 1234" {
			t.Errorf("fetching took %s ms, want 1234 in each", times)
		}
		break
	}
}
