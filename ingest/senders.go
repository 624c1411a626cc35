package ingest

import (
	"net/netip"
	"strings"
)

// idleMs is how long a sender must have been silent to make room for another
// before the table is full.
const idleMs = 10 * 60_000

// sender is one source as it is counted.
type sender struct {
	SourceCounts
	meter meter
	owner string
	gone  bool // from the table

	older, newer *sender // in order of last use
}

// senders is a table of bounded size. An owner, which is a token or an address,
// may have as many senders as there are places left free: one that makes up ever
// new names gets half of the table at most, two get a third each, and there is
// always room for others. What an owner has beyond that counts as one sender,
// `10.0.0.1 others`. Not safe for concurrent use.
type senders struct {
	most  int
	width int64 // ms, of the intervals that a meter counts in

	byKey          map[string]*sender
	owned          map[string]int
	oldest, newest *sender
	forgotten      Counts
}

func newSenders(most int, width int64) senders {
	return senders{most: most, width: width, byKey: map[string]*sender{}, owned: map[string]int{}}
}

// admit returns the sender with the given key, or the one that stands for what
// its owner has too many of.
func (t *senders) admit(key []byte, from From, now int64) *sender {
	if s := t.byKey[string(key)]; s != nil {
		t.touch(s)
		return s
	}
	owner := ownerOf(from)
	for t.oldest != nil && t.owned[owner] >= t.most-len(t.byKey) && now-t.oldest.Last >= idleMs {
		t.remove(t.oldest)
	}
	name := string(key)
	if n := t.owned[owner]; n > 0 && n >= t.most-len(t.byKey) {
		name = owner + " others"
		if s := t.byKey[name]; s != nil {
			t.touch(s)
			return s
		}
	}
	if len(t.byKey) >= t.most {
		t.remove(t.oldest)
	}
	s := &sender{SourceCounts: SourceCounts{Key: name, First: now, Last: now}, owner: owner}
	t.byKey[name] = s
	t.owned[owner]++
	t.link(s)
	return s
}

// record adds what one request of s did.
func (t *senders) record(s *sender, at int64, did *Counts, sample string) {
	if s.gone {
		t.forgotten.add(did)
		return
	}
	s.Last = max(s.Last, at)
	s.Counts.add(did)
	if sample != "" {
		s.Sample = sample
	}
	s.meter.add(at, t.width, did.Accepted, did.Repeated)
}

func (t *senders) remove(s *sender) {
	t.unlink(s)
	delete(t.byKey, s.Key)
	if t.owned[s.owner]--; t.owned[s.owner] == 0 {
		delete(t.owned, s.owner)
	}
	s.gone = true
	t.forgotten.add(&s.Counts)
}

func (t *senders) touch(s *sender) {
	if s != t.newest {
		t.unlink(s)
		t.link(s)
	}
}

func (t *senders) link(s *sender) {
	s.older, s.newer = t.newest, nil
	if t.newest != nil {
		t.newest.newer = s
	} else {
		t.oldest = s
	}
	t.newest = s
}

func (t *senders) unlink(s *sender) {
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		t.oldest = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		t.newest = s.older
	}
}

// ownerOf returns who answers for a sender, in the form in which its key begins:
// the token, the address, or of an IPv6 address the network that one host
// commonly has for itself.
func ownerOf(from From) string {
	if from.Token == "" && strings.Contains(from.Peer, ":") {
		if a, err := netip.ParseAddr(from.Peer); err == nil && !a.Is4In6() {
			net, _ := a.WithZone("").Prefix(64)
			return string(appendPart(nil, net.String()))
		}
	}
	return string(appendSource(nil, From{Peer: from.Peer, Token: from.Token}, "", ""))
}
