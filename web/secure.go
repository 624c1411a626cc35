package web

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"pulse/web/render"
)

// secureConn is an encrypted connection. The HTTP library calls Handshake on
// the goroutine of the connection, within the time to send the headers.
type secureConn struct {
	*addressConn
	tls   *tls.Conn
	ready atomic.Bool // the handshake is over
}

func secure(c *addressConn, config *tls.Config) *secureConn {
	s := &secureConn{addressConn: c, tls: tls.Server(c.socket, config)}
	c.Conn = s.tls
	return s
}

// Handshake makes the keys. A client that does not know that the server
// encrypts is told so.
func (c *secureConn) Handshake() error {
	err := c.tls.Handshake()
	var plain tls.RecordHeaderError
	switch {
	case err == nil:
		c.ready.Store(true)
	case errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader[:]):
		body := render.AppendError(nil, "this server speaks HTTPS only")
		_ = plain.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = fmt.Fprintf(plain.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		c.linger.Store(true)
	}
	return err
}

// ConnectionState implements what the HTTP library knows an encrypted
// connection by.
func (c *secureConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Write refuses to make a handshake: it may be called by the goroutine that
// accepts connections, for one too many, which must not wait for a client.
func (c *secureConn) Write(p []byte) (int, error) {
	if !c.ready.Load() {
		return 0, net.ErrClosed
	}
	return c.tls.Write(p)
}

// looksLikeHTTP reports whether a record's header is the beginning of a request
// in plain text.
func looksLikeHTTP(b []byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "DELET", "OPTIO"} {
		if bytes.Equal(b, []byte(method)) {
			return true
		}
	}
	return false
}
