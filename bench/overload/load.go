package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// phase is what became of the requests of known series.
type phase struct {
	requests, refused int
	sample            string // the first refusal
	latency           []time.Duration
}

// known is the series that are there before the bomb. Every node reports once
// a step.
type known struct {
	nodes int
	step  time.Duration
}

const perNode = 500

func newKnown(o options) *known { return &known{max(1, o.known/perNode), o.step} }

// appendBody appends the report of a node at time t, Unix ms.
func (k *known) appendBody(dst []byte, node int, t int64) []byte {
	dst = append(dst, `{"tags":{"nf.app":"known","nf.node":"i-`...)
	dst = append(strconv.AppendInt(dst, int64(node), 10), `","region":"eu"},"metrics":[`...)
	for i := range int64(perNode) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"tags":{"name":"app.requests","atlas.dstype":"gauge","endpoint":"e-`...)
		dst = append(strconv.AppendInt(dst, i, 10), `"},"timestamp":`...)
		dst = append(strconv.AppendInt(dst, t, 10), `,"value":`...)
		dst = append(strconv.AppendFloat(dst, float64((i*7919+t/1000*104729)%5000)/10, 'f', -1, 64), '}')
	}
	return append(dst, "]}"...)
}

// push reports all series every step for the given time, or until done.
func (k *known) push(ctx context.Context, s *victim, d time.Duration, done <-chan struct{}) (p phase) {
	client := &fasthttp.Client{ReadTimeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	begun := time.Now()
	var body []byte
	for i := 0; ctx.Err() == nil; i++ {
		due := begun.Add(time.Duration(i) * k.step / time.Duration(k.nodes))
		if due.Sub(begun) >= d {
			return p
		}
		select {
		case <-done:
			return p
		case <-time.After(time.Until(due)):
		}
		body = k.appendBody(body[:0], i%k.nodes, time.Now().UnixMilli())
		sent := time.Now()
		status, answer := server.Post(client, s.URL+"/api/v1/publish", "", body)
		p.requests++
		p.latency = append(p.latency, time.Since(sent))
		if status != fasthttp.StatusOK {
			if p.refused++; p.refused == 1 {
				p.sample = fmt.Sprintf("%d %s", status, answer)
			}
		}
	}
	return p
}

// bombing is a bomb on its way.
type bombing struct {
	done chan struct{}

	mu    sync.Mutex
	total bombed
}

// bombed is how the requests of a bomb were answered, by status; 0 for none.
type bombed struct {
	byStatus map[int]int
	series   int64
	took     time.Duration
}

// throw sends every series of the bomb once, as fast as the server answers,
// and then those that came first once a step, so that their columns fill.
func throw(ctx context.Context, s *victim, o options) *bombing {
	b := &bombing{done: make(chan struct{}), total: bombed{byStatus: map[int]int{}}}
	go func() {
		defer close(b.done)
		begun := time.Now()
		b.pass(ctx, s, o, o.series)
		b.total.took = time.Since(begun)
		b.total.series = int64(o.series)
		for begun := time.Now(); time.Since(begun) < o.hold && ctx.Err() == nil; {
			due := time.Now().Add(o.step)
			b.pass(ctx, s, o, min(o.hot, o.series))
			time.Sleep(time.Until(due))
		}
	}()
	return b
}

// pass sends the first n series of the bomb.
func (b *bombing) pass(ctx context.Context, s *victim, o options, n int) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range o.workers {
		wait.Go(func() {
			client := &fasthttp.Client{ReadTimeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			var body []byte
			for ctx.Err() == nil {
				to := next.Add(int64(o.points))
				from := to - int64(o.points)
				if from >= int64(n) {
					return
				}
				body = appendBomb(body[:0], from, min(to, int64(n)), time.Now().UnixMilli())
				status, _ := server.Post(client, s.URL+"/api/v1/publish", "", body)
				b.mu.Lock()
				b.total.byStatus[status]++
				b.mu.Unlock()
			}
		})
	}
	wait.Wait()
}

func (b *bombing) result() bombed { return b.total }

// appendBomb appends a body with the series [from, to): as of an application
// that made a tag of its request identifiers.
func appendBomb(dst []byte, from, to, t int64) []byte {
	dst = append(dst, `{"tags":{"nf.app":"bomb","nf.node":"i-bomb","region":"eu"},"metrics":[`...)
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"tags":{"name":"http.request","atlas.dstype":"gauge","request":"r-`...)
		dst = strconv.AppendInt(dst, i, 10)
		dst = append(dst, `"},"timestamp":`...)
		dst = strconv.AppendInt(dst, t, 10)
		dst = append(dst, `,"value":1}`...)
	}
	return append(dst, "]}"...)
}

// watch asks for health again and again until stop, and returns how long the
// answers took; one that is not 200 counts as a minute.
func watch(s *victim, stop <-chan struct{}) <-chan []time.Duration {
	out := make(chan []time.Duration)
	go func() {
		client := &fasthttp.Client{ReadTimeout: 30 * time.Second}
		defer client.CloseIdleConnections()
		var took []time.Duration
		for {
			for _, path := range []string{"/ok", "/healthcheck"} {
				begun := time.Now()
				status, _, err := client.GetTimeout(nil, s.URL+path, 30*time.Second)
				d := time.Since(begun)
				if err != nil || status != fasthttp.StatusOK {
					d = time.Minute
				}
				took = append(took, d)
			}
			select {
			case <-stop:
				out <- took
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return out
}
