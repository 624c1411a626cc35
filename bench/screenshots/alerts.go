package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"
)

// alert is what a picture has to know of one.
type alert struct {
	Incident, Rule, State string
	Tags                  map[string]string
}

func count(list []alert, rule, state string) (n int) {
	for _, a := range list {
		if a.Rule == rule && a.State == state {
			n++
		}
	}
	return n
}

// alerts waits until those of the server are as they should be.
func (c *scene) alerts(ctx context.Context, what string, most time.Duration, good func([]alert) bool) error {
	var list []alert
	for until := time.Now().Add(most); time.Now().Before(until) && ctx.Err() == nil; time.Sleep(time.Second) {
		var err error
		if list, err = c.listed(); err != nil {
			return err
		}
		if good(list) {
			return nil
		}
		select {
		case err := <-c.fed:
			return fmt.Errorf("feed: %w", err)
		default:
		}
	}
	return fmt.Errorf("%s: not within %s; there are %+v", what, most, list)
}

func (c *scene) listed() ([]alert, error) {
	status, body, err := fasthttp.Get(nil, c.url+"/api/v1/alerts")
	if err != nil {
		return nil, err
	}
	if status != fasthttp.StatusOK {
		return nil, fmt.Errorf("alerts: status %d: %s", status, body)
	}
	var list []alert
	return list, json.Unmarshal(body, &list)
}

// of returns the alert of a rule in a state.
func (c *scene) of(rule, state string) (alert, error) {
	list, err := c.listed()
	if err != nil {
		return alert{}, err
	}
	for _, a := range list {
		if a.Rule == rule && a.State == state {
			return a, nil
		}
	}
	return alert{}, fmt.Errorf("no alert of %s is %s", rule, state)
}
