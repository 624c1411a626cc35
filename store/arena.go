package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"pulse/store/block"
)

// arena is the sealed blocks of one partition and block time: the values of a
// query, per second for amounts. It is immutable.
//
// The directory has one word per slot: 0 for no data; a block of up to 7 bytes
// inline, its length in the top byte; or the top bit and the block's offset in
// data.
type arena struct {
	number int64
	dir    []uint64
	data   []byte
	blocks int // with data

	applied uint64 // the last record of the log that may be in it
}

const (
	dirOffset    = 1 << 63
	inlineBlock  = 7
	inlineLength = 56 // shift
)

// block returns the bytes of a directory word, which must not be 0. Inline
// bytes are put into buf.
func (a *arena) block(word uint64, buf *[8]byte) []byte {
	if word&dirOffset != 0 {
		return a.data[word&^dirOffset:]
	}
	binary.LittleEndian.PutUint64(buf[:], word)
	return buf[:word>>inlineLength]
}

// word returns the directory word of slot n.
func (a *arena) word(n uint32) uint64 {
	if int(n) < len(a.dir) {
		return a.dir[n]
	}
	return 0
}

// decoded is memory to decode one block into.
type decoded struct {
	row    [block.Size]float64
	inline [8]byte
}

// decode puts the values of slot n into d.row.
func (a *arena) decode(d *decoded, n uint32) {
	word := a.word(n)
	if word == 0 {
		fillNaN(d.row[:])
		return
	}
	if _, err := block.Decode(d.row[:], a.block(word, &d.inline)); err != nil {
		panic(fmt.Sprintf("BUG: block %d of slot %d: %v", a.number, n, err))
	}
}

// column returns the values of the given slots at pos, by slot. It decodes a
// block per slot and is for steps that are rarely asked for by then.
func (a *arena) column(slots []uint32, pos int) []float64 {
	c := make([]float64, len(a.dir))
	var d decoded
	for _, n := range slots {
		if int(n) < len(c) {
			a.decode(&d, n)
			c[n] = d.row[pos]
		}
	}
	return c
}

// arena returns the sealed block with the given number, nil when there is none.
func (p *partition) arena(number int64) *arena {
	for i := len(p.sealed) - 1; i >= 0 && p.sealed[i].number >= number; i-- {
		if p.sealed[i].number == number {
			return p.sealed[i]
		}
	}
	return nil
}

func (a *arena) bytes() int64 { return int64(len(a.data)) + 8*int64(len(a.dir)) }

// sealer turns open blocks into arenas. Its buffers are used again.
type sealer struct {
	grid   grid
	rows   [tile][block.Size]float64
	absent [tile]float64 // NaN
	dir    []uint64
	data   []byte
}

// tile is how many neighbouring slots are transposed at once: one cache line
// of a column.
const tile = 8

// encode returns the arena of a block's columns. flags are the slots' at the
// time the block was closed.
func (s *sealer) encode(number int64, columns *[block.Size]column, flags []uint8) *arena {
	a := &arena{number: number}
	s.dir, s.data = s.dir[:0], s.data[:0]
	fillNaN(s.absent[:])
	for base := 0; base < len(flags); base += tile {
		count := min(tile, len(flags)-base)
		used := s.transpose(columns, base, count)
		for k := range count {
			word := uint64(0)
			if used&(1<<k) != 0 {
				if flags[base+k]&flagAmount != 0 {
					s.divide(k)
				}
				word = s.append(k)
				a.blocks++
			}
			s.dir = append(s.dir, word)
		}
	}
	if a.blocks > 0 {
		a.dir, a.data = slices.Clone(s.dir), slices.Clone(s.data)
	}
	return a
}

// transpose fills rows with the slots from base on and returns a bit for each
// that has data.
func (s *sealer) transpose(columns *[block.Size]column, base, count int) (used uint) {
	absent := s.absent[:]
	for pos, c := range columns {
		values := absent
		if i := base / pieceSlots; i < len(c) && c[i].values != nil {
			values = c[i].values[base%pieceSlots:][:tile]
		}
		for k, v := range values[:count] {
			s.rows[k][pos] = v
			if v == v {
				used |= 1 << k
			}
		}
	}
	return used
}

// divide turns the amounts of row k into values per second.
func (s *sealer) divide(k int) {
	for i, v := range s.rows[k] {
		s.rows[k][i] = v / s.grid.secs
	}
}

// append encodes row k and returns its directory word.
func (s *sealer) append(k int) uint64 {
	at := len(s.data)
	s.data = block.AppendTo(s.data, s.rows[k][:], s.grid.step)
	n := len(s.data) - at
	if n > inlineBlock {
		return dirOffset | uint64(at)
	}
	var buf [8]byte
	copy(buf[:], s.data[at:])
	s.data = s.data[:at]
	return binary.LittleEndian.Uint64(buf[:]) | uint64(n)<<inlineLength
}

// reopen turns a sealed block into an open one, so that its steps can be
// written again; only a clock that went back asks for it.
func (p *partition) reopen(g grid, i int) *openBlock {
	a := p.sealed[i]
	b := &openBlock{number: a.number}
	var d decoded
	for n := range a.dir {
		if a.dir[n] == 0 {
			continue
		}
		a.decode(&d, uint32(n))
		for pos, v := range d.row {
			if v != v {
				continue
			}
			if p.flags[n]&flagAmount != 0 {
				v = amount(v, g.secs)
			}
			*p.cell(b, pos, uint32(n)) = v
		}
	}
	p.sealed = slices.Delete(slices.Clone(p.sealed), i, i+1)
	p.insertOpen(b)
	return b
}

// amount returns the amount that v per second is over a step, and the whole
// number that v came from when there is one.
func amount(v, secs float64) float64 {
	x := v * secs
	if r := math.Round(x); r/secs == v {
		return r
	}
	return x
}
