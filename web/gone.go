package web

import (
	"context"
	"net"
	"syscall"
	"time"
)

// peekEvery is how often a running query looks whether its client is there.
const peekEvery = 100 * time.Millisecond

// watchClient cancels a query when its client closes the connection. It looks
// without reading, so that a pipelined request stays where it is. The returned
// function ends the watch; it must be called before the handler returns.
func watchClient(conn net.Conn, cancel context.CancelFunc) (stop func()) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return func() {}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return func() {}
	}
	_, encrypted := conn.(*secureConn)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(peekEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if closed(raw) || encrypted && halfClosed(raw) {
					cancel()
					return
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

// closed peeks one byte: none and no error means that the other side is gone.
func closed(raw syscall.RawConn) bool {
	gone := false
	err := raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return err != nil || gone
}
