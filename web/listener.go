package web

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pulse/web/render"
)

// limitPerAddress returns a listener that refuses connections beyond most of one
// address: it answers 429 and closes them. With encryption they are closed
// without an answer, which would cost a handshake.
func limitPerAddress(ln net.Listener, most int, encryption func() *tls.Config) net.Listener {
	return &addressListener{Listener: ln, most: most, encryption: encryption, open: map[netip.Addr]int{}}
}

type addressListener struct {
	ending sync.Once
	ended  error

	net.Listener
	most       int
	encryption func() *tls.Config // nil for none

	mu   sync.Mutex
	open map[netip.Addr]int
}

// Close may be called more than once.
func (l *addressListener) Close() error {
	l.ending.Do(func() { l.ended = l.Listener.Close() })
	return l.ended
}

// Accept waits for a connection whose address is below the limit. It never
// waits for what a client sends.
func (l *addressListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := &addressConn{Conn: c, socket: c, leave: func() {}}
		if from := network(c.RemoteAddr()); from.IsValid() {
			if !l.enter(from) {
				l.refuse(c)
				continue
			}
			conn.leave = sync.OnceFunc(func() { l.leave(from) })
		}
		if l.encryption == nil {
			return conn, nil
		}
		return secure(conn, l.encryption()), nil
	}
}

func (l *addressListener) enter(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a] >= l.most {
		return false
	}
	l.open[a]++
	return true
}

func (l *addressListener) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a]--; l.open[a] == 0 {
		delete(l.open, a)
	}
}

// refuse answers without reading, which fits into the socket's buffer.
func (l *addressListener) refuse(c net.Conn) {
	if l.encryption == nil {
		body := render.AppendError(nil, fmt.Sprintf("this address has %d connections open, which is the limit", l.most))
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = fmt.Fprintf(c, "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	_ = c.Close()
}

// addressConn gives its place back when it closes. It lets who holds it reach
// the socket, as the connection inside does.
type addressConn struct {
	net.Conn          // what is read and written: the socket, or the encryption over it
	socket   net.Conn // what was accepted
	leave    func()
	begun    bool // a byte has come
	linger   atomic.Bool
	body     atomic.Pointer[func()] // gives back the place of a body, see bodies
}

// addressed returns the addressConn of a connection that the listener
// accepted, nil for any other.
func addressed(c net.Conn) *addressConn {
	switch c := c.(type) {
	case *addressConn:
		return c
	case *secureConn:
		return c.addressConn
	}
	return nil
}

// Read tells an end in the middle of things from one before anything came: the
// HTTP library takes a plain end of file between two chunks of a body for a
// connection that was not used, and tells nobody.
func (c *addressConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.begun = c.begun || n > 0
	if err == io.EOF && c.begun {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// giveBack gives back the place of the body that is being received, if any.
func (c *addressConn) giveBack() {
	if back := c.body.Swap(nil); back != nil {
		(*back)()
	}
}

const (
	lingerTime  = time.Second
	lingerBytes = 32 << 20
)

// Close closes the connection. When it lingers, what the other side is still
// sending is first read and thrown away for a while: closing on unread bytes
// resets the connection, and the answer in front of it would be lost.
func (c *addressConn) Close() error {
	defer c.leave()
	c.giveBack()
	if c.linger.Swap(false) {
		if encrypted, ok := c.Conn.(*tls.Conn); ok {
			_ = encrypted.CloseWrite() // says that this is the end; fails before the handshake, where nothing is to say
		}
		if half, ok := c.socket.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_ = c.socket.SetReadDeadline(time.Now().Add(lingerTime))
			_, _ = io.CopyN(io.Discard, c.socket, lingerBytes)
		}
	}
	return c.Conn.Close()
}

// SyscallConn implements syscall.Conn.
func (c *addressConn) SyscallConn() (syscall.RawConn, error) {
	sc, ok := c.socket.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("connection %T has no socket", c.socket)
	}
	return sc.SyscallConn()
}
