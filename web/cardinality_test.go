package web_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"pulse/store"
)

type composition struct {
	Series, KeyCount int
	Keys             []struct {
		Key            string
		Values, Series int
	}
	Churn struct {
		WindowMs, SilentMs int64
		New, Gone          int
		Names              []struct {
			Name      string
			New, Gone int
		}
		Keys []struct {
			Key    string
			Values int
		}
	}
	Limits map[string]struct {
		Limit int64
		Used  *int64
	}
	Refused struct {
		Total       int64
		ByLimit     map[string]int64
		Names, Keys []struct {
			Text           string
			Count, AtLeast int64
		}
	}
}

type valuesOfKey struct {
	Key                   string
	Values, Series, Found int
	Items                 []struct {
		Value  string
		Series int
	}
	Next *int
}

// TestCardinality: what series are made of, what came and went, and what was refused.
func TestCardinality(t *testing.T) {
	r := newRig(t, settings{store: store.Options{MaxValuesPerKey: 40}})
	push := func(name string, from, to int) {
		for i := from; i < to; i++ {
			r.publish(point(r.now(), 1, "gauge", name, "node", fmt.Sprint("n", i), "region", []string{"eu", "us"}[i%2]))
		}
	}
	push("old", 0, 10)
	r.move(2 * time.Hour)
	push("old", 0, 10)
	push("stays", 0, 4)
	r.move(30 * time.Minute)
	push("stays", 0, 4)
	push("fresh", 10, 20)
	for i := range 30 {
		r.call("POST", "/api/v1/publish", metrics(point(r.now(), 1, "gauge", "exploding", "node", fmt.Sprint("x", i))))
	}
	r.move(time.Second)
	read := func(more string) composition { return decode[composition](t, r.get("/api/v1/cardinality?"+more)) }

	c := read("")
	if c.Series != 10+4+10+20 || c.KeyCount != 4 || len(c.Keys) != 4 || c.Keys[0].Key != "node" || c.Keys[0].Values != 40 || c.Keys[0].Series != 44 || c.Keys[1].Key != "name" || c.Keys[1].Values != 4 {
		t.Errorf("%d series, keys %+v", c.Series, c.Keys)
	}
	if ch := c.Churn; ch.WindowMs != 3_600_000 || ch.SilentMs != 300_000 || ch.New != 34 || ch.Gone != 10 || ch.Names[0].Name != "exploding" || ch.Names[0].New != 20 || ch.Keys[0].Key != "node" || ch.Keys[0].Values != 34 {
		t.Errorf("churn of an hour: %+v", ch)
	}
	if ch := read("window=10m").Churn; ch.New != 30 || ch.Gone != 0 {
		t.Errorf("churn of ten minutes: %+v", ch)
	}
	if ch := read("window=24h").Churn; ch.New != 44 || ch.Gone != 10 {
		t.Errorf("churn of a day: %+v", ch)
	}
	if used := c.Limits["valuesPerKey"]; used.Limit != 40 || used.Used == nil || *used.Used != 40 {
		t.Errorf("limits: %+v", c.Limits)
	}
	if f := c.Refused; f.Total != 10 || f.ByLimit["values per tag key"] != 10 || f.Names[0].Text != "exploding" || f.Keys[0].Text != "node" || f.Keys[0].AtLeast != 10 {
		t.Errorf("refused: %+v", f)
	}
	q := "q=" + url.QueryEscape("name,stays,:eq")
	if c := read(q); c.Series != 4 || c.Keys[0].Key != "node" || c.Keys[0].Values != 4 || c.Keys[len(c.Keys)-1].Values != 1 || c.Churn.New != 4 {
		t.Errorf("of one name: %+v", c)
	}

	values := func(key, more string) valuesOfKey {
		return decode[valuesOfKey](t, r.get("/api/v1/cardinality/"+key+"?"+more))
	}
	v := values("name", "limit=2")
	if v.Key != "name" || v.Values != 4 || v.Series != 44 || v.Found != 4 || len(v.Items) != 2 || v.Items[0].Value != "exploding" || v.Items[0].Series != 20 || v.Next == nil || *v.Next != 2 {
		t.Errorf("names: %+v", v)
	}
	if v := values("name", "limit=2&offset=2"); len(v.Items) != 2 || v.Items[1].Value != "stays" || v.Next != nil {
		t.Errorf("the second page: %+v", v)
	}
	if v := values("name", "find=OL&"); v.Found != 1 || v.Values != 4 || v.Items[0].Value != "old" {
		t.Errorf("found: %+v", v)
	}
	if v := values("node", q); v.Values != 4 || v.Series != 4 {
		t.Errorf("nodes of a name: %+v", v)
	}
	if v := values("nothing", ""); v.Values != 0 || v.Items == nil || len(v.Items) != 0 {
		t.Errorf("a key that nobody has: %+v", v)
	}
	for _, bad := range []string{"window=1s", "window=2d", "window=x", "limit=0", "limit=1001", "q=name,:eqq"} {
		wantError(t, bad, r.call("GET", "/api/v1/cardinality?"+bad, nil), 400, "")
	}
	wantError(t, "offset", r.call("GET", "/api/v1/cardinality/name?offset=-1", nil), 400, "offset")
}
