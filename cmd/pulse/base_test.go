package main

import (
	"net"
	"os"
	"strings"
	"testing"
)

// TestBase: links in notifications lead to this server, also when nobody said how people
// reach it.
func TestBase(t *testing.T) {
	name, err := os.Hostname()
	must(t, err)
	for _, test := range []struct {
		listen, want string // with PORT for the one that was free
		c            serveCmd
	}{
		{"127.0.0.1:0", "http://127.0.0.1:PORT", serveCmd{}},
		{"0.0.0.0:0", "http://" + name + ":PORT", serveCmd{}},
		{"0.0.0.0:0", "http://pulse.example.com:PORT", serveCmd{Host: []string{"pulse.example.com"}}},
		{"0.0.0.0:0", "https://pulse.example.com/at", serveCmd{BaseURL: "https://pulse.example.com/at/"}},
	} {
		ln, err := net.Listen("tcp", test.listen)
		must(t, err)
		_, port, err := net.SplitHostPort(ln.Addr().String())
		must(t, err)
		if got, want := test.c.base(ln), strings.ReplaceAll(test.want, "PORT", port); got != want {
			t.Errorf("base of %s with %q and %q is %q, want %q", test.listen, test.c.BaseURL, test.c.Host, got, want)
		}
		must(t, ln.Close())
	}
}
