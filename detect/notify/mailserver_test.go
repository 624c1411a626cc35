package notify_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer plays a mail server on pipes.
type mailServer struct {
	t        *testing.T
	cert     tls.Certificate
	roots    *x509.CertPool
	auth     string // mechanisms that it offers
	plain    bool   // it has no STARTTLS
	implicit bool   // TLS begins with the connection

	mu     sync.Mutex
	answer func(verb, rest string) string // "" is what is usual, "hang" no answer at all
	got    []*mailSeen
	dials  int
}

// end is one end of a connection with buffers, which net.Pipe lacks.
type end struct {
	net.Conn // addresses and deadlines, which nobody needs here
	in, out  chan []byte
	rest     []byte
	over     chan struct{}
	peer     chan struct{}
	once     sync.Once
}

func wire() (*end, *end) {
	a, b := make(chan []byte, 256), make(chan []byte, 256)
	x, y := make(chan struct{}), make(chan struct{})
	here, there := net.Pipe()
	return &end{Conn: here, in: a, out: b, over: x, peer: y}, &end{Conn: there, in: b, out: a, over: y, peer: x}
}

func (e *end) Read(p []byte) (int, error) {
	for len(e.rest) == 0 {
		select {
		case e.rest = <-e.in:
			continue
		default:
		}
		select {
		case e.rest = <-e.in:
		case <-e.over:
			return 0, net.ErrClosed
		case <-e.peer:
			if len(e.in) == 0 {
				return 0, io.EOF
			}
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *end) Write(p []byte) (int, error) {
	select {
	case e.out <- append([]byte(nil), p...):
		return len(p), nil
	case <-e.over:
		return 0, net.ErrClosed
	case <-e.peer:
		return 0, io.ErrClosedPipe
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.over) })
	return nil
}

// mailSeen is one mail as the server took it.
type mailSeen struct {
	user, password, from string
	to                   []string
	secure               bool
	message              *mail.Message
	body                 string
}

func newMailServer(t *testing.T, host string) *mailServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * 365 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{t: t, cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots: x509.NewCertPool(), auth: "PLAIN LOGIN"}
	s.roots.AddCert(parsed)
	s.answers(nil)
	return s
}

func (s *mailServer) answers(f func(verb, rest string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// dial is a connection to the server.
func (s *mailServer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	here, there := wire()
	s.mu.Lock()
	s.dials++
	s.mu.Unlock()
	go s.serve(there)
	return here, ctx.Err()
}

func (s *mailServer) seen() []*mailSeen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*mailSeen(nil), s.got...)
}

// serve answers one connection.
func (s *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	secret := &tls.Config{Certificates: []tls.Certificate{s.cert}}
	if s.implicit {
		conn = tls.Server(conn, secret)
	}
	secure := s.implicit
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	one := &mailSeen{}
	say("220 mail.example.com ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		verb = strings.ToUpper(verb)
		s.mu.Lock()
		reply := ""
		if s.answer != nil {
			reply = s.answer(verb, rest)
		}
		s.mu.Unlock()
		switch {
		case reply == "hang":
			io.Copy(io.Discard, conn)
			return
		case reply == "endless":
			for err == nil {
				_, err = io.WriteString(conn, "250-more\r\n")
			}
			return
		case reply != "":
			say("%s", reply)
			continue
		}
		switch verb {
		case "EHLO":
			say("250-mail.example.com")
			if !secure && !s.plain {
				say("250-STARTTLS")
			}
			if s.auth != "" {
				say("250-AUTH %s", s.auth)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			over := tls.Server(conn, secret)
			if over.Handshake() != nil {
				return
			}
			conn, in, secure = over, bufio.NewReader(over), true
		case "AUTH":
			if err := s.authenticate(one, rest, in, say); err != nil {
				return
			}
			say("235 welcome")
		case "MAIL":
			one.from, one.to, one.secure = rest, nil, secure
			say("250 ok")
		case "RCPT":
			one.to = append(one.to, strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>"))
			say("250 ok")
		case "DATA":
			say("354 go on")
			if err := s.take(one, in); err != nil {
				s.t.Error(err)
				return
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what?")
		}
	}
}

func (s *mailServer) authenticate(one *mailSeen, rest string, in *bufio.Reader, say func(string, ...any)) error {
	mechanism, initial, _ := strings.Cut(rest, " ")
	next := func(prompt string) string {
		say("334 %s", base64.StdEncoding.EncodeToString([]byte(prompt)))
		line, _ := in.ReadString('\n')
		text, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		return string(text)
	}
	switch mechanism {
	case "PLAIN":
		text, err := base64.StdEncoding.DecodeString(initial)
		parts := strings.Split(string(text), "\x00")
		if err != nil || len(parts) != 3 {
			return errors.New("PLAIN")
		}
		one.user, one.password = parts[1], parts[2]
	case "LOGIN":
		one.user, one.password = next("Username:"), next("Password:")
	case "CRAM-MD5":
		one.user, _, _ = strings.Cut(next("<1@mail.example.com>"), " ")
	}
	return nil
}

// take reads a message up to the dot.
func (s *mailServer) take(one *mailSeen, in *bufio.Reader) error {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasSuffix(line, "\r\n") || len(line) > 1000 {
			return fmt.Errorf("line %.80q of %d bytes", line, len(line))
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	m, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := *one
	taken.message, taken.body = m, string(body)
	s.got = append(s.got, &taken)
	return nil
}
