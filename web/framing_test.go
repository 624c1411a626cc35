package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulse/web"
)

// framingBody is a publish body with one good point.
var framingBody = metrics(point(epoch, 1, "gauge", "framing.good"))

// post is the text of a publish request with the given header lines.
func post(body string, header ...string) string {
	return "POST /api/v1/publish HTTP/1.1\r\nHost: $host\r\n" + strings.Join(append(header, "", ""), "\r\n") + body
}

func length(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }

func chunk(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }

// smuggled is a request that must never be served: it hides where the body of
// another one ends for one reader and not for the next.
const smuggled = "POST /c/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

// lines is n header lines.
func lines(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("X-%d: y", i)
	}
	return out
}

// framing is what a server must make of requests at the level of bytes. status
// lists what is right; a server that answers other than 2xx and goes on must
// have read the whole request, so closes says that it must not go on.
var framing = []struct {
	name   string
	send   string
	status []int
	closes bool
}{
	{"content-length", post(framingBody, length(framingBody)), []int{200}, false},
	{"chunked", post(chunk(framingBody[:10])+chunk(framingBody[10:])+"0\r\n\r\n", "Transfer-Encoding: chunked"), []int{200}, false},
	{"chunked in another case", post(chunk(framingBody)+"0\r\n\r\n", "transfer-encoding: Chunked"), []int{200}, false},
	{"chunk extension", post(fmt.Sprintf("%x;a=b\r\n%s\r\n0\r\n\r\n", len(framingBody), framingBody), "Transfer-Encoding: chunked"), []int{200, 400}, false},
	{"header names in another case", "POST /api/v1/publish HTTP/1.1\r\nhOST: $host\r\ncONTENT-lENGTH: " + fmt.Sprint(len(framingBody)) + "\r\n\r\n" + framingBody, []int{200}, false},
	{"HTTP/1.0", "POST /api/v1/publish HTTP/1.0\r\nHost: $host\r\n" + length(framingBody) + "\r\n\r\n" + framingBody, []int{200}, true},
	{"100 headers", post(framingBody, append(lines(98), length(framingBody))...), []int{200}, false},
	{"absolute target", "GET http://$host/ok HTTP/1.1\r\nHost: $host\r\n\r\n", []int{200}, false},
	{"no body", post(""), []int{400}, false},

	{"Host missing", "GET /ok HTTP/1.1\r\n\r\n", []int{400}, true},
	{"Host missing in HTTP/1.0", "GET /ok HTTP/1.0\r\n\r\n", []int{400}, true},
	{"Host empty", "GET /ok HTTP/1.1\r\nHost:\r\n\r\n", []int{400}, true},
	{"Host twice", post(framingBody, "Host: $host", length(framingBody)), []int{400}, true},
	{"Host twice, differing", post(framingBody, "Host: evil.example", length(framingBody)), []int{400}, true},
	{"absolute target of another host", "GET http://evil.example/ok HTTP/1.1\r\nHost: $host\r\n\r\n", []int{400, 403}, false},

	{"Content-Length twice", post(framingBody, length(framingBody), length(framingBody)), []int{400}, true},
	{"Content-Length twice, differing", post(framingBody+smuggled, length(framingBody), length(framingBody+smuggled)), []int{400}, true},
	{"Content-Length as a list", post(framingBody, fmt.Sprintf("Content-Length: %d, %[1]d", len(framingBody))), []int{400}, true},
	{"Content-Length with sign", post(framingBody, fmt.Sprintf("Content-Length: +%d", len(framingBody))), []int{400}, true},
	{"Content-Length negative", post(framingBody, "Content-Length: -1"), []int{400}, true},
	{"Content-Length in hex", post(framingBody, "Content-Length: 0x10"), []int{400}, true},
	{"Content-Length empty", post(framingBody, "Content-Length:"), []int{400}, true},
	{"Content-Length folded", post(framingBody, "Content-Length:\r\n "+fmt.Sprint(len(framingBody))), []int{400}, true},
	{"Content-Length beyond int64", post(framingBody, "Content-Length: 99999999999999999999"), []int{400, 413}, true},
	{"Content-Length with space before the colon", post(framingBody, "Content-Length : "+fmt.Sprint(len(framingBody))), []int{400}, true},

	{"length and chunks", post(chunk(framingBody)+"0\r\n\r\n"+smuggled, length(framingBody), "Transfer-Encoding: chunked"), []int{400}, true},
	{"chunks and length", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: chunked", "Content-Length: 4"), []int{400}, true},
	{"Transfer-Encoding twice", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), []int{400, 501}, true},
	{"Transfer-Encoding twice, differing", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"), []int{400, 501}, true},
	{"Transfer-Encoding gzip, chunked", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding: gzip, chunked"), []int{400, 501}, true},
	{"Transfer-Encoding chunked twice in one", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding: chunked, chunked"), []int{400, 501}, true},
	{"Transfer-Encoding unknown", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding: xchunked"), []int{400, 501}, true},
	{"Transfer-Encoding identity", post(framingBody, "Transfer-Encoding: identity"), []int{400, 501}, true},
	{"Transfer-Encoding with space before the colon", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding : chunked"), []int{400}, true},
	{"Transfer-Encoding folded", post(chunk(framingBody)+"0\r\n\r\n", "Transfer-Encoding:\r\n chunked"), []int{400}, true},
	{"chunks in HTTP/1.0", "POST /api/v1/publish HTTP/1.0\r\nHost: $host\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(framingBody) + "0\r\n\r\n", []int{400, 501}, true},
	{"chunk size is not hex", post("zz\r\n"+framingBody+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), []int{400}, true},
	{"chunk size is negative", post("-1\r\n"+framingBody+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), []int{400}, true},
	{"chunk size overflows", post("ffffffffffffffff1\r\n"+framingBody+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), []int{400, 413}, true},
	{"chunk size too large", post("7fffffffffffffff\r\n"+framingBody+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), []int{400, 413}, true},
	{"chunk too short", post("5\r\n"+framingBody+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), []int{400}, true},
	{"chunk size empty", post("\r\n"+framingBody+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), []int{400}, true},

	{"header without colon", post(framingBody, "Nonsense", length(framingBody)), []int{400}, true},
	{"header without name", post(framingBody, ": x", length(framingBody)), []int{400}, true},
	{"space in a header name", post(framingBody, "A B: x", length(framingBody)), []int{400}, true},
	{"first header folded", "GET /ok HTTP/1.1\r\n Host: $host\r\n\r\n", []int{400}, true},
	{"NUL in a header", post(framingBody, "A: x\x00y", length(framingBody)), []int{400}, true},
	{"Content-Encoding twice", post(framingBody, "Content-Encoding: identity", "Content-Encoding: gzip", length(framingBody)), []int{400}, true},
	{"Authorization twice", post(framingBody, "Authorization: Bearer a", "Authorization: Bearer b", length(framingBody)), []int{400}, true},
	{"Idempotency-Key twice", post(framingBody, "Idempotency-Key: a", "Idempotency-Key: b", length(framingBody)), []int{400}, true},

	{"101 headers", post(framingBody, append(lines(99), length(framingBody))...), []int{431}, true},
	{"1000 headers", post(framingBody, append(lines(999), length(framingBody))...), []int{431}, true},
	{"a header of 17 KiB", post(framingBody, "X: "+strings.Repeat("y", 17<<10), length(framingBody)), []int{431}, true},
	{"a request line of 17 KiB", "GET /ok?" + strings.Repeat("y", 17<<10) + " HTTP/1.1\r\nHost: $host\r\n\r\n", []int{414, 431}, true},
	{"a request line of 1 MiB without end", "GET /" + strings.Repeat("y", 1<<20), []int{414, 431}, true},

	{"HTTP/0.9", "GET /ok\r\n\r\n", []int{400, 505}, true},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400, 505}, true},
	{"HTTP/3.0", "GET /ok HTTP/3.0\r\nHost: $host\r\n\r\n", []int{400, 505}, true},
	{"version without number", "GET /ok HTTP/\r\nHost: $host\r\n\r\n", []int{400, 505}, true},
	{"TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x00\x7f", 100) + "\r\n\r\n", []int{400}, true},
	{"empty method", " /ok HTTP/1.1\r\nHost: $host\r\n\r\n", []int{400, 405}, true},
	{"space in the target", "GET /o k HTTP/1.1\r\nHost: $host\r\n\r\n", []int{400, 404}, false},
	{"bad escape in the target", "GET /ok%zz HTTP/1.1\r\nHost: $host\r\n\r\n", []int{400, 404}, false},
	{"CONNECT", "CONNECT $host HTTP/1.1\r\nHost: $host\r\n\r\n", []int{400, 404, 405}, false},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: $host\r\n\r\n", []int{400, 404, 405}, false},
}

func TestFraming(t *testing.T) {
	r := newRig(t, settings{})
	for _, c := range framing {
		answers, wentOn := r.raw(c.send)
		if len(answers) != 1 || !slices.Contains(c.status, answers[0].status) {
			t.Errorf("%s: got %v, want one answer of %v", c.name, answers, c.status)
			continue
		}
		if a := answers[0]; a.status >= 400 {
			if fault := errorFault(a); fault != "" {
				t.Errorf("%s: %s: %s", c.name, fault, a)
			}
		}
		if c.closes && wentOn {
			t.Errorf("%s: answered %s and went on with the connection", c.name, answers[0])
		}
		if !c.closes && answers[0].status < 400 && !wentOn {
			t.Errorf("%s: answered %s and closed", c.name, answers[0])
		}
	}
	if a := r.get("/api/v1/tags/name?q=name,smuggled,:eq"); string(a.body) != "[]" {
		t.Errorf("a smuggled request was served: %s", a)
	}
	if a := r.get("/api/v1/tags/name?q=name,framing.good,:eq"); string(a.body) != `["framing.good"]` {
		t.Errorf("the good point is lost: %s", a)
	}
}

func TestContinue(t *testing.T) {
	r := newRig(t, settings{})
	answers, wentOn := r.raw(post(framingBody, "Expect: 100-continue", length(framingBody)))
	if len(answers) != 2 || answers[0].status != 100 || answers[1].status != 200 || !wentOn {
		t.Errorf("got %v, went on %v, want 100 and 200", answers, wentOn)
	}
}

// TestPipelineBehindRefusal sends requests behind one that is refused before
// its body was looked at: they are served as they stand, or not at all.
func TestPipelineBehindRefusal(t *testing.T) {
	r := newRig(t, settings{web: web.Options{MaxBody: 1 << 20}})
	tags := "GET /api/v1/tags?limit=1 HTTP/1.1\r\nHost: $host\r\n\r\n"
	big := strings.Repeat(" ", 1<<20+1)
	for _, c := range []struct {
		name   string
		first  string
		status int
	}{
		{"404", strings.Replace(post(smuggled, length(smuggled)), "/api/v1/publish", "/nowhere", 1), 404},
		{"405", strings.Replace(post(smuggled, length(smuggled)), "POST", "PUT", 1), 405},
		{"403", post(smuggled, "Sec-Fetch-Site: cross-site", length(smuggled)), 403},
		{"415", post(smuggled, "Content-Encoding: br", length(smuggled)), 415},
		{"415 multipart", post(smuggled, "Content-Type: multipart/form-data; boundary=x", length(smuggled)), 415},
		{"413 by length", post(big, length(big)), 413},
		{"413 in chunks", post(chunk(big)+"0\r\n\r\n", "Transfer-Encoding: chunked"), 413},
	} {
		answers, wentOn := r.raw(c.first + tags)
		if len(answers) == 0 || answers[0].status != c.status || errorFault(answers[0]) != "" {
			t.Errorf("%s: got %v, want %d first", c.name, answers, c.status)
			continue
		}
		switch {
		case len(answers) == 1 && !wentOn: // refused and closed
		case len(answers) == 2 && wentOn && answers[1].status == 200: // read to the end and went on
		default:
			t.Errorf("%s: got %v, went on %v", c.name, answers, wentOn)
		}
	}
	if a := r.get("/api/v1/tags/name?q=name,smuggled,:eq"); string(a.body) != "[]" {
		t.Errorf("a smuggled request was served: %s", a)
	}
}

// TestPipeline sends many requests at once and gets their answers in order.
func TestPipeline(t *testing.T) {
	r := newRig(t, settings{})
	var send strings.Builder
	var want []int
	for i := range 50 {
		switch i % 3 {
		case 0:
			send.WriteString(post(framingBody, length(framingBody)))
			want = append(want, 200)
		case 1:
			send.WriteString(post(chunk("{")+"0\r\n\r\n", "Transfer-Encoding: chunked"))
			want = append(want, 400)
		case 2:
			send.WriteString("GET /nowhere HTTP/1.1\r\nHost: $host\r\n\r\n")
			want = append(want, 404)
		}
	}
	answers, wentOn := r.raw(send.String())
	var got []int
	for _, a := range answers {
		got = append(got, a.status)
	}
	if !slices.Equal(got, want) || !wentOn {
		t.Errorf("got %v, went on %v, want %v", got, wentOn, want)
	}
}
