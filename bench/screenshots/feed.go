package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/gen"
	"pulse/bench/server"
)

const (
	step   = 5 * time.Second
	weeks  = 15 * 24 * time.Hour // of history, at steps of a minute
	recent = 7 * time.Hour       // of it at the primary step
	before = time.Hour           // and around this time of day, a day and a week ago
	queues = 3
)

// evening is the simulated time at which pictures are taken: a Wednesday, so that every run
// shows the same part of a day.
var evening = time.Date(2025, 3, 12, 18, 40, 0, 0, time.UTC)

// feed publishes what a streaming service and the programs around it would.
type feed struct {
	url    string
	client *fasthttp.Client
	shift  int64 // ms from a time to the simulated one
	fine   *gen.Service
	coarse *gen.Service
	broken atomic.Int64 // Unix ms at which the incident begins
	sent   atomic.Int64 // Unix ms, the newest step that was published
}

func newFeed(url string, now time.Time) *feed {
	const seed = 7
	return &feed{
		url: url, client: &fasthttp.Client{ReadTimeout: time.Minute, WriteTimeout: time.Minute},
		shift:  evening.UnixMilli() - now.Truncate(time.Minute).UnixMilli(),
		fine:   gen.NewService(seed, gen.Options{Step: step.Milliseconds(), Starts: 1200}),
		coarse: gen.NewService(seed, gen.Options{Step: time.Minute.Milliseconds(), Starts: 1200}),
	}
}

// breakNow lets the televisions of a region fail from the step after now.
func (f *feed) breakNow(now time.Time) {
	at := now.Truncate(step).UnixMilli()
	f.fine.Inject(
		gen.Incident{Kind: gen.Drop, Start: at + f.shift, Depth: 0.83, Region: "eu-west", Device: "tv"},
		gen.Incident{Kind: gen.Drop, Start: at + f.shift, Depth: 0.22, Region: "eu-west", Device: "phone"},
		gen.Incident{Kind: gen.Errors, Start: at + f.shift, Depth: 0.08, Region: "eu-west"},
		gen.Incident{Kind: gen.Slow, Start: at + f.shift, Depth: 1.4, Region: "eu-west", Device: "tv"})
	f.broken.Store(at)
}

// point is a series and its value in one step.
type point struct {
	node  string
	tags  map[string]string
	value float64
}

// points are those of the step that ends at t, of a step's length.
func (f *feed) points(t time.Time, long time.Duration) (out []point) {
	service := f.fine
	if long == time.Minute {
		service = f.coarse
	}
	seconds := long.Seconds()
	for _, c := range service.Step(t.UnixMilli() + f.shift) {
		add := func(name, dstype, statistic string, v float64) {
			if v == 0 && dstype != "gauge" || math.IsNaN(v) {
				return
			}
			tags := map[string]string{"name": name, "atlas.dstype": dstype, "nf.app": "play", "nf.region": c.Region, "device": c.Device}
			if statistic != "" {
				tags["statistic"] = statistic
			}
			out = append(out, point{"play-" + c.Region, tags, v})
		}
		add("play.starts", "sum", "", float64(c.Starts-c.Errors)/seconds)
		add("play.errors", "sum", "", float64(c.Errors)/seconds)
		add("play.latency", "sum", "count", float64(c.Latency.Count)/seconds)
		add("play.latency", "sum", "totalTime", float64(c.Latency.TotalNanos)/1e9/seconds)
		add("play.latency", "gauge", "max", float64(c.Latency.MaxNanos)/1e9)
	}
	return out
}

// others are gauges of the programs around the service; broken is how long the incident has
// been on, 0 before it.
func others(t time.Time, broken time.Duration) (out []point) {
	r := rand.New(rand.NewPCG(uint64(t.UnixMilli()), 1))
	gauge := func(node, app, name string, v float64, more ...string) {
		tags := map[string]string{"name": name, "atlas.dstype": "gauge", "nf.app": app, "nf.node": node}
		for i := 0; i+1 < len(more); i += 2 {
			tags[more[i]] = more[i+1]
		}
		out = append(out, point{node, tags, v})
	}
	for i, name := range []string{"mail", "thumbnails", "search"}[:queues] {
		length := 40 + 12*math.Sin(float64(t.Unix())/90+float64(i)) + 6*r.Float64()
		if (t.Unix()/5+int64(12*i))%36 < 5 {
			length += 90
		}
		gauge("queue-1", "queue", "queue.length", math.Round(length), "queue", name)
	}
	for _, node := range []string{"encoder-1", "encoder-2", "encoder-3"} {
		if node == "encoder-3" && broken > 10*time.Second {
			continue // it is gone
		}
		gauge(node, "encoder", "encoder.backlog", math.Round(220+30*r.Float64()))
		gauge(node, "encoder", "cpu.percent", 62+9*r.Float64())
	}
	for i := range 24 {
		node := fmt.Sprintf("edge-%02d", i)
		gauge(node, "edge", "http.requests", 900+20*float64(i)+60*r.Float64(), "status", "2xx")
		gauge(node, "edge", "http.requests", 6+3*r.Float64(), "status", "5xx")
		gauge(node, "edge", "cache.hits", 0.93+0.01*r.NormFloat64())
		gauge(node, "edge", "cpu.percent", 35+float64(i%5)*4+5*r.Float64())
		gauge(node, "edge", "open.connections", 4000+900*math.Sin(float64(t.Unix())/600+float64(i))+100*r.Float64())
	}
	return out
}

// history imports two weeks of the service at steps of a minute, and at the primary step the
// last hours, and those around this time a day and a week ago.
func (f *feed) history(end time.Time) error {
	if err := f.imported(end.Add(-weeks).Truncate(time.Minute), end.Truncate(time.Minute), time.Minute); err != nil {
		return err
	}
	for _, ago := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
		if err := f.imported(end.Add(-ago-before), end.Add(-ago+before), step); err != nil {
			return err
		}
	}
	return f.imported(end.Add(-recent), end, step)
}

// imported sends the steps after start up to end, a request for half a day of minutes.
func (f *feed) imported(start, end time.Time, long time.Duration) error {
	type line struct {
		Tags       map[string]string `json:"tags"`
		Step       string            `json:"step"`
		Timestamps []int64           `json:"timestamps"`
		Values     []float64         `json:"values"`
	}
	const most = 720
	for from := start; from.Before(end); {
		lines := map[string]*line{}
		n := 0
		for ; n < most && from.Before(end); n++ {
			from = from.Add(long)
			all := f.points(from, long)
			if long == step {
				all = append(all, others(from, 0)...)
			}
			for _, p := range all {
				key := fmt.Sprint(p.tags) // sorted by key
				if lines[key] == nil {
					tags := map[string]string{"nf.node": p.node}
					for k, v := range p.tags {
						tags[k] = v
					}
					lines[key] = &line{Tags: tags, Step: server.Span(long)}
				}
				l := lines[key]
				l.Timestamps, l.Values = append(l.Timestamps, from.UnixMilli()), append(l.Values, p.value)
			}
		}
		var body []byte
		for _, l := range lines {
			text, err := json.Marshal(l)
			if err != nil {
				return err
			}
			body = append(append(body, text...), '\n')
		}
		if _, err := server.PostOK(f.client, f.url+"/api/v1/import", body); err != nil {
			return err
		}
	}
	return nil
}

// live publishes each step after from when it is over, until ctx ends.
func (f *feed) live(ctx context.Context, from time.Time) error {
	for t := from.Add(step); ; t = t.Add(step) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(t)):
		}
		broken := time.Duration(0)
		if at := f.broken.Load(); at > 0 {
			broken = t.Sub(time.UnixMilli(at))
		}
		byNode := map[string][]point{}
		for _, p := range append(f.points(t, step), others(t, broken)...) {
			byNode[p.node] = append(byNode[p.node], p)
		}
		for node, points := range byNode {
			if err := f.publish(node, t, points); err != nil && ctx.Err() == nil {
				return err
			}
		}
		f.oddSenders(t)
		f.sent.Store(t.UnixMilli())
	}
}

// caughtUp waits until every step so far is published.
func (f *feed) caughtUp(ctx context.Context) {
	for ctx.Err() == nil && time.Since(time.UnixMilli(f.sent.Load())) > 2*step {
		time.Sleep(100 * time.Millisecond)
	}
}

func (f *feed) publish(node string, t time.Time, points []point) error {
	type metric struct {
		Tags      map[string]string `json:"tags"`
		Timestamp int64             `json:"timestamp"`
		Value     float64           `json:"value"`
	}
	var metrics []metric
	for _, p := range points {
		metrics = append(metrics, metric{p.tags, t.UnixMilli(), p.value})
	}
	body, err := json.Marshal(map[string]any{"tags": map[string]string{"nf.node": node, "nf.app": points[0].tags["nf.app"]}, "metrics": metrics})
	if err != nil {
		return err
	}
	_, err = server.PostOK(f.client, f.url+"/api/v1/publish", body)
	return err
}

// oddSenders sends what is refused, with reasons that senders have, and one-line counters.
func (f *feed) oddSenders(t time.Time) {
	send := func(source, path, body string) {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(res)
		req.SetRequestURI(f.url + path)
		req.Header.SetMethod(fasthttp.MethodPost)
		req.Header.SetContentType("application/json")
		req.Header.Set("X-Pulse-Source", source)
		req.SetBodyString(body)
		_ = f.client.Do(req, res) // refused on purpose
	}
	send("billing-batch", "/api/v1/publish", fmt.Sprintf(`{"tags":{"nf.app":"billing"},"metrics":[{"tags":{"name":"invoices","atlas.dstype":"gauge"},"timestamp":%d,"value":3},{"tags":{"name":"invoices","plan":"family","atlas.dstype":"gauge"},"timestamp":%d,"value":12}]}`, t.Add(-90*time.Minute).UnixMilli(), t.UnixMilli()))
	send("kiosk", "/api/v1/publish", fmt.Sprintf(`{"tags":{"nf.app":"kiosk"},"metrics":[{"tags":{"name":"screen touches","atlas.dstype":"gauge"},"timestamp":%d,"value":1}]}`, t.UnixMilli()))
	send("cron", "/c/jobs.done?job=cleanup", "2")
}
