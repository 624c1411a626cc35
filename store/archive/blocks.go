package archive

import (
	"encoding/binary"
	"math"

	"pulse/store/arena"
	"pulse/store/disk"
)

// Parts is the number of partitions in a block file.
const Parts = 64

// MaxFields is the largest number of blocks per slot.
const MaxFields = 4

// Head says what a block file holds.
//
//	Step    of the values, ms
//	Number  of the block time: steps Number·120+1 to Number·120+120 since 1970
//	Epoch   counts the files of one block time; the highest holds
//	Fields  blocks per slot: 1, or 4 (sum, count, min, max)
//	Through the last stamp, ms, whose values are inside; before the end of the
//	        block time when the file was made early
type Head struct {
	Step, Number int64
	Epoch        uint32
	Fields       int
	Through      int64
}

// Part is the sealed blocks of one partition.
//
//	Applied  the last log record that is inside, as far as it falls into the block time
//	Lost     there were more blocks, in a file that was damaged
//	Blocks   words that are not 0
//	Words    Fields directory words per slot, see BlockAt
//	Data     what they point into
type Part struct {
	Applied uint64
	Lost    bool
	Blocks  int
	Words   []uint64
	Data    []byte
}

// A directory word is 0 for no data; a block of up to 7 bytes inline, its
// length in the top byte; or the top bit and the block's offset in the data.
const (
	WordOffset  = 1 << 63
	InlineBlock = 7  // bytes
	InlineShift = 56 // of the length
)

// BlockAt returns the bytes that a directory word stands for, which goes on to
// the end of data when the block is not inline; inline bytes are put into buf.
// A word that nobody wrote may stand for no bytes, which are no block.
func BlockAt(word uint64, data []byte, buf *[8]byte) []byte {
	if word&WordOffset != 0 {
		at := word &^ WordOffset
		if at >= uint64(len(data)) {
			return buf[:0]
		}
		return data[at:]
	}
	binary.LittleEndian.PutUint64(buf[:], word)
	return buf[:min(word>>InlineShift, InlineBlock)]
}

// AppendWord appends the directory word of a block that was appended to data
// at the given offset, and takes it out of data again when it fits the word.
func AppendWord(words []uint64, data []byte, at int) ([]uint64, []byte) {
	n := len(data) - at
	if n > InlineBlock {
		return append(words, WordOffset|uint64(at)), data
	}
	var buf [8]byte
	copy(buf[:], data[at:])
	return append(words, binary.LittleEndian.Uint64(buf[:])|uint64(n)<<InlineShift), data[:at]
}

// Sections of a block file: what is in it, and one per partition with data.
const (
	sectionHead  = 1
	sectionFirst = 16 // of partition 0
)

const (
	headFixed  = 32
	headPart   = 32
	headLength = headFixed + Parts*headPart

	flagLost = 1 // of a partition
)

// WriteBlocks writes a block file and returns its size. The parts may lie in
// mapped files: what is written is copied first, so that a fault is one of this
// goroutine, for arena.Guard to catch, and leaves nothing behind.
func WriteBlocks(fs disk.FS, name string, h Head, parts *[Parts]Part) (size int64, err error) {
	w, err := Create(fs, name, Blocks)
	if err != nil {
		return 0, err
	}
	whole := false
	defer func() {
		if !whole {
			w.Abort()
		}
	}()
	if err := w.Section(sectionHead, appendHead(nil, h, parts)); err != nil {
		return 0, err
	}
	buf := make([]byte, 0, copyBuffer)
	for i := range parts {
		if err := w.blocks(sectionFirst+uint32(i), &parts[i], buf); err != nil {
			return 0, err
		}
	}
	whole = true
	if err := w.Commit(); err != nil {
		return 0, err
	}
	return w.Size(), nil
}

const copyBuffer = 64 << 10

// blocks writes the section of one partition, if it has one.
func (w *Writer) blocks(id uint32, p *Part, buf []byte) error {
	if len(p.Words) == 0 {
		return nil
	}
	w.Begin(id)
	for words := p.Words; len(words) > 0; {
		n := min(len(words), copyBuffer/8)
		buf = buf[:0]
		for _, word := range words[:n] {
			buf = binary.LittleEndian.AppendUint64(buf, word)
		}
		w.Write(buf)
		words = words[n:]
	}
	for data := p.Data; len(data) > 0; {
		n := min(len(data), copyBuffer)
		w.Write(append(buf[:0], data[:n]...))
		data = data[n:]
	}
	return w.End()
}

func appendHead(b []byte, h Head, parts *[Parts]Part) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Step))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Number))
	b = binary.LittleEndian.AppendUint32(b, h.Epoch)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Fields))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Through))
	for i := range parts {
		p := &parts[i]
		b = binary.LittleEndian.AppendUint64(b, p.Applied)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Words)/h.Fields))
		b = binary.LittleEndian.AppendUint32(b, uint32(p.Blocks))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p.Data)))
		flags := uint64(0)
		if p.Lost {
			flags = flagLost
		}
		b = binary.LittleEndian.AppendUint64(b, flags)
	}
	return b
}

// BlockFile is a block file that is open for reading.
type BlockFile struct {
	*File
	Head
	parts [Parts]struct {
		Part
		section *section // nil: no data
	}
}

// OpenBlocks maps a block file. Of the partitions it reads nothing yet.
func OpenBlocks(fs disk.FS, name string) (*BlockFile, error) {
	f, err := Open(fs, name, Blocks)
	if err != nil {
		return nil, err
	}
	b := &BlockFile{File: f}
	head, err := f.Section(sectionHead)
	if err == nil {
		err = f.guard(0, func() error { return b.parseHead(head) })
	}
	if err != nil {
		f.Release()
		return nil, err
	}
	return b, nil
}

func (b *BlockFile) parseHead(head []byte) error {
	at := b.find(sectionHead).offset
	if len(head) != headLength {
		return b.corrupt(at, "head of %d bytes, want %d", len(head), headLength)
	}
	fields := binary.LittleEndian.Uint32(head[20:])
	b.Head = Head{
		Step:    int64(binary.LittleEndian.Uint64(head)),
		Number:  int64(binary.LittleEndian.Uint64(head[8:])),
		Epoch:   binary.LittleEndian.Uint32(head[16:]),
		Fields:  int(fields),
		Through: int64(binary.LittleEndian.Uint64(head[24:])),
	}
	if b.Step <= 0 || fields != 1 && fields != MaxFields {
		return b.corrupt(at, "step %d ms with %d blocks per slot", b.Step, fields)
	}
	if limit := math.MaxInt64 / b.Step / 256; b.Number > limit || b.Number < -limit {
		return b.corrupt(at, "block number %d of step %d ms", b.Number, b.Step)
	}
	for i := range b.parts {
		p, line := &b.parts[i], head[headFixed+i*headPart:]
		p.Applied = binary.LittleEndian.Uint64(line)
		slots := uint64(binary.LittleEndian.Uint32(line[8:]))
		p.Blocks = int(binary.LittleEndian.Uint32(line[12:]))
		length := binary.LittleEndian.Uint64(line[16:])
		p.Lost = binary.LittleEndian.Uint64(line[24:])&flagLost != 0
		directory := 8 * slots * uint64(fields)
		s := b.find(sectionFirst + uint32(i))
		switch {
		case s == nil && slots+length == 0:
			continue
		case s == nil || length > uint64(s.length) || uint64(s.length)-length != directory:
			return b.corrupt(at, "partition %d: no section of %d slots and %d bytes", i, slots, length)
		case uint64(p.Blocks) > slots*uint64(fields):
			return b.corrupt(at, "partition %d: %d blocks in %d slots", i, p.Blocks, slots)
		}
		all := b.view(s)
		p.Words, p.Data, p.section = arena.Words(all[:directory:directory]), all[directory:], s
	}
	return nil
}

// Part returns the blocks of a partition, none when Words is empty. They must
// not be read before Check.
func (b *BlockFile) Part(i int) Part { return b.parts[i].Part }

// Check compares the checksum of a partition's blocks, the first time.
func (b *BlockFile) Check(i int) error {
	if s := b.parts[i].section; s != nil {
		return b.check(s)
	}
	return nil
}

// Recheck compares the checksum of a partition's blocks again.
func (b *BlockFile) Recheck(i int) error {
	if s := b.parts[i].section; s != nil {
		return b.compare(s)
	}
	return nil
}
