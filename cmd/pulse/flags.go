package main

import (
	"encoding"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"pulse/query/when"
)

// The flag types below read what people write on a command line and print it
// back the same way for --check-config.
var (
	_ encoding.TextUnmarshaler = (*span)(nil)
	_ encoding.TextUnmarshaler = (*size)(nil)
	_ encoding.TextUnmarshaler = (*tiers)(nil)
)

// span is a length of time such as 10s, 100ms or 2d.
type span time.Duration

// UnmarshalText reads the duration grammar of queries.
func (s *span) UnmarshalText(b []byte) error {
	d, err := when.ParseDuration(string(b))
	if err != nil {
		return err
	}
	*s = span(d)
	return nil
}

func (s span) ms() int64 { return time.Duration(s).Milliseconds() }

// String prints whole days, hours, minutes and seconds short, the rest as Go does.
func (s span) String() string {
	d := time.Duration(s)
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d != 0 && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}

// size is a number of bytes such as 8MiB.
type size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// UnmarshalText reads a whole number with an optional unit.
func (s *size) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			break
		}
		*s = size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 8MiB", text)
}

// String prints the largest binary unit that divides the size.
func (s size) String() string {
	for i := 3; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// defaultServe returns the server's flags as they are when none is given.
func defaultServe() (*serveCmd, error) {
	var c struct {
		Serve serveCmd `cmd:"" default:"withargs"`
	}
	parser, err := kong.New(&c)
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse(nil); err != nil {
		return nil, err
	}
	return &c.Serve, nil
}
