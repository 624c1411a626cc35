// Package disk is what the store needs of a file system, as an interface: the
// real thing is Dir, the one that loses power on command is package faulty.
//
// Names are slash-separated paths relative to the data folder ("wal/01.wal",
// "meta.json"), without "." and ".." parts; the data folder itself is ".".
// What makes a change durable is written at each method; everything else may
// be lost, reordered or torn by a power cut, but not by the end of the process.
package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// FS is one data folder. Implementations are safe for concurrent use.
//
// Errors wrap io/fs.ErrNotExist where a file is absent, and IsFull tells those
// of a full disk. A method that failed may have had its effect or a part of it.
type FS interface {
	// Create makes an empty file of mode 0600, open for reading and writing;
	// one that exists is emptied. The entry is durable after SyncDir of its
	// folder, the content after Sync of the file.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenWrite opens a file that exists for reading, appending and truncating.
	OpenWrite(name string) (File, error)
	// Rename gives old the name new, in place of a file that had it, in one
	// step: a crash leaves the one or the other. Durable after SyncDir.
	Rename(old, new string) error
	// Remove removes a file. Durable after SyncDir.
	Remove(name string) error
	// MkdirAll makes a folder of mode 0700 with its parents. It is durable on
	// return, and no error if the folder exists.
	MkdirAll(dir string) error
	// List returns the base names of a folder's files and folders, ascending;
	// none for a folder that does not exist.
	List(dir string) ([]string, error)
	// Size returns a file's length in bytes.
	Size(name string) (int64, error)
	// SyncDir makes the entries of a folder durable: what was created, renamed
	// or removed in it.
	SyncDir(dir string) error
	// Lock takes the file name for this process and writes text into it; Close
	// gives it back, and so does the end of the process. *LockedError names the
	// holder when there is another.
	Lock(name, text string) (io.Closer, error)
	// Free returns what the file system has left for this process, and its size,
	// in bytes.
	Free() (free, total int64, err error)
}

// File is an open file. Write appends at the end. Except for ReadAt and Sync,
// which may run beside everything, it belongs to one goroutine at a time.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync makes the content and the length durable (fdatasync). After an error
	// what reached the disk is unknown, and a later success proves nothing about
	// bytes written before: such a file is to be given up.
	Sync() error
	// Truncate cuts the file to n bytes. Durable after Sync.
	Truncate(n int64) error
	// Size returns the length in bytes.
	Size() (int64, error)
	// OS returns the file of the operating system, for mapping it into memory,
	// or nil where there is none; the caller then reads instead.
	OS() *os.File
}

// LockedError says who holds a folder's lock.
type LockedError struct {
	Name   string // of the lock file
	Holder string // the text its holder wrote into it
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("%s is locked by another process", e.Name)
	}
	return fmt.Sprintf("%s is locked by another process: %s", e.Name, e.Holder)
}

// IsFull reports whether err says that there is no space, or that a quota is
// used up.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
