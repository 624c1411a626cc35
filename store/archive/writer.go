package archive

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"

	"pulse/store/disk"
)

// Temporary is the end of the names of files that are being written. Such a
// file that is there at start was not finished and means nothing.
const Temporary = ".tmp"

// Writer writes one container. It is for one goroutine. After an error every
// further call returns the same error, until Abort.
type Writer struct {
	fs   disk.FS
	name string
	file disk.File
	out  *bufio.Writer

	sections []entry
	offset   int64
	sum      uint32 // of everything so far
	part     uint32 // of the section so far
	inside   bool   // a section
	err      error
}

// entry is the directory's line for one section.
type entry struct {
	id, sum        uint32
	offset, length int64
}

const writeBuffer = 256 << 10

// Create begins a container that will be called name. Its folder is made if
// need be. Either Commit or Abort must follow.
func Create(fs disk.FS, name string, kind Kind) (*Writer, error) {
	if err := fs.MkdirAll(path.Dir(name)); err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	file, err := fs.Create(name + Temporary)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	w := &Writer{fs: fs, name: name, file: file, out: bufio.NewWriterSize(file, writeBuffer)}
	header := append(make([]byte, 0, headerSize), magic[:]...)
	header = binary.LittleEndian.AppendUint16(header, version)
	header = binary.LittleEndian.AppendUint16(header, uint16(kind))
	header = header[:headerSize-4]
	w.raw(binary.LittleEndian.AppendUint32(header, checksum(header)))
	return w, nil
}

// Section writes one section, made up of the given parts. Identifiers ascend
// from call to call.
func (w *Writer) Section(id uint32, parts ...[]byte) error {
	w.Begin(id)
	for _, p := range parts {
		w.Write(p)
	}
	return w.End()
}

// Begin starts a section whose bytes are given to Write; End ends it, and says
// whether it was written.
func (w *Writer) Begin(id uint32) {
	if n := len(w.sections); w.inside || n > 0 && w.sections[n-1].id >= id {
		panic(fmt.Sprintf("BUG: section %d of %s inside another or out of order", id, w.name))
	}
	w.pad()
	w.inside, w.part = true, 0
	w.sections = append(w.sections, entry{id: id, offset: w.offset})
}

// Write adds bytes to the section that was begun.
func (w *Writer) Write(p []byte) (int, error) {
	if !w.inside {
		panic("BUG: bytes outside a section of " + w.name)
	}
	w.part = crc32.Update(w.part, castagnoli, p)
	w.raw(p)
	return len(p), w.err
}

// End ends the section.
func (w *Writer) End() error {
	e := &w.sections[len(w.sections)-1]
	e.length, e.sum = w.offset-e.offset, w.part
	w.inside = false
	if w.err != nil {
		return fmt.Errorf("write %s: %w", w.name, w.err)
	}
	return nil
}

// Size returns how many bytes were written so far.
func (w *Writer) Size() int64 { return w.offset }

// Commit completes the file, and returns when it is there under its name and
// would survive a loss of power. On an error nothing is left of it, except
// that it may be there, whole, when only the folder could not be synced.
func (w *Writer) Commit() error { return w.CommitAs(w.name) }

// CommitAs is Commit under another name in the same folder, for a file whose
// name depends on what is written last.
func (w *Writer) CommitAs(name string) error {
	w.directory()
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err == nil {
		w.err = w.file.Sync()
	}
	if w.err != nil {
		return w.fail(w.err)
	}
	if err := w.file.Close(); err != nil {
		w.file = nil
		return w.fail(err)
	}
	w.file = nil
	if err := w.fs.Rename(w.name+Temporary, name); err != nil {
		return w.fail(err)
	}
	w.err = fmt.Errorf("write %s: already committed", w.name)
	if err := w.fs.SyncDir(path.Dir(w.name)); err != nil {
		return fmt.Errorf("write %s: %w", w.name, err)
	}
	return nil
}

// Abort drops the file.
func (w *Writer) Abort() { _ = w.fail(nil) }

func (w *Writer) fail(err error) error {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	_ = w.fs.Remove(w.name + Temporary)
	if err == nil {
		return nil
	}
	w.err = fmt.Errorf("write %s: %w", w.name, err)
	return w.err
}

// directory writes what follows the sections.
func (w *Writer) directory() {
	w.pad()
	at := w.offset
	var b []byte
	for _, e := range w.sections {
		b = binary.LittleEndian.AppendUint32(b, e.id)
		b = binary.LittleEndian.AppendUint32(b, e.sum)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.offset))
		b = binary.LittleEndian.AppendUint64(b, uint64(e.length))
	}
	w.raw(b)
	var t []byte
	t = binary.LittleEndian.AppendUint64(t, uint64(at))
	t = binary.LittleEndian.AppendUint32(t, uint32(len(w.sections)))
	t = binary.LittleEndian.AppendUint32(t, checksum(b))
	t = binary.LittleEndian.AppendUint64(t, uint64(w.offset+trailerSize))
	t = binary.LittleEndian.AppendUint32(t, w.sum)
	t = binary.LittleEndian.AppendUint64(t, 0)
	t = binary.LittleEndian.AppendUint32(t, checksum(t))
	w.raw(append(t, endMagic[:]...))
}

// pad moves to the next multiple of align.
func (w *Writer) pad() {
	var zeros [align]byte
	w.raw(zeros[:-w.offset&(align-1)])
}

func (w *Writer) raw(b []byte) {
	if w.err != nil {
		return
	}
	w.sum = crc32.Update(w.sum, castagnoli, b)
	w.offset += int64(len(b))
	_, w.err = w.out.Write(b)
}
