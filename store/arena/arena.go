// Package arena keeps bytes outside the garbage-collected heap: memory of its
// own and mapped files, counted by those who use them.
//
// What lies here costs the collector nothing and returns to the system when
// the last user lets go. In exchange somebody has to count: a slice of a
// Region must not be used after the Release that its user owes.
package arena

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
)

// Region is a run of bytes that many readers share. It begins with one
// reference, its creator's, and is given back when the last is released. A
// region that is dropped without Release is given back some time after the
// collector finds out.
//
// Retain, Release and reading are safe for concurrent use; Retain only by
// somebody who knows that a reference is held meanwhile.
type Region struct {
	bytes  []byte
	mapped *mapping // nil: the bytes are on the heap
	file   bool
	refs   atomic.Int64
}

// mapping is what has to be unmapped, apart from the Region so that the
// collector can see that nobody has the latter.
type mapping struct {
	bytes []byte
	gone  atomic.Bool
}

// smallest is the size from which a mapping is worth its page table entries;
// fewer bytes go on the heap.
const smallest = 32 << 10

// Anonymous returns n bytes of zeros that may be written until Freeze. They
// are on the heap when they are few, or when the system has no more mappings
// to give.
func Anonymous(n int) *Region {
	if n >= smallest {
		b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err == nil {
			return newRegion(b, &mapping{bytes: b}, false)
		}
	}
	return newRegion(make([]byte, n), nil, false)
}

// File is what Map needs of a file. OS is nil when there is no file of the
// operating system behind it.
type File interface {
	io.ReaderAt
	Size() (int64, error)
	OS() *os.File
}

// Map returns the bytes that the file has now, read-only. It may be closed
// afterwards, and removed. A file that gets shorter, or that the disk fails to
// deliver, makes reading fault: see Guard. A file that cannot be mapped, as in
// tests, is read into memory.
func Map(f File) (*Region, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size != int64(int(size)) {
		return nil, fmt.Errorf("map %d bytes: too many", size)
	}
	os := f.OS()
	if os == nil || size == 0 {
		return load(f, int(size))
	}
	b, err := syscall.Mmap(int(os.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return newRegion(b, &mapping{bytes: b}, true), nil
}

func load(f File, size int) (*Region, error) {
	r := Anonymous(size)
	n, err := f.ReadAt(r.bytes, 0)
	if n < size {
		r.Release()
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %d bytes: %w", size, err)
	}
	r.Freeze()
	return r, nil
}

func newRegion(b []byte, m *mapping, file bool) *Region {
	r := &Region{bytes: b, mapped: m, file: file}
	r.refs.Store(1)
	if m != nil {
		runtime.AddCleanup(r, func(m *mapping) { m.unmap() }, m)
	}
	return r
}

// Bytes returns all bytes.
func (r *Region) Bytes() []byte { return r.bytes }

// Len returns the number of bytes.
func (r *Region) Len() int { return len(r.bytes) }

// OffHeap reports whether the bytes are memory that the process holds outside
// the heap; those of a file are the page cache's.
func (r *Region) OffHeap() bool { return r.mapped != nil && !r.file }

// Freeze makes the bytes read-only. Where the system can see to it, writing
// them faults from now on.
func (r *Region) Freeze() {
	if r.OffHeap() {
		// A refusal leaves memory that could be written and is not.
		_ = syscall.Mprotect(r.mapped.bytes, syscall.PROT_READ)
	}
}

// Retain takes a reference.
func (r *Region) Retain() {
	if r.refs.Add(1) <= 1 {
		panic("BUG: a region was retained after its last release")
	}
}

// Release gives a reference back, and with the last one the bytes.
func (r *Region) Release() {
	switch n := r.refs.Add(-1); {
	case n < 0:
		panic("BUG: a region was released more often than retained")
	case n > 0:
		return
	}
	r.bytes = nil
	if r.mapped != nil {
		r.mapped.unmap()
	}
}

// unmap gives the bytes back once. An error means that the system could not
// split a mapping; the bytes then stay.
func (m *mapping) unmap() {
	if m.gone.CompareAndSwap(false, true) {
		_ = syscall.Munmap(m.bytes)
	}
}
