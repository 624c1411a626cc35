package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run the program under the name pulse, as a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pulse": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs the whole program as people do, from testdata/script.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveScript,
			"end":   endScript,
			"http":  httpScript,
		},
	})
}

// serveScript: serve [flags] starts a server on a free port and sets $URL.
func serveScript(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := ln.Addr().String()
	ts.Check(ln.Close())
	binary, err := exec.LookPath("pulse")
	if path := findIn(ts.Getenv("PATH"), "pulse"); path != "" {
		binary, err = path, nil
	}
	ts.Check(err)
	cmd := exec.Command(binary, append([]string{"serve", "--listen", address, "--log-level", "warn"}, args...)...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "TESTSCRIPT_COMMAND=pulse")
	var out bytes.Buffer
	cmd.Stderr = &out
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if out.Len() > 0 {
			ts.Logf("server: %s", out.String())
		}
	})
	ts.Setenv("URL", "http://"+address)
	ts.Setenv("PID", fmt.Sprint(cmd.Process.Pid))
	for range 200 {
		if res, err := http.Get("http://" + address + "/ready"); err == nil {
			res.Body.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("the server did not answer within 5 s: %s", out.String())
}

func findIn(path, name string) string {
	for _, dir := range strings.Split(path, string(os.PathListSeparator)) {
		if _, err := os.Stat(dir + "/" + name); err == nil {
			return dir + "/" + name
		}
	}
	return ""
}

// endScript: end SIGNAL sends INT or KILL to the server and waits until its
// port is closed.
func endScript(ts *testscript.TestScript, neg bool, args []string) {
	var pid int
	_, err := fmt.Sscan(ts.Getenv("PID"), &pid)
	ts.Check(err)
	sig := map[string]syscall.Signal{"INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[0]]
	ts.Check(syscall.Kill(pid, sig))
	address := strings.TrimPrefix(ts.Getenv("URL"), "http://")
	for range 400 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		c.Close()
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("the server still listens after 10 s")
}

// httpScript: http METHOD PATH WANT-STATUS [BODY] sends a request; the answer is
// standard output for the commands that follow.
func httpScript(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: http METHOD PATH STATUS [BODY]")
	}
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	req, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	if got := fmt.Sprint(res.StatusCode); got != args[2] {
		ts.Fatalf("%s %s: status %s, want %s: %s", args[0], args[1], got, args[2], b)
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), b, 0o644))
}
