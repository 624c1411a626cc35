package main

import (
	"os"
	"syscall"
)

// reserve makes a file at least so long, with space on the disk for all of it.
func reserve(name string, bytes int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, bytes)
		if err != syscall.EINTR {
			return err
		}
	}
}
