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
	to   string
	body []byte
}

// hook is what a webhook tells of one alert, or of those of a summary.
type hook struct {
	At       int64  // when it arrived, Unix ns
	To       string // receiver
	Kind     string
	Step     int64 // at which the alert began or ended; when it was made, of a summary; Unix ms
	Count    int   // of alerts
	Rule     string
	Group    string
	Incident string
	Part     bool // another part of the webhook came before
}

// told is the body of a webhook, as far as it is looked at.
type told struct {
	Type, Rule, Incident string
	Tags                 struct{ Group string }
	StartsAt, EndsAt     time.Time
	EvaluatedAt          time.Time
	Count                int
	Alerts               []struct{ Pulse told } // of a group
}

// hooks returns what the body tells, a line per alert.
func (n *told) hooks(a arrival) []hook {
	if len(n.Alerts) > 0 {
		var list []hook
		for i := range n.Alerts {
			h := n.Alerts[i].Pulse.hooks(a)[0]
			h.Part = i > 0
			list = append(list, h)
		}
		return list
	}
	at := n.StartsAt
	switch {
	case !n.EndsAt.IsZero():
		at = n.EndsAt
	case at.IsZero(): // a summary
		at = n.EvaluatedAt
	}
	return []hook{{At: a.at, To: a.to, Kind: n.Type, Step: at.UnixMilli(), Count: max(n.Count, 1), Rule: n.Rule, Group: n.Tags.Group, Incident: n.Incident}}
}

// receive takes webhooks and writes where it listens. All that it does when one comes
// is to note the time and to keep the bytes, so that many at once find it ready. For
// each line that it reads it writes what came since the last: a hook as JSON in each
// line, and a line with a dot.
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
		to, body := string(c.Path()[1:]), bytes.Clone(c.PostBody())
		mu.Lock()
		defer mu.Unlock()
		came = append(came, arrival{at, to, body})
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
			var n told
			if err := json.Unmarshal(a.body, &n); err != nil {
				return fmt.Errorf("webhook %q: %w", a.body, err)
			}
			for _, h := range n.hooks(a) {
				if err := json.NewEncoder(w).Encode(h); err != nil {
					return err
				}
			}
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
