package main

import (
	"bytes"

	"github.com/rs/zerolog"
)

// libraries has what libraries say to the standard logger in the log, but for what they
// quote: that may be words of others, such as a receiver that repeats what it was told.
type libraries struct{ log zerolog.Logger }

// Write takes a line.
func (l libraries) Write(line []byte) (int, error) {
	own, _, _ := bytes.Cut(line, []byte{'"'})
	l.log.Debug().Str("said", string(bytes.TrimSpace(own))).Msg("a library has a word")
	return len(line), nil
}
