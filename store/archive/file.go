package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync/atomic"

	"pulse/store/arena"
	"pulse/store/disk"
)

// File is a container that is open for reading. It begins with one reference,
// the opener's, and its bytes are given back with the last Release. Safe for
// concurrent use.
type File struct {
	name     string
	region   *arena.Region
	bytes    []byte // of region
	end      int64  // of the sections: the directory follows
	sections []section
}

type section struct {
	entry
	state atomic.Uint32
}

// States of a section.
const (
	unchecked uint32 = iota
	sound
	damaged
)

// Open maps a container of the given kind. It reads the header, the directory
// and the trailer, however long the file is.
func Open(fs disk.FS, name string, kind Kind) (*File, error) {
	file, err := fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	region, err := arena.Map(file)
	if err2 := file.Close(); err == nil && err2 != nil {
		region.Release()
		err = err2
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	f := &File{name: name, region: region, bytes: region.Bytes()}
	if err := f.guard(0, func() error { return f.parse(kind) }); err != nil {
		region.Release()
		return nil, err
	}
	return f, nil
}

// parse reads header, trailer and directory.
func (f *File) parse(kind Kind) error {
	b := f.bytes
	if len(b) < headerSize+trailerSize {
		return f.corrupt(int64(len(b)), "only %d bytes", len(b))
	}
	header, trailer := b[:headerSize], b[len(b)-trailerSize:]
	at := int64(len(b) - trailerSize)
	if [8]byte(header) != magic {
		return f.corrupt(0, "does not begin as a file of this program does")
	}
	if want := binary.LittleEndian.Uint32(header[headerSize-4:]); checksum(header[:headerSize-4]) != want {
		return f.corrupt(0, "header checksum does not match")
	}
	if v := binary.LittleEndian.Uint16(header[8:]); v != version {
		return fmt.Errorf("%s: %w: %d, this program knows %d", f.name, ErrVersion, v, version)
	}
	if k := Kind(binary.LittleEndian.Uint16(header[10:])); k != kind {
		return f.corrupt(10, "kind %d, want %d", k, kind)
	}
	if [8]byte(trailer[40:]) != endMagic {
		return f.corrupt(at, "no trailer: the file is not complete")
	}
	if want := binary.LittleEndian.Uint32(trailer[36:]); checksum(trailer[:36]) != want {
		return f.corrupt(at, "trailer checksum does not match")
	}
	if n := binary.LittleEndian.Uint64(trailer[16:]); n != uint64(len(b)) {
		return f.corrupt(at, "the trailer is for %d bytes, not %d", n, len(b))
	}
	from, count := binary.LittleEndian.Uint64(trailer), binary.LittleEndian.Uint32(trailer[8:])
	if from < headerSize || from > uint64(at) || uint64(at)-from != uint64(count)*entrySize {
		return f.corrupt(at, "directory of %d sections at %d does not fit", count, from)
	}
	directory := b[from:at]
	if checksum(directory) != binary.LittleEndian.Uint32(trailer[12:]) {
		return f.corrupt(int64(from), "directory checksum does not match")
	}
	f.end = int64(from)
	return f.parseDirectory(directory)
}

func (f *File) parseDirectory(b []byte) error {
	f.sections = make([]section, len(b)/entrySize)
	free := uint64(headerSize)
	for i := range f.sections {
		s, e := &f.sections[i], b[i*entrySize:]
		offset, length := binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint64(e[16:])
		if offset < free || offset%align != 0 || offset > uint64(f.end) || length > uint64(f.end)-offset {
			return f.corrupt(f.end+int64(i*entrySize), "section of %d bytes at %d does not fit", length, offset)
		}
		s.entry = entry{binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]), int64(offset), int64(length)}
		if i > 0 && f.sections[i-1].id >= s.id {
			return f.corrupt(f.end+int64(i*entrySize), "section %d out of order", s.id)
		}
		free = offset + length
	}
	return nil
}

// Name returns the name that the file was opened by.
func (f *File) Name() string { return f.name }

// Size returns the number of bytes of the file.
func (f *File) Size() int64 { return int64(len(f.bytes)) }

// Retain takes a reference; the caller knows that one is held meanwhile.
func (f *File) Retain() { f.region.Retain() }

// Release gives a reference back. No bytes of the file may be used after the
// last.
func (f *File) Release() { f.region.Release() }

// Has reports whether there is a section with the given identifier.
func (f *File) Has(id uint32) bool { return f.find(id) != nil }

// Section returns the bytes of a section, which are valid as long as the
// caller's reference. The first call compares the checksum. Reading them later
// may fault all the same when the disk fails: see arena.Guard.
func (f *File) Section(id uint32) ([]byte, error) {
	s := f.find(id)
	if s == nil {
		return nil, f.corrupt(f.end, "no section %d", id)
	}
	if err := f.check(s); err != nil {
		return nil, err
	}
	return f.view(s), nil
}

// Verify reads the whole file and compares all checksums.
func (f *File) Verify() error {
	for i := range f.sections {
		if err := f.check(&f.sections[i]); err != nil {
			return err
		}
	}
	return f.guard(0, func() error {
		at := len(f.bytes) - trailerSize
		if checksum(f.bytes[:at]) != binary.LittleEndian.Uint32(f.bytes[at+24:]) {
			return f.corrupt(0, "checksum of the file does not match: bytes between the sections were changed")
		}
		return nil
	})
}

func (f *File) find(id uint32) *section {
	i := sort.Search(len(f.sections), func(i int) bool { return f.sections[i].id >= id })
	if i < len(f.sections) && f.sections[i].id == id {
		return &f.sections[i]
	}
	return nil
}

// view returns the bytes of a section, checked or not.
func (f *File) view(s *section) []byte {
	return f.bytes[s.offset : s.offset+s.length : s.offset+s.length]
}

// check compares the checksum of a section, the first time.
func (f *File) check(s *section) error {
	switch s.state.Load() {
	case sound:
		return nil
	case damaged:
		return f.corrupt(s.offset, "section %d was found damaged", s.id)
	}
	return f.compare(s)
}

// compare compares the checksum of a section and notes what came of it. What
// was found damaged once stays so.
func (f *File) compare(s *section) error {
	err := f.guard(s.offset, func() error {
		if sum := checksum(f.view(s)); sum != s.sum {
			return f.corrupt(s.offset, "section %d of %d bytes has checksum %08x, want %08x", s.id, s.length, sum, s.sum)
		}
		return nil
	})
	if err != nil {
		s.state.Store(damaged)
		return err
	}
	s.state.CompareAndSwap(unchecked, sound)
	return nil
}

// guard runs f and makes a fault of memory an error about the file.
func (f *File) guard(offset int64, read func() error) error {
	err := arena.Guard(read)
	var fault *arena.FaultError
	if errors.As(err, &fault) {
		return f.corrupt(offset, "%v", err)
	}
	return err
}

func (f *File) corrupt(offset int64, format string, args ...any) error {
	return &CorruptError{f.name, offset, fmt.Sprintf(format, args...)}
}
