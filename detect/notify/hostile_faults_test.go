package notify_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
)

// The word inside stands in all that a foe says, and nowhere else: nothing of it may
// be shown to people.

func says(text string) func(*foe, net.Conn) {
	bytes := []byte(text)
	return func(f *foe, c net.Conn) { c.Write(bytes) }
}

// thenHangs says something and no more.
func thenHangs(text string) func(*foe, net.Conn) {
	return func(f *foe, c net.Conn) {
		io.WriteString(c, text)
		f.hang(c)
	}
}

// byteByByte says something a byte at a time, and no more.
func byteByByte(text string) func(*foe, net.Conn) {
	return func(f *foe, c net.Conn) {
		for i := range len(text) {
			if _, err := c.Write([]byte{text[i]}); err != nil {
				return
			}
		}
		f.hang(c)
	}
}

func endless(first, more string) func(*foe, net.Conn) {
	return func(f *foe, c net.Conn) {
		io.WriteString(c, first)
		f.pour(c, more)
	}
}

func reset(f *foe, c net.Conn) {
	raw, ok := c.(*net.TCPConn)
	if over, encrypted := c.(*tls.Conn); encrypted {
		raw, ok = over.NetConn().(*net.TCPConn)
	}
	if ok {
		raw.SetLinger(0)
		raw.Close()
	}
}

func hang(f *foe, c net.Conn) { f.hang(c) }
func ends(*foe, net.Conn)     {}

// redirect leads to a metadata service, or to the foe itself.
func redirect(status int, home bool) func(*foe, net.Conn) {
	return func(f *foe, c net.Conn) {
		to := "http://169.254.169.254/latest/meta-data/"
		if home {
			to = fmt.Sprintf("http://foe.example.com:%d/followed", f.port())
		}
		fmt.Fprintf(c, "HTTP/1.1 %d inside\r\nLocation: %s\r\nRefresh: 0;url=%s\r\nContent-Length: 6\r\n\r\ninside", status, to, to)
	}
}

func later(value string) func(*foe, net.Conn) {
	return says("HTTP/1.1 429 inside\r\nRetry-After: " + value + "\r\nContent-Length: 0\r\n\r\n")
}

// laterAt gives the time as a date.
func laterAt(d time.Duration) func(*foe, net.Conn) {
	return func(f *foe, c net.Conn) {
		later(f.clock.Now().Add(d).UTC().Format(http.TimeFormat))(f, c)
	}
}

// bomb is a gzip stream of 64 MiB.
func bomb(t testing.TB) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	block := make([]byte, 1<<20)
	for range 64 {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// httpFaults are those of every receiver that is told over HTTP.
func httpFaults(t testing.TB) []fault {
	const again, dead, taken = notify.OutcomeRetry, notify.OutcomeDead, notify.OutcomeAccepted
	const first, most = time.Second, 2 * time.Minute // of the first pause: PagerDuty's is a minute after 429
	packed := bomb(t)
	out := []fault{
		{what: "429 with seconds", late: later("300"), comes: again, status: 429, floor: 300 * time.Second, most: 300 * time.Second},
		{what: "429 with a date", late: laterAt(300 * time.Second), comes: again, status: 429, floor: 299 * time.Second, most: 300 * time.Second},
		{what: "429 with 10^12", late: later("1000000000000"), comes: again, status: 429, floor: time.Hour, most: time.Hour},
		{what: "429 with 10^40", late: later(strings.Repeat("9", 40)), comes: again, status: 429, floor: time.Hour, most: time.Hour},
		{what: "429 with a day", late: later("86400"), comes: again, status: 429, floor: time.Hour, most: time.Hour},
		{what: "429 with a date in a thousand years", late: later("Fri, 31 Dec 2999 23:59:59 GMT"), comes: again, status: 429, floor: time.Hour, most: time.Hour},
		{what: "429 with a date that is over", late: later("Thu, 01 Jan 1970 00:00:00 GMT"), comes: again, status: 429, floor: first, most: most},
		{what: "429 with less than nothing", late: later("-5"), comes: again, status: 429, floor: first, most: most},
		{what: "429 with garbage", late: later("inside \x00\xff soon"), comes: again, status: 0, floor: first, most: most},
		{what: "429 with words", late: later("soon, inside"), comes: again, status: 429, floor: first, most: most},
		{what: "429 with hex", late: later("0x7fffffff"), comes: again, status: 429, floor: first, most: most},
		{what: "429 with an exponent", late: later("1e9"), comes: again, status: 429, floor: first, most: most},
		{what: "429 with nothing", late: later(""), comes: again, status: 429, floor: first, most: most},
		{what: "429 with a megabyte", late: later(strings.Repeat("1", 1<<20)), comes: again, floor: first, most: most, says: "header is too large"},
		{what: "503 with seconds", late: says("HTTP/1.1 503 inside\r\nRetry-After: 120\r\n\r\n"), comes: again, status: 503, floor: 120 * time.Second, most: 120 * time.Second},
		{what: "410", late: says("HTTP/1.1 410 inside\r\nContent-Length: 6\r\n\r\ninside"), comes: notify.OutcomeDisabled, status: 410},
		{what: "silence before the request is read", early: hang, comes: again, says: "no answer within 10s"},
		{what: "silence before headers", late: hang, comes: again, says: "no answer within 10s"},
		{what: "silence in headers", late: thenHangs("HTTP/1.1 200 OK\r\nX-Inside: ins"), comes: again, says: "no answer within 10s"},
		{what: "headers a byte at a time", late: byteByByte("HTTP/1.1 200 OK\r\nX-Inside: inside\r\nX: y"), comes: again, says: "no answer within 10s"},
		{what: "silence after 100", late: thenHangs("HTTP/1.1 100 Continue\r\n\r\n"), comes: again, says: "no answer within 10s"},
		{what: "silence after 101", late: thenHangs("HTTP/1.1 101 Switching Protocols\r\nUpgrade: inside\r\nConnection: Upgrade\r\n\r\n"), comes: again},
		{what: "another protocol", late: endless("HTTP/1.1 101 Switching Protocols\r\nUpgrade: inside\r\nConnection: Upgrade\r\n\r\n", strings.Repeat("inside", 500)), comes: again, status: 101},
		{what: "reset at once", early: reset, comes: again},
		{what: "reset after the request", late: reset, comes: again},
		{what: "reset in the body", late: func(f *foe, c net.Conn) {
			io.WriteString(c, "HTTP/1.1 500 inside\r\nContent-Length: 100\r\n\r\ninside")
			reset(f, c)
		}, comes: again, status: -1},
		{what: "end at once", early: ends, comes: again},
		{what: "end after the request", late: ends, comes: again, says: "ended without an answer"},
		{what: "end in the status", late: says("HTTP/1."), comes: again},
		{what: "end in headers", late: says("HTTP/1.1 200 OK\r\nX-Inside: in"), comes: again},
		{what: "endless status", late: endless("HTTP/1.1 200 ", strings.Repeat("inside", 500)), comes: again},
		{what: "endless header", late: endless("HTTP/1.1 200 OK\r\nX-Inside: ", strings.Repeat("inside", 500)), comes: again, says: "header is too large"},
		{what: "endless headers", late: endless("HTTP/1.1 200 OK\r\n", strings.Repeat("X-Inside: inside\r\n", 100)), comes: again, says: "header is too large"},
		{what: "endless 100", late: endless("", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100)), comes: again},
		{what: "endless 103", late: endless("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: inside\r\n\r\n", 100)), comes: again},
		{what: "a chunk of 16 EiB", late: endless("HTTP/1.1 500 inside\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", strings.Repeat("inside", 500)), comes: again, status: 500},
		{what: "an endless extension of a chunk", late: endless("HTTP/1.1 500 inside\r\nTransfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("inside", 500)), comes: again, status: 500},
		{what: "chunks of one byte", late: endless("HTTP/1.1 500 inside\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1;inside=inside\r\nx\r\n", 100)), comes: again, status: 500},
		{what: "endless trailers", late: endless("HTTP/1.1 500 inside\r\nTransfer-Encoding: chunked\r\nTrailer: X-Inside\r\n\r\n0\r\n", strings.Repeat("X-Inside: inside\r\n", 100)), comes: again, status: 500},
		{what: "an endless body of 500", late: endless("HTTP/1.1 500 inside\r\n\r\n", strings.Repeat("inside", 500)), comes: again, status: 500},
		{what: "a body of 500 a byte at a time", late: byteByByte("HTTP/1.1 500 inside\r\nContent-Length: 6000\r\n\r\n" + strings.Repeat("inside", 50)), comes: again, status: 500},
		{what: "a length below zero", late: says("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\ninside"), comes: again},
		{what: "a length beyond 64 bits", late: says("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\ninside"), comes: again},
		{what: "two lengths", late: says("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 7\r\n\r\ninside"), comes: again},
		{what: "an unknown encoding of the transfer", late: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: inside\r\n\r\ninside"), comes: again},
		{what: "no HTTP", late: says("SSH-2.0-inside\r\n"), comes: again, says: "not HTTP"},
		{what: "HTTP/2", late: says("\x00\x00\x12\x04\x00\x00\x00\x00\x00inside"), comes: again, says: "not HTTP"},
		{what: "a status that is no number", late: says("HTTP/1.1 inside inside\r\n\r\n"), comes: again, says: "not HTTP"},
		{what: "status 000", late: says("HTTP/1.1 000 inside\r\n\r\n"), comes: again},
		{what: "status 999", late: says("HTTP/1.1 999 inside\r\n\r\n"), comes: again, status: 999},
		{what: "a bomb with 500", late: says("HTTP/1.1 500 inside\r\nContent-Encoding: gzip\r\n\r\n" + packed), comes: again, status: 500},
		{what: "a bomb of two layers with 500", late: says("HTTP/1.1 500 inside\r\nContent-Encoding: gzip, gzip\r\nTransfer-Encoding: gzip\r\n\r\n" + packed), comes: again},

		{what: "a name that is not there", dns: func(*foe) ([]netip.Addr, error) { return nil, errors.New("no such host") }, comes: again},
		{what: "a name server that says nothing", dns: func(*foe) ([]netip.Addr, error) { return nil, nil }, comes: again, says: "no answer "},
		{what: "a name without addresses", dns: func(*foe) ([]netip.Addr, error) { return []netip.Addr{}, nil }, comes: again, says: "no such host"},
	}
	for _, status := range []int{500, 501, 502, 503, 504, 507, 599, 600, 408, 425} {
		out = append(out, fault{what: fmt.Sprint(status), late: says(fmt.Sprintf("HTTP/1.1 %d inside\r\nContent-Length: 6\r\nX-Inside: inside\r\n\r\ninside", status)), comes: again, status: status})
	}
	for _, status := range []int{400, 401, 403, 404, 405, 413, 415, 422, 451, 499} {
		out = append(out, fault{what: fmt.Sprint(status), late: says(fmt.Sprintf("HTTP/1.1 %d inside\r\nContent-Length: 6\r\nWWW-Authenticate: inside\r\n\r\ninside", status)), comes: dead, status: status})
	}
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		out = append(out, fault{what: fmt.Sprint(status, " to metadata"), late: redirect(status, false), comes: again, status: status},
			fault{what: fmt.Sprint(status, " to itself"), late: redirect(status, true), comes: again, status: status})
	}
	for _, text := range []string{"169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "10.0.0.1", "::1", "::ffff:10.0.0.1", "0.0.0.0", "224.0.0.1"} {
		out = append(out, fault{what: "a name that leads to " + text + " now", dns: func(*foe) ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr(text)}, nil }, comes: again, says: "--egress-allow"},
			fault{what: "a name that leads to " + text + " too", dns: func(*foe) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr(text)}, nil
			}, comes: again, says: "--egress-allow"})
	}
	for what, x := range map[string]func(*foe, net.Conn){
		"an endless body of 200":           endless("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("inside", 500)),
		"a body of 200 a byte at a time":   byteByByte("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n" + strings.Repeat("inside", 50)),
		"a body of 200 that breaks off":    says("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\ninside"),
		"a bomb with 200":                  says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed),
		"a second answer that nobody asks": says("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ninsideHTTP/1.1 500 inside\r\n\r\ninside"),
	} {
		out = append(out, fault{what: what, late: x, comes: taken, status: 200})
	}
	return out
}

// tlsFaults are those of receivers that are told over HTTPS.
func tlsFaults(t testing.TB, p *paper) []fault {
	const again = notify.OutcomeRetry
	soon := time.Now().Add(time.Hour)
	old := p.of(t, "foe.example.com", soon)
	old.MaxVersion = tls.VersionTLS11
	strict := p.of(t, "foe.example.com", soon)
	strict.ClientAuth, strict.MaxVersion = tls.RequireAndVerifyClientCert, tls.VersionTLS12
	return []fault{
		{what: "silence in the handshake", early: hang, comes: again, says: "no answer within 10s"},
		{what: "half a handshake", early: thenHangs("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03inside"), comes: again, says: "no answer within 10s"},
		{what: "plain HTTP", early: says("HTTP/1.1 200 inside\r\n\r\n"), comes: again, says: "does not speak TLS"},
		{what: "garbage", early: says("inside inside inside"), comes: again, says: "does not speak TLS"},
		{what: "an endless record", early: endless("\x16\x03\x03\x40\x00", strings.Repeat("inside", 500)), comes: again},
		{what: "endless records", early: endless("", "\x16\x03\x03\x00\x04\x00\x00\x00\x00"), comes: again},
		{what: "an endless certificate", early: endless("\x16\x03\x03\x40\x00\x0b\xff\xff\xff", strings.Repeat("inside", 500)), comes: again},
		{what: "end in the handshake", early: ends, comes: again},
		{what: "reset in the handshake", early: reset, comes: again},
		{what: "a certificate for another", tls: p.of(t, "calm.example.com", soon), comes: again, says: "the certificate is for another host"},
		{what: "a certificate that is over", tls: p.of(t, "foe.example.com", time.Now().Add(-time.Minute)), comes: again, says: "the certificate is not valid"},
		{what: "a certificate of nobody", tls: newPaper(t).of(t, "foe.example.com", soon), comes: again, says: "the certificate's authority is not known"},
		{what: "an old version", tls: old, comes: again},
		{what: "a certificate of ours wanted", tls: strict, comes: again},
		{what: "500", late: says("HTTP/1.1 500 inside\r\n\r\ninside"), comes: again, status: 500},
		{what: "reset after the request", late: reset, comes: again},
	}
}

// mailFaults are those of mail servers.
func mailFaults(t testing.TB, p *paper) []fault {
	const again, dead = notify.OutcomeRetry, notify.OutcomeDead
	soon := time.Now().Add(time.Hour)
	out := []fault{
		{what: "silence", early: hang, comes: again, says: "no answer within 10s"},
		{what: "end", early: ends, comes: again},
		{what: "reset", early: reset, comes: again},
		{what: "no mail server", early: says("HTTP/1.1 200 inside\r\n\r\n"), comes: again, says: "greeting"},
		{what: "an endless line", early: endless("220 ", strings.Repeat("inside", 500)), comes: again, says: "greeting"},
		{what: "an endless greeting", early: endless("", strings.Repeat("220-inside\r\n", 500)), comes: again, says: "greeting"},
		{what: "a greeting a byte at a time", early: byteByByte("220-inside\r\n220-inside\r\n22"), comes: again, says: "no answer within 10s"},
		{what: "no STARTTLS", stage: "EHLO", late: func(f *foe, c net.Conn) {
			io.WriteString(c, "250-inside\r\n250 AUTH PLAIN\r\n")
			io.Copy(io.Discard, c)
		}, comes: again, says: "offers no STARTTLS"},
		{what: "garbage instead of TLS", stage: "handshake", late: says("250 inside\r\n"), comes: again, says: "starttls"},
		{what: "silence instead of TLS", stage: "handshake", late: hang, comes: again, says: "no answer within 10s"},
		{what: "more in the open after STARTTLS", stage: "STARTTLS", late: says("220 go on\r\n250 inside\r\n235 inside\r\n250 inside\r\n"), comes: again, says: "starttls"},
		{what: "a certificate for another", tls: p.of(t, "calm.example.com", soon), comes: again, says: "the certificate is for another host"},
		{what: "a certificate that is over", tls: p.of(t, "foe.example.com", time.Now().Add(-time.Minute)), comes: again, says: "the certificate is not valid"},
		{what: "a certificate of nobody", tls: newPaper(t).of(t, "foe.example.com", soon), comes: again, says: "authority is not known"},
		{what: "no way to say the password", stage: "AUTH", late: says("504 inside\r\n"), comes: dead, status: 504},
		{what: "a mail that may be taken, and silence", stage: "taken", late: hang, comes: again, says: "no answer within 10s"},
		{what: "a mail that may be taken, and reset", stage: "taken", late: reset, comes: again},
		{what: "a mail that is not taken for now", stage: "taken", late: says("452 inside\r\n"), comes: again, status: 452},
		{what: "a mail that is refused", stage: "taken", late: says("554 inside\r\n"), comes: dead, status: 554},
		{what: "an end of a mail without an end", stage: "taken", late: endless("", strings.Repeat("250-inside\r\n", 500)), comes: again},
	}
	refuses := func(line string) func(*foe, net.Conn) {
		return func(f *foe, c net.Conn) {
			says(line)(f, c)
			for in := bufio.NewReader(c); ; {
				switch said, err := in.ReadString('\n'); {
				case err != nil:
					return
				case strings.HasPrefix(said, "QUIT"):
					says("221 inside\r\n")(f, c)
				default: // HELO after EHLO, or the end of an AUTH
					says(line)(f, c)
				}
			}
		}
	}
	for _, stage := range []string{"", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"} {
		out = append(out,
			fault{what: "421 at " + stage, stage: stage, late: refuses("421 inside\r\n"), comes: again, status: 421},
			fault{what: "550 at " + stage, stage: stage, late: refuses("550 inside\r\n"), comes: dead, status: 550},
			fault{what: "silence at " + stage, stage: stage, late: hang, comes: again, says: "no answer within 10s"},
			fault{what: "reset at " + stage, stage: stage, late: reset, comes: again},
			fault{what: "end at " + stage, stage: stage, late: ends, comes: again},
			fault{what: "garbage at " + stage, stage: stage, late: says("\x00\xffinside\r\n"), comes: again},
			fault{what: "no end at " + stage, stage: stage, late: endless("", strings.Repeat("250-inside\r\n", 500)), comes: again},
			fault{what: "an answer to something else at " + stage, stage: stage, late: refuses(map[bool]string{true: "354", false: "250"}[stage == "MAIL" || stage == "RCPT" || stage == "EHLO"] + " inside\r\n"), comes: again, status: -1},
			fault{what: "an endless line at " + stage, stage: stage, late: endless("250 ", strings.Repeat("inside", 500)), comes: again, status: -1},
			fault{what: "a byte at a time at " + stage, stage: stage, late: byteByByte("250-inside\r\n250-ins"), comes: again, says: "no answer within 10s"})
	}
	for _, text := range []string{"169.254.169.254", "fd00:ec2::254", "10.0.0.1", "::1"} {
		out = append(out, fault{what: "a name that leads to " + text + " now", dns: func(*foe) ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr(text)}, nil }, comes: again, says: "--egress-allow"})
	}
	return append(out, fault{what: "a name server that says nothing", dns: func(*foe) ([]netip.Addr, error) { return nil, nil }, comes: again, says: "no answer "})
}
