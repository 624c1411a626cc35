package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A server that cannot be reached is named with what helps, without the request.
func TestQueryWithoutServer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	closed.Close()
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer stranger.Close()
	for target, want := range map[string]string{
		nobody:               "pulse: no server answers at " + nobody + " (connection refused); --target names another address\n",
		nobody + "/under":    "pulse: no server answers at " + nobody + "/under (connection refused); --target names another address\n",
		stranger.URL:         "pulse: what " + stranger.URL + " answers is no graph; is it a Pulse server?\n",
		"http://127.0.0.1:x": "pulse: --target must be a URL such as http://127.0.0.1:7101, ",
	} {
		code, out := command("query", "name,secret,:eq", "--target", target)
		if code != 1 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: code %d, %s, want %s", target, code, out, want)
		}
	}
}

// ticking is a clock on which every look takes a second.
type ticking struct{ now time.Time }

func (c *ticking) Now() time.Time                     { c.now = c.now.Add(time.Second); return c.now }
func (*ticking) After(time.Duration) <-chan time.Time { return nil }

// What a query of a file says of its time is so.
func TestQueryFileTellsTime(t *testing.T) {
	c := queryCmd{Expr: "name,a,:eq", File: "-", Format: "json"}
	in := strings.NewReader(`{"tags":{"name":"a"},"timestamp":1700000010000,"value":1}`)
	g, err := c.evaluate(context.Background(), &env{stdin: in}, &ticking{})
	if err != nil || g.Explain.DataFetchMs < 1000 {
		t.Errorf("%+v, %v", g, err)
	}
}
