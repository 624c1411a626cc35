package notify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// offline is a resolver of the names in it.
type offline map[string][]string

func (o offline) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, text := range o[host] {
		out = append(out, netip.MustParseAddr(text))
	}
	if out == nil {
		return nil, errors.New("no such host")
	}
	return out, nil
}

var hosts = offline{
	"public.example":   {"93.184.216.34", "2606:2800:220:1::1"},
	"private.example":  {"10.1.2.3"},
	"mixed.example":    {"93.184.216.34", "127.0.0.1"},
	"metadata.example": {"169.254.169.254"},
	"mapped.example":   {"::ffff:127.0.0.1"},
	"lan.example":      {"10.1.2.3"},
}

func guardOf(t testing.TB, allow ...string) *guard {
	var prefixes []netip.Prefix
	for _, text := range allow {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return newGuard(prefixes)
}

func TestGuardRefuses(t *testing.T) {
	g := guardOf(t)
	for _, text := range strings.Fields(`
		http://127.0.0.1 http://127.0.0.1:8080/ http://127.255.255.254 http://0.0.0.0 http://0.1.2.3 http://localhost http://LOCALHOST.:8080
		http://a.localhost http://10.0.0.1 http://172.16.0.1 http://172.31.255.255 http://192.168.1.1 http://100.64.0.1 http://100.127.255.255
		http://169.254.169.254/latest/meta-data http://169.254.0.1 http://224.0.0.1 http://239.255.255.255 http://255.255.255.255 http://240.0.0.1
		http://192.0.0.8 http://192.0.2.1 http://198.18.0.1 http://198.51.100.7 http://203.0.113.9 http://192.88.99.1
		http://168.63.129.16 http://100.100.100.200
		http://[::1] http://[::] http://[::ffff:127.0.0.1] http://[::ffff:7f00:1] http://[::ffff:93.184.216.34] http://[::127.0.0.1]
		http://[64:ff9b::7f00:1] http://[64:ff9b::93.184.216.34] http://[64:ff9b:1::a00:1] http://[2002:7f00:1::] http://[2002:5db8:d822::1]
		http://[2001:0:53aa:64c::1] http://[2001:db8::1] http://[3fff::1] http://[fc00::1] http://[fd00:ec2::254] http://[fe80::1] http://[fe80::1%25eth0]
		http://[fec0::1] http://[ff02::1] http://[100::1] http://[4000::1] http://[::ffff:0:127.0.0.1] http://[2606:2800::1%25lo]
		http://2130706433 http://017700000001 http://0x7f000001 http://0x7f.1 http://127.1 http://127.0.1 http://0177.0.0.1 http://127.0.0.1.
		http://1.2.3.4.5 http://1.2.3.256 http://0x7F.0.0.0x1 http://foo.1 http://foo.0x1 http://００1.1.1.1 http://①②⑦.⓪.⓪.① http://127。0。0。1
		http://%31%32%37.0.0.1 http://ex%00ample.com http://exa_mple!.com http://.example.com http://a..b http://xn--%C3%A9.com
		http://user@public.example http://user:pass@public.example http://127.0.0.1@public.example http://public.example@127.0.0.1
		ftp://public.example file:///etc/passwd gopher://public.example javascript:alert(1) //public.example public.example http: http:// http:///x http:public.example
		http://public.example:22 http://public.example:25 http://public.example:0 http://public.example:65536 http://public.example: http://public.example:http http://public.example:1023
		http://[::1 http://[] http://[v1.a] http://[public.example]
		http://private.example http://mixed.example http://metadata.example http://mapped.example`) {
		if err := g.check(t.Context(), text, hosts); err == nil {
			t.Errorf("%s is not refused", text)
		}
	}
	for _, text := range []string{"", " http://public.example", "http://public.example/\n", "http://public .example", "http://public.example/" + strings.Repeat("a", 2048), "http://" + strings.Repeat("a.", 130) + "example"} {
		if err := g.check(t.Context(), text, hosts); err == nil {
			t.Errorf("%.60q is not refused", text)
		}
	}
}

func TestGuardAllows(t *testing.T) {
	g := guardOf(t)
	for _, text := range strings.Fields(`
		https://public.example http://public.example:80/a?b=c HTTPS://PUBLIC.EXAMPLE:443/ https://public.example.:8443 http://public.example:1024
		https://93.184.216.34/x http://93.184.216.34:65535 https://[2606:2800:220:1::1]:8080/ https://unknown.example/ https://hooks.xn--bcher-kva.example
		https://a-b_c.example/ https://public.example/path#fragment http://11.0.0.1 http://172.32.0.1 http://100.128.0.1 http://223.255.255.255`) {
		if err := g.check(t.Context(), text, hosts); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEgressAllow(t *testing.T) {
	for _, test := range []struct {
		allow, url string
		ok         bool
	}{
		{"127.0.0.0/8", "http://127.0.0.1:22", true},
		{"127.0.0.0/8", "http://localhost:9", true},
		{"::1/128", "http://localhost:9", true},
		{"10.0.0.0/8", "http://localhost:9", false},
		{"127.0.0.0/8", "http://[::1]:8080", false},
		{"127.0.0.0/8", "http://10.0.0.1", false},
		{"127.0.0.0/8", "http://2130706433", false},
		{"127.0.0.0/8", "http://[::ffff:127.0.0.1]", false},
		{"::ffff:127.0.0.0/104", "http://127.0.0.1", true},
		{"10.0.0.0/8", "http://lan.example:25", true},
		{"10.0.0.0/8", "http://public.example:25", false},
		{"10.0.0.0/8", "http://public.example", true},
		{"0.0.0.0/0", "http://192.168.1.1", true},
		{"0.0.0.0/0", "http://169.254.169.254", false},
		{"169.254.169.254/32", "http://169.254.169.254", false},
		{"169.254.0.0/16", "http://metadata.example", false},
		{"169.254.0.0/16", "http://169.254.1.1", true},
		{"fd00::/8", "http://[fd00:ec2::254]", false},
		{"fd00::/8", "http://[fd00:ec2::1]:1", true},
		{"::/0", "http://[64:ff9b::a9fe:a9fe]", false},
		{"::/0", "http://[64:ff9b:1:a9fe:a9:fe00::]", false},
		{"::/0", "http://[2002:a9fe:a9fe::1]", false},
		{"::/0", "http://[::ffff:169.254.169.254]", false},
		{"::/0", "http://[2001:0:1:2:3:4:5601:5601]", false},
	} {
		err := guardOf(t, test.allow).check(t.Context(), test.url, hosts)
		if (err == nil) != test.ok {
			t.Errorf("allow %s, %s: %v", test.allow, test.url, err)
		}
	}
	err := guardOf(t).check(t.Context(), "http://127.0.0.1", hosts)
	var egress *EgressError
	if !errors.As(err, &egress) || !strings.Contains(err.Error(), "--egress-allow") {
		t.Errorf("refusal %v", err)
	}
}

// The dialler judges what a name turned into, whatever was looked up before.
func TestDiallerIsGuarded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0", "[::]"} {
		conn, err := guardOf(t).dialer().DialContext(t.Context(), "tcp", strings.Trim(host, "[]")+":"+port)
		if strings.Contains(host, ":") {
			conn, err = guardOf(t).dialer().DialContext(t.Context(), "tcp", net.JoinHostPort(strings.Trim(host, "[]"), port))
		}
		var egress *EgressError
		if !errors.As(err, &egress) {
			t.Errorf("%s: %v, %v", host, conn, err)
		}
	}
	conn, err := guardOf(t, "127.0.0.0/8").dialer().DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// FuzzGuard holds what the guard lets through against net's own idea of
// addresses and against the ways in which resolvers read numbers.
func FuzzGuard(f *testing.F) {
	for _, text := range []string{"http://127.0.0.1", "https://public.example/", "http://[::ffff:1.2.3.4]", "http://0x7f.1", "http://1.1:80", "http://[64:ff9b::1]",
		"http://a@b", "HTTP://EXAMPLE.:8080/?q", "http://[fe80::1%25a]", "http://4294967295", "http://foo.0xa"} {
		f.Add(text)
	}
	g := newGuard(nil)
	f.Fuzz(func(t *testing.T, text string) {
		host, port, err := g.parse(text)
		if err != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || (port != 80 && port != 443 && port < 1024) {
			t.Fatalf("%q passed: port %d", text, port)
		}
		if host == "" {
			ip := net.ParseIP(u.Hostname())
			if ip == nil || !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
				t.Fatalf("%q passed with address %v", text, ip)
			}
			if strings.Contains(u.Host, "[") && ip.To4() != nil {
				t.Fatalf("%q passed with a mapped address", text)
			}
			return
		}
		if net.ParseIP(host) != nil || numeric(host) {
			t.Fatalf("%q passed as the name %q", text, host)
		}
		if clean, err := cleanName(u.Hostname()); err != nil || clean != host {
			t.Fatalf("%q: name %q, again %q, %v", text, host, clean, err)
		}
	})
}

// numeric tells whether every label is a number as the C library reads them,
// so that inet_aton might take the name for an address.
func numeric(host string) bool {
	for _, label := range strings.Split(host, ".") {
		digits := "0123456789"
		if strings.HasPrefix(label, "0x") {
			label, digits = label[2:], "0123456789abcdef"
		}
		if strings.Trim(label, digits) != "" {
			return false
		}
	}
	return true
}
