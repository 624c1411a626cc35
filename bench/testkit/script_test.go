package testkit

import (
	"strings"
	"testing"
)

func join(c *Command) string {
	if c.Name == "blank" {
		return "one\n\ntwo"
	}
	lines := c.Lines()
	if c.Arg("twice", "no") != "no" {
		lines = append(lines, lines...)
	}
	return strings.Join(lines, c.Arg("by", ","))
}

func TestRun(t *testing.T) {
	Run(t, "testdata/*.txt", func(*testing.T) func(*Command) string { return join })
}

func TestWrongResultsAreFound(t *testing.T) {
	f := func(script string, wantFaults int, wantText string) {
		t.Helper()
		got, faults := play("f", script, join)
		if len(faults) != wantFaults || got != wantText {
			t.Errorf("%q: %d faults %q, text %q; want %d, %q", script, len(faults), faults, got, wantFaults, wantText)
		}
	}
	f("join\na\n----\na\n", 0, "join\na\n----\na\n")
	f("join\na\n----\nb\n", 1, "join\na\n----\na\n")
	f("join\na\n----\n\njoin\nb\n----\nc\n", 2, "join\na\n----\na\n\njoin\nb\n----\nb\n")
	f("blank\n----\nx\n", 1, "blank\n----\n----\none\n\ntwo\n----\n----\n")
	f("join\na\n", 1, "join\na\n")
}

func TestNoAllocsFails(t *testing.T) {
	var sink []byte
	inner := &testing.T{}
	NoAllocs(inner, "nothing", func() {})
	if inner.Failed() {
		t.Error("a path without allocations failed")
	}
	NoAllocs(inner, "make", func() { sink = make([]byte, 100+len(sink)%2) })
	if !inner.Failed() && !raceEnabled {
		t.Error("an allocation was not found")
	}
}
