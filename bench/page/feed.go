package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// value of a line at a time: a wave that is its own, with some noise.
func value(line int, t int64) float64 {
	x := float64(t/1000%3600) + 37*float64(line)
	return 500 + 10*float64(line) + 80*math.Sin(x/90) + 15*math.Sin(x*float64(7+line%5))
}

func tags(line int) string {
	part := "a"
	if line >= drawn {
		part = "b"
	}
	return fmt.Sprintf(`{"name":"page.load","line":"%03d","half":%q,"atlas.dstype":"gauge"}`, line, part)
}

// history imports the steps up to end of all lines, some more than are drawn.
func history(url string, end time.Time) error {
	var body []byte
	for line := range lines {
		body = fmt.Appendf(body, `{"tags":%s,"step":"1s","timestamps":[`, tags(line))
		for i := range points + 60 {
			if i > 0 {
				body = append(body, ',')
			}
			body = fmt.Append(body, end.UnixMilli()-int64(points+59-i)*1000)
		}
		body = append(body, `],"values":[`...)
		for i := range points + 60 {
			if i > 0 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, "%.2f", value(line, end.UnixMilli()-int64(points+59-i)*1000))
		}
		body = append(body, "]}\n"...)
	}
	_, err := server.PostOK(&fasthttp.Client{WriteTimeout: time.Minute, ReadTimeout: time.Minute}, url+"/api/v1/import", body)
	return err
}

// follow publishes a value of each line once per step, until ctx ends.
func follow(ctx context.Context, url string) error {
	client := &fasthttp.Client{ReadTimeout: time.Minute}
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		now := time.Now().UnixMilli()
		body := []byte(`{"metrics":[`)
		for line := range lines {
			if line > 0 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `{"tags":%s,"timestamp":%d,"value":%.2f}`, tags(line), now, value(line, now))
		}
		if _, err := server.PostOK(client, url+"/api/v1/publish", append(body, "]}"...)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}
