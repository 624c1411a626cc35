package web_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"pulse/web"
)

// Long request lines are refused with the limit that they exceed, and those that
// exceed none are answered, however much is in them.
func TestLongTargets(t *testing.T) {
	r := newRig(t, settings{})
	r.publish(point(epoch, 1, "gauge", "known"))
	repeat := strings.Repeat
	graph := "/api/v1/graph?format=json&s=e-3s&q="
	header := len("GET  HTTP/1.1\r\nHost: " + r.addr + "\r\n\r\n")
	fill := func(target, with string, size int) string {
		return target + repeat(with, (size-header-len(target))/len(with))
	}
	const most = 16 << 10
	for _, c := range []struct {
		name, target string
		status       int
		text         string
		closes       bool
	}{
		{"beyond the limit by a byte", fill(graph+"1&x=", "y", most+1), 431, "request line and headers are larger than 16384 bytes", true},
		{"beyond the limit", fill(graph, "1,", 2*most), 431, "request line and headers are larger than 16384 bytes", true},
		{"at the limit", fill(graph+"1&x=", "y", most), 200, `"values":[[1.0],[1.0],[1.0]]`, false},
		{"a huge expression", fill(graph, "1,", most), 400, "8192", false},
		{"a huge name", fill(graph, "a", most), 400, "8192", false},
		{"many words", graph + repeat("1,:drop,", 900) + "1", 400, "1000", false},
		{"an expression that is escaped", graph + url.QueryEscape("name,known,:eq,:sum"+repeat(",1.000,:add", 480)), 200, `"values":[[480.0],[480.0],[481.0]]`, false},
		{"an expression of escapes alone", fill(graph, "%31", most-3000), 200, "", false},
		{"a huge restriction", fill(graph+"1&cq=", "a", most), 400, "8192", false},
		{"a huge range", fill("/api/v1/graph?format=json&q=1&s=", "9", most), 400, "parameter s: invalid date 9", false},
		{"a huge step", fill(graph+"1&step=", "9", most), 400, "parameter step", false},
		{"many parameters", fill(graph+"1", "&x", most), 200, `"values":[[1.0],[1.0],[1.0]]`, false},
		{"many parameters without a name", fill(graph+"1", "&", most), 200, `"values":[[1.0],[1.0],[1.0]]`, false},
		{"many expressions", fill(graph+"1", "&q=2", most), 200, `"values":[[1.0],[1.0],[1.0]]`, false},
		{"many zones", fill(graph+"1", "&tz=UTC", most), 400, "parameter tz is given", false},
		{"many hints", fill("/api/v1/graph?format=v2.json&s=e-3s&q=1&hints=no-image", ",a", most), 200, "", false},
		{"many settings of axes", fill("/api/v1/graph?format=svg&s=e-3s&q=1", "&u.1=7", most), 200, "", false},
	} {
		begun := time.Now()
		answers, wentOn := r.raw("GET " + c.target + " HTTP/1.1\r\nHost: $host\r\n\r\n")
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v", c.name, took)
		}
		if len(answers) != 1 || answers[0].status != c.status || wentOn == c.closes || !strings.Contains(string(answers[0].body), c.text) {
			t.Errorf("%s: got %v, went on %v, want one %d with %q", c.name, answers, wentOn, c.status, c.text)
			continue
		}
		if fault := errorFault(answers[0]); c.status >= 400 && (fault != "" || len(answers[0].body) > 2000) {
			t.Errorf("%s: %s, %d bytes", c.name, fault, len(answers[0].body))
		}
	}
}

// A client that sends nothing more once it has asked gets what it asked for.
func TestHalfClosed(t *testing.T) {
	r := newRig(t, settings{})
	r.publish(point(epoch, 1, "gauge", "known"))
	const get = "GET $target HTTP/1.1\r\nHost: $host\r\n\r\n"
	body := metrics(point(epoch, 1, "gauge", "half.closed"))
	for _, c := range []struct {
		name, target, send string
		status             []int // of the answers, in order
	}{
		{"health", "/ok", get, []int{200}},
		{"a graph", "/api/v1/graph?format=json&s=e-3s&q=name,known,:eq,:sum", get, []int{200}},
		{"a picture", "/api/v1/graph?s=e-3s&q=name,known,:eq,:sum", get, []int{200}},
		{"names", "/api/v1/tags/name", get, []int{200}},
		{"events", "/api/v2/fetch?s=e-3s&q=name,known,:eq,:sum", get, []int{200}},
		{"points", "", post(body, length(body)), []int{200}},
		{"points in chunks", "", post(chunk(body)+"0\r\n\r\n", "Transfer-Encoding: chunked"), []int{200}},
		{"three", "/api/v1/graph?format=json&s=e-3s&q=1", get + get + get, []int{200, 200, 200}},
		{"one and a half", "/ok", get + "GET /ok HTTP", []int{200, 400}},
		{"half a request line", "", "GET /o", []int{400}},
		{"half the headers", "", "GET /ok HTTP/1.1\r\nHost: $host\r\n", []int{400}},
		{"half a body", "", post(body[:10], length(body)), []int{400}},
		{"half a chunk", "", post(fmt.Sprintf("%x\r\n%s", len(body), body[:10]), "Transfer-Encoding: chunked"), []int{400}},
		{"nothing", "", "", nil},
	} {
		conn := r.dial().(*net.TCPConn)
		io.WriteString(conn, strings.NewReplacer("$host", r.addr, "$target", c.target).Replace(c.send))
		conn.CloseWrite()
		answers, err := readAnswers(conn)
		var got []int
		for _, a := range answers {
			got = append(got, a.status)
			if fault := errorFault(a); a.status >= 400 && fault != "" {
				t.Errorf("%s: %s: %s", c.name, fault, a)
			}
		}
		for i, status := range got { // a client that goes away looks the same, and a query that takes long ends with it
			if status == 503 && strings.Contains(c.target, "q=") {
				got[i] = 200
			}
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.status) {
			t.Errorf("%s: got %v, %v, want %v and the end", c.name, answers, err, c.status)
		}
		conn.Close()
	}
	until(t, "the end of all connections", func() bool { return r.used()["connections"] == 1 })
	// Events come on, until there is nobody to take them.
	conn := r.ask("/api/v1/stream?q=name,known,:eq,:sum")
	conn.CloseWrite()
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil || r.streams() != 1 {
		t.Errorf("a stream: %v, %d are open", err, r.streams())
	}
	conn.Close()
	until(t, "the end of the stream", func() bool { r.clock.Advance(10 * time.Second); return r.streams() == 0 })
}

// A half-closed connection may be one whose client is gone: its heavy query ends.
func TestHalfClosedHeavyQuery(t *testing.T) {
	if testing.Short() {
		t.Skip("asks for much")
	}
	r := crowded(t, 10_000, web.Options{QueryTimeout: patience})
	conn := r.ask(heavyQueries()["a hundred in lower case"])
	until(t, "a query that runs", func() bool { return r.used()["queries"] == 1 })
	conn.CloseWrite()
	answers, err := readAnswers(conn)
	if err != nil || len(answers) != 1 || answers[0].status != 503 || errorFault(answers[0]) != "" {
		t.Errorf("got %v, %v, want one 503 and the end", answers, err)
	}
	until(t, "the end of the query", func() bool { u := r.used(); return u["queries"] == 0 && u["connections"] == 1 })
}

// What comes byte by byte, if in time, is read as what comes at once.
func TestByteByByte(t *testing.T) {
	r := newRig(t, settings{})
	r.publish(point(epoch, 1, "gauge", "known"))
	body := metrics(point(epoch, 1, "gauge", "slow"))
	target := "/api/v1/graph?format=json&s=e-3s&q=name,known,:eq,:sum"
	for what, text := range map[string]string{
		"a graph":          "GET " + target + " HTTP/1.1\r\nHost: $host\r\n\r\n",
		"points":           post(body, length(body)),
		"points in chunks": post(chunk(body[:10])+chunk(body[10:])+"0\r\n\r\n", "Transfer-Encoding: chunked"),
	} {
		conn := r.dial().(*net.TCPConn)
		<-dribble(conn, strings.ReplaceAll(text, "$host", r.addr))
		conn.CloseWrite()
		answers, err := readAnswers(conn)
		if err != nil || len(answers) != 1 || answers[0].status != 200 {
			t.Errorf("%s: got %v, %v, want one 200", what, answers, err)
			continue
		}
		if what == "a graph" && !bytes.Equal(answers[0].body, r.get(target).body) {
			t.Errorf("%s: %s", what, answers[0])
		}
	}
	if a := r.get("/api/v1/tags/name?q=name,slow,:eq"); string(a.body) != `["slow"]` {
		t.Errorf("the points that came byte by byte: %s", a)
	}
}
