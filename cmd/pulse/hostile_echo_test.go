package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo is a receiver of every protocol that says all it was told, secrets first, in
// every place of an answer that a protocol has.
type echo struct {
	web, post net.Listener // of HTTP and HTTPS, and of mails
	tls       *tls.Config
	root      []byte // its certificate, PEM

	mu    sync.Mutex
	how   string
	heard strings.Builder
	conns []net.Conn
	work  sync.WaitGroup
}

// echoes are the ways in which it answers.
var echoes = []string{"200", "400", "410", "429", "500", "302", "101", "999", "unasked", "status", "chunk", "length", "header", "noise", "early", "reset", "silence"}

func newEcho(t *testing.T) *echo {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "echo"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	must(t, err)
	e := &echo{how: "200", tls: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		root: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	e.web, e.post = e.listen(t, e.receive), e.listen(t, e.mail)
	t.Cleanup(func() {
		e.web.Close()
		e.post.Close()
		e.mu.Lock()
		for _, c := range e.conns {
			c.Close()
		}
		e.mu.Unlock()
		e.work.Wait()
	})
	return e
}

func (e *echo) answers(how string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.how = how
}

func (e *echo) note(text string) (how string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard.WriteString(text + "\n")
	return e.how
}

// early reports whether it speaks before it is spoken to.
func (e *echo) early() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.how == "early"
}

// last is what it was told last.
func (e *echo) last() string {
	all := strings.TrimSpace(e.all())
	return all[strings.LastIndexByte(all, '\n')+1:] + "\r\n\r\n"
}

func (e *echo) all() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.String()
}

// listen serves connections.
func (e *echo) listen(t *testing.T, serve func(net.Conn)) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e.work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, c)
			e.mu.Unlock()
			e.work.Go(func() { defer c.Close(); serve(c) })
		}
	})
	return ln
}

// receive speaks TLS with those who do.
func (e *echo) receive(c net.Conn) {
	if e.early() {
		io.WriteString(c, e.last())
	}
	in := bufio.NewReader(c)
	first, err := in.Peek(1)
	switch {
	case err != nil:
	case first[0] != 0x16:
		e.http(c, c, in)
	default:
		over := tls.Server(&replayed{c, in}, e.tls)
		if over.Handshake() == nil {
			e.http(c, over, bufio.NewReader(over))
		}
	}
}

// replayed reads what was looked at before.
type replayed struct {
	net.Conn
	in io.Reader
}

func (r *replayed) Read(p []byte) (int, error) { return r.in.Read(p) }

func (e *echo) http(raw, c net.Conn, in *bufio.Reader) {
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	said := req.URL.String()
	if user, password, ok := req.BasicAuth(); ok {
		said += " " + user + " " + password
	}
	if text, err := url.QueryUnescape(req.URL.String()); err == nil {
		said += " " + text
	}
	said += fmt.Sprint(" ", req.Header, " ", string(body))
	how := e.note(said)
	said = strings.NewReplacer("\r", " ", "\n", " ").Replace(said[:min(len(said), 3000)])
	switch how {
	case "silence":
		io.Copy(io.Discard, c)
	case "reset":
		raw.(*net.TCPConn).SetLinger(0)
	case "noise":
		fmt.Fprintf(c, "%s\r\n\r\n", said)
	case "status":
		fmt.Fprintf(c, "HTTP/1.1 %s\r\n\r\n", said)
	case "header":
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", said)
	case "length":
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %s\r\nTransfer-Encoding: %s\r\n\r\n", said, said)
	case "chunk":
		fmt.Fprintf(c, "HTTP/1.1 500 %s\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n%s\r\n", said, said, said)
	case "unasked":
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok%sHTTP/1.1 200 %s\r\n\r\n", said, said)
	default:
		fmt.Fprintf(c, "HTTP/1.1 %s %s\r\nX-Said: %s\r\nLocation: http://127.0.0.1/%s\r\nRetry-After: %s\r\nContent-Length: %d\r\n\r\n%s", how, said, said, url.PathEscape(said), said, len(said), said)
	}
}

func (e *echo) mail(c net.Conn) {
	in, raw := bufio.NewReader(c), c
	said := "welcome"
	say := func(code string) { fmt.Fprintf(c, "%s %.400s\r\n", code, said) }
	say("220")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		said = line[:len(line)-2]
		if text, err := base64.StdEncoding.DecodeString(rest[strings.LastIndex(rest, " ")+1:]); err == nil && verb == "AUTH" {
			said += " " + strings.ReplaceAll(string(text), "\x00", " ")
		}
		how := e.note(said)
		secret := c != raw // and what follows knows the password
		switch verb {
		case "EHLO":
			fmt.Fprint(c, "250-echo\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
			continue
		case "STARTTLS":
			say("220")
			over := tls.Server(raw, e.tls)
			if over.Handshake() != nil {
				return
			}
			c, in = over, bufio.NewReader(over)
			continue
		case "QUIT":
			return
		}
		switch {
		case !secret || how == "200":
			say(map[string]string{"AUTH": "235", "DATA": "354"}[verb] + map[bool]string{true: "250"}[verb != "AUTH" && verb != "DATA"])
			if verb == "DATA" {
				for line != ".\r\n" && err == nil {
					line, err = in.ReadString('\n')
				}
				say("250")
			}
		case how == "silence":
			io.Copy(io.Discard, c)
			return
		case how == "reset", how == "unasked", how == "length", how == "chunk":
			raw.(*net.TCPConn).SetLinger(0)
			return
		case how == "noise", how == "status", how == "header":
			say("inside")
		case how == "400", how == "410":
			say("535")
		default:
			say("421")
		}
	}
}
