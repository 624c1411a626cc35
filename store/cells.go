package store

import (
	"math"

	"pulse/store/block"
)

// cells is one series' steps of a coarser tier while they are put together: of
// each the sum, count, min and max of the primary values, NaN for none.
type cells struct {
	rows [fields][block.Size]float64
}

// clear empties the cells.
func (c *cells) clear() {
	for i := range c.rows {
		fillNaN(c.rows[i][:])
	}
}

// empty reports whether no cell has a value.
func (c *cells) empty() bool {
	for _, n := range c.rows[FieldCount] {
		if n == n {
			return false
		}
	}
	return true
}

// add folds values that are summed up in sum, count, min and max into cell i.
func (c *cells) add(i int, sum, count, low, high float64) {
	r := &c.rows
	r[FieldSum][i] = add(r[FieldSum][i], sum)
	r[FieldCount][i] = add(r[FieldCount][i], count)
	r[FieldMin][i] = AggMin.fold(r[FieldMin][i], low)
	r[FieldMax][i] = AggMax.fold(r[FieldMax][i], high)
}

// set makes cell i what the values summed up in sum, count, min and max give.
func (c *cells) set(i int, sum, count, low, high float64) {
	c.rows[FieldSum][i], c.rows[FieldCount][i] = sum, count
	c.rows[FieldMin][i], c.rows[FieldMax][i] = low, high
}

// exactBelow bounds integers whose sums are exact.
const exactBelow = 1 << 53

// addValues folds primary values, each to a step, of which the first is the
// one numbered from and `each` make up a cell.
func (c *cells) addValues(values *[block.Size]float64, unit block.Unit, from, each int) {
	for i := 0; i < block.Size; {
		cell := (from + i) / each
		end := min(block.Size, (cell+1)*each-from)
		sum, count, low, high := math.NaN(), 0.0, math.Inf(1), math.Inf(-1)
		whole, size := 0.0, 0.0
		for _, v := range values[i:end] {
			if v != v {
				continue
			}
			if count++; unit.Known() {
				n := unit.Integer(v)
				whole += n
				size += math.Abs(n)
			}
			sum = add(sum, v)
			low, high = min(low, v), max(high, v)
		}
		if count > 0 {
			if unit.Known() && size < exactBelow {
				sum = unit.Value(whole)
			}
			c.add(cell, sum, count, low, high)
		}
		i = end
	}
}

// addCells is addValues for the steps of a tier that is itself made of cells.
// unit is that of the sums.
func (c *cells) addCells(fine *cells, unit block.Unit, from, each int) {
	for i := 0; i < block.Size; {
		cell := (from + i) / each
		end := min(block.Size, (cell+1)*each-from)
		sum, count, low, high := math.NaN(), 0.0, math.Inf(1), math.Inf(-1)
		whole, size := 0.0, 0.0
		for k := i; k < end; k++ {
			n := fine.rows[FieldCount][k]
			if n != n {
				continue
			}
			count += n
			if s := fine.rows[FieldSum][k]; s == s {
				if unit.Known() {
					x := unit.Integer(s)
					whole += x
					size += math.Abs(x)
				}
				sum = add(sum, s)
			}
			low, high = min(low, fine.rows[FieldMin][k]), max(high, fine.rows[FieldMax][k])
		}
		if count > 0 {
			if unit.Known() && sum == sum && size < exactBelow {
				sum = unit.Value(whole)
			}
			c.add(cell, sum, count, low, high)
		}
		i = end
	}
}

// keep takes over the cells of before that were made of more values than c's.
// Values are never taken away from a step, so that fewer mean that some have
// expired, or were lost, since.
func (c *cells) keep(before *cells) {
	for i, n := range before.rows[FieldCount] {
		if have := c.rows[FieldCount][i]; n == n && !(have >= n) {
			for f := range c.rows {
				c.rows[f][i] = before.rows[f][i]
			}
		}
	}
}
