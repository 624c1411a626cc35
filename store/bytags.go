package store

// byTags is the slots of a partition by the hash of their canonical tags: open
// addressing with linear probing over words, each the lower half of the hash and,
// below, one more than the slot. A word's own place is the share of the table that
// its hash is of all hashes, so that a table may have any length. The zero value
// is empty.
type byTags struct {
	words []uint64 // 0: nobody's; at least one is
	used  int
}

// find returns the first slot under the given hash that is the one looked for.
func (b *byTags) find(hash uint64, is func(slot uint32) bool) (uint32, bool) {
	if len(b.words) == 0 {
		return 0, false
	}
	for i := b.home(hash << 32); b.words[i] != 0; i = b.after(i) {
		if w := b.words[i]; w>>32 == hash&(1<<32-1) && is(uint32(w)-1) {
			return uint32(w) - 1, true
		}
	}
	return 0, false
}

// add puts a slot in under a hash. It must not be there.
func (b *byTags) add(hash uint64, slot uint32) {
	if b.used*5 >= len(b.words)*4 {
		old := b.words
		b.words = make([]uint64, len(old)+len(old)/4+16)
		for _, w := range old {
			if w != 0 {
				b.put(w)
			}
		}
	}
	b.put(hash<<32 | uint64(slot+1))
	b.used++
}

func (b *byTags) put(w uint64) {
	i := b.home(w)
	for b.words[i] != 0 {
		i = b.after(i)
	}
	b.words[i] = w
}

// remove takes a slot out that was put in under the hash. Those behind it move up
// as far as their own places, so that find meets them.
func (b *byTags) remove(hash uint64, slot uint32) {
	gap := b.home(hash << 32)
	for b.words[gap] != hash<<32|uint64(slot+1) {
		gap = b.after(gap)
	}
	for i := b.after(gap); b.words[i] != 0; i = b.after(i) {
		if b.distance(b.home(b.words[i]), i) >= b.distance(gap, i) {
			b.words[gap] = b.words[i]
			gap = i
		}
	}
	b.words[gap] = 0
	b.used--
}

// home returns where a word belongs.
func (b *byTags) home(w uint64) int { return int(w >> 32 * uint64(len(b.words)) >> 32) }

func (b *byTags) after(i int) int {
	if i++; i < len(b.words) {
		return i
	}
	return 0
}

// distance returns how many places to is behind from.
func (b *byTags) distance(from, to int) int {
	if to < from {
		to += len(b.words)
	}
	return to - from
}
