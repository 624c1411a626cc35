package main

import (
	"strings"
	"testing"
	"time"
)

// A small bomb against a small server: the memory holds, known series go on,
// health answers, and a killed server is back in the same memory.
func TestSmallBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	o := defaults()
	o.memory, o.most, o.series, o.known = "128MiB", 160<<20, 200_000, 5_000
	o.hot, o.hold, o.quiet = 40_000, 5*time.Second, 3*time.Second
	o.slowest = time.Second // tests share the machine with others
	var out strings.Builder
	err := run(t.Context(), o, &out)
	t.Log("\n" + out.String())
	if err != nil {
		t.Error(err)
	}
}
