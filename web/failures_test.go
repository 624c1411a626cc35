package web

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

func from(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }

// TestFailuresTable: each address has an allowance of its own, a network of
// IPv6 counts as one, and however many addresses come the table stays small and
// forgets who has been quiet.
func TestFailuresTable(t *testing.T) {
	f := newFailures()
	f.burst, f.perSecond, f.most = 3, 1, 100
	now := time.UnixMilli(0)
	spend := func(addr string) (had int) {
		for range 10 {
			if f.take(from(addr), now) {
				had++
			}
		}
		return had
	}
	for _, addr := range []string{"192.0.2.1:1000", "192.0.2.2:1000", "[2001:db8:1:1::1]:1", "[2001:db8:1:2::1]:1"} {
		if n := spend(addr); n != 3 {
			t.Errorf("%s has %d failures, want 3", addr, n)
		}
	}
	for _, addr := range []string{"192.0.2.1:2000", "[::ffff:192.0.2.1]:1", "[2001:db8:1:1:ffff::9]:7"} {
		if n := spend(addr); n != 0 {
			t.Errorf("%s has %d failures of its own", addr, n)
		}
	}
	now = now.Add(2 * time.Second)
	if n := spend("192.0.2.1:1"); n != 2 {
		t.Errorf("after 2 s: %d failures, want 2", n)
	}
	now = now.Add(-time.Hour)
	if n := spend("192.0.2.1:1"); n != 0 {
		t.Errorf("with the clock set back: %d failures", n)
	}
	now = now.Add(2 * time.Hour)

	had := 0
	for i := range 10_000 {
		if f.take(from(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256)), now) {
			had++
		}
	}
	if len(f.seen) > f.most+1 || had > f.most+3 {
		t.Errorf("10,000 addresses: %d in the table, %d failures let through, want at most %d", len(f.seen), had, f.most)
	}
	now = now.Add(10 * time.Second)
	if n := spend("198.51.100.1:1"); n != 3 || len(f.seen) > 5 {
		t.Errorf("when all have been quiet: %d failures, %d in the table", n, len(f.seen))
	}
	addr := from("192.0.2.9:1")
	f.take(addr, now)
	if n := testing.AllocsPerRun(100, func() { f.take(addr, now) }); n != 0 {
		t.Errorf("%v allocations per failure", n)
	}
}
