package web_test

import (
	"net"
	"testing"
	"time"
)

// TestServeAfterShutdown: a server that is shut down before it serves ends at once.
func TestServeAfterShutdown(t *testing.T) {
	r := newRig(t, settings{})
	if err := r.web.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.web.Serve(ln) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it serves")
	}
}
