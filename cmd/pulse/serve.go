package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"pulse/detect"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/step"
)

// serveCmd holds the server's flags; each is also a key of the configuration
// file and a PULSE_* variable.
type serveCmd struct {
	Config      kong.ConfigFlag `name:"config" help:"YAML file whose keys are these flags." placeholder:"FILE"`
	CheckConfig bool            `name:"check-config" help:"Print the effective values as a configuration file and exit."`

	Listen         string   `name:"listen" help:"Address and port [127.0.0.1:7101]." default:"127.0.0.1:7101" placeholder:"ADDR"`
	InsecureListen bool     `name:"insecure-listen" help:"Allow an address that is not loopback without encryption or without tokens."`
	Host           []string `name:"host" help:"A further name under which the server may be called; on an address that is not loopback, none given allows every name (repeatable)." placeholder:"NAME"`
	Data           string   `name:"data" help:"Folder of the log, snapshots, archive files, rules and alert state [./pulse-data]. Empty, with --durability none: all of it ends with the server." default:"./pulse-data" placeholder:"DIR"`
	Step           span     `name:"step" help:"The primary step, 100ms to 1m [10s]." placeholder:"D"`
	Tiers          tiers    `name:"tiers" help:"Steps and how long values are kept at each, the primary first [10s:2d,1m:35d,1h:400d]." placeholder:"S:R,..."`
	Durability     string   `name:"durability" help:"What an acknowledged publish survives. sync: a loss of power; interval: the end of the process, and a loss of power but for the last --sync-every; none: what the last snapshot has." enum:"sync,interval,none" default:"sync"`
	SyncEvery      span     `name:"sync-every" help:"How often the log is synced with --durability interval [1s]." default:"1s" placeholder:"D"`
	SnapshotEvery  span     `name:"snapshot-every" help:"Longest time between two snapshots [5m], which bound how much of the log a start has to read; one is taken, too, when that is 64 MiB." default:"5m" placeholder:"D"`
	Memory         size     `name:"memory" help:"Memory for series, requests and queries. Default: half of what the machine or its control group has." placeholder:"BYTES"`
	QueryCache     size     `name:"query-cache" help:"Memory for aggregated columns of sealed blocks, which queries of many series find there the next time: 0 for none, at least 32MiB, and no more than an eighth of --memory." default:"64MiB" placeholder:"BYTES"`
	Disk           size     `name:"disk" help:"Disk space for log, snapshots and archive files; beyond it the oldest values of the finest tier go first. Default: half of what is free." placeholder:"BYTES"`
	MaxAge         span     `name:"max-age" help:"How far in the past a point may lie. Default: the larger of one step and min(60s, 120 steps)." placeholder:"D"`
	MaxFuture      span     `name:"max-future" help:"How far ahead of the clock a point may lie. Default: one step." placeholder:"D"`
	Grace          span     `name:"grace" help:"How long after a step's end late sources are waited for. Default: one step, at least 100ms." placeholder:"D"`
	Rules          string   `name:"rules" help:"Rule files to load at the start, when they change and on reload." placeholder:"GLOB"`
	EgressAllow    []string `name:"egress-allow" help:"Addresses otherwise closed to webhooks that are open, such as 10.0.0.0/8 or 127.0.0.1/32 (repeatable)." placeholder:"CIDR"`
	BaseURL        string   `name:"base-url" help:"How people reach this server, for links in notifications. Default: http:// and the address, or the host's name when that is every address." placeholder:"URL"`
	Timezone       string   `name:"timezone" help:"Time zone of graphs and of dates without one [UTC]." default:"UTC" placeholder:"ZONE"`
	LogFormat      string   `name:"log-format" help:"console or json." enum:"console,json" default:"console"`
	LogLevel       string   `name:"log-level" help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`

	GuardFlags `embed:""`
	LimitFlags `embed:""`
}

// LimitFlags are the limits on what clients may send and ask.
type LimitFlags struct {
	MaxBody         size `name:"max-body" group:"limits" help:"Request body on the wire." default:"8MiB"`
	MaxBodies       size `name:"max-bodies" group:"limits" help:"Request bodies being received at once, in all." default:"256MiB"`
	MaxExpanded     size `name:"max-expanded" group:"limits" help:"Request body after decompression." default:"32MiB"`
	MaxImportBody   size `name:"max-import-body" group:"limits" help:"Body of an import, on the wire and after decompression." default:"32MiB"`
	MaxRepeatable   int  `name:"max-idempotency-keys" group:"limits" help:"Requests with an Idempotency-Key that are remembered." default:"100000"`
	MaxPoints       int  `name:"max-points" group:"limits" help:"Datapoints of a request." default:"100000"`
	MaxSeries       int  `name:"max-series" group:"limits" help:"Series that are written; those that only coarser tiers still have come on top." default:"1000000"`
	NewSeriesRate   int  `name:"new-series-rate" group:"limits" help:"New series per second, after a burst of ten times as many." default:"5000"`
	MaxValuesPerKey int  `name:"max-values-per-key" group:"limits" help:"Distinct values of a tag key; a series beyond is refused." default:"200000"`
	MaxKeys         int  `name:"max-keys" group:"limits" help:"Distinct tag keys in all; a series beyond is refused." default:"10000"`
	MaxPairs        int  `name:"max-pairs" group:"limits" help:"Distinct tags in all; a series beyond is refused." default:"4000000"`
	MaxHeader       size `name:"max-header" group:"limits" help:"Request line and headers." default:"16KiB"`
	HeaderTimeout   span `name:"header-timeout" group:"limits" help:"Time to send the headers." default:"5s"`
	RequestTimeout  span `name:"request-timeout" group:"limits" help:"Time to send the body after them." default:"10s"`
	WriteTimeout    span `name:"write-timeout" group:"limits" help:"Time to take an answer, or one event of a stream." default:"15s"`
	IdleTimeout     span `name:"idle-timeout" group:"limits" help:"Time between two requests of a connection." default:"60s"`
	MaxConns        int  `name:"max-conns" group:"limits" help:"Connections in all." default:"4096"`
	MaxConnsPerAddr int  `name:"max-conns-per-address" group:"limits" help:"Connections of one address." default:"1024"`
	QueryTimeout    span `name:"query-timeout" group:"limits" help:"Time a query may run." default:"10s"`
	MaxLines        int  `name:"max-lines" group:"limits" help:"Lines of a query's answer." default:"1024"`
	MaxDatapoints   int  `name:"max-datapoints" group:"limits" help:"Datapoints a query may read." default:"20000000"`
	MaxQueryMemory  size `name:"max-query-memory" group:"limits" help:"Lines and values that a query may hold at once, fetched and computed; all queries together have a fifth of --memory." default:"64MiB"`
	MaxRuleGroups   int  `name:"max-rule-groups" group:"limits" help:"Groups that a rule may have, at most 1000000." default:"50000"`
	MaxStreams      int  `name:"max-streams" group:"limits" help:"Event streams at once." default:"256"`
}

const (
	leastMemory = 64 << 20
	leastQuery  = 1 << 20
	leastCache  = 32 << 20 // what fastcache takes once each of its parts has something
)

// Run serves until ctx ends, and then shuts down in order.
func (c *serveCmd) Run(ctx context.Context, e *env) error {
	if err := c.complete(); err != nil {
		return err
	}
	if c.CheckConfig {
		return printConfig(e.stdout, c)
	}
	log := c.logger(e)
	stdlog.SetFlags(0)
	stdlog.SetOutput(libraries{log})
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	s, err := c.start(ctx, ln, realClock{}, log)
	if err != nil {
		if failed := ln.Close(); !errors.Is(failed, net.ErrClosed) { // as it is when it was served already
			err = errors.Join(err, failed)
		}
		return err
	}
	log.Info().Str("url", c.scheme()+ln.Addr().String()+"/").Stringer("tiers", c.Tiers).Str("durability", c.Durability).Msg("serving")
	if !c.loopback() {
		c.warnOpen(log)
	}
	return s.wait()
}

// complete checks the flags against each other and fills in what depends on
// others.
func (c *serveCmd) complete() error {
	switch {
	case len(c.Tiers) == 0 && c.Step == 0:
		c.Tiers = defaultTiers()
	case len(c.Tiers) == 0:
		c.Tiers = tiersFrom(c.Step)
	case c.Step != 0 && c.Step != c.Tiers[0].step:
		return fmt.Errorf("--step %s and --tiers %s disagree on the primary step", c.Step, c.Tiers)
	}
	c.Step = c.Tiers[0].step
	if !step.ValidPrimary(c.Step.ms()) {
		return fmt.Errorf("--step %s must be 100ms, 500ms, 1s, 2s, 3s, 4s, 5s, 6s, 10s, 12s, 15s, 20s, 30s or 1m", c.Step)
	}
	if err := c.storeOptions(budget.Split(0)).Check(); err != nil {
		return err
	}
	if c.Memory == 0 {
		host, err := budget.Host(os.DirFS("/"))
		if err != nil {
			return fmt.Errorf("--memory is not given, and what the machine has cannot be read: %w", err)
		}
		c.Memory = size(host / 2)
	}
	if c.Memory < leastMemory {
		return fmt.Errorf("--memory %s is less than %s", c.Memory, size(leastMemory))
	}
	if c.QueryCache > 0 && c.QueryCache < leastCache {
		return fmt.Errorf("--query-cache %s must be 0 or at least %s", c.QueryCache, size(leastCache))
	}
	if c.MaxQueryMemory < leastQuery {
		return fmt.Errorf("--max-query-memory %s is less than %s", c.MaxQueryMemory, size(leastQuery))
	}
	if c.Data == "" && c.Durability != store.None.String() {
		return fmt.Errorf("--data is empty, which --durability %s cannot do without; give it a folder or add --durability none", c.Durability)
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("--listen %q is not address:port, such as 127.0.0.1:7101", c.Listen)
	}
	if err := c.GuardFlags.check(); err != nil {
		return err
	}
	if !c.loopback() && !c.InsecureListen && !(c.encrypts() && c.hasTokens()) {
		return fmt.Errorf("--listen %s is not a loopback address; give --tls-cert, --tls-key and --tokens, or add --insecure-listen to serve it without", c.Listen)
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		return fmt.Errorf("--timezone: %w", err)
	}
	if _, err := c.egress(); err != nil {
		return err
	}
	return c.checkNames()
}

// checkNames checks how people reach the server, and the limits.
func (c *serveCmd) checkNames() error {
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		return errors.New("--base-url is not a URL such as https://pulse.example.com, without user and password")
	}
	for _, name := range c.Host {
		if name == "" || strings.ContainsAny(name, "/:@ ") {
			return fmt.Errorf("--host %q is not a name such as pulse.example.com, without scheme and port", name)
		}
	}
	return c.LimitFlags.check()
}

// check refuses limits that let nothing pass.
func (l *LimitFlags) check() error {
	v := reflect.ValueOf(*l)
	for i := range v.NumField() {
		if f := v.Field(i); f.Int() <= 0 {
			return fmt.Errorf("--%s %v must be more than 0", v.Type().Field(i).Tag.Get("name"), f.Interface())
		}
	}
	if l.MaxRuleGroups > detect.MaxRuleGroups {
		return fmt.Errorf("--max-rule-groups %d is more than %d", l.MaxRuleGroups, detect.MaxRuleGroups)
	}
	return nil
}

// loopback reports whether only this host can reach the address.
func (c *serveCmd) loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *serveCmd) egress() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.EgressAllow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("--egress-allow %q is not an address range such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (c *serveCmd) logger(e *env) zerolog.Logger {
	level, _ := zerolog.ParseLevel(c.LogLevel)
	log := zerolog.New(e.stderr)
	if c.LogFormat == "console" {
		f, isFile := e.stderr.(*os.File)
		color := isFile && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(f)
		log = zerolog.New(zerolog.ConsoleWriter{Out: e.stderr, NoColor: !color, TimeFormat: "15:04:05.000"})
	}
	return log.Level(level).With().Timestamp().Logger()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// base is how links in notifications begin. A server that listens on every
// address is reached by name.
func (c *serveCmd) base(ln net.Listener) string {
	if c.BaseURL != "" {
		return strings.TrimRight(c.BaseURL, "/")
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return c.scheme() + ln.Addr().String()
	}
	name, err := os.Hostname()
	if len(c.Host) > 0 {
		name = c.Host[0]
	} else if err != nil {
		name = "localhost"
	}
	return c.scheme() + net.JoinHostPort(name, strconv.Itoa(addr.Port))
}

func (c *serveCmd) scheme() string {
	if c.encrypts() {
		return "https://"
	}
	return "http://"
}

// warnOpen says what a server that others can reach does without.
func (c *serveCmd) warnOpen(log zerolog.Logger) {
	warn := func(text string) { log.Warn().Str("listen", c.Listen).Msg(text) }
	switch {
	case !c.hasTokens():
		warn("anybody who reaches this address can read and change everything: there are no --tokens")
	case !c.encrypts():
		warn("tokens and data can be read on their way: there is no --tls-cert")
	}
}
