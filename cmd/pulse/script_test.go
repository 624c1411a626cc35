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
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pulse/detect/secret"
	"pulse/web/token"
)

// TestMain lets scripts run the program under the name pulse, as a process.
func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
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
		Setup: func(e *testscript.Env) error {
			e.Values["server"] = &child{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":     serveScript,
			"end":       endScript,
			"log":       logScript,
			"interrupt": interruptScript,
			"http":      httpScript,
			"reach":     reachScript,
			"within":    withinScript,
			"token":     tokenScript,
			"query":     queryScript,
			"moveonly":  moveOnlyScript,
		},
	})
}

// child is the server that a script has started last.
type child struct {
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan error
}

// pulse returns a command that runs this binary as pulse.
func pulse(ts *testscript.TestScript, args ...string) *exec.Cmd {
	binary, err := exec.LookPath("pulse")
	if path := findIn(ts.Getenv("PATH"), "pulse"); path != "" {
		binary, err = path, nil
	}
	ts.Check(err)
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "TESTSCRIPT_COMMAND=pulse")
	return cmd
}

// serveScript: serve [flags] starts a server on a free port and sets $URL.
func serveScript(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := ln.Addr().String()
	ts.Check(ln.Close())
	c := ts.Value("server").(*child)
	*c = child{pulse(ts, append([]string{"serve", "--listen", address, "--log-level", "warn"}, args...)...), &bytes.Buffer{}, make(chan error, 1)}
	c.cmd.Stderr = c.log
	ts.Check(c.cmd.Start())
	cmd, log, done := c.cmd, c.log, c.done
	go func() { done <- cmd.Wait(); close(done) }()
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		<-done
		if log.Len() > 0 {
			ts.Logf("server: %s", log.String())
		}
	})
	ts.Setenv("URL", "http://"+address)
	for range 200 {
		if res, err := http.Get("http://" + address + "/ready"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("the server was not ready within 5 s")
}

func findIn(path, name string) string {
	for _, dir := range strings.Split(path, string(os.PathListSeparator)) {
		if _, err := os.Stat(dir + "/" + name); err == nil {
			return dir + "/" + name
		}
	}
	return ""
}

// endScript: end SIGNAL sends INT or KILL to the server and waits for its end,
// which has exit code 0 after INT. HUP does not end it.
func endScript(ts *testscript.TestScript, neg bool, args []string) {
	c := ts.Value("server").(*child)
	if args[0] == "HUP" {
		ts.Check(c.cmd.Process.Signal(syscall.SIGHUP))
		return
	}
	ts.Check(c.cmd.Process.Signal(map[string]syscall.Signal{"INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[0]]))
	select {
	case err := <-c.done:
		if args[0] == "INT" {
			ts.Check(err)
		}
	case <-time.After(20 * time.Second):
		ts.Fatalf("the server did not end within 20 s")
	}
}

// logScript: log TEXT wants the text in what a server that has ended logged.
func logScript(ts *testscript.TestScript, neg bool, args []string) {
	if text := ts.Value("server").(*child).log.String(); !strings.Contains(text, args[0]) {
		ts.Fatalf("the log has no %q:\n%s", args[0], text)
	}
}

// interruptScript: interrupt DELAY args... runs pulse, interrupts it after the
// delay, and wants exit code 0.
func interruptScript(ts *testscript.TestScript, neg bool, args []string) {
	delay, err := time.ParseDuration(args[0])
	ts.Check(err)
	cmd := pulse(ts, args[1:]...)
	ts.Check(cmd.Start())
	timer := time.AfterFunc(delay, func() { _ = cmd.Process.Signal(os.Interrupt) })
	defer timer.Stop()
	ts.Check(cmd.Wait())
}

// tokenScript: token FILE has the requests that follow carry the secret in FILE.
func tokenScript(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv("SECRET", strings.TrimSpace(ts.ReadFile(args[0])))
}

// queryScript: query CODE FILE asks the server for a graph, with the secret in
// FILE in its environment, and wants the exit code.
func queryScript(ts *testscript.TestScript, neg bool, args []string) {
	secret := ""
	if args[1] != "" {
		secret = strings.TrimSpace(ts.ReadFile(args[1]))
	}
	ts.Setenv("PULSE_TOKEN", secret)
	err := ts.Exec("pulse", "query", "name,starts,:eq", "--format", "csv", "--target", ts.Getenv("URL"))
	ts.Setenv("PULSE_TOKEN", "")
	if (err == nil) != (args[0] == "0") {
		ts.Fatalf("pulse query: %v, want exit code %s", err, args[0])
	}
}

// moveOnlyScript: moveonly FOLDER NAME gives the only entry of a folder a name.
func moveOnlyScript(ts *testscript.TestScript, neg bool, args []string) {
	list, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(list) != 1 {
		ts.Fatalf("%s has %d entries, want one", args[0], len(list))
	}
	ts.Check(os.Rename(filepath.Join(ts.MkAbs(args[0]), list[0].Name()), ts.MkAbs(args[1])))
}

// reachScript: reach METHOD PATH WANT-STATUS sends a request until that is the
// status, for at most 20 s.
func reachScript(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		if status, _ := send(ts, args[0], args[1], ""); status == args[2] {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s %s does not come to %s", args[0], args[1], args[2])
}

// withinScript: within PATH TEXT asks until the answer has the text, for at most 20 s.
func withinScript(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		if _, answer := send(ts, "GET", args[0], ""); strings.Contains(string(answer), args[1]) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s does not come to have %q", args[0], args[1])
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
	status, b := send(ts, args[0], args[1], body)
	if status != args[2] {
		ts.Fatalf("%s %s: status %s, want %s: %s", args[0], args[1], status, args[2], b)
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), b, 0o644))
}

func send(ts *testscript.TestScript, method, path, body string) (status string, answer []byte) {
	req, err := http.NewRequest(method, ts.Getenv("URL")+path, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	token.Authorize(req.Header, secret.New(ts.Getenv("SECRET")))
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	return fmt.Sprint(res.StatusCode), b
}
