package web_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"pulse/query"
	"pulse/store/budget"
	"pulse/store/clock"
	"pulse/web"
)

// used returns how much of the limits is in use, by what they count.
func (r *rig) used() map[string]int {
	r.t.Helper()
	out := map[string]int{}
	for name, l := range decode[struct {
		Limits map[string]struct{ Used int }
	}](r.t, r.get("/api/v1/status")).Limits {
		out[name] = l.Used
	}
	return out
}

// until waits for something that must come soon.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// ask sends the request for a target over a connection of its own.
func (r *rig) ask(target string) *net.TCPConn {
	r.t.Helper()
	c := r.dial().(*net.TCPConn)
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, r.addr); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// A client that goes while its query waits for a place gives up that of the queue.
func TestWaitingClientsThatGo(t *testing.T) {
	held := &heldClock{clock.NewManual(time.UnixMilli(epoch)), make(chan struct{})}
	r := newRig(t, settings{web: web.Options{Queries: 1, QueryQueue: 3}, query: query.Options{Clock: held}})
	running := r.ask("/api/v1/graph?s=e-3s&q=1&format=json")
	until(t, "a query that runs", func() bool { return r.used()["queries"] == 1 })
	for i := range 3 {
		var waiting []*net.TCPConn
		for range 3 {
			waiting = append(waiting, r.ask("/api/v1/expr/normalize?q=1"))
		}
		until(t, "queries that wait", func() bool { return r.used()["queriesWaiting"] == 3 })
		for _, c := range waiting {
			if i == 1 {
				c.SetLinger(0) // a reset
			}
			c.Close()
		}
		until(t, "the end of those that wait", func() bool { return r.used()["queriesWaiting"] == 0 })
	}
	last := r.ask("/api/v1/expr/normalize?q=1")
	until(t, "one that waits after them", func() bool { return r.used()["queriesWaiting"] == 1 })
	close(held.hold)
	for _, c := range []*net.TCPConn{running, last} {
		c.CloseWrite() // the server then closes behind its answer
		answers, err := readAnswers(c)
		if err != nil || len(answers) != 1 || answers[0].status != 200 {
			t.Errorf("%v, %v, want one 200", answers, err)
		}
	}
}

// Fifty clients of heavy queries go at once: what ran ends, what waited is not begun,
// and all that they had is given back.
func TestManyHeavyQueriesOfClientsThatGo(t *testing.T) {
	if testing.Short() {
		t.Skip("asks for much")
	}
	memory := budget.New(1 << 30)
	r := crowdedWith(t, 3000, settings{web: web.Options{Queries: 4}, query: query.Options{Memory: memory}})
	heavy := heavyQueries()
	targets := []string{
		heavy["a hundred patterns"], heavy["a hundred in lower case"], heavy["a hundred of values"], heavy["a hundred of a stream"],
		"/api/v1/graph?format=json&s=e-600s&q=" + url.QueryEscape("name,load,:eq,(,node,),:by,:abs,:neg,60,:rolling-max,60,:rolling-mean"),
		"/api/v1/graph?format=png&s=e-600s&q=" + url.QueryEscape("name,load,:eq,(,node,),:by,max,1000,:topk"),
		"/api/v2/fetch?s=e-600s&q=" + url.QueryEscape("name,load,:eq,(,node,),:by,60,:rolling-max"),
	}
	r.client.CloseIdleConnections()
	r.used()
	before := working()
	var clients []*net.TCPConn
	for i := range 50 {
		clients = append(clients, r.ask(targets[i%len(targets)]))
	}
	until(t, "queries that run and wait", func() bool {
		u := r.used()
		return u["queries"] == 4 && u["queriesWaiting"] > 20 && memory.Used() > 0
	})
	gone := time.Now()
	for i, c := range clients {
		if i%2 == 0 {
			c.SetLinger(0)
		}
		c.Close()
	}
	until(t, "the end of all queries", func() bool {
		u := r.used()
		return u["queries"] == 0 && u["queriesWaiting"] == 0 && u["eventStreams"] == 0 && u["connections"] == 1
	})
	until(t, "the memory", func() bool { return memory.Used() == 0 })
	t.Logf("all had ended after %v", time.Since(gone))
	until(t, "the end of all that worked for them", func() bool { return working() <= before })
}

// working counts the goroutines that run code of the server: not those that the HTTP
// library keeps for the next connection.
func working() (n int) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "\npulse/") && !strings.Contains(stack, "\npulse/web_test.") {
			n++
		}
	}
	return n
}

// What is read byte by byte is cut in the end, and gives its memory back; what runs
// meanwhile has its place.
func TestTricklingReaders(t *testing.T) {
	memory := budget.New(64 << 20)
	o := hurry
	o.IdleTimeout, o.HeaderTimeout, o.RequestTimeout, o.WriteTimeout, o.Queries = patience, patience, patience, time.Second, 1
	r := crowdedWith(t, 300, settings{web: o, query: query.Options{Memory: memory}, listen: smallBuffers})
	expr := url.QueryEscape("name,load,:eq,(,node,),:by")
	for what, target := range map[string]string{
		"json":    "/api/v1/graph?format=json&s=e-600s&q=" + expr,
		"v2.json": "/api/v1/graph?format=v2.json&s=e-600s&q=" + expr,
		"fetch":   "/api/v2/fetch?s=e-600s&q=" + expr,
	} {
		c := r.dial().(*net.TCPConn)
		c.SetReadBuffer(4 << 10)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, r.addr)
		if _, err := io.ReadFull(c, make([]byte, 12)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for err := error(nil); err == nil; <-tick.C {
				_, err = c.Read(make([]byte, 1))
			}
		}()
		if a := r.call("GET", "/api/v1/graph?s=e-3s&q=1&format=json", nil); a.status != 200 {
			t.Errorf("%s: beside it: %s", what, a)
		}
		until(t, what+": the end of a slow reader", func() bool { return r.used()["connections"] == 1 && memory.Used() == 0 })
		c.Close()
		<-ended
	}
	if memory.Stats().Peak == 0 {
		t.Error("nothing that was sent took memory")
	}
}
