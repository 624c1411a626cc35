package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// arrival is a webhook as it came.
type arrival struct {
	at   int64 // Unix ns
	body []byte
}

// receive takes webhooks and writes where it listens. All that it does when one comes
// is to note the time and to keep the bytes, so that many at once find it ready. For
// each line that it reads it writes what came since the last: a line for each, of when
// it arrived, Unix ns, its type, the step at which the alert began or ended, or when
// the summary was made, Unix ms, of how many alerts it is, and its rule; and a line
// with a dot.
func receive(ctx context.Context, in io.Reader, out io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, ln.Addr())
	var mu sync.Mutex
	var came []arrival
	hooks := &fasthttp.Server{NoDefaultServerHeader: true, NoDefaultDate: true, Handler: func(c *fasthttp.RequestCtx) {
		at := time.Now().UnixNano()
		body := bytes.Clone(c.PostBody())
		mu.Lock()
		defer mu.Unlock()
		came = append(came, arrival{at, body})
	}}
	go func() { _ = hooks.Serve(ln) }()
	go func() {
		<-ctx.Done()
		_ = ln.Close()
	}()
	for asked := bufio.NewScanner(in); asked.Scan() && ctx.Err() == nil; {
		mu.Lock()
		list := came
		came = nil
		mu.Unlock()
		w := bufio.NewWriter(out)
		for _, a := range list {
			var hook struct {
				Type, Rule       string
				StartsAt, EndsAt time.Time
				EvaluatedAt      time.Time
				Count            int
			}
			if err := json.Unmarshal(a.body, &hook); err != nil {
				return fmt.Errorf("webhook %q: %w", a.body, err)
			}
			at := hook.StartsAt
			switch {
			case !hook.EndsAt.IsZero():
				at = hook.EndsAt
			case at.IsZero(): // a summary
				at = hook.EvaluatedAt
			}
			fmt.Fprintln(w, a.at, hook.Type, at.UnixMilli(), max(hook.Count, 1), "rule="+hook.Rule)
		}
		fmt.Fprintln(w, ".")
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// alone posts as many webhooks as a storm has to a receiver that is asked by nobody
// else, four at a time for each of its names, and returns how long after the first
// each arrived: what no server can better on this machine. They are of type "alone".
func alone(address string, names, each int) (began int64, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4 * names}}
	defer client.CloseIdleConnections()
	body := []byte(`{"type":"alone","startsAt":"2026-01-01T00:00:00Z","annotations":{"filler":"` + string(bytes.Repeat([]byte("x"), 600)) + `"}}`)
	post := func(i int) error {
		resp, err := client.Post(fmt.Sprintf("http://%s/%d", address, i), "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close()
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	began = time.Now().UnixNano()
	for i := range names {
		for k := range 4 {
			group.Go(func() {
				for n := k; n < each; n += 4 {
					if failed := post(i); failed != nil {
						mu.Lock()
						err = failed
						mu.Unlock()
						return
					}
				}
			})
		}
	}
	group.Wait()
	return began, err
}

// cpus is CPU time of the three processes.
type cpus struct{ server, receiver, publishers time.Duration }

func (w *watch) cpu() (c cpus, err error) {
	for _, x := range []struct {
		pid int
		to  *time.Duration
	}{{w.server.PID(), &c.server}, {w.hooks.cmd.Process.Pid, &c.receiver}, {w.senders.cmd.Process.Pid, &c.publishers}} {
		if *x.to, err = server.CPU(x.pid); err != nil {
			return c, err
		}
	}
	return c, nil
}
