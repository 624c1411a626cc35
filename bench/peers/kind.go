package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"pulse/bench/server"
)

// kind is a server that can be driven, by one protocol.
type kind struct {
	name, sends string   // for people: the server, and how data comes to it
	path        string   // where bodies are sent
	write       protocol // what they are
	ready       string   // path that answers 200 when the server is up
	without     string   // what it does not do that another one does
	flags       func(o *options, address, data string) ([]string, error)
	language    language
	url         func(o *options, query string, start, end int64) string // of a query over [start, end], Unix ms
	read        func(body []byte, start, step int64, n int, key func(get func(tag string) string) string) (answer, error)
}

// language is an index of question.text.
type language int

const (
	asl language = iota
	metricsQL
	promQL
)

// pulseKind is Pulse with a cache for columns of that many bytes.
func pulseKind(durability, cache string) kind {
	sends := "JSON, " + durability
	if cache != "0" {
		sends += ", cache"
	}
	return kind{
		name: "pulse", sends: sends, path: "/api/v1/publish", write: appendPublish, ready: "/ready",
		without: map[string]string{"interval": "may lose the last second with the power", "none": "may lose the last minutes"}[durability],
		flags: func(o *options, address, data string) ([]string, error) {
			return append(pulseFlags(o, address, data), "--query-cache", cache), nil
		},
		language: asl, url: pulseQuery, read: readGraph,
	}
}

// victoria is VictoriaMetrics, single node.
func victoria(sends, path string, write protocol) kind {
	return kind{
		name: "victoria", sends: sends, path: path, write: write, ready: "/health",
		without: "answers before data is on disk and may lose the last seconds of it; keeps about 12 digits of a value",
		flags:   victoriaFlags, language: metricsQL, url: promQuery, read: readMatrix,
	}
}

func prometheus() kind {
	return kind{
		name: "prometheus", sends: "remote write", path: "/api/v1/write", write: appendRemoteWrite, ready: "/-/ready",
		without: "writes its log before it answers but does not sync it; has no topk over a range, only one of each step",
		flags:   prometheusFlags, language: promQL, url: promQuery, read: readMatrix,
	}
}

// pulseFlags keep one tier, since the peers have no coarser ones.
func pulseFlags(o *options, address, data string) []string {
	return []string{
		"serve", "--listen", address, "--data", data, "--log-level", "error", "--durability", o.durability,
		"--step", server.Span(o.step), "--tiers", server.Span(o.step) + ":2d", "--new-series-rate", "10000000",
		"--max-datapoints", strconv.Itoa(o.series * (o.points + 1)), "--max-query-memory", "1GiB",
	}
}

// victoriaFlags: a value counts for its own step only, and nothing is answered
// from a cache of answers.
func victoriaFlags(_ *options, address, data string) ([]string, error) {
	return []string{
		"-httpListenAddr=" + address, "-storageDataPath=" + data, "-loggerLevel=ERROR", "-influxSkipSingleField",
		"-search.disableCache", "-search.setLookbackToStep", "-search.latencyOffset=1ms", "-search.maxQueryDuration=5m",
	}, nil
}

func prometheusFlags(o *options, address, data string) ([]string, error) {
	config := filepath.Join(filepath.Dir(data), "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o644); err != nil {
		return nil, err
	}
	return []string{
		"--config.file=" + config, "--web.listen-address=" + address, "--storage.tsdb.path=" + data, "--log.level=error",
		"--web.enable-remote-write-receiver", "--web.enable-admin-api", "--query.timeout=5m",
		fmt.Sprintf("--query.lookback-delta=%dms", o.step.Milliseconds()-1),
	}, nil
}

// pulseQuery: s is excluded, and the answer has at most w points a line.
func pulseQuery(o *options, query string, start, end int64) string {
	return fmt.Sprintf("/api/v1/graph?format=json&q=%s&s=%d&e=%d&step=%s&w=%d",
		url.QueryEscape(query), start-o.step.Milliseconds(), end, server.Span(o.step), max(700, o.points))
}

func promQuery(o *options, query string, start, end int64) string {
	seconds := func(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64) }
	return fmt.Sprintf("/api/v1/query_range?nocache=1&query=%s&start=%s&end=%s&step=%s",
		url.QueryEscape(query), seconds(start), seconds(end), seconds(o.step.Milliseconds()))
}
