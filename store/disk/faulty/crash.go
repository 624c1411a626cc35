package faulty

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

const sector = 512

// node is the content of a file.
type node struct {
	data    []byte // as the process sees it
	durable []byte
	changes []change // since, in order
}

// change is a write, or, without data, a cut, at off.
type change struct {
	off  int64
	data []byte
	cut  bool
	lost bool // a sync of it failed: no later one makes it durable
}

func (n *node) write(b []byte) {
	if len(b) == 0 {
		return
	}
	n.changes = append(n.changes, change{off: int64(len(n.data)), data: bytes.Clone(b)})
	n.data = append(n.data, b...)
}

func (n *node) truncate(size int64) {
	n.changes = append(n.changes, change{off: size, cut: true})
	n.data = resize(n.data, size)
}

func (n *node) sync() {
	left := n.changes[:0]
	for _, c := range n.changes {
		if c.lost {
			left = append(left, c)
			continue
		}
		n.durable = c.apply(n.durable)
	}
	n.changes = left
}

// lose is a sync that failed: the system takes the pages for clean.
func (n *node) lose() {
	for i := range n.changes {
		n.changes[i].lost = true
	}
}

func (c change) apply(b []byte) []byte {
	if c.cut {
		return resize(b, c.off)
	}
	if end := c.off + int64(len(c.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[c.off:], c.data)
	return b
}

func resize(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n:n]
	}
	return append(b[:len(b):len(b)], make([]byte, n-int64(len(b)))...)
}

// Crash returns the folder as it is found after the power comes back, and turns
// the power of this one off.
func (f *FS) Crash(seed uint64) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
	after := f.clone(seed)
	rng := after.rng
	entries := maps.Clone(f.durable)
	keep := chooser(rng, len(f.changes))
	for i, c := range f.changes {
		if keep(i) {
			c.apply(entries)
		}
	}
	done := map[*node]*node{}
	for _, name := range slices.Sorted(maps.Keys(entries)) { // in an order that the seed alone decides
		n := entries[name]
		if done[n] == nil {
			content := n.crash(rng)
			done[n] = &node{data: content, durable: bytes.Clone(content)}
		}
		after.live[name] = done[n]
		after.durable[name] = done[n]
	}
	return after
}

// Kill returns the folder as the next process finds it, if this one is killed:
// everything written is there, but no more durable than before.
func (f *FS) Kill(seed uint64) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
	after := f.clone(seed)
	done := map[*node]*node{}
	twin := func(n *node) *node {
		if done[n] == nil {
			done[n] = &node{data: bytes.Clone(n.data), durable: bytes.Clone(n.durable), changes: slices.Clone(n.changes)}
		}
		return done[n]
	}
	for name, n := range f.live {
		after.live[name] = twin(n)
	}
	for name, n := range f.durable {
		after.durable[name] = twin(n)
	}
	for _, c := range f.changes {
		after.changes = append(after.changes, entryChange{c.old, c.new, twin(c.node)})
	}
	return after
}

func (f *FS) clone(seed uint64) *FS {
	after := New(seed)
	after.dirs = maps.Clone(f.dirs)
	after.skips = slices.Clone(f.skips)
	after.delays = slices.Clone(f.delays)
	after.space = f.space
	return after
}

// chooser returns which of n unsynced changes are kept: none, all, the first
// ones, or any.
func chooser(rng *rand.Rand, n int) func(int) bool {
	switch rng.IntN(4) {
	case 0:
		return func(int) bool { return false }
	case 1:
		return func(int) bool { return true }
	case 2:
		first := rng.IntN(n + 1)
		return func(i int) bool { return i < first }
	}
	return func(int) bool { return rng.IntN(2) == 0 }
}

// crash returns what is found of the content.
func (n *node) crash(rng *rand.Rand) []byte {
	b := bytes.Clone(n.durable)
	sectors := 0
	for _, c := range n.changes {
		sectors += len(c.sectors())
	}
	keep := chooser(rng, sectors)
	longer := rng.IntN(2) == 0 // the length is kept where bytes are not
	i := 0
	for _, c := range n.changes {
		for _, part := range c.sectors() {
			switch {
			case keep(i):
				b = part.apply(b)
			case longer && !part.cut && part.off+int64(len(part.data)) > int64(len(b)):
				b = resize(b, part.off+int64(len(part.data)))
			}
			i++
		}
	}
	return b
}

// sectors splits a write where sectors of the disk meet.
func (c change) sectors() []change {
	if c.cut {
		return []change{c}
	}
	var parts []change
	for off, rest := c.off, c.data; len(rest) > 0; {
		k := min(int64(len(rest)), sector-off%sector)
		parts = append(parts, change{off: off, data: rest[:k]})
		off, rest = off+k, rest[k:]
	}
	return parts
}

// Flip flips a bit of a file at rest; bit 8·i+j is bit j of byte i.
func (f *FS) Flip(name string, bit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.live[name]
	n.data = bytes.Clone(n.data)
	n.data[bit/8] ^= 1 << (bit % 8)
	n.durable, n.changes = bytes.Clone(n.data), nil
}

// Put makes a file with the given bytes, durable.
func (f *FS) Put(name string, content []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := &node{data: bytes.Clone(content), durable: bytes.Clone(content)}
	f.live[name], f.durable[name] = n, n
}
