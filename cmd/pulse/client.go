package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"pulse/detect/secret"
	"pulse/web/token"
)

// client talks to a server's public HTTP API, as any other program would.
type client struct {
	base  string
	http  *http.Client
	token secret.Text // of PULSE_TOKEN
}

func newClient(target string) (*client, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return nil, errors.New("--target must be a URL such as http://127.0.0.1:7101, without user and password; a token goes into the variable PULSE_TOKEN")
	}
	return &client{strings.TrimRight(target, "/"), &http.Client{Timeout: 15 * time.Second}, secret.New(os.Getenv("PULSE_TOKEN"))}, nil
}

// do sends a request and returns status and body. A status of 400 or more is
// not an error: the caller decides.
func (c *client) do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	token.Authorize(req.Header, c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.unreachable(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	return res.StatusCode, b, err
}

// unreachable says that no server answers, without the URL of the request, which may
// be long.
func (c *client) unreachable(err error) error {
	var request *url.Error
	var name *net.DNSError
	late := errors.As(err, &request) && request.Timeout()
	if request != nil {
		err = request.Err
	}
	const help = "--target names another address"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s (%w); %s", c.base, syscall.ECONNREFUSED, help)
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Errorf("there is no host %s; %s", name.Name, help)
	case late:
		return fmt.Errorf("no answer from %s within %v; %s", c.base, c.http.Timeout, help)
	}
	return fmt.Errorf("ask %s: %w", c.base, err)
}

// get returns the body of a 200, and the server's message as an error otherwise.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	status, b, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, serverError(status, b)
	}
	return b, nil
}

// send is do for requests that must succeed.
func (c *client) send(ctx context.Context, method, path string, body []byte) error {
	status, b, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	if status >= 300 {
		return serverError(status, b)
	}
	return nil
}

// step asks the server for its primary step in milliseconds.
func (c *client) step(ctx context.Context) (int64, error) {
	b, err := c.get(ctx, "/api/v1/status")
	if err != nil {
		return 0, fmt.Errorf("ask %s for its step, which --step would say: %w", c.base, err)
	}
	var status struct {
		StepMs int64 `json:"stepMs"`
	}
	if err := json.Unmarshal(b, &status); err != nil || status.StepMs <= 0 {
		return 0, fmt.Errorf("ask %s for its step: the status has none", c.base)
	}
	return status.StepMs, nil
}

// serverError reads the message out of an error answer, in either of its forms.
func serverError(status int, body []byte) error {
	var e struct {
		Message json.RawMessage `json:"message"`
	}
	text := strings.TrimSpace(string(body))
	if json.Unmarshal(body, &e) == nil && e.Message != nil {
		text = string(e.Message)
		var one string
		var many []string
		if json.Unmarshal(e.Message, &one) == nil {
			text = one
		} else if json.Unmarshal(e.Message, &many) == nil {
			text = strings.Join(many, "; ")
		}
	}
	if len(text) > 500 {
		text = text[:500] + "…"
	}
	return fmt.Errorf("server answered %d: %s", status, text)
}

// pause waits until the clock shows at, or ctx ends.
func pause(ctx context.Context, at time.Time) error {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
