package store

// Trail is how far a request has come through the series that its sender names
// in the same order every time. The zero Trail is at the beginning.
type Trail struct {
	last uint32 // one more than the place of the series found last; 0: none
	next uint32 // the place expected now
	lost uint8  // how many in a row were not where they were expected
}

// Follow returns the series that raw under common was learnt for, as Find does of
// HashTags, and moves the trail on to it. What followed the series before it last
// time is tried first, and then a few that were learnt after that, since senders
// leave out what did not change. It takes no lock and allocates nothing.
//
// A series that is expected need have the first half of the hash only: it would
// take another name with the same 64 bits in its very place.
func (s *Store) Follow(t *Trail, common Hash, raw []byte) (Ref, bool) {
	l := &s.lookup
	first, names := l.first(common, raw), l.names.Load()
	if t.last != 0 {
		for place := t.next; place < t.next+ahead; place++ {
			n := names.at(place)
			if n == nil {
				break
			}
			if n.first.Load() == first {
				if ref := Ref(n.ref.Load()); ref != NoRef {
					t.lost = 0
					t.reach(n, place)
					return ref, true
				}
			}
		}
	}
	t.lost = min(t.lost+1, lostAfter)
	place, ref := names.find(Hash{first, l.second(common, raw)})
	if ref == NoRef {
		return NoRef, false
	}
	t.turn(names, place)
	return ref, true
}

// Lost reports whether the trail leads nowhere: FindAll is faster than Follow then.
func (t *Trail) Lost() bool { return t.lost == lostAfter }

const (
	lostAfter = 4
	together  = 32 // names that FindAll looks up at once
)

// FindAll sets refs, which is as long, to the series that hashes were learnt for,
// NoRef where there is none or the Hash is zero, as Follow of one after the other
// does, and moves the trail on. It waits for the memory of many at once. It takes
// no lock and allocates nothing.
func (s *Store) FindAll(t *Trail, hashes []Hash, refs []Ref) {
	names := s.lookup.names.Load()
	var places [together]uint32
	for len(hashes) > 0 {
		some := hashes[:min(len(hashes), together)]
		names.guess(some, &places)
		expected := 0
		for i, h := range some {
			place, ref := places[i], NoRef
			if h != (Hash{}) {
				if ref = names.at(place).is(h); ref == NoRef {
					place, ref = names.find(h)
				}
			}
			refs[i] = ref
			switch {
			case ref == NoRef:
				continue
			case t.last != 0 && place-t.next < ahead:
				expected++
				t.reach(names.at(place), place)
			default:
				t.turn(names, place)
			}
		}
		if expected*2 >= len(some) {
			t.lost = 0
		}
		hashes, refs = hashes[len(some):], refs[len(some):]
	}
}

// turn moves the trail to a place that was not expected, and learns that it comes
// next.
func (t *Trail) turn(names *names, place uint32) {
	if last := names.at(t.last - 1); t.last != 0 && last != nil {
		last.next.Store(place + 1)
	}
	t.reach(names.at(place), place)
}

// reach moves the trail to name n in the given place.
func (t *Trail) reach(n *name, place uint32) {
	t.last, t.next = place+1, place+1
	if next := n.next.Load(); next != 0 {
		t.next = next - 1
	}
}
