package main

import (
	"fmt"
	"hash/maphash"
	"net/url"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// question is asked of all series.
type question struct {
	name, query string
}

var questions = []question{
	{"sum", "nf.app,:has,:sum"},
	{"sum by 20 groups", "nf.app,:has,:sum,(,name,),:by"},
	{"sum by 100 groups", "nf.app,:has,:sum,(,nf.app,),:by"},
}

// spans are how many steps are asked for; 0: all.
var spans = []int{180, 0}

const rounds = 3

// ask returns the answer to q over steps that end shift steps before the last.
func (b *bench) ask(client *fasthttp.Client, q question, steps, shift int) ([]byte, error) {
	if steps == 0 || steps > b.steps()-shift {
		steps = b.steps() - shift
	}
	end := b.at(b.steps() - 1 - shift)
	address := fmt.Sprintf("%s/api/v1/graph?format=json&q=%s&s=%d&e=%d&step=%dms", b.s.URL, url.QueryEscape(q.query), end-int64(steps)*b.step.Milliseconds(), end, b.step.Milliseconds())
	status, body, err := client.Get(nil, address)
	if err == nil && status != fasthttp.StatusOK {
		err = fmt.Errorf("GET %s: status %d: %.200s", address, status, body)
	}
	return body, err
}

// answers returns a hash of each answer.
func (b *bench) answers(seed maphash.Seed) (out []uint64, err error) {
	client := &fasthttp.Client{ReadTimeout: 10 * time.Minute, MaxResponseBodySize: 1 << 30}
	defer client.CloseIdleConnections()
	for _, q := range questions {
		for _, n := range spans {
			body, err := b.ask(client, q, n, 0)
			if err != nil {
				return nil, err
			}
			out = append(out, maphash.Bytes(seed, body))
		}
	}
	return out, nil
}

// queries prints what answers cost, each the median of some whose range begins one
// step earlier than the one before.
func (b *bench) queries(what string, took *[][2]time.Duration) error {
	client := &fasthttp.Client{ReadTimeout: 10 * time.Minute, MaxResponseBodySize: 1 << 30}
	defer client.CloseIdleConnections()
	for _, n := range spans {
		for _, q := range questions {
			var cpu, wall []time.Duration
			for k := range rounds {
				before, err := b.hand.Usage("usage")
				if err != nil {
					return err
				}
				begin := time.Now()
				if _, err := b.ask(client, q, n, k); err != nil {
					return err
				}
				wall = append(wall, time.Since(begin))
				after, err := b.hand.Usage("usage")
				if err != nil {
					return err
				}
				cpu = append(cpu, after.CPU-before.CPU)
			}
			slices.Sort(cpu)
			slices.Sort(wall)
			*took = append(*took, [2]time.Duration{cpu[rounds/2], wall[rounds/2]})
			steps := n
			if n == 0 {
				steps = b.steps()
			}
			b.say("%-10s %-18s over %d steps: %6.0f ms of CPU, answered in %6.0f ms", what, q.name, steps, ms(cpu[rounds/2]), ms(wall[rounds/2]))
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
