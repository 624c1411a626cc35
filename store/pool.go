package store

import (
	"math"
	"sync"
	"sync/atomic"

	offheap "pulse/store/arena"
)

// pieceSlots is how many neighbouring slots share a piece of a column.
const pieceSlots = 128

// piece is the values of pieceSlots neighbouring slots at one step, NaN for no
// data.
type piece = [pieceSlots]float64

// held is a piece in use and where in the pool it lies.
type held struct {
	values *piece // nil: nothing was written there
	at     uint32
}

// column is the values of one step by slot. A piece exists once one of its
// slots was written, so series that are idle together take no memory.
type column []held

// pool is the memory of the head: that of all columns is in slabs outside the collector's heap.
// A piece is given out full of NaN. The lowest slabs are used first, so that
// those at the end become empty and go back to the system.
type pool struct {
	none *piece // of NaN, for reading where there is no piece

	mu    sync.Mutex
	slabs []slab
	low   int // no slab before it has a free piece
	used  int // pieces given out
	empty int // slabs with memory and no piece given out

	packed atomic.Int64 // bytes of mini-blocks
}

const slabPieces = 256 // of 1 KiB

// slab is one allocation. Slabs keep their place, so that a held piece is found
// by number; one that went back to the system has no memory.
type slab struct {
	values []float64
	free   []uint8 // pieces not given out
	give   func()  // gives the memory back
}

func (p *pool) init() {
	p.none = new(piece)
	fillNaN(p.none[:])
}

// get returns a piece of NaN.
func (p *pool) get() held {
	p.mu.Lock()
	for p.low < len(p.slabs) && p.slabs[p.low].values != nil && len(p.slabs[p.low].free) == 0 {
		p.low++
	}
	if p.low == len(p.slabs) {
		p.slabs = append(p.slabs, slab{})
	}
	s := &p.slabs[p.low]
	if s.values == nil {
		s.fill()
		p.empty++
	}
	if len(s.free) == slabPieces {
		p.empty--
	}
	i := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	p.used++
	h := held{(*piece)(s.values[int(i)*pieceSlots:]), uint32(p.low)*slabPieces + uint32(i)}
	p.mu.Unlock()
	fillNaN(h.values[:])
	return h
}

// fill gives the slab memory, all of it free.
func (s *slab) fill() {
	var region *offheap.Region
	s.values, region = offheap.Floats(slabPieces * pieceSlots)
	s.give = region.Release
	if s.free == nil {
		s.free = make([]uint8, slabPieces)
	}
	s.free = s.free[:slabPieces]
	for i := range s.free {
		s.free[i] = uint8(slabPieces - 1 - i)
	}
}

// put takes back the pieces of a block's columns. Nobody may read them any
// more.
func (p *pool) put(columns []column) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range columns {
		for i := range c {
			if c[i].values != nil {
				p.free(c[i].at)
				c[i] = held{}
			}
		}
	}
	p.shrink()
}

func (p *pool) free(at uint32) {
	n := int(at / slabPieces)
	s := &p.slabs[n]
	s.free = append(s.free, uint8(at%slabPieces))
	p.used--
	p.low = min(p.low, n)
	if len(s.free) == slabPieces {
		p.empty++
	}
}

// shrink gives empty slabs back, from the end, beyond an eighth of what is in
// use.
func (p *pool) shrink() {
	keep := 1 + p.used/slabPieces/8
	for n := len(p.slabs) - 1; n >= 0 && p.empty > keep; n-- {
		s := &p.slabs[n]
		if s.values != nil && len(s.free) == slabPieces {
			s.give()
			*s = slab{}
			p.empty--
		}
	}
	for len(p.slabs) > 0 && p.slabs[len(p.slabs)-1].values == nil {
		p.slabs = p.slabs[:len(p.slabs)-1]
	}
}

// release takes back a mini-block of an open block.
func (p *pool) release(m mini) {
	if m.arena != nil {
		p.packed.Add(-m.bytes())
		m.hold.Release()
	}
}

// bytes returns the memory of all slabs and mini-blocks.
func (p *pool) bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.packed.Load()
	for i := range p.slabs {
		n += int64(len(p.slabs[i].values)) * 8
	}
	return n
}

// at returns the value of slot n, NaN for nothing.
func (c column) at(n uint32) float64 {
	if i := int(n / pieceSlots); i < len(c) && c[i].values != nil {
		return c[i].values[n%pieceSlots]
	}
	return math.NaN()
}

// piece returns the piece with the given number, none when there is none.
func (c column) piece(number uint32, none *piece) *piece {
	if int(number) < len(c) && c[number].values != nil {
		return c[number].values
	}
	return none
}
