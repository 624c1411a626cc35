package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// order is what the publishers are to send of one step: every group whose number
// leaves the rest when divided by every is next to nothing; none for 0.
// The group of the rule "after" is so on demand.
type order struct {
	t           int64 // Unix ms
	rest, every int
	after       bool
}

// body is a publish of one sender, made once; times and values are written over.
type body struct {
	text   []byte
	times  []int // where they begin, 13 digits each
	values []int // 6 characters each
	groups []int // of the values; -1: of the rule "after"
}

const (
	lowValue    = "1.0000"
	usualValue  = 100_000
	valueSpread = 1000
)

// newBody returns the body of sender i. Groups have neighbouring series, so that
// most have those of several senders.
func newBody(o options, i int) *body {
	b := &body{}
	b.text = fmt.Appendf(nil, `{"tags":{"name":"starts","atlas.dstype":"gauge","nf.app":"api","nf.node":"node-%02d"},"metrics":[`, i)
	add := func(group int, tags string) {
		if len(b.values) > 0 {
			b.text = append(b.text, ',')
		}
		b.text = append(append(append(b.text, `{"tags":{`...), tags...), `},"timestamp":`...)
		b.times = append(b.times, len(b.text))
		b.text = append(b.text, `0000000000000,"value":`...)
		b.values, b.groups = append(b.values, len(b.text)), append(b.groups, group)
		b.text = append(b.text, `000000}`...)
	}
	add(-1, fmt.Sprintf(`"rule":"after","group":"after","series":"after%d"`, i))
	perRule := o.groups / o.rules
	for n := i; n < o.series; n += o.publishers {
		group := n * o.groups / o.series
		add(group, fmt.Sprintf(`"rule":"r%d","group":%q,"host":"h%d","series":"s%d"`, group/perRule, groupName(group), o.host(group), n))
	}
	b.text = append(b.text, "]}"...)
	return b
}

// set writes times and values of an order. Noise is a hash, so that it costs
// nothing to speak of and is the same in every run.
func (b *body) set(x order) {
	var digits [20]byte
	stamp := strconv.AppendInt(digits[:0], x.t, 10)
	for _, at := range b.times {
		copy(b.text[at:], stamp)
	}
	noise := uint64(x.t)
	for i, at := range b.values {
		if g := b.groups[i]; g < 0 && x.after || g >= 0 && x.every > 0 && g%x.every == x.rest {
			copy(b.text[at:], lowValue)
			continue
		}
		noise = noise*6364136223846793005 + 1442695040888963407
		strconv.AppendUint(b.text[at:at], usualValue+(noise>>33)%valueSpread, 10)
	}
}

// publish sends what the orders say, read from in, and answers each with the time
// of the last answer of its step, Unix ns, and how many requests failed.
func publish(ctx context.Context, o options, in io.Reader, out io.Writer) error {
	bodies := make([]*body, o.publishers)
	for i := range bodies {
		bodies[i] = newBody(o, i)
	}
	client := &fasthttp.Client{MaxConnsPerHost: o.publishers, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	for orders := bufio.NewScanner(in); orders.Scan() && ctx.Err() == nil; {
		var x order
		if _, err := fmt.Sscan(orders.Text(), &x.t, &x.rest, &x.every, &x.after); err != nil {
			return fmt.Errorf("order %q: %w", orders.Text(), err)
		}
		for _, b := range bodies {
			b.set(x)
		}
		time.Sleep(time.Until(time.UnixMilli(x.t + 1)))
		last, failed := send(client, o.target, bodies)
		fmt.Fprintln(out, x.t, last, failed)
	}
	return nil
}

// send posts all bodies at once and returns when the last was answered.
func send(client *fasthttp.Client, target string, bodies []*body) (last int64, failed int) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, b := range bodies {
		wait.Go(func() {
			_, err := server.PostOK(client, target+"/api/v1/publish", b.text)
			at := time.Now().UnixNano()
			mu.Lock()
			defer mu.Unlock()
			last = max(last, at)
			if err != nil {
				failed++
			}
		})
	}
	wait.Wait()
	return last, failed
}
