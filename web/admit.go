package web

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/web/token"
)

// nobody is the sender while no tokens are configured, and of open routes.
var nobody token.Token

// tokens returns the list of tokens, nil while none is configured and nobody
// is asked who they are.
func (s *Server) tokens() *token.Set {
	if s.opts.Tokens == nil {
		return nil
	}
	return s.opts.Tokens()
}

// admit returns the request's token when that may use the route,
// and otherwise why not: 401 without a word more, 403 for a token without the
// scope, 429 for an address that has failed too often. A valid token is let in
// however often others at its address fail.
func (s *Server) admit(rt *route, h *fasthttp.RequestHeader, from net.Addr) (token.Token, error) {
	t, err := s.identify(rt, h)
	if err != nil {
		err = s.countRefusal(err, from)
	}
	return t, err
}

// Refusals of identify. The two of status 401 say the same, and nothing that
// would help to guess.
var (
	errNoToken      = &statusError{fasthttp.StatusUnauthorized, "unauthorized"}
	errUnknownToken = &statusError{fasthttp.StatusUnauthorized, "unauthorized"}
)

// identify is admit without counting.
func (s *Server) identify(rt *route, h *fasthttp.RequestHeader) (token.Token, error) {
	set := s.tokens()
	if set == nil || rt.scope == open {
		return nobody, nil
	}
	sent := h.Peek("Authorization")
	if len(sent) == 0 {
		return nobody, errNoToken
	}
	t, known := set.Find(sent)
	if !known {
		return nobody, errUnknownToken
	}
	if t.Scopes&rt.scope == 0 {
		return nobody, &statusError{fasthttp.StatusForbidden, "this token lacks the scope " + rt.scope.String()}
	}
	return t, nil
}

// stillAllowed reports whether a sender that was let in before would be now: its
// token may have been revoked meanwhile.
func (s *Server) stillAllowed(t token.Token, scope token.Scope) bool {
	set := s.tokens()
	return set == nil || set.Allows(t, scope)
}

// countRefusal counts a refusal of identify for the address and returns the one
// to answer with.
func (s *Server) countRefusal(err error, from net.Addr) error {
	if statusOf(err) == fasthttp.StatusForbidden {
		s.stats.forbidden.Add(1)
		return err
	}
	s.stats.unauthorized.Add(1)
	if err == errUnknownToken && !s.failures.take(from, s.opts.Clock.Now()) {
		s.strangers.Warn().Str("address", from.String()).Msg("too many unknown tokens from an address; its failures are answered with 429")
		return &statusError{fasthttp.StatusTooManyRequests, "too many requests without a valid token"}
	}
	return err
}

// operator reports whether the request may do what only who runs the server
// may: with the token that the route wants, or from this host while there are
// no tokens. Otherwise it answers.
func (s *Server) operator(r *request) bool {
	if s.tokens() != nil || r.loopback() {
		return true
	}
	r.failWith(fasthttp.StatusForbidden, "allowed from the loopback interface only, or with a token of the scope admin once the server has --tokens")
	return false
}

// refuse answers a request that admit or a check like it does not let in.
func (s *Server) refuse(c *fasthttp.RequestCtx, err error) {
	if statusOf(err) == fasthttp.StatusUnauthorized {
		c.Response.Header.Set("WWW-Authenticate", "Bearer")
	}
	writeError(c, statusOf(err), err.Error())
}

// failures bounds how many wrong tokens an address may send: a burst, and then
// some per second. The table is bounded too; addresses that find no place in
// it share one allowance.
type failures struct {
	burst, perSecond float64
	most             int // addresses

	mu    sync.Mutex
	seen  map[netip.Addr]allowance
	swept time.Time
}

type allowance struct {
	left float64
	at   time.Time // when left was true
}

const (
	failureBurst     = 100
	failurePerSecond = 1
	failureAddresses = 4096
)

func newFailures() *failures {
	return &failures{burst: failureBurst, perSecond: failurePerSecond, most: failureAddresses, seen: map[netip.Addr]allowance{}}
}

// take counts one failure and reports whether the address may have it.
func (f *failures) take(from net.Addr, now time.Time) bool {
	key := network(from)
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.seen[key]
	if !ok {
		if len(f.seen) >= f.most {
			f.sweep(now)
		}
		if len(f.seen) >= f.most {
			key = netip.Addr{} // the one allowance of all who came too late
			a, ok = f.seen[key]
		}
		if !ok {
			a = allowance{f.burst, now}
		}
	}
	a.left = min(f.burst, a.left+f.perSecond*max(0, now.Sub(a.at).Seconds()))
	a.at = now
	ok = a.left >= 1
	if ok {
		a.left--
	}
	f.seen[key] = a
	return ok
}

// sweep forgets who has a full allowance again, at most once a second.
func (f *failures) sweep(now time.Time) {
	if now.Sub(f.swept) < time.Second {
		return
	}
	f.swept = now
	for key, a := range f.seen {
		if a.left+f.perSecond*now.Sub(a.at).Seconds() >= f.burst {
			delete(f.seen, key)
		}
	}
}

// network is what counts as one address: for IPv6 the /64, which one customer has.
func network(from net.Addr) netip.Addr {
	tcp, ok := from.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 fits
		return p.Addr()
	}
	return a
}
