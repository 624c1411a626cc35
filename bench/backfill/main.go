// Command backfill measures a back-fill over HTTP: a month of one value a minute
// for a thousand series, into a whole server with the default tiers.
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
	"os"
	"os/signal"
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
	output                       string
}

func main() {
	var o options
	flag.IntVar(&o.series, "series", 1000, "series")
	flag.IntVar(&o.days, "days", 30, "days, at most 34")
	flag.IntVar(&o.workers, "workers", 2, "connections")
	flag.IntVar(&o.lines, "lines", 10, "series of a request")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "backfill:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.series < 1 || o.days < 1 || o.days > 34 || o.workers < 1 || o.lines < 1 {
		return errors.New("series, days, workers or lines out of range; see -help")
	}
	out := io.Writer(os.Stdout)
	if o.output != "" {
		file, err := os.Create(o.output)
		if err != nil {
			return err
		}
		defer file.Close()
		out = io.MultiWriter(out, file)
	}
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
	anon, _ := server.Memory(s.PID(), "RssAnon")
	fmt.Fprintf(out, "%d series, %d days of a value a minute: %d values accepted in %s, %.2f M/s; server %.2f us of CPU a value, %d MiB of anonymous memory; %d cores shared with the load\n",
		o.series, o.days, values, took.Round(10*time.Millisecond), float64(values)/took.Seconds()/1e6, (after-before).Seconds()*1e6/float64(values), anon>>20, runtime.NumCPU())
	return nil
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
				n, err := post(client, url, body)
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

func post(client *fasthttp.Client, url string, body []byte) (int64, error) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(url + "/api/v1/import")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetBodyRaw(body)
	if err := client.Do(req, res); err != nil {
		return 0, err
	}
	if res.StatusCode() != fasthttp.StatusOK {
		return 0, fmt.Errorf("status %d: %s", res.StatusCode(), res.Body())
	}
	var accepted int64
	if _, err := fmt.Sscanf(string(res.Body()), `{"accepted":%d`, &accepted); err != nil {
		return 0, fmt.Errorf("answer %s: %w", res.Body(), err)
	}
	return accepted, nil
}
