// Package web is Pulse's HTTP face: the one importer of fasthttp's server.
//
// Every route stands in the table of routes.go. A request passes, in this
// order, the framing check, the Host and browser checks, the route's body
// rule, and its handler, all inside one recover. Handlers are thin: they read
// parameters, call the package that knows, and render. Nothing of a fasthttp
// context outlives its handler; a stream writes through a copy of what it needs.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/ingest"
	"pulse/query"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/clock"
	"pulse/web/token"
)

// Options are what the server serves and within which limits. Zero numbers
// mean the default in brackets.
type Options struct {
	Store    *store.Store
	Pipeline *ingest.Pipeline
	Query    *query.Engine
	Hub      *stream.Hub
	Detect   *detect.Engine
	Notify   *notify.Service
	Clock    clock.Clock
	Log      zerolog.Logger
	Memory   *budget.Memory // parts of the memory; nil: no limits beyond those below

	Zone    *time.Location                                   // of graphs and of dates without a zone [UTC]
	Hosts   []string                                         // names besides the loopback ones under which the server may be called
	AnyHost bool                                             // for binds that are not loopback: any address is a good Host, and without Hosts any name
	Origins []string                                         // origins such as https://wiki.example whose pages may use the API; none else may
	Version string                                           // shown by status
	Backup  func(context.Context) (folder string, err error) // copies the data folder; nil without one
	Reload  func() error                                     // re-reads rules, tokens and certificates; nil when there are none

	LastReload func() Reload // how that went; nil when there is nothing to reload
	Loaded     func() bool   // the rule files have been read; nil: there are none

	Tokens func() *token.Set  // the tokens as they are now; nil, or a nil list, asks nobody for one
	TLS    func() *tls.Config // how a new connection is encrypted; nil does not

	MaxBody         int           // bytes on the wire [8 MiB]
	MaxImportBody   int           // the same of an import [32 MiB]
	MaxBodies       int           // bytes of all bodies being received and handled; small ones do not count [256 MiB, at least the two above]
	MaxHeader       int           // bytes of request line and headers [16 KiB]
	HeaderTimeout   time.Duration // to receive the headers [5 s]
	RequestTimeout  time.Duration // to receive the body after them [10 s]
	WriteTimeout    time.Duration // to take an answer, or one flush of a stream [15 s]
	IdleTimeout     time.Duration // between requests of a connection [60 s]
	MaxConns        int           // connections in all [4096]
	MaxConnsPerAddr int           // connections of one address [1024]
	Queries         int           // queries at once [2 × cores]
	QueryQueue      int           // queries waiting [64]
	QueryWait       time.Duration // how long they wait [2 s]
	QueryTimeout    time.Duration // how long one runs [10 s]
	BacktestTimeout time.Duration // how long a back-test runs [30 s]
	ProfileTime     time.Duration // of a CPU profile that names none [30 s]
	Streams         int           // event streams at once [256]
	MaxAnswer       int           // bytes of a query's answer [32 MiB]
}

func (o *Options) setDefaults() {
	number := func(p *int, def int) {
		if *p == 0 {
			*p = def
		}
	}
	duration := func(p *time.Duration, def time.Duration) {
		if *p == 0 {
			*p = def
		}
	}
	number(&o.MaxBody, 8<<20)
	number(&o.MaxImportBody, 32<<20)
	number(&o.MaxBodies, max(256<<20, o.MaxBody, o.MaxImportBody))
	number(&o.MaxHeader, 16<<10)
	duration(&o.HeaderTimeout, 5*time.Second)
	duration(&o.RequestTimeout, 10*time.Second)
	duration(&o.WriteTimeout, 15*time.Second)
	duration(&o.IdleTimeout, 60*time.Second)
	number(&o.MaxConns, 4096)
	number(&o.MaxConnsPerAddr, 1024)
	number(&o.Queries, 2*runtime.GOMAXPROCS(0))
	number(&o.QueryQueue, 64)
	duration(&o.QueryWait, 2*time.Second)
	duration(&o.QueryTimeout, 10*time.Second)
	duration(&o.BacktestTimeout, 30*time.Second)
	duration(&o.ProfileTime, 30*time.Second)
	number(&o.Streams, 256)
	number(&o.MaxAnswer, 32<<20)
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Memory == nil {
		o.Memory = budget.Split(0)
	}
}

// Server answers HTTP. It is safe for concurrent use.
type Server struct {
	opts      Options
	http      *fasthttp.Server
	routes    *routeTable
	gate      *gate
	queries   queries
	trials    *gate // of back-tests
	bodies    *bodies
	failures  *failures
	strangers zerolog.Logger // for lines that anybody can cause
	stats     counters
	uiFiles   sync.Map // name → *uiFile
	feed      alertFeed

	stop     context.Context // ends when the server shuts down; every stream and query hangs on it
	stopFunc context.CancelFunc
	streams  sync.WaitGroup
	open     atomic.Int64 // event streams
	started  time.Time
}

// New returns a server that does not listen yet.
func New(o Options) (*Server, error) {
	o.setDefaults()
	if o.Store == nil || o.Pipeline == nil || o.Query == nil || o.Hub == nil || o.Detect == nil || o.Notify == nil || o.Clock == nil {
		return nil, errors.New("BUG: web.New needs a store, a pipeline, a query engine, a hub, a detect engine, a notify service and a clock")
	}
	received := o.Memory.Ingest.Within(int64(o.MaxBodies))
	o.MaxBody = min(o.MaxBody, int(received.Limit())) // a larger one would never get its place
	o.MaxImportBody = min(o.MaxImportBody, int(received.Limit()))
	s := &Server{opts: o, gate: newGate("queries", o.Queries, o.QueryQueue), failures: newFailures(), started: o.Clock.Now()}
	s.trials = newGate("back-tests", max(1, runtime.GOMAXPROCS(0)/2), o.QueryQueue)
	s.strangers = o.Log.Sample(&zerolog.BurstSampler{Burst: 10, Period: time.Second})
	s.bodies = &bodies{budget: received, free: freeBody(received.Limit(), o.MaxConns), spares: newSpares(received.Limit()), held: map[*fasthttp.RequestHeader]place{}}
	s.routes = newRouteTable(routes())
	s.stop, s.stopFunc = context.WithCancel(context.Background())
	s.http = &fasthttp.Server{
		Handler:                      s.serve,
		ErrorHandler:                 s.transportError,
		HeaderReceived:               s.headerReceived,
		ExpectHandler:                s.expect,
		Name:                         "pulse",
		ReadBufferSize:               o.MaxHeader,
		MaxRequestBodySize:           o.MaxBody,
		ReadTimeout:                  o.HeaderTimeout,
		IdleTimeout:                  o.IdleTimeout,
		Concurrency:                  o.MaxConns,
		DisablePreParseMultipartForm: true,
		NoDefaultDate:                true,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		Logger:                       transportLog{o.Log},
	}
	return s, nil
}

// Serve answers connections of ln until Shutdown; it then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	limited := limitPerAddress(ln, s.opts.MaxConnsPerAddr, s.opts.TLS)
	defer context.AfterFunc(s.stop, func() { _ = limited.Close() })() // a shutdown may come before fasthttp knows of it
	if err := s.http.Serve(limited); err != nil {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown stops listening, ends the event streams, lets the requests in
// flight finish until ctx ends, and returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopFunc()
	err := s.http.ShutdownWithContext(ctx)
	done := make(chan struct{})
	go func() { s.streams.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// headerReceived sets the deadlines of one request: the rest of it, and its
// answer unless the route streams (a stream sets one per flush). It also takes
// the place that the body needs.
func (s *Server) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	c := fasthttp.RequestConfig{ReadTimeout: s.opts.RequestTimeout, WriteTimeout: s.opts.WriteTimeout}
	rt := s.routeOf(h)
	if rt != nil && rt.streams {
		c.WriteTimeout = 0
	}
	c.MaxRequestBodySize = s.bodyLimit(rt)
	if s.turnedAway(rt, h) || !expectsContinue(h) && !s.bodies.enter(h, announced(h, c.MaxRequestBodySize)) {
		c.MaxRequestBodySize = 1 // transportError says why
	}
	return c
}

// serve is every request's way in.
func (s *Server) serve(c *fasthttp.RequestCtx) {
	defer func() {
		if p := recover(); p != nil {
			s.stats.panics.Add(1)
			s.opts.Log.Error().Str("path", string(c.Path())).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("request failed")
			c.Response.Reset()
			startAnswer(c)
			writeError(c, fasthttp.StatusInternalServerError, "internal error; the server's log has the details")
		}
		s.stats.request(c.Response.StatusCode())
		s.bodies.leave(c)
	}()
	startAnswer(c)
	if err := checkFraming(&c.Request.Header); err != nil {
		closeAfter(c)
		writeError(c, statusOf(err), err.Error())
		return
	}
	if !s.hostAllowed(string(c.Host())) {
		writeError(c, fasthttp.StatusForbidden, fmt.Sprintf("Host %q is not a name of this server; call it by its address, or name it with --host", clip(string(c.Host()), 100)))
		return
	}
	s.allowOrigin(c)
	rt, vars, allowed := s.routes.find(string(c.Method()), string(c.Path()))
	if rt == nil {
		s.noRoute(c, allowed)
		return
	}
	sender, err := s.admit(rt, &c.Request.Header, c.RemoteAddr())
	if err != nil {
		s.refuse(c, err)
		return
	}
	if rt.maxBody > 0 && len(c.PostBody()) > rt.maxBody { // the path was spelt in a way that headerReceived does not know
		writeError(c, fasthttp.StatusRequestEntityTooLarge, "body is larger than the limit of "+strconv.Itoa(rt.maxBody)+" bytes")
		return
	}
	if err := s.checkBrowser(rt, c); err != nil {
		s.refuse(c, err)
		return
	}
	if rt.class != watches && rt.class != inspects && !s.opts.Store.Health().Ready {
		s.refuse(c, errLoading)
		return
	}
	rt.handle(s, &request{ctx: c, vars: vars, token: sender})
}

func (s *Server) noRoute(c *fasthttp.RequestCtx, allowed string) {
	if allowed == "" {
		writeError(c, fasthttp.StatusNotFound, "path not found: "+clip(string(c.Path()), 200))
		return
	}
	if s.preflight(c, allowed) {
		return
	}
	c.Response.Header.Set("Allow", allowed)
	writeError(c, fasthttp.StatusMethodNotAllowed, fmt.Sprintf("method %s is not allowed for %s, only %s", clip(string(c.Method()), 20), clip(string(c.Path()), 200), allowed))
}

// startAnswer sets what every answer has.
func startAnswer(c *fasthttp.RequestCtx) {
	c.Response.Header.Set("X-Content-Type-Options", "nosniff")
	c.Response.Header.Set("Referrer-Policy", "no-referrer")
}

// transportLog carries fasthttp's own messages into the server's log.
type transportLog struct{ log zerolog.Logger }

func (l transportLog) Printf(format string, args ...any) {
	for i, arg := range args {
		if err, ok := arg.(error); ok { // from the first quote on it is what somebody sent
			args[i], _, _ = strings.Cut(err.Error(), `"`)
		}
	}
	l.log.Debug().Str("component", "http").Msg(fmt.Sprintf(format, args...))
}
