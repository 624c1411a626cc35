package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// scene is a server in the middle of an incident.
type scene struct {
	url       string
	feed      *feed
	receivers []*httptest.Server
	slow      []net.Conn // clients whose queries go on, since they do not read
	fed       chan error
}

const starts = "name,play.starts,:eq,:sum"

// rules by id; each is in another state once the incident is on.
var rules = map[string]string{
	"starts-by-region": `{"expr":"name,play.starts,:eq,:sum,(,nf.region,),:by","owner":"playback","severity":"page","notify":["oncall","chat"],"labels":{"team":"playback"},
		"detector":{"kind":"double-exponential","direction":"below","hold":"15s"},
		"annotations":{"summary":"{{index .Tags \"nf.region\"}}: {{.Value}} starts per second, expected {{.Expected}}","why":"{{.Why}}","runbook":"https://wiki.example.com/runbooks/starts"}}`,
	"starts": `{"expr":"name,play.starts,:eq,:sum","owner":"playback","severity":"page","notify":["oncall"],"labels":{"team":"playback"},
		"detector":{"kind":"double-exponential","direction":"below"},
		"annotations":{"summary":"starts per second are {{.Value}}, expected {{.Expected}}","runbook":"https://wiki.example.com/runbooks/starts"}}`,
	"error-ratio": `{"expr":"name,play.errors,:eq,:sum,name,play.starts,:eq,:sum,:div,100,:mul,(,nf.region,),:by","owner":"playback","severity":"page","notify":["oncall","legacy"],"labels":{"team":"playback"},
		"detector":{"kind":"static","above":2},"for":"15s","keep":"1m",
		"annotations":{"summary":"{{.Value}} % of starts fail","runbook":"https://wiki.example.com/runbooks/errors"}}`,
	"start-latency": `{"expr":"name,play.latency,:eq,statistic,totalTime,:eq,:and,:sum,name,play.latency,:eq,statistic,count,:eq,:and,:sum,:div,(,nf.region,device,),:by","owner":"playback","severity":"warn","notify":["chat"],
		"detector":{"kind":"static","above":0.4},"for":"30s","annotations":{"summary":"a start takes {{.Value}} s on {{.Tags.device}}"}}`,
	"queue-length": `{"expr":"name,queue.length,:eq,:max,(,queue,),:by","owner":"platform","severity":"warn","notify":["chat"],
		"detector":{"kind":"static","above":120,"clear_above":100},"keep":"5s","annotations":{"summary":"{{.Value}} wait in the queue"}}`,
	"encoder-backlog": `{"expr":"name,encoder.backlog,:eq,:max,(,nf.node,),:by","owner":"encoding","severity":"warn","notify":["chat"],
		"detector":{"kind":"static","above":200},"for":"1h","absence_after":"60s","annotations":{"summary":"the backlog of {{index .Tags \"nf.node\"}} grows"}}`,
	"edge-cpu": `{"expr":"name,cpu.percent,:eq,nf.app,edge,:eq,:and,:max,(,nf.node,),:by","owner":"edge","severity":"info","notify":["chat"],
		"detector":{"kind":"static","above":90},"for":"5m","annotations":{"summary":"{{.Value}} % of the CPU"}}`,
	"edge-5xx":     `{"expr":"name,http.requests,:eq,status,5xx,:eq,:and,:sum","owner":"edge","severity":"page","notify":["oncall"],"detector":{"kind":"auto"},"annotations":{"summary":"{{.Value}} errors per second","runbook":"https://wiki.example.com/runbooks/edge"}}`,
	"cache-canary": `{"expr":"name,cache.misses,:eq,:sum,(,nf.region,),:by","owner":"edge","severity":"warn","detector":{"kind":"auto"}}`,
	"connections":  `{"expr":"name,open.connections,:eq,:sum","owner":"edge","severity":"warn","notify":["chat"],"detector":{"kind":"exponential"},"annotations":{"summary":"{{.Value}} connections"}}`,
	"jobs":         `{"expr":"name,jobs.done,:eq,:sum,(,job,),:by","owner":"platform","severity":"warn","notify":["chat"],"detector":{"kind":"absence","after":"10m"},"annotations":{"summary":"{{.Tags.job}} has not run for ten minutes"}}`,
}

// answering starts a receiver that answers with a status.
func (c *scene) answering(status int) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	c.receivers = append(c.receivers, s)
	return s.URL + "/alerts"
}

// open starts a server with a past, and then the incident. It returns when what the incident
// does is there to be seen.
func open(ctx context.Context, s *server.Server) (*scene, error) {
	c := &scene{fed: make(chan error, 1)}
	file := filepath.Join(filepath.Dir(s.Data), "receivers.yaml")
	if err := os.WriteFile(file, []byte("receivers:\n  - {name: status-page, kind: webhook, url: \""+c.answering(http.StatusOK)+"\", disabled: true}\n"), 0o600); err != nil {
		return c, err
	}
	if err := s.Start(ctx, 30*time.Second, "--tiers", server.Span(step)+":9d,1m:35d,1h:400d", "--memory", "512MiB", "--max-age", "10m", "--new-series-rate", "100000",
		"--egress-allow", "127.0.0.0/8", "--rules", file); err != nil {
		return c, err
	}
	c.url = s.URL
	now := time.Now().Truncate(step).Add(-step)
	c.feed = newFeed(s.URL, now)
	if err := c.feed.history(now); err != nil {
		return c, err
	}
	go func() { c.fed <- c.feed.live(ctx, now) }()
	c.feed.caughtUp(ctx)
	if err := c.configure(); err != nil {
		return c, err
	}
	if err := c.alerts(ctx, "the queues come and go", 3*time.Minute, func(a []alert) bool { return count(a, "queue-length", "resolved") > 0 }); err != nil {
		return c, err
	}
	if err := c.silences(); err != nil {
		return c, err
	}
	c.feed.breakNow(time.Now())
	if err := c.alerts(ctx, "the incident", 4*time.Minute, func(a []alert) bool {
		return count(a, "starts-by-region", "firing") > 0 && count(a, "error-ratio", "firing") > 0 && count(a, "encoder-backlog", "nodata") > 0
	}); err != nil {
		return c, err
	}
	return c, nil
}

func (c *scene) close() {
	for _, conn := range c.slow {
		_ = conn.Close()
	}
	for _, s := range c.receivers {
		s.Close()
	}
}

// send puts, posts or deletes JSON.
func (c *scene) send(method, path, body string) error {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(c.url + path)
	req.Header.SetMethod(method)
	req.Header.SetContentType("application/json")
	req.SetBodyString(body)
	if err := fasthttp.Do(req, res); err != nil {
		return err
	}
	if res.StatusCode()/100 != 2 {
		return fmt.Errorf("%s %s: status %d: %s", method, path, res.StatusCode(), res.Body())
	}
	return nil
}

func (c *scene) configure() error {
	for name, body := range map[string]string{
		"oncall": `{"kind":"webhook","url":"` + c.answering(http.StatusAccepted) + `","secret":"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"}`,
		"chat":   `{"kind":"slack","url":"` + c.answering(http.StatusServiceUnavailable) + `"}`,
		"legacy": `{"kind":"webhook","url":"` + c.answering(http.StatusNotFound) + `"}`,
	} {
		if err := c.send("PUT", "/api/v1/receivers/"+name, body); err != nil {
			return err
		}
	}
	for id, body := range rules {
		if err := c.send("PUT", "/api/v1/rules/"+id, body); err != nil {
			return err
		}
	}
	return nil
}

func (c *scene) silences() error {
	for _, body := range []string{
		`{"matchers":["rule=queue-length"],"endsAt":"now+2h","author":"mia","comment":"moving the queues to the new brokers","endWhenNormalFor":"15m"}`,
		`{"matchers":["owner=encoding","nf.node=encoder-2"],"startsAt":"now+5h","endsAt":"now+7h","author":"jon","comment":"kernel update of encoder-2, change 4711"}`,
	} {
		if err := c.send("POST", "/api/v1/silences", body); err != nil {
			return err
		}
	}
	return nil
}

// queries asks for much and reads nothing, so that the queries go on for a while.
func (c *scene) queries() error {
	for _, conn := range c.slow {
		_ = conn.Close()
	}
	c.slow = nil
	address := strings.TrimPrefix(c.url, "http://")
	for _, program := range []string{"name,http.requests,:eq,(,nf.node,status,),:by", "name,play.latency,:eq,(,nf.region,device,statistic,),:by"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		c.slow = append(c.slow, conn)
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "GET /api/v2/fetch?s=e-7h&q=%s HTTP/1.1\r\nHost: %s\r\n\r\n", url.QueryEscape(program), address); err != nil {
			return err
		}
	}
	return nil
}
