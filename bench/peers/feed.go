package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

const connections = 4

// feed sends the steps [from, to) of the fleet, each when it is due and none
// before the one before it was taken whole. Step k is stamped t0 + k·step.
func (t *target) feed(ctx context.Context, f *fleet, from, to int, t0, step int64) error {
	client := &fasthttp.Client{MaxConnsPerHost: connections, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	defer client.CloseIdleConnections()
	bodies := make([][]byte, connections)
	for k := from; k < to; k++ {
		at := t0 + int64(k)*step
		select {
		case <-time.After(time.Until(time.UnixMilli(at))):
		case <-ctx.Done():
			return ctx.Err()
		}
		errs := make([]error, connections)
		var wg sync.WaitGroup
		for w := range connections {
			wg.Go(func() {
				for node := w; node < f.nodes() && errs[w] == nil; node += connections {
					bodies[w] = t.write(bodies[w][:0], f, node, k, at)
					if status, text := server.Post(client, t.url+t.path, "", bodies[w]); status != fasthttp.StatusOK && status != fasthttp.StatusNoContent {
						errs[w] = fmt.Errorf("step %d of node %d: answer %d %s", k, node, status, text)
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return t.fault(err)
		}
		t.late = max(t.late, time.Since(time.UnixMilli(at)))
	}
	return nil
}

// measure returns the CPU time that the process takes for do.
func (t *target) measure(do func() error) (time.Duration, error) {
	before, err := t.cpu()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := t.cpu()
	return after - before, err
}

// ask asks one question until its time is over, from another start each time, and
// compares every answer with what is right. A server may refuse to answer.
func (t *target) ask(ctx context.Context, o *options, f *fleet, q *question, t0 int64) error {
	client := &fasthttp.Client{ReadTimeout: 5 * time.Minute, MaxResponseBodySize: 1 << 30}
	defer client.CloseIdleConnections()
	step := o.step.Milliseconds()
	var r asked
	var bodies [][]byte
	var froms []int
	var err error
	r.cpu, err = t.measure(func() error {
		for begin := time.Now(); len(r.took) < 3 || time.Since(begin) < o.each && len(r.took) < 2000; {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			from := f.steps - o.points - len(r.took)*7%(f.steps-o.points)
			start := t0 + int64(from)*step
			path := t.kind.url(o, q.text[t.language], start, start+int64(o.points-1)*step)
			asked := time.Now()
			status, body, err := client.Get(nil, t.url+path)
			if err != nil {
				return t.fault(fmt.Errorf("%s: %w", path, err))
			}
			if status != fasthttp.StatusOK {
				r.refused = fmt.Sprintf("%d %s", status, body[:min(len(body), 200)])
				return nil
			}
			r.took = append(r.took, time.Since(asked))
			bodies, froms = append(bodies, body), append(froms, from)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, body := range bodies {
		got, err := t.read(body, t0+int64(froms[i])*step, step, o.points, q.key)
		wrong := ""
		if err != nil {
			wrong = err.Error()
		} else {
			wrong = q.want[t.language](froms[i], o.points).differs(got)
		}
		if wrong != "" {
			r.wrong++
			r.first = wrong
		}
	}
	t.asked = append(t.asked, r)
	return nil
}
