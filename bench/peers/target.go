package main

import (
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
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// target is a server that is measured: a process that was started here, or one
// that runs already.
type target struct {
	kind
	url  string
	pid  int
	data string // "": it was running, and where its data is is not known
	args []string
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process is
	log  string

	measured
}

// attach takes a server that runs, named as URL,PID.
func attach(k kind, where string) (*target, error) {
	url, number, _ := strings.Cut(where, ",")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not URL,PID", k.name, where)
	}
	return &target{kind: k, url: strings.TrimSuffix(url, "/"), pid: pid}, nil
}

// launch starts a binary on a free loopback address, with its files in dir.
func launch(ctx context.Context, o *options, k kind, binary, dir string) (*target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := ln.Addr().String()
	if err := errors.Join(ln.Close(), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	t := &target{kind: k, url: "http://" + address, data: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), gone: make(chan struct{})}
	if t.args, err = k.flags(o, address, t.data); err != nil {
		return nil, err
	}
	log, err := os.Create(t.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	t.cmd = exec.Command(binary, t.args...)
	t.cmd.Stdout, t.cmd.Stderr = log, log
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	t.pid = t.cmd.Process.Pid
	go func() {
		_ = t.cmd.Wait() // how it ended is in its log
		close(t.gone)
	}()
	for until := time.Now().Add(time.Minute); time.Now().Before(until) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		select {
		case <-t.gone:
			return nil, t.fault(errors.New("it ended at once"))
		default:
		}
		if status, _, err := fasthttp.Get(nil, t.url+t.ready); err == nil && status == fasthttp.StatusOK {
			return t, nil
		}
	}
	t.stop()
	return nil, t.fault(errors.New("it was not ready within a minute"))
}

// fault is err with the name of the server and what it said last.
func (t *target) fault(err error) error {
	said, _ := os.ReadFile(t.log)
	return fmt.Errorf("%s, %s: %w\n%s", t.name, t.sends, err, said[max(0, len(said)-2000):])
}

// stop ends a process that was started here, in order.
func (t *target) stop() {
	if t.cmd != nil {
		_ = t.cmd.Process.Signal(syscall.SIGTERM)
		<-t.gone
		t.cmd = nil
	}
}

// cpu returns user and system time of the process so far.
func (t *target) cpu() (time.Duration, error) { return server.CPU(t.pid) }

// memory returns the resident memory now and at most so far, in bytes.
func (t *target) memory() (now, most int64, err error) {
	if now, err = server.Memory(t.pid, "VmRSS"); err == nil {
		most, err = server.Memory(t.pid, "VmHWM")
	}
	return now, most, err
}

// usage returns what the files in dir take on disk, as du does, in all and by
// what stands in dir.
func usage(dir string) (total int64, parts map[string]int64, err error) {
	parts = map[string]int64{}
	seen := map[uint64]bool{} // a file of two names is one
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := info.Sys().(*syscall.Stat_t)
		if seen[s.Ino] {
			return nil
		}
		seen[s.Ino] = true
		rel, err := filepath.Rel(dir, name)
		part, _, _ := strings.Cut(rel, string(filepath.Separator))
		if len(part) == 26 {
			part = "blocks" // a folder of Prometheus, named by an ULID
		}
		total += s.Blocks * 512
		parts[part] += s.Blocks * 512
		return err
	})
	return total, parts, err
}
