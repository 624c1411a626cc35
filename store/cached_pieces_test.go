package store

import (
	"bytes"
	"testing"
)

// What two scans put under one name is never mixed.
func TestCachePiecesBelongTogether(t *testing.T) {
	c := newColumnCache(32 << 20)
	entry := func(n int, of byte) []byte { return bytes.Repeat([]byte{of}, n) }
	for _, n := range []int{0, 1, cachePiece - 8, cachePiece, 3*cachePiece - 8, 3 * cachePiece} {
		id := cacheID{byte(n), byte(n >> 8)}
		c.set(id, entry(n, 1))
		if got := c.get(nil, id); !bytes.Equal(got, entry(n, 1)) || got == nil {
			t.Errorf("%d bytes came back as %d", n, len(got))
		}
	}
	id := cacheID{0, 0, 1}
	c.set(id, entry(3*cachePiece, 1))
	c.lines.Set(append(id[:], 1, 0), entry(cachePiece, 2))
	if got := c.get(nil, id); got != nil {
		t.Errorf("%d bytes of two entries: %v", len(got), got[cachePiece-1:cachePiece+1])
	}
}
