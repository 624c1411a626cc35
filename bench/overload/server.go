package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// server is a server that this program built and starts.
type server struct {
	dir    string
	binary string
	url    string
	cmd    *exec.Cmd
	peak   atomic.Int64 // most anonymous memory since the start, bytes
	done   chan struct{}
}

func build() (*server, error) {
	dir, err := os.MkdirTemp("", "pulse-overload-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, binary: filepath.Join(dir, "pulse")}
	if text, err := exec.Command("go", "build", "-o", s.binary, "pulse/cmd/pulse").CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build: %w\n%s", err, text), os.RemoveAll(dir))
	}
	return s, nil
}

func (s *server) remove() {
	if s.cmd != nil {
		_ = s.kill()
	}
	_ = os.RemoveAll(s.dir)
}

const readyTime = 3 * time.Minute

// start starts the server on its folder and waits until it is ready. Limits on
// the number of series are out of the way: memory is what refuses.
func (s *server) start(ctx context.Context, o options) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return err
	}
	s.url = "http://" + address
	s.cmd = exec.Command(s.binary, "--listen", address, "--data", filepath.Join(s.dir, "data"), "--memory", o.memory, "--step", o.step.String(),
		"--log-level", "warn", "--max-series", "16000000", "--new-series-rate", "10000000", "--max-values-per-key", "16000000", "--max-pairs", "64000000")
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.peak.Store(0)
	s.done = make(chan struct{})
	go s.measure(s.cmd.Process.Pid, s.done)
	for until := time.Now().Add(readyTime); time.Now().Before(until) && ctx.Err() == nil; {
		if status, _, err := fasthttp.Get(nil, s.url+"/healthcheck"); err == nil && status == fasthttp.StatusOK {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the server was not ready within %s", readyTime)
}

// measure keeps the most anonymous memory of a process.
func (s *server) measure(pid int, done chan struct{}) {
	for {
		if n, err := anonymous(pid); err == nil {
			s.peak.Store(max(s.peak.Load(), n))
		}
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *server) memory() int64 { return s.peak.Load() }

// anonymous returns the resident memory of a process that is in no file.
func anonymous(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no RssAnon")
}

// kill ends the server without a word.
func (s *server) kill() error { return s.end(os.Kill) }

// stop ends the server in order.
func (s *server) stop() error { return s.end(os.Interrupt) }

func (s *server) end(how os.Signal) error {
	err := s.cmd.Process.Signal(how)
	ended := s.cmd.Wait()
	close(s.done)
	s.cmd = nil
	if how == os.Kill {
		return err
	}
	return errors.Join(err, ended)
}

// standing is what the server says of itself.
type standing struct {
	Series int64
	Limits map[string]struct{ Limit, Used int64 }
	text   []byte
}

func (s *server) status() (standing, error) {
	var st standing
	code, body, err := fasthttp.Get(nil, s.url+"/api/v1/status")
	if err == nil && code != fasthttp.StatusOK {
		err = fmt.Errorf("status %d: %s", code, body)
	}
	if err == nil {
		err = json.Unmarshal(body, &st)
	}
	st.text = body
	return st, err
}
