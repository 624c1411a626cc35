// Package server builds, starts, asks and measures servers for the programs of
// bench.
package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Server is a binary with a folder of its own, and the process that runs it.
type Server struct {
	URL    string
	Data   string
	Env    []string // of the process, beside that of this one
	dir    string
	binary string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
}

// Build makes the binary, with further flags for the compiler. Remove ends what
// is left.
func Build(flags ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "pulse-bench-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, binary: filepath.Join(dir, "pulse"), Data: filepath.Join(dir, "data")}
	args := append(append([]string{"build", "-o", s.binary}, flags...), "pulse/cmd/pulse")
	if text, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build: %w\n%s", err, text), os.RemoveAll(dir))
	}
	return s, nil
}

// Start starts the server on its data folder and a free loopback port, and
// returns when it is ready, or after wait.
func (s *Server) Start(ctx context.Context, wait time.Duration, flags ...string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return err
	}
	s.URL = "http://" + address
	s.cmd = exec.Command(s.binary, append([]string{"--listen", address, "--data", s.Data, "--log-level", "error"}, flags...)...)
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = append(os.Environ(), s.Env...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	for until := time.Now().Add(wait); time.Now().Before(until) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.ended:
			return errors.New("the server ended at once")
		default:
		}
		if status, _, err := fasthttp.Get(nil, s.URL+"/ready"); err == nil && status == fasthttp.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("the server was not ready within %s", wait)
}

// Kill ends the process without a word, Stop in order.
func (s *Server) Kill() { s.end(os.Kill) }
func (s *Server) Stop() { s.end(os.Interrupt) }

func (s *Server) end(how os.Signal) {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(how)
		<-s.ended
		s.cmd = nil
	}
}

// Remove ends the process and removes all files.
func (s *Server) Remove() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// Span returns d as the flags take it.
func Span(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

// PID returns the number of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// CPU returns user and system time of a process, in the 10 ms ticks of /proc; 0
// for process 0.
func CPU(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses, which may hold blanks.
	_, rest, _ := strings.Cut(string(b[bytes.LastIndexByte(b, ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read CPU time of process %d: unexpected format", pid)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// Memory returns a line of a process' status, such as RssAnon, in bytes.
func Memory(pid int, line string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(text, line+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s", line)
}

// Bytes returns how long all files in a part of the data folder are together.
func (s *Server) Bytes(part string) (total int64) {
	_ = filepath.WalkDir(filepath.Join(s.Data, part), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
