package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"pulse/bench/gen"
)

type demoCmd struct {
	Listen      string  `help:"Address and port; port 0 takes a free one [127.0.0.1:7101]." default:"127.0.0.1:7101" placeholder:"ADDR"`
	Speed       float64 `help:"Simulated seconds per second: at 120 a day takes 12 minutes." default:"120"`
	OutageAfter span    `help:"When the outage begins, after the first live step [45s]." default:"45s" placeholder:"D"`
	OutageDepth float64 `help:"The part of starts that is lost, above 0 to 1." default:"0.6"`
	OutageFor   span    `help:"How long the outage lasts [40s]." default:"40s" placeholder:"D"`
	Seed        uint64  `help:"Seed of the simulation." default:"7"`
}

const (
	demoStep     = time.Second
	demoRange    = 5 * time.Minute  // shown by the graph
	maxHistory   = 14 * time.Minute // with demoRange as much as the server takes at this step
	historyBatch = 2000             // datapoints of a region in a request
	demoRule     = "starts-drop"
	demoQuery    = "name,play.starts,:eq,:sum"
)

// Run starts a server on a scratch folder, pushes what a streaming service
// would, breaks it once, and prints what a receiver gets, until ctx ends.
func (c *demoCmd) Run(ctx context.Context, e *env) error {
	if !(c.OutageDepth > 0 && c.OutageDepth <= 1) {
		return fmt.Errorf("--outage-depth %v must be above 0 and at most 1", c.OutageDepth)
	}
	if !(c.Speed >= 1 && c.Speed <= 3600) {
		return fmt.Errorf("--speed %v must be from 1 to 3600", c.Speed)
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w (another server may be running; --listen 127.0.0.1:0 takes a free port)", err)
	}
	receiver, err := newDemoReceiver(e.stdout)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer receiver.close()
	s, err := c.server(ctx, ln, e)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	simulated := make(chan error, 1)
	go func() { simulated <- c.simulate(ctx, "http://"+ln.Addr().String(), receiver, e.stdout) }()
	go func() {
		if err := <-simulated; err != nil && ctx.Err() == nil {
			s.failed <- fmt.Errorf("simulation: %w", err)
		}
	}()
	return s.wait()
}

// server starts the same server as `pulse serve`, with a step of a second and
// an age limit that takes the pushed history.
func (c *demoCmd) server(ctx context.Context, ln net.Listener, e *env) (*server, error) {
	serve, err := defaultServe()
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "pulse-demo-")
	if err != nil {
		return nil, err
	}
	serve.Listen, serve.Data, serve.LogLevel = ln.Addr().String(), data, "warn"
	serve.Step, serve.MaxAge = span(demoStep), span(c.history()+time.Minute)
	serve.EgressAllow = []string{"127.0.0.1/32"}
	serve.InsecureListen = !serve.loopback()
	if err := serve.complete(); err != nil {
		return nil, err
	}
	s, err := serve.start(ctx, ln, realClock{}, zerolog.New(zerolog.ConsoleWriter{Out: e.stderr, NoColor: true, TimeFormat: "15:04:05"}).Level(zerolog.WarnLevel).With().Timestamp().Logger())
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	s.scratch = data
	return s, nil
}

// simulate pushes history, sets up receiver and rule, and then pushes a step a
// second. Everything goes through the public HTTP API.
func (c *demoCmd) simulate(ctx context.Context, base string, receiver *demoReceiver, out io.Writer) error {
	server, err := newClient(base)
	if err != nil {
		return err
	}
	service := gen.NewService(c.Seed, gen.Options{Step: demoStep.Milliseconds(), Day: int64(24 * time.Hour.Seconds() / c.Speed * 1000), Starts: 1200})
	now := time.Now().Truncate(demoStep)
	if err := c.pushHistory(ctx, server, service, now); err != nil {
		return err
	}
	if err := c.configure(ctx, server, receiver.url); err != nil {
		return err
	}
	link := base + "/?" + url.Values{"q": {demoQuery}, "range": {span(demoRange).String()}, "band": {demoRule}, "overlay": {span(c.day()).String()}}.Encode()
	fmt.Fprintf(out, "\n  Pulse is live: %s\n\n", link)
	fmt.Fprintf(out, "  A simulated day takes %s. A receiver listens at %s.\n", span(c.day()), receiver.url)
	fmt.Fprintf(out, "  In %s, %.0f %% of starts will be lost for %s. Ctrl-C ends the demo.\n\n", c.OutageAfter, 100*c.OutageDepth, c.OutageFor)

	outage := now.Add(time.Duration(c.OutageAfter))
	service.Inject(gen.Incident{Kind: gen.Drop, Start: outage.UnixMilli(), Duration: time.Duration(c.OutageFor).Milliseconds(), Depth: c.OutageDepth})
	receiver.outage(outage.Add(demoStep), outage.Add(time.Duration(c.OutageFor)+demoStep))
	for t := now; ; t = t.Add(demoStep) {
		if err := pause(ctx, t); err != nil {
			return err
		}
		receiver.tell(t)
		reports := newReports()
		reports.add(service, t)
		if err := reports.push(ctx, server); err != nil && ctx.Err() == nil {
			fmt.Fprintf(out, "%s  push failed: %v\n", clockOf(time.Now()), err)
		}
	}
}

func (c *demoCmd) day() time.Duration {
	return (time.Duration(24*float64(time.Hour)/c.Speed) + demoStep/2).Truncate(demoStep)
}

// history is how much of the past is pushed at the start: a simulated day, so
// that the graph can be compared with it, and what the graph shows.
func (c *demoCmd) history() time.Duration { return min(c.day(), maxHistory) + demoRange }

// pushHistory publishes the steps before now, many in a request.
func (c *demoCmd) pushHistory(ctx context.Context, server *client, service *gen.Service, now time.Time) error {
	reports := newReports()
	for t := now.Add(-c.history()); t.Before(now); t = t.Add(demoStep) {
		reports.add(service, t)
		if len(reports.metrics[reports.regions[0]]) < historyBatch && t.Add(demoStep).Before(now) {
			continue
		}
		if err := reports.push(ctx, server); err != nil {
			return fmt.Errorf("push history: %w", err)
		}
	}
	return nil
}

// configure puts the receiver and the rule.
func (c *demoCmd) configure(ctx context.Context, server *client, receiver string) error {
	body, err := json.Marshal(map[string]string{"kind": "webhook", "url": receiver, "secret": demoSecret})
	if err != nil {
		return err
	}
	if err := server.send(ctx, http.MethodPut, "/api/v1/receivers/demo", body); err != nil {
		return err
	}
	body, err = json.Marshal(map[string]any{
		"expr":     demoQuery,
		"severity": "page",
		"detector": map[string]any{"kind": "double-exponential", "direction": "below", "hold": "3s"},
		"keep":     "5s",
		"notify":   []string{"demo"},
		"annotations": map[string]string{
			"summary": "starts per second are {{.Value}}, expected {{.Expected}}",
			"why":     "{{.Why}}",
		},
	})
	if err != nil {
		return err
	}
	return server.send(ctx, http.MethodPut, "/api/v1/rules/"+demoRule, body)
}

// metric is a datapoint of the publish API.
type metric struct {
	Tags      map[string]string `json:"tags"`
	Timestamp int64             `json:"timestamp"`
	Value     float64           `json:"value"`
}

// reports is what the applications of each region have to publish.
type reports struct {
	regions []string
	metrics map[string][]metric
}

func newReports() *reports { return &reports{metrics: map[string][]metric{}} }

// add takes the step that ends at t. As real clients do, the applications send no
// counter that counted nothing.
func (r *reports) add(service *gen.Service, t time.Time) {
	seconds := demoStep.Seconds()
	for _, cell := range service.Step(t.UnixMilli()) {
		if cell.Missing {
			continue
		}
		if r.metrics[cell.Region] == nil {
			r.regions = append(r.regions, cell.Region)
		}
		add := func(name, dstype, statistic string, v float64) {
			if v == 0 && dstype != "gauge" || math.IsNaN(v) {
				return
			}
			tags := map[string]string{"name": name, "atlas.dstype": dstype, "device": cell.Device}
			if statistic != "" {
				tags["statistic"] = statistic
			}
			r.metrics[cell.Region] = append(r.metrics[cell.Region], metric{tags, t.UnixMilli(), v})
		}
		add("play.starts", "sum", "", float64(cell.Starts-cell.Errors)/seconds)
		add("play.errors", "sum", "", float64(cell.Errors)/seconds)
		add("play.latency", "sum", "count", float64(cell.Latency.Count)/seconds)
		add("play.latency", "sum", "totalTime", float64(cell.Latency.TotalNanos)/1e9/seconds)
		add("play.latency", "sum", "totalOfSquares", cell.Latency.SquaresNanos2/1e18/seconds)
		add("play.latency", "gauge", "max", float64(cell.Latency.MaxNanos)/1e9)
	}
}

// push publishes what was added, a request for each region, and forgets it.
func (r *reports) push(ctx context.Context, server *client) error {
	for _, region := range r.regions {
		body, err := json.Marshal(map[string]any{
			"tags":    map[string]string{"nf.app": "play", "nf.node": "play-" + region, "nf.region": region},
			"metrics": r.metrics[region],
		})
		if err != nil {
			return err
		}
		if err := server.send(ctx, http.MethodPost, "/api/v1/publish", body); err != nil {
			return err
		}
	}
	*r = *newReports()
	return nil
}

func clockOf(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// demoReceiver is an incident tool that prints what it is told.
type demoReceiver struct {
	url    string
	server *http.Server

	mu         sync.Mutex
	out        io.Writer
	begin, end time.Time
	told       int // how much of the outage has been printed
}
