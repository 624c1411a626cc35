package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// EgressError is a refusal to send to an address.
type EgressError struct {
	Target string // host or address and port, as refused
	Reason string
}

func (e *EgressError) Error() string { return "egress to " + e.Target + " refused: " + e.Reason }

// allowHint ends every refusal that an operator can lift.
const allowHint = "; --egress-allow CIDR opens a range"

// never ends the others.
const never = ", which --egress-allow does not open"

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// guard decides which addresses may be dialled. By default these are global
// unicast addresses on port 80, 443 or 1024 and above. A prefix of allow
// opens every port of its range, save that metadata services stay closed. It
// is immutable and safe for concurrent use.
type guard struct {
	allow []netip.Prefix
	mails bool // the ports are those of mail servers
}

func newGuard(allow []netip.Prefix) *guard {
	g := &guard{}
	for _, p := range allow {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		g.allow = append(g.allow, p.Masked())
	}
	return g
}

// mail returns the guard for mail servers: its ports are 25, 465, 587 and 1024 and above.
func (g *guard) mail() *guard { return &guard{allow: g.allow, mails: true} }

// metadata are the addresses at which clouds hand out credentials: the common
// one, container and pod credentials, Alibaba, Azure, Oracle, Google, Scaleway,
// Tencent.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("169.254.170.2"), netip.MustParseAddr("169.254.170.23"), netip.MustParseAddr("fd00:ec2::23"),
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("192.0.0.192"),
	netip.MustParseAddr("fd20:ce::254"), netip.MustParseAddr("169.254.42.42"), netip.MustParseAddr("fd00:42::42"),
	netip.MustParseAddr("169.254.0.23"),
}

// denied are the IPv4 ranges that are not global unicast, and the parts of
// IPv6's global range 2000::/3 that are not. Source: the IANA special-purpose
// address registries.
var denied = []struct {
	prefix netip.Prefix
	reason string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a carrier-grade NAT address"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a protocol assignment"},
	{netip.MustParsePrefix("192.0.2.0/24"), "a documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "a benchmarking address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "a documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "a documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},
	{netip.MustParsePrefix("2001::/23"), "a protocol assignment"},
	{netip.MustParsePrefix("2001:db8::/32"), "a documentation address"},
	{netip.MustParsePrefix("2002::/16"), "a translated form of an IPv4 address"},
	{netip.MustParsePrefix("3fff::/20"), "a documentation address"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("::/128"), "an unspecified address"},
	{netip.MustParsePrefix("64:ff9b::/96"), "a translated form of an IPv4 address"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a translated form of an IPv4 address"},
	{netip.MustParsePrefix("fc00::/7"), "a private address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
}

// global is the part of IPv6 that is handed out as global unicast.
var global = netip.MustParsePrefix("2000::/3")

// address judges one address and port.
func (g *guard) address(addr netip.Addr, port uint16) error {
	target := netip.AddrPortFrom(addr, port).String()
	refuse := func(reason string) error { return &EgressError{target, reason} }
	if !addr.IsValid() || port == 0 {
		return refuse("not an address and port")
	}
	if addr.Zone() != "" {
		return refuse("an address with a zone" + never)
	}
	if addr.Is4In6() {
		return refuse("an IPv4-mapped form; write the IPv4 address" + allowHint)
	}
	for _, inner := range embedded(addr) {
		for _, m := range metadata {
			if inner == m {
				return refuse("a metadata service" + never)
			}
		}
	}
	for _, p := range g.allow {
		if p.Contains(addr) {
			return nil
		}
	}
	for _, d := range denied {
		if d.prefix.Contains(addr) {
			return refuse(d.reason + allowHint)
		}
	}
	if addr.Is6() && !global.Contains(addr) {
		return refuse("not a global address" + allowHint)
	}
	if !g.openPort(port) {
		return refuse(g.portReason())
	}
	return nil
}

// embedded returns addr and every IPv4 address that it may be a form of: mapped,
// compatible, NAT64 with each length of prefix (RFC 6052), 6to4, Teredo, ISATAP. More
// than needed may come back, since it is only used to refuse.
func embedded(addr netip.Addr) []netip.Addr {
	if addr.Is4() {
		return []netip.Addr{addr}
	}
	b := addr.As16()
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	teredo := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
	return []netip.Addr{addr, v4(12, 13, 14, 15), v4(2, 3, 4, 5), v4(4, 5, 6, 7), v4(5, 6, 7, 9), v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12), teredo}
}

// control is a net.Dialer hook: it sees the address that is about to be
// dialled, after every look-up, so that no answer of a name server passes
// unseen.
func (g *guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &EgressError{address, "not TCP"}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &EgressError{address, "not an address and port"}
	}
	return g.address(ap.Addr(), ap.Port())
}

// parse judges the text of a URL. An address in it is judged at once; for a
// name, host is returned and its addresses remain to be judged.
func (g *guard) parse(text string) (host string, port uint16, err error) {
	if len(text) > 2048 {
		return "", 0, errors.New("url: longer than 2048 bytes")
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", 0, errors.New("url: not a valid URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", 0, errors.New("url: must begin with http:// or https://")
	}
	if u.User != nil {
		return "", 0, errors.New("url: user information is not allowed; use a secret")
	}
	if u.Opaque != "" || u.Hostname() == "" {
		return "", 0, errors.New("url: has no host")
	}
	port, err = portOf(u)
	if err != nil {
		return "", 0, err
	}
	host = u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		return "", port, g.address(addr, port)
	}
	if strings.Contains(u.Host, "[") {
		return "", 0, errors.New("url: not an IPv6 address between brackets")
	}
	host, err = cleanName(host)
	if err != nil {
		return "", 0, &EgressError{u.Host, err.Error()}
	}
	if len(g.allow) == 0 && !g.openPort(port) { // an allowed range may open any port of what the name stands for
		return "", 0, &EgressError{u.Host, g.portReason()}
	}
	return host, port, nil
}

func (g *guard) portReason() string {
	if g.mails {
		return "port must be 25, 465, 587 or at least 1024" + allowHint
	}
	return "port must be 80, 443 or at least 1024" + allowHint
}

func (g *guard) openPort(port uint16) bool {
	switch port {
	case 80, 443:
		return !g.mails
	case 25, 465, 587:
		return g.mails
	}
	return port >= 1024
}

// checkHost judges `host:port` as check does a URL.
func (g *guard) checkHost(ctx context.Context, text string, resolver Resolver) error {
	host, digits, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return errors.New("smarthost: want host:port")
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return errors.New("smarthost: port must be 1 to 65535")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.address(addr, uint16(port))
	}
	name, err := cleanName(host)
	if err != nil {
		return &EgressError{text, err.Error()}
	}
	if len(g.allow) == 0 && !g.openPort(uint16(port)) {
		return &EgressError{text, g.portReason()}
	}
	return g.checkName(ctx, name, uint16(port), resolver)
}

func portOf(u *url.URL) (uint16, error) {
	if strings.HasSuffix(u.Host, ":") {
		return 0, errors.New("url: port is empty")
	}
	text := u.Port()
	if text == "" {
		if u.Scheme == "https" {
			return 443, nil
		}
		return 80, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, errors.New("url: port must be 1 to 65535")
	}
	return uint16(port), nil
}

// cleanName returns a DNS name in lower case without its final dot. Names
// whose last label is a number are refused: they are odd spellings of
// addresses (127.1, 0x7f000001, 2130706433, 0177.0.0.1), which resolvers read
// in different ways.
func cleanName(name string) (string, error) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if len(name) == 0 || len(name) > 253 {
		return "", errors.New("a host name has 1 to 253 characters")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if len(label) == 0 || len(label) > 63 {
			return "", errors.New("a label of a host name has 1 to 63 characters")
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return "", errors.New("a host name has letters, digits, - and _ only (write others as xn--)" + allowHint)
			}
		}
	}
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "", errors.New("an odd spelling of an address; write four decimal numbers" + allowHint)
	}
	return name, nil
}

// check judges a URL when a receiver is created: its text, and every address
// that its name has now. A name that cannot be looked up passes, since it is
// judged again at every delivery.
func (g *guard) check(ctx context.Context, text string, resolver Resolver) error {
	host, port, err := g.parse(text)
	if err != nil || host == "" {
		return err
	}
	return g.checkName(ctx, host, port, resolver)
}

// checkName judges every address that a name has now.
func (g *guard) checkName(ctx context.Context, host string, port uint16, resolver Resolver) error {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		v4 := g.address(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
		v6 := g.address(netip.IPv6Loopback(), port)
		if v4 == nil || v6 == nil {
			return nil
		}
		return v4
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		if err := g.address(addr.Unmap(), port); err != nil {
			return fmt.Errorf("%s: %w", host, err)
		}
	}
	return nil
}

// dialer returns a dialer whose every connection the guard has judged.
func (g *guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, ControlContext: g.control}
}
