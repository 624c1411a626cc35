package store

import "math"

const headTile = 64 // slots whose rows stay cached while columns are folded

// head folds the columns [from, to) of an open block. Slots are taken in tiles
// so that their rows stay in the cache while column after column is read.
func (r *reader) head(p *partition, b *openBlock, sel *selected, from, to int) {
	at := r.index(r.grid.stamp(b.number, from)) - from
	for lo := 0; lo < len(sel.slots); lo += headTile {
		hi := min(lo+headTile, len(sel.slots))
		slots := sel.slots[lo:hi]
		pos := from
		for ; r.Agg == AggSum && pos+sumColumns <= to; pos += sumColumns {
			columns := (*[sumColumns]column)(b.columns[pos:])
			if sel.groups == nil {
				r.sumHead((*[sumColumns]float64)(r.values[at+pos:]), columns, slots, p.flags)
			} else {
				r.sumGroups(r.values[at+pos:], columns, slots, sel.groups[lo:hi], p.flags)
			}
		}
		for ; pos < to; pos++ {
			if sel.groups == nil {
				r.foldHead(&r.values[at+pos], b.columns[pos], slots, p.flags)
			} else {
				r.foldGroups(r.values[at+pos:], b.columns[pos], slots, sel.groups[lo:hi], p.flags)
			}
		}
	}
}

// foldHead folds the given slots of a column, which ascend, into acc.
func (r *run) foldHead(acc *float64, c column, slots []uint32, flags []uint8) {
	a, agg, secs := *acc, r.Agg, r.store.grid.secs
	for i := 0; i < len(slots); {
		number := slots[i] / pieceSlots
		values := c.piece(number, r.store.pool.none)
		for ; i < len(slots) && slots[i]/pieceSlots == number; i++ {
			n := slots[i]
			v := values[n%pieceSlots]
			if v != v {
				continue
			}
			if flags[n]&flagAmount != 0 {
				v /= secs
			}
			a = agg.fold(a, v)
		}
	}
	*acc = a
}

// foldGroups folds the given slots of a column into their lines. values begins
// at the column's step of the first line.
func (r *run) foldGroups(values []float64, c column, slots []uint32, groups []int32, flags []uint8) {
	agg, steps, secs := r.Agg, r.steps, r.store.grid.secs
	groups = groups[:len(slots)]
	for i := 0; i < len(slots); {
		number := slots[i] / pieceSlots
		at := c.piece(number, r.store.pool.none)
		for ; i < len(slots) && slots[i]/pieceSlots == number; i++ {
			n := slots[i]
			v := at[n%pieceSlots]
			if v != v {
				continue
			}
			if flags[n]&flagAmount != 0 {
				v /= secs
			}
			acc := &values[int(groups[i])*steps]
			*acc = agg.fold(*acc, v)
		}
	}
}

// sumColumns is how many columns sumHead adds at once: additions to one sum
// wait for each other, those to four do not.
const sumColumns = 4

// sumHead is foldHead for sums of neighbouring columns, with the same result.
func (r *run) sumHead(acc *[sumColumns]float64, columns *[sumColumns]column, slots []uint32, flags []uint8) {
	none := r.store.pool.none
	c0, c1, c2, c3 := none, none, none, none
	a0, a1, a2, a3 := acc[0], acc[1], acc[2], acc[3]
	secs, number := r.store.grid.secs, uint32(math.MaxUint32)
	for _, n := range slots {
		if n/pieceSlots != number {
			number = n / pieceSlots
			c0, c1 = columns[0].piece(number, none), columns[1].piece(number, none)
			c2, c3 = columns[2].piece(number, none), columns[3].piece(number, none)
		}
		i := n % pieceSlots
		v0, v1, v2, v3 := c0[i], c1[i], c2[i], c3[i]
		if flags[n]&flagAmount != 0 {
			v0, v1, v2, v3 = v0/secs, v1/secs, v2/secs, v3/secs
		}
		a0, a1, a2, a3 = add(a0, v0), add(a1, v1), add(a2, v2), add(a3, v3)
	}
	*acc = [sumColumns]float64{a0, a1, a2, a3}
}

// sumGroups is foldGroups for sums of neighbouring columns, with the same result.
func (r *run) sumGroups(values []float64, columns *[sumColumns]column, slots []uint32, groups []int32, flags []uint8) {
	none := r.store.pool.none
	c0, c1, c2, c3 := none, none, none, none
	secs, steps, number := r.store.grid.secs, r.steps, uint32(math.MaxUint32)
	groups = groups[:len(slots)]
	for k, n := range slots {
		if n/pieceSlots != number {
			number = n / pieceSlots
			c0, c1 = columns[0].piece(number, none), columns[1].piece(number, none)
			c2, c3 = columns[2].piece(number, none), columns[3].piece(number, none)
		}
		i := n % pieceSlots
		v0, v1, v2, v3 := c0[i], c1[i], c2[i], c3[i]
		if flags[n]&flagAmount != 0 {
			v0, v1, v2, v3 = v0/secs, v1/secs, v2/secs, v3/secs
		}
		acc := (*[sumColumns]float64)(values[int(groups[k])*steps:])
		acc[0], acc[1], acc[2], acc[3] = add(acc[0], v0), add(acc[1], v1), add(acc[2], v2), add(acc[3], v3)
	}
}

// add returns the sum of two values of which NaN is the absence of one.
func add(a, b float64) float64 {
	if s := a + b; s == s {
		return s
	}
	if a != a {
		return b
	}
	if b != b {
		return a
	}
	return a + b // +Inf and -Inf
}
