package web

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// once lists the headers that decide framing, routing or trust: a second one
// would let two readers of the request disagree.
var once = []string{"host", "content-length", "transfer-encoding", "content-encoding", "authorization", "idempotency-key"}

// maxHeaders is how many header lines a request may have.
const maxHeaders = 100

// checkFraming refuses requests whose headers could be read in two ways.
func checkFraming(h *fasthttp.RequestHeader) error {
	if v := string(h.Protocol()); v != "HTTP/1.1" && v != "HTTP/1.0" {
		return badRequest("protocol is " + strconv.Quote(clip(v, 20)) + ", must be HTTP/1.1")
	}
	var seen [8]int
	lines := 0
	for rest := h.RawHeaders(); len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if len(bytes.TrimRight(line, "\r")) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if lines++; lines > maxHeaders {
			return &statusError{fasthttp.StatusRequestHeaderFieldsTooLarge, "more than " + strconv.Itoa(maxHeaders) + " headers"}
		}
		if bytes.ContainsAny(name, " \t\r") { // also a line that goes on with the one before
			return badRequest("a header line is folded, or its name has a blank")
		}
		for i, want := range once {
			if len(name) == len(want) && strings.EqualFold(string(name), want) {
				if seen[i]++; seen[i] > 1 {
					return badRequest("header " + want + " is sent more than once")
				}
				if want == "transfer-encoding" && !strings.EqualFold(string(bytes.TrimSpace(value)), "chunked") {
					return badRequest("transfer-encoding is " + strconv.Quote(clip(string(bytes.TrimSpace(value)), 40)) + ", must be chunked")
				}
			}
		}
	}
	if seen[1] > 0 && seen[2] > 0 {
		return badRequest("both content-length and transfer-encoding are sent")
	}
	if len(h.Host()) == 0 {
		return badRequest("header host is missing")
	}
	return nil
}

// hostAllowed guards against pages that rebind their name to this server's
// address, which is how they would reach a server on loopback. A bind to other
// addresses has any address for a good Host, since an address is not looked up,
// and any name while none is configured.
func (s *Server) hostAllowed(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" || s.opts.AnyHost && len(s.opts.Hosts) == 0 {
		return true
	}
	if ip := net.ParseIP(name); ip != nil {
		return s.opts.AnyHost || ip.IsLoopback()
	}
	for _, h := range s.opts.Hosts {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return false
}

// checkBrowser applies the rules for requests that a page may have caused:
// ingest and profiles refuse cross-site ones only; everything else that changes
// state wants JSON and the same origin. A configured origin is as good as the same.
func (s *Server) checkBrowser(rt *route, c *fasthttp.RequestCtx) error {
	if rt.class <= watches && !rt.streams { // a stream holds a place for as long as a page likes
		return nil
	}
	site, origin := string(c.Request.Header.Peek("Sec-Fetch-Site")), string(c.Request.Header.Peek("Origin"))
	if !slices.Contains(s.opts.Origins, origin) {
		crossSite := site == "cross-site" || (rt.class == changes && site == "same-site")
		if crossSite || origin != "" && !sameHost(origin, string(c.Host())) {
			return &statusError{fasthttp.StatusForbidden, "cross-site requests from a browser are refused"}
		}
	}
	if rt.class == changes && (len(c.PostBody()) > 0 || string(c.Method()) != fasthttp.MethodDelete) {
		kind, _, _ := strings.Cut(string(c.Request.Header.ContentType()), ";")
		if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
			return &statusError{fasthttp.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type is %q, must be application/json", clip(kind, 60))}
		}
	}
	return nil
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, host)
}
