package store

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"pulse/store/norm"
)

// Dump writes out everything that later answers depend on, bit for bit and
// without what may differ between two stores that took the same points: the
// numbers of slots and senders, and whether a block is open, sealed or in a
// file. What a sender's points changed is left out, too: it is not known of those
// that were in an archive file already when the log was read. Series that nothing is left of, or that nothing was written to, are
// left out.
// Neither are values up to the step from, which may be dropped already, and
// series that have no later ones; nor senders that were not heard of since.
func (s *Store) Dump(from int64) string {
	var lines []string
	for i := range s.parts {
		lines = append(lines, s.dumpPartition(&s.parts[i], from)...)
	}
	slices.Sort(lines)
	return strings.Join(append(lines, s.dumpSources(from)...), "\n")
}

func (s *Store) dumpPartition(p *partition, from int64) (lines []string) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for n, at := range p.pairAt {
		slot := &p.slots[n]
		state := []byte{0}
		if slot.state != 0 {
			state = p.states[slot.state].AppendTo(nil, 0)
		}
		if at == 0 || p.flags[n]&flagDead != 0 || slot.first == 0 && bytes.Equal(state, []byte{0}) {
			continue
		}
		last := slot.last
		if slot.first == 0 {
			last = 0 // when it was thought of, perhaps by a request that was refused
		} else if last <= from {
			continue // it may be buried already
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s flags %x first %d last %d state %x", s.index.Dictionary().Tags(p.pairsOf(uint32(n))),
			p.flags[n]&(flagKind|flagAmount|flagUsed), slot.first, last, state)
		var sources []string
		if src := s.sources.get(slot.source); src != nil && src.seen > from {
			sources = append(sources, src.key)
		}
		for _, l := range p.more[uint32(n)] {
			if src := s.sources.get(l.source); src != nil && src.seen > from {
				sources = append(sources, fmt.Sprintf("%s since %d", src.key, l.since))
			}
		}
		fmt.Fprintf(&b, " from %q\n\t", sources)
		for _, v := range s.dumpValues(p, uint32(n)) {
			if v.step <= from {
				continue
			}
			fmt.Fprintf(&b, " %d:%x", v.step, math.Float64bits(v.value))
		}
		lines = append(lines, b.String())
	}
	return lines
}

// TruncateEarly removes the log up to the newest snapshot, although no other
// has what was in it.
func (s *Store) TruncateEarly() {
	t := &s.folder.snapshots
	t.taking.Lock()
	defer t.taking.Unlock()
	if n := len(t.kept); n > 0 {
		s.folder.log.Rotate()
		_ = s.folder.log.RemoveBefore(t.kept[n-1].lsn + 1)
	}
}

type dumped struct {
	step  int64
	value float64
}

// dumpValues returns the primary values of a slot in the order of time. The
// caller holds the lock.
func (s *Store) dumpValues(p *partition, n uint32) (out []dumped) {
	var d decoded
	decode := func(a *arena) func() error {
		return func() error {
			_, err := a.loadField(&d, n, 0)
			return err
		}
	}
	add := func(number int64, pos int, v float64) {
		if v == v {
			out = append(out, dumped{s.grid.stamp(number, pos), v})
		}
	}
	for _, a := range p.sealed[primary] {
		ok := a.read(decode(a))
		for pos, v := range d.row {
			if ok {
				add(a.number, pos, v)
			}
		}
	}
	for _, b := range p.open {
		for pos := range b.columns {
			add(b.number, pos, p.at(s.grid, b, pos, n))
		}
	}
	slices.SortFunc(out, func(a, b dumped) int { return int(a.step - b.step) })
	return out
}

func (s *Store) dumpSources(from int64) (lines []string) {
	t := s.sources
	t.mu.RLock()
	defer t.mu.RUnlock()
	for key, id := range t.byKey {
		src := t.get(id)
		src.mu.Lock()
		if src.arrival != 0 && src.seen > from { // it reported
			line := fmt.Sprintf("source %s last %d arrival %d steps %v first %d interval %d total %+v presence %d %d:",
				key, src.lastTime, src.arrival, src.steps[:src.n], src.first, src.interval, []int{src.total.Stored + src.total.Superseded, src.total.Repeated, src.total.Late}, src.lastWithin, src.lastBehind)
			for at := s.grid.floor(from); at <= src.lastWithin; at += t.grid.step {
				bits := 0
				if t.present(id, norm.Sum, at) {
					bits |= 1
				}
				if t.present(id, norm.Rate, at) {
					bits |= 2
				}
				line += fmt.Sprint(bits)
			}
			lines = append(lines, line)
		}
		src.mu.Unlock()
	}
	slices.Sort(lines)
	return lines
}

// at returns the value at pos that a query has of slot n, NaN for none. The
// caller holds the lock of p.
func (p *partition) at(g grid, b *openBlock, pos int, n uint32) float64 {
	if m, _ := b.run(pos, pos+1); m.arena != nil {
		var d miniLoad
		if m.load(&d, n) {
			return d.row[pos-m.from]
		}
		return math.NaN()
	}
	v := b.columns[pos].at(n)
	if p.flags[n]&flagAmount != 0 {
		v /= g.secs
	}
	return v
}
