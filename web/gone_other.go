//go:build !linux

package web

import "syscall"

// halfClosed is known on Linux only: elsewhere a query over an encrypted
// connection runs to its end, or to its time limit, when its client goes.
func halfClosed(syscall.RawConn) bool { return false }
