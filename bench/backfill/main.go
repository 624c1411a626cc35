// Command backfill measures a back-fill over HTTP: a month of one value a minute
// for a thousand series, into a whole server with the default tiers, while one
// point is published every tenth of a second.
//
//	go run ./bench/backfill -o bench/results/backfill.txt
//
// It builds and starts a server of its own on a loopback address.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

type options struct {
	series, days, workers, lines int
	after                        time.Duration
	output                       string
}

func main() {
	var o options
	flag.IntVar(&o.series, "series", 1000, "series")
	flag.IntVar(&o.days, "days", 30, "days, at most 34")
	flag.IntVar(&o.workers, "workers", 2, "connections")
	flag.IntVar(&o.lines, "lines", 10, "series of a request")
	flag.DurationVar(&o.after, "after", 40*time.Second, "how long the server is watched afterwards")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	server.Main("backfill", o.output, o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	if o.series < 1 || o.days < 1 || o.days > 34 || o.workers < 1 || o.lines < 1 {
		return errors.New("series, days, workers or lines out of range; see -help")
	}
	return nil
}

func run(ctx context.Context, o options, out io.Writer) error {
	s, err := server.Build()
	if err != nil {
		return err
	}
	defer s.Remove()
	if err := s.Start(ctx, 10*time.Second); err != nil {
		return err
	}
	before, err := server.CPU(s.PID())
	if err != nil {
		return err
	}
	watching, end := context.WithCancel(ctx)
	defer end()
	seen := make(chan watched, 1)
	go func() { seen <- watch(watching, s) }()
	begin := time.Now()
	values, err := push(ctx, o, s.URL, begin.Add(-2*time.Minute).Truncate(time.Minute))
	if err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := server.CPU(s.PID())
	if err != nil {
		return err
	}
	end()
	w := <-seen
	fmt.Fprintf(out, "%d series, %d days of a value a minute: %d values accepted in %s, %.2f M/s; server %.2f us of CPU a value, at most %d MiB of anonymous memory; %d cores shared with the load\n",
		o.series, o.days, values, took.Round(10*time.Millisecond), float64(values)/took.Seconds()/1e6, (after-before).Seconds()*1e6/float64(values), w.memory>>20, runtime.NumCPU())
	fmt.Fprintf(out, "meanwhile %d points published one by one, answered within %s (median), %s (99 %%), %s (longest)\n", len(w.took), server.Quantile(w.took, 0.5), server.Quantile(w.took, 0.99), server.Quantile(w.took, 1))
	select {
	case <-time.After(o.after):
	case <-ctx.Done():
		return ctx.Err()
	}
	rest, err := server.CPU(s.PID())
	if err != nil {
		return err
	}
	anon, err := server.Memory(s.PID(), "RssAnon")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "in %s afterwards, for files and coarser tiers: %.2f s of CPU; %d MiB of anonymous memory at the end\n", o.after, (rest - after).Seconds(), anon>>20)
	return nil
}

// watched is what was seen of a server while values were pushed.
type watched struct {
	memory int64           // the most anonymous memory, bytes
	took   []time.Duration // of single points
}

// watch publishes a point every tenth of a second until ctx ends.
func watch(ctx context.Context, s *server.Server) (w watched) {
	client := &fasthttp.Client{ReadTimeout: time.Minute}
	var body []byte
	for {
		select {
		case <-ctx.Done():
			return w
		case <-time.After(100 * time.Millisecond):
		}
		begin := time.Now()
		body = fmt.Appendf(body[:0], `{"metrics":[{"tags":{"name":"live","atlas.dstype":"gauge"},"timestamp":%d,"value":1}]}`, begin.UnixMilli())
		if _, err := server.PostOK(client, s.URL+"/api/v1/publish", body); err == nil {
			w.took = append(w.took, time.Since(begin))
		}
		anon, _ := server.Memory(s.PID(), "RssAnon")
		w.memory = max(w.memory, anon)
	}
}

// push sends requests of several series with all their values, the last of them
// at end.
func push(ctx context.Context, o options, url string, end time.Time) (int64, error) {
	var next, accepted atomic.Int64
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	for range o.workers {
		wg.Go(func() {
			client := &fasthttp.Client{ReadTimeout: 2 * time.Minute, WriteTimeout: time.Minute}
			var body []byte
			for ctx.Err() == nil {
				first := int(next.Add(int64(o.lines))) - o.lines
				if first >= o.series {
					return
				}
				body = body[:0]
				for n := first; n < min(first+o.lines, o.series); n++ {
					body = appendLine(body, n, o.days*24*60, end)
				}
				n, err := importLines(client, url, body)
				accepted.Add(n)
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return accepted.Load(), failed
}

func appendLine(dst []byte, series, count int, end time.Time) []byte {
	r := rand.New(rand.NewPCG(uint64(series), 1))
	dst = fmt.Appendf(dst, `{"tags":{"name":"play.starts","nf.app":"play","nf.node":"i-%04d","atlas.dstype":"rate"},"step":"1m","timestamps":[`, series)
	for i := range count {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, end.Add(-time.Duration(count-1-i)*time.Minute).UnixMilli(), 10)
	}
	dst = append(dst, `],"values":[`...)
	for i := range count {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(r.IntN(4000))/60, 'g', -1, 64)
	}
	return append(dst, "]}\n"...)
}

// importLines sends lines and returns how many values were accepted.
func importLines(client *fasthttp.Client, url string, body []byte) (accepted int64, err error) {
	answer, err := server.PostOK(client, url+"/api/v1/import", body)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(answer, `{"accepted":%d`, &accepted); err != nil {
		return 0, fmt.Errorf("answer %s: %w", answer, err)
	}
	return accepted, nil
}
