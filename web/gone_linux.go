package web

import "syscall"

// closeWait is the state of a TCP connection whose other side has sent its end:
// TCP_CLOSE_WAIT of include/net/tcp_states.h.
const closeWait = 8

// halfClosed reports whether the other side has sent its end, also behind bytes
// that nobody has read: an encrypted connection says goodbye before it closes.
func halfClosed(raw syscall.RawConn) bool {
	gone := false
	err := raw.Control(func(fd uintptr) {
		info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		gone = err == nil && info&0xff == closeWait // the first byte of struct tcp_info is the state
	})
	return err == nil && gone
}
