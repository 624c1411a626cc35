package store

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"pulse/store/archive"
	"pulse/store/field"
)

const maxSourceID = 1 << 24 // see Options.validate

// appendTo appends all senders. The caller holds Store.applying.
//
//	uvarint   senders; of each its number, a byte whether the log knows it, key,
//	          times, reported steps, totals and the two presences
func (t *sources) appendTo(dst []byte) []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	dst = binary.AppendUvarint(dst, uint64(len(t.byKey)))
	for id := range t.table {
		if src := t.table[id].Load(); src != nil {
			dst = src.appendTo(binary.AppendUvarint(dst, uint64(id)))
		}
	}
	return dst
}

func (s *source) appendTo(dst []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	logged := byte(0)
	if s.logged {
		logged = 1
	}
	dst = field.AppendText(append(dst, logged), s.key)
	for _, v := range []int64{s.seen, s.lastTime, s.arrival, s.first, s.interval, s.lastWithin, s.lastBehind,
		int64(s.total.Stored), int64(s.total.Superseded), int64(s.total.Repeated), int64(s.total.Late)} {
		dst = binary.AppendVarint(dst, v)
	}
	dst = append(dst, byte(s.n))
	for _, c := range s.steps[:s.n] {
		dst = binary.AppendVarint(dst, c.step)
		dst = binary.AppendVarint(dst, int64(c.n))
	}
	return s.behind.appendTo(s.within.appendTo(dst))
}

// load reads what appendTo wrote into a table without senders, with numbers
// below limit.
func (t *sources) load(src []byte, limit uint64) error {
	in := field.Reader{Rest: src}
	t.mu.Lock()
	defer t.mu.Unlock()
	for range in.Count(4) {
		id := in.Uvarint()
		if id == 0 || id >= limit {
			return errDamaged("sender", int(id))
		}
		t.reach(SourceID(id))
		s := &source{logged: in.Byte() != 0, key: string(in.Text()), within: newPresence(t.steps), behind: newPresence(t.steps)}
		for _, v := range []*int64{&s.seen, &s.lastTime, &s.arrival, &s.first, &s.interval, &s.lastWithin, &s.lastBehind} {
			*v = in.Varint()
		}
		for _, v := range []*int{&s.total.Stored, &s.total.Superseded, &s.total.Repeated, &s.total.Late} {
			*v = int(in.Varint())
		}
		s.n = int(in.Byte())
		if s.n > reportedSteps {
			return errDamaged("reported steps of sender", int(id))
		}
		for i := range s.n {
			s.steps[i] = stepCount{in.Varint(), int(in.Varint())}
		}
		s.within.load(&in)
		s.behind.load(&in)
		if in.Bad || t.get(SourceID(id)) != nil || t.byKey[s.key] != 0 {
			return errDamaged("sender", int(id))
		}
		t.byKey[s.key] = SourceID(id)
		t.table[id].Store(s)
	}
	if in.Bad || len(in.Rest) > 0 {
		return errors.Join(archive.ErrCorrupt, errors.New("senders"))
	}
	return nil
}

// reach makes the table long enough for a number that was given out when it was
// longer. Only while nobody else uses the table.
func (t *sources) reach(id SourceID) {
	for int(id) >= len(t.table) {
		t.table = append(t.table, make([]atomic.Pointer[source], int(id)+1-len(t.table))...)
	}
	t.next = max(t.next, id+1)
}

// freeGaps frees the numbers below next that nobody has.
func (t *sources) freeGaps() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = t.free[:0]
	for id := SourceID(1); id < t.next; id++ {
		if t.get(id) == nil {
			t.free = append(t.free, id)
		}
	}
}

// appendTo appends the pages that are there: number, and a byte for a page
// whose bits are all set, or its words.
func (p *presence) appendTo(dst []byte) []byte {
	n := 0
	for i := range p.pages {
		if p.pages[i].Load() != nil {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := range p.pages {
		page := p.pages[i].Load()
		if page == nil {
			continue
		}
		dst = binary.AppendVarint(dst, page.number)
		if page.bits == nil {
			dst = append(dst, 1)
			continue
		}
		dst = append(dst, 0)
		for k := range page.bits {
			dst = binary.LittleEndian.AppendUint64(dst, page.bits[k].Load())
		}
	}
	return dst
}

// load reads what appendTo wrote. Pages that the ring does not reach give way
// to later ones.
func (p *presence) load(in *field.Reader) {
	for range in.Count(2) {
		page := &presencePage{number: in.Varint()}
		if page.number < 0 {
			in.Fail()
			return
		}
		if in.Byte() == 0 {
			words := field.Reader{Rest: in.Bytes(pageSteps / 8)}
			page.bits = new([pageSteps / 64]atomic.Uint64)
			for k := range page.bits {
				page.bits[k].Store(words.Uint64())
			}
		}
		at := &p.pages[page.number&int64(len(p.pages)-1)]
		if old := at.Load(); old == nil || old.number < page.number {
			at.Store(page)
		}
	}
}
