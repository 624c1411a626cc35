package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
)

// mail hands a message to the mail server of r, over the egress guard. Status is that
// of SMTP: 250 when at least one recipient was taken.
func (s *Service) mail(ctx context.Context, r *Receiver, message []byte) answer {
	started := s.o.Clock.Now()
	ctx, cancel := s.within(ctx, r.timeout())
	defer cancel()
	status, said, err := s.converse(ctx, r, message)
	a := answer{status: status, err: said, latencyMs: s.o.Clock.Now().Sub(started).Milliseconds()}
	var reply *textproto.Error
	var stage *stageError
	switch {
	case err == nil:
		a.verdict = accepted
		return a
	case errors.As(err, &reply):
		a.status = reply.Code
		a.verdict = judgeMail(reply.Code)
		a.down = reply.Code == 421 // it ends every conversation
		a.err = "the mail server says no"
	case errors.As(err, &stage) && stage.final != "":
		a.verdict, a.err = retry, stage.final
		return a
	default:
		var egress *EgressError
		a.verdict, a.blocked = retry, errors.As(err, &egress)
		a.down = !a.blocked
		a.err = errorText(ctx, err, r.timeout(), "the answer is not that of a mail server, or too long")
	}
	if errors.As(err, &stage) {
		a.err += " (" + stage.name + ")"
	}
	return a
}

// judgeMail classifies a reply that ended a conversation: 5xx is final. 4xx may pass, and
// so may what is no answer to what was said, such as 250 where 354 is due: nothing was
// taken.
func judgeMail(code int) verdict {
	if code >= 500 && code < 600 {
		return refused
	}
	return retry
}

// stageError says at which point of the conversation it ended, and why, if the other
// side's words do not.
type stageError struct {
	name  string
	final string
	err   error
}

func (e *stageError) Error() string { return e.name + ": " + e.final }
func (e *stageError) Unwrap() error { return e.err }

// converse sends the message. said tells of recipients that were refused while others
// were not.
func (s *Service) converse(ctx context.Context, r *Receiver, message []byte) (status int, said string, err error) {
	host, _, err := net.SplitHostPort(r.Smarthost)
	if err != nil {
		return 0, "", &stageError{name: "connect", err: err}
	}
	raw, err := s.dial(ctx, "tcp", r.Smarthost)
	if err != nil {
		return 0, "", &stageError{name: "connect", err: err}
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	c, err := s.greet(&boundedConn{Conn: raw, left: maxAnswerBytes}, r, host)
	if err != nil {
		return 0, "", err
	}
	refusals, err := hand(c, r, message)
	if err != nil {
		return 0, "", err
	}
	if refusals > 0 {
		said = fmt.Sprintf("%d of %d recipients refused", refusals, len(r.To))
	}
	return 250, said, nil
}

// greet begins a conversation, over TLS and with a name where r says so.
func (s *Service) greet(conn net.Conn, r *Receiver, host string) (*smtp.Client, error) {
	secure := &tls.Config{ServerName: host, RootCAs: s.o.RootCAs, MinVersion: tls.VersionTLS12}
	if r.implicitTLS() {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return nil, &stageError{name: "greeting", err: err}
	}
	if name, err := os.Hostname(); err == nil && name != "" && strings.IndexFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }) < 0 {
		if err := c.Hello(name); err != nil {
			return nil, &stageError{name: "greeting", err: err}
		}
	}
	if r.encrypted() && !r.implicitTLS() {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return nil, &stageError{name: "starttls", final: "the mail server offers no STARTTLS"}
		}
		if err := c.StartTLS(secure); err != nil {
			return nil, &stageError{name: "starttls", err: err}
		}
	}
	if r.Username == "" {
		return c, nil
	}
	auth, err := authOf(c, r, host)
	if err != nil {
		return nil, &stageError{name: "authentication", final: err.Error()}
	}
	if err := c.Auth(auth); err != nil {
		return nil, &stageError{name: "authentication", err: err}
	}
	return c, nil
}

// hand gives the message to all recipients that are taken, of which there must be one,
// and returns how many were not.
func hand(c *smtp.Client, r *Receiver, message []byte) (refusals int, err error) {
	from, err := address(r.From)
	if err == nil {
		err = c.Mail(from.Address)
	}
	if err != nil {
		return 0, &stageError{name: "sender", err: err}
	}
	for _, to := range r.To {
		a, err := address(to)
		if err == nil {
			err = c.Rcpt(a.Address)
		}
		if err == nil {
			continue
		}
		refusals++
		if reply := new(textproto.Error); !errors.As(err, &reply) || refusals == len(r.To) {
			return refusals, &stageError{name: "recipients", err: err}
		}
	}
	w, err := c.Data()
	if err == nil {
		_, err = w.Write(message)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return refusals, &stageError{name: "message", err: err}
	}
	_, _ = c.Text.Cmd("QUIT") // the mail is theirs; nothing hangs on the answer
	return refusals, nil
}

// dial connects over the guard for mail servers, or as the options say.
func (s *Service) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.o.Dial != nil {
		return s.o.Dial(ctx, network, address)
	}
	return s.dialer(s.guard.mail()).dial(ctx, network, address)
}

// boundedConn ends a conversation in which the other side says too much.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the mail server says too much")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// authOf picks the mechanism: PLAIN, or LOGIN or CRAM-MD5 where that is all there is.
func authOf(c *smtp.Client, r *Receiver, host string) (smtp.Auth, error) {
	_, offered := c.Extension("AUTH")
	has := map[string]bool{}
	for _, m := range strings.Fields(strings.ToUpper(offered)) {
		has[m] = true
	}
	switch {
	case has["PLAIN"]:
		return smtp.PlainAuth("", r.Username, r.Password.Reveal(), host), nil
	case has["LOGIN"]:
		return &loginAuth{r, 0}, nil
	case has["CRAM-MD5"]:
		return smtp.CRAMMD5Auth(r.Username, r.Password.Reveal()), nil
	}
	return nil, errors.New("the mail server offers neither PLAIN nor LOGIN nor CRAM-MD5")
}

// loginAuth is the mechanism LOGIN: the server asks for the name and then for the
// password.
type loginAuth struct {
	r     *Receiver
	asked int
}

func (a *loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, errors.New("LOGIN without TLS")
	}
	return "LOGIN", nil, nil
}

func (a *loginAuth) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	a.asked++
	switch a.asked {
	case 1:
		return []byte(a.r.Username), nil
	case 2:
		return []byte(a.r.Password.Reveal()), nil
	}
	return nil, errors.New("LOGIN asks too much")
}
