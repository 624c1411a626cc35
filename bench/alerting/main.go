// Command alerting measures how long it takes from data to page: from the answer
// to the publish that completes the last expected source of a step until the
// webhook of an alert of that step has arrived.
//
//	go run ./bench/alerting
//	go run ./bench/alerting -groups 1000 -series 10000 -firing 1,100 -rounds 10
//	go run ./bench/alerting -firing 10000 -rounds 2 -routes -audit
//
// Server, publishers and receiver are processes of their own on one machine, so
// their clocks are one; the server writes its log before it answers. Every step all
// publishers send all of their series, as soon as the step is over, and every group
// of every rule is judged. Now and then some groups fall to next to nothing for one
// step and come back. A webhook names the step at which its alert began, so each is
// compared with the last answer of that step. In the step after, the one group of a
// rule with a receiver of its own falls: its page shows what the alerts before
// have left of the server.
//
// With -routes, rules name no receivers: routes do, and a fifth of the rules each is
// told alone and inhibits the next fifth, is inhibited, muted, silenced, or grouped;
// a thousand more silences mean nothing. With -audit, the alerts of one more storm are
// asked for, one by one.
//
// What the programs around the server cost is shown, and how long the receiver takes
// for as many webhooks when the same machine does nothing else.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

type options struct {
	role       string
	target     string
	groups     int
	series     int
	publishers int
	rules      int
	step       time.Duration
	warm       int
	rounds     int
	firing     string
	detector   string
	durability string
	routes     bool
	audited    bool
	profile    string
	file       string
}

func main() {
	var o options
	flag.StringVar(&o.role, "role", "", "publishers or receiver; empty: run all")
	flag.StringVar(&o.target, "target", "", "server that the publishers send to")
	flag.IntVar(&o.groups, "groups", 10_000, "groups of all rules together")
	flag.IntVar(&o.series, "series", 100_000, "series of all publishers together")
	flag.IntVar(&o.publishers, "publishers", 20, "senders, each a source")
	flag.IntVar(&o.rules, "rules", 20, "rules; each has its share of the groups and, up to 20, a receiver")
	flag.DurationVar(&o.step, "step", time.Second, "primary step")
	flag.IntVar(&o.warm, "warm", 90, "steps before the first measurement")
	flag.IntVar(&o.rounds, "rounds", 60, "times that groups fall when one does; ten at most when more do, two when so many do that receivers get a summary")
	flag.StringVar(&o.firing, "firing", "1,100,10000", "how many groups fire in one step, comma separated")
	flag.StringVar(&o.detector, "detector", `{kind: double-exponential, train: 60s, width: 6, hold: 1s}`, "detector of the rules")
	flag.StringVar(&o.durability, "durability", "sync", "sync, interval or none")
	flag.BoolVar(&o.routes, "routes", false, "alerts find receivers by routes, with groups, inhibit rules, mutes and silences")
	flag.BoolVar(&o.audited, "audit", false, "ask for every alert of one more storm")
	flag.StringVar(&o.profile, "profile", "", "file for a CPU profile of the server")
	flag.StringVar(&o.file, "out", "", "file for the report, besides standard output")
	flag.Parse()
	switch o.role {
	case "publishers":
		server.Main("alerting publishers", "", nil, func(ctx context.Context, _ io.Writer) error { return publish(ctx, o, os.Stdin, os.Stdout) })
	case "receiver":
		server.Main("alerting receiver", "", nil, func(ctx context.Context, _ io.Writer) error { return receive(ctx, os.Stdin, os.Stdout) })
	default:
		server.Main("alerting", o.file, o.wrong(), func(ctx context.Context, out io.Writer) error { return run(ctx, o, out) })
	}
}

// wrong says what is wrong with the options.
func (o *options) wrong() error {
	if o.groups < 1 || o.series < o.groups || o.series > 1_000_000 || o.publishers < 1 || o.publishers > 100 || o.series%o.publishers != 0 ||
		o.rules < 1 || o.groups%o.rules != 0 || o.step < 100*time.Millisecond || o.rounds < 1 || o.rounds > 1000 {
		return errors.New("groups, series, publishers, rules, step or rounds out of range; series is a multiple of publishers, groups of rules")
	}
	if o.routes && (o.rules%ways != 0 || o.rules > 20) {
		return errors.New("with -routes, rules is 5, 10, 15 or 20")
	}
	if _, err := o.firings(); err != nil {
		return err
	}
	return nil
}

func (o *options) firings() ([]int, error) {
	var out []int
	for text := range strings.SplitSeq(o.firing, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-firing: %q is no number of groups", text)
		}
		out = append(out, min(n, o.groups))
	}
	return out, nil
}

func run(ctx context.Context, o options, out io.Writer) error {
	s, err := server.Build()
	if err != nil {
		return err
	}
	defer s.Remove()
	hooks, err := startChild(ctx, "receiver")
	if err != nil {
		return err
	}
	defer hooks.end()
	address, err := hooks.line()
	if err != nil {
		return err
	}
	rules := filepath.Join(filepath.Dir(s.Data), "rules.yaml")
	if err := os.WriteFile(rules, o.ruleFile(address), 0o600); err != nil {
		return err
	}
	if err := s.Start(ctx, 30*time.Second, "--step", server.Span(o.step), "--durability", o.durability, "--rules", rules,
		"--egress-allow", "127.0.0.0/8", "--new-series-rate", "1000000"); err != nil {
		return err
	}
	if o.routes {
		if err := o.silence(s.URL); err != nil {
			return err
		}
	}
	senders, err := startChild(ctx, "publishers", "-target", s.URL, "-groups", strconv.Itoa(o.groups), "-series", strconv.Itoa(o.series),
		"-publishers", strconv.Itoa(o.publishers), "-rules", strconv.Itoa(o.rules))
	if err != nil {
		return err
	}
	defer senders.end()
	fmt.Fprintf(out, "%d series of %d publishers, %d groups of %d rules, step %s, %s, %s, routes %t\n", o.series, o.publishers, o.groups, o.rules, o.step, o.durability, o.detector, o.routes)
	w := &watch{options: o, server: s, senders: senders, hooks: hooks, out: out}
	if err := w.alone(address); err != nil {
		return err
	}
	return w.run(ctx)
}

// ruleFile is the rules, each of which notifies a receiver at address, or leaves that to
// routes.
func (o *options) ruleFile(address string) []byte {
	var b strings.Builder
	b.WriteString("rules:\n")
	receivers := min(o.rules, 20)
	notify := func(name string) string {
		if o.routes {
			return ""
		}
		return ", notify: [" + name + "]"
	}
	for i := range o.rules {
		fmt.Fprintf(&b, "  - {id: r%d, expr: 'name,starts,:eq,rule,r%d,:eq,:and,:sum,(,group,host,),:by', detector: %s, flap: 'off', severity: page%s}\n", i, i, o.detector, notify(fmt.Sprintf("w%d", i%receivers)))
	}
	fmt.Fprintf(&b, "  - {id: after, expr: 'name,starts,:eq,rule,after,:eq,:and,:sum,(,group,),:by', detector: {kind: static, below: %d}, flap: 'off', severity: page%s}\n", usualValue*o.publishers/2, notify("after"))
	fmt.Fprintf(&b, "receivers:\n  - {name: after, kind: webhook, url: 'http://%s/after'}\n", address)
	for i := range receivers {
		format := ""
		if o.routes && i%ways == wayGrouped {
			format = ", format: alertmanager"
		}
		fmt.Fprintf(&b, "  - {name: w%d, kind: webhook, url: 'http://%s/%d'%s}\n", i, address, i, format)
	}
	if o.routes {
		b.WriteString(o.routing(receivers))
	}
	return []byte(b.String())
}

// child is another process of this program, spoken to in lines.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChild(ctx context.Context, role string, flags ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, append([]string{"-role", role}, flags...)...)}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(stdout)
	return c, c.cmd.Start()
}

// line returns the next line that the child says.
func (c *child) line() (string, error) {
	if !c.out.Scan() {
		return "", fmt.Errorf("%s ended: %w", c.cmd.Args[2], errors.Join(c.out.Err(), io.ErrUnexpectedEOF))
	}
	return c.out.Text(), nil
}

func (c *child) end() {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// profile keeps a CPU profile of the server over the given time.
func profile(url, file string, d time.Duration) error {
	client := &fasthttp.Client{ReadTimeout: d + time.Minute}
	code, body, err := client.Get(nil, url+"/debug/pprof/profile?seconds="+strconv.Itoa(int(d.Seconds())))
	if err != nil || code != fasthttp.StatusOK {
		return fmt.Errorf("profile: status %d: %w", code, err)
	}
	return os.WriteFile(file, body, 0o600)
}
