package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxUnpacked bounds the text of a packed file, in bytes; that of others is
	// as long as they are.
	maxUnpacked = 16 << 30
	// maxUnpackWindow is the most memory a zstd frame may ask for, what the tool
	// of that name gives without being told.
	maxUnpackWindow = 128 << 20
)

// fileText is the text of a file, unpacked and without the mark of UTF-8.
type fileText struct {
	io.Reader
	packed string // gzip, zstd, or "" for neither
	close  func()
}

// openText tells by its first bytes how in is packed. At most so many bytes come
// out of what is packed.
func openText(in io.Reader, most int64) (*fileText, error) {
	raw := bufio.NewReaderSize(in, 64<<10)
	t := &fileText{Reader: raw, close: func() {}}
	switch head, _ := raw.Peek(4); {
	case bytes.HasPrefix(head, []byte{0x1F, 0x8B}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, fmt.Errorf("it begins as gzip does, but is none: %w", err)
		}
		t.Reader, t.packed = z, "gzip"
	case bytes.Equal(head, []byte{0x28, 0xB5, 0x2F, 0xFD}):
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxUnpackWindow))
		if err != nil {
			return nil, fmt.Errorf("it begins as zstd does, but is none: %w", err)
		}
		t.Reader, t.packed, t.close = z, "zstd", z.Close
	}
	if t.packed != "" {
		raw = bufio.NewReaderSize(&bounded{t.Reader, most, most}, 64<<10)
		t.Reader = raw
	}
	switch head, _ := raw.Peek(3); {
	case bytes.Equal(head, []byte("\uFEFF")):
		raw.Discard(len(head))
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		t.close()
		return nil, errors.New("it is UTF-16; write it as UTF-8")
	}
	return t, nil
}

// bounded is a reader that fails behind a number of bytes.
type bounded struct {
	from       io.Reader
	left, most int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return n, fmt.Errorf("there are more than %d bytes in it; unpack the file before", b.most)
	}
	return n, err
}

// failed says why the text ends behind line n, with what helps.
func (t *fileText) failed(n int, err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d is longer than %d bytes", n+1, maxFileLine)
	case errors.As(err, &path):
		return path.Err
	case t.packed != "" && errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("line %d is cut off: the %s data ends early; get the file anew", n+1, t.packed)
	case t.packed != "":
		return fmt.Errorf("line %d cannot be unpacked with %s: %w", n+1, t.packed, err)
	}
	return fmt.Errorf("line %d: %w", n+1, err)
}

// badLine says what is wrong with a line, with what helps. It is the last one of
// the text if nothing follows it.
func badLine(n int, line []byte, last bool, err error) error {
	const example = `{"tags":{"name":"starts"},"timestamp":1700000000000,"value":1}`
	line = bytes.TrimSpace(line)
	var kind *json.UnmarshalTypeError
	switch {
	case line[0] == '[':
		return fmt.Errorf("line %d begins a list; a line is an object such as %s, and jq -c '.[]' makes lines of a list", n, example)
	case line[0] != '{':
		return fmt.Errorf("line %d begins with %q; a line is an object such as %s", n, printable(shorten(string(line[:min(len(line), 100)]), 20)), example)
	case errors.Is(err, io.ErrUnexpectedEOF) && last:
		return fmt.Errorf("line %d is cut off: the file ends within it; get the file anew or remove that line", n)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("line %d ends within its object, which must be on one line; jq -c . writes it so", n)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %s cannot be of the kind %s", n, kind.Field, kind.Value)
	}
	return fmt.Errorf("line %d: %w", n, err)
}
