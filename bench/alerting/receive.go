package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// receive takes webhooks, writes where it listens, and then a line for each: when it
// arrived, Unix ns, its type, the step at which the alert began, Unix ms, and of how
// many alerts it is.
func receive(ctx context.Context, out io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, ln.Addr())
	var mu sync.Mutex
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now().UnixNano()
		var hook struct {
			Type     string
			StartsAt time.Time
			Count    int
		}
		text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = json.Unmarshal(text, &hook)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, at, hook.Type, hook.StartsAt.UnixMilli(), max(hook.Count, 1))
	})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(ln); ctx.Err() == nil {
		return err
	}
	return nil
}
