package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulse/query"
	"pulse/store/clock"
)

// holding is the clock of a query engine that keeps queries where they are from shut
// to open.
type holding struct {
	*clock.Manual
	door atomic.Pointer[chan struct{}] // nil: open
	held chan struct{}                 // one for each that came to it
}

func newHolding() *holding {
	return &holding{Manual: clock.NewManual(time.UnixMilli(epoch)), held: make(chan struct{}, 1000)}
}

func (h *holding) Now() time.Time {
	if door := h.door.Load(); door != nil {
		h.held <- struct{}{}
		<-*door
	}
	return h.Manual.Now()
}

func (h *holding) shut() {
	door := make(chan struct{})
	h.door.Store(&door)
}

func (h *holding) open() { close(*h.door.Swap(nil)) }

// shownQuery is a query of GET /api/v1/queries.
type shownQuery struct {
	ID                        int64
	Path, Expr, Client, Token string
	Since, Start, End         string
	TookMs                    float64
	Waiting                   bool
	StepMs                    int64
	Series, Datapoints, Bytes int64
}

type shownQueries struct{ Running, Slowest []shownQuery }

// TestRunningQueries: who asks what is seen while a query runs, and an operator ends
// it; the client is told, and the place is free again.
func TestRunningQueries(t *testing.T) {
	h := newHolding()
	r := newRig(t, settings{query: query.Options{Clock: h}})
	for i := range 7 {
		r.publish(point(r.now(), 1, "gauge", "load", "node", fmt.Sprint("n", i)))
	}
	r.move(time.Minute)
	list := func() shownQueries { return decode[shownQueries](t, r.get("/api/v1/queries")) }
	if l := list(); len(l.Running) != 0 || len(l.Slowest) != 0 {
		t.Fatalf("before any query: %+v", l)
	}
	const program = "name,load,:eq,(,node,),:by"
	for name, path := range map[string]string{"graph": "/api/v1/graph?format=json&", "picture": "/api/v1/graph?", "fetch": "/api/v2/fetch?"} {
		t.Run(name, func(t *testing.T) {
			h.shut()
			asked := make(chan answer, 1)
			go func() {
				a, err := r.try("GET", path+"s=e-30s&q="+url.QueryEscape(program), nil)
				if err != nil {
					t.Error(err)
				}
				asked <- a
			}()
			<-h.held
			l := list()
			if len(l.Running) != 1 {
				t.Fatalf("%d queries run: %+v", len(l.Running), l)
			}
			q := l.Running[0]
			if q.Path+"?" != strings.SplitAfter(path, "?")[0] || q.Expr != program || q.Client != "127.0.0.1" || q.StepMs != step || q.Since == "" || q.Waiting || q.Start >= q.End {
				t.Errorf("%+v", q)
			}
			if a := r.call("DELETE", fmt.Sprint("/api/v1/queries/", q.ID), nil, "Content-Type: application/json"); a.status != 204 {
				t.Errorf("cancel: %s", a)
			}
			h.open()
			a := <-asked
			if text := "cancelled by an operator"; name == "fetch" {
				if !strings.Contains(string(a.body), `"type":"error"`) || !strings.Contains(string(a.body), text) {
					t.Errorf("the client of the fetch is told %s", a)
				}
			} else {
				wantError(t, "cancelled", a, 409, text)
			}
			if a := r.get("/api/v1/graph?format=json&s=e-30s&q=" + url.QueryEscape(program)); !strings.Contains(string(a.body), "node") {
				t.Errorf("the next query: %s", a)
			}
			if l := list(); len(l.Running) != 0 {
				t.Errorf("after all: %+v", l)
			}
		})
	}
	for _, id := range []string{"999", "x", "-1", "1", strings.Repeat("9", 60)} {
		wantError(t, id, r.call("DELETE", "/api/v1/queries/"+id, nil, "Content-Type: application/json"), 404, "no query")
	}
}

// TestSlowestQueries: those that took longest within an hour are remembered, and not
// more than twenty.
func TestSlowestQueries(t *testing.T) {
	h := newHolding()
	r := newRig(t, settings{query: query.Options{Clock: h}})
	r.publish(point(r.now(), 1, "gauge", "load", "node", "a"), point(r.now(), 1, "gauge", "load", "node", "b"))
	r.move(time.Minute)
	for i := range 25 {
		r.get(fmt.Sprintf("/api/v1/graph?format=json&s=e-10s&q=name,load,:eq,%d,:add", i))
	}
	h.shut()
	done := make(chan answer, 1)
	go func() {
		a, _ := r.try("GET", "/api/v1/graph?format=json&s=e-10s&q=name,load,:eq,:max", nil)
		done <- a
	}()
	<-h.held
	r.move(3 * time.Second)
	h.open()
	if a := <-done; a.status != 200 {
		t.Fatal(a)
	}
	r.get("/api/v1/graph?format=json&s=e-10s&q=name,load,:eq,:max") // quicker than before
	l := decode[shownQueries](t, r.get("/api/v1/queries"))
	if len(l.Slowest) != 20 || l.Slowest[1].Expr == l.Slowest[0].Expr {
		t.Fatalf("%d are remembered", len(l.Slowest))
	}
	if q := l.Slowest[0]; q.Expr != "name,load,:eq,:max" || q.TookMs != 3000 || q.Series != 2 || q.Datapoints != 20 || q.Bytes != 0 {
		t.Errorf("the slowest: %+v", q)
	}
	r.move(2 * time.Hour)
	if l := decode[shownQueries](t, r.get("/api/v1/queries")); len(l.Slowest) != 0 {
		t.Errorf("two hours later: %+v", l.Slowest)
	}
}

// TestCancelWaiting: a query that waits for its turn is seen and can be cancelled.
func TestCancelWaiting(t *testing.T) {
	h := newHolding()
	s := settings{query: query.Options{Clock: h}}
	s.web.Queries, s.web.QueryQueue, s.web.QueryWait = 1, 4, time.Hour
	r := newRig(t, s)
	h.shut()
	done := make(chan answer, 2)
	ask := func(program string) {
		go func() {
			a, _ := r.try("GET", "/api/v1/graph?format=json&s=e-10s&q="+program, nil)
			done <- a
		}()
	}
	ask("1")
	<-h.held
	ask("2")
	var waits shownQuery
	for deadline := time.Now().Add(patience); waits.ID == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no query waits")
		}
		for _, q := range decode[shownQueries](t, r.get("/api/v1/queries")).Running {
			if q.Waiting {
				waits = q
			}
		}
	}
	if waits.Expr != "2" || waits.StepMs != 0 {
		t.Errorf("%+v", waits)
	}
	if a := r.call("DELETE", fmt.Sprint("/api/v1/queries/", waits.ID), nil, "Content-Type: application/json"); a.status != 204 {
		t.Errorf("cancel: %s", a)
	}
	wantError(t, "cancelled while it waited", <-done, 409, "cancelled by an operator")
	h.open()
	if a := <-done; a.status != 200 {
		t.Errorf("the one that ran: %s", a)
	}
}
