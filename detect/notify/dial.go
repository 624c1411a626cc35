package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"pulse/store/clock"
)

const (
	connectStagger = 300 * time.Millisecond // until the next address of a name is tried beside the one before
	maxAddresses   = 16                     // of a name that are tried
)

// dialer connects to what a guard lets through. A name is looked up once, every
// address that it has is judged, and only these are connected to: a name with one
// closed address is closed. It is safe for concurrent use.
type dialer struct {
	guard    *guard
	resolver Resolver
	clock    clock.Clock
	roots    *x509.CertPool // nil is the system's
}

// dialer connects under a guard.
func (s *Service) dialer(g *guard) *dialer { return &dialer{g, s.o.Resolver, s.o.Clock, s.o.RootCAs} }

// attemptKey finds the context of an attempt in the one that net/http dials with,
// which never ends: without it, whoever does not answer a handshake keeps the
// connection for good.
type attemptKey struct{}

// bound has dials for a request end with ctx.
func bound(ctx context.Context) context.Context { return context.WithValue(ctx, attemptKey{}, ctx) }

func boundOf(ctx context.Context) context.Context {
	if attempt, ok := ctx.Value(attemptKey{}).(context.Context); ok {
		return attempt
	}
	return ctx
}

// transport returns the client that deliveries go through. It keeps no connection, so
// that every delivery is judged, and what a receiver says unasked is read by nobody.
func (d *dialer) transport() *http.Transport {
	return &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		DisableCompression:     true,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// dial connects to `host:port`. Errors are *EgressError when nothing was sent because
// of the guard.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx = boundOf(ctx)
	host, digits, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &EgressError{address, "not an address and port"}
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, &EgressError{address, "not an address and port"}
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	for _, addr := range addrs {
		if err := d.guard.address(addr, uint16(port)); err != nil {
			return nil, err
		}
	}
	return d.race(ctx, addrs[:min(len(addrs), maxAddresses)], uint16(port))
}

// lookup returns the addresses of a host, one at least.
func (d *dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := within(ctx, d.clock, connectTimeout)
	defer cancel()
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", host)
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return nil, &net.DNSError{Err: "no answer in time", Name: host, IsTimeout: true}
	case err != nil:
		return nil, err
	case len(addrs) == 0:
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	out := make([]netip.Addr, len(addrs))
	for i, addr := range addrs {
		out[i] = addr.Unmap()
	}
	return out, nil
}

// race connects to the first address that answers; each is tried when the one before
// has failed, or has said nothing for a moment.
func (d *dialer) race(ctx context.Context, addrs []netip.Addr, port uint16) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came := make(chan result, len(addrs))
	next, waiting := 0, 0
	try := func() {
		if next == len(addrs) {
			return
		}
		address := netip.AddrPortFrom(addrs[next], port).String()
		next, waiting = next+1, waiting+1
		go func() {
			conn, err := d.guard.dialer().DialContext(ctx, "tcp", address)
			came <- result{conn, err}
		}()
	}
	var first error
	for try(); waiting > 0; {
		var late <-chan time.Time
		if next < len(addrs) {
			late = d.clock.After(connectStagger)
		}
		select {
		case <-late:
			try()
		case r := <-came:
			waiting--
			if r.err == nil {
				go func() {
					for range waiting {
						if late := <-came; late.conn != nil {
							late.conn.Close()
						}
					}
				}()
				return r.conn, nil
			}
			if first == nil {
				first = r.err
			}
			try()
		}
	}
	return nil, first
}

// dialTLS connects and encrypts.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	ctx = boundOf(ctx)
	raw, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		raw.Close()
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: d.roots, MinVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}
