package main

import (
	"context"
	"sync/atomic"
	"time"

	"pulse/bench/server"
)

// victim is a server whose memory is watched.
type victim struct {
	*server.Server
	peak atomic.Int64 // most anonymous memory since the start, bytes
	done chan struct{}
}

func build() (*victim, error) {
	s, err := server.Build()
	return &victim{Server: s}, err
}

const readyTime = 3 * time.Minute

// start starts the server on its folder and waits until it is ready. Limits on
// the number of series are out of the way: memory is what refuses.
func (s *victim) start(ctx context.Context, o options) error {
	s.peak.Store(0)
	err := s.Start(ctx, readyTime, "--memory", o.memory, "--step", server.Span(o.step),
		"--max-series", "4000000", "--new-series-rate", "10000000", "--max-values-per-key", "16000000", "--max-pairs", "64000000")
	if err != nil {
		return err
	}
	s.done = make(chan struct{})
	go s.measure(s.PID(), s.done)
	return nil
}

// measure keeps the most anonymous memory of a process.
func (s *victim) measure(pid int, done chan struct{}) {
	for {
		if n, err := server.Memory(pid, "RssAnon"); err == nil {
			s.peak.Store(max(s.peak.Load(), n))
		}
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *victim) memory() int64 { return s.peak.Load() }

// kill ends the server without a word, stop in order.
func (s *victim) kill() {
	close(s.done)
	s.Kill()
}

func (s *victim) stop() {
	close(s.done)
	s.Stop()
}

// series returns how many the server has.
func (s *victim) series() (int64, error) {
	var status struct{ Series int64 }
	err := server.Status(s.URL, &status)
	return status.Series, err
}
