package store

// foldHead folds the given slots of a column, which ascend, into acc.
func (r *run) foldHead(acc *float64, column []float64, slots []uint32, flags []uint8) {
	a, secs := *acc, r.store.grid.secs
	for _, n := range slots {
		if int(n) >= len(column) {
			break
		}
		v := column[n]
		if v != v {
			continue
		}
		if flags[n]&flagAmount != 0 {
			v /= secs
		}
		a = r.Agg.fold(a, v)
	}
	*acc = a
}

// foldGroups folds the given slots of a column into their lines. values begins
// at the column's step of the first line.
func (r *run) foldGroups(values []float64, column []float64, slots []uint32, groups []int32, flags []uint8) {
	agg, steps, secs := r.Agg, r.steps, r.store.grid.secs
	for k, n := range slots {
		if int(n) >= len(column) {
			break
		}
		v := column[n]
		if v != v {
			continue
		}
		if flags[n]&flagAmount != 0 {
			v /= secs
		}
		acc := &values[int(groups[k])*steps]
		*acc = agg.fold(*acc, v)
	}
}

// sumColumns is how many columns sumHead adds at once: additions to one sum
// wait for each other, those to four do not.
const sumColumns = 4

// sumHead is foldHead for sums of neighbouring columns, with the same result.
func (r *run) sumHead(acc *[sumColumns]float64, columns *[sumColumns][]float64, slots []uint32, flags []uint8) {
	c0, c1, c2, c3 := columns[0], columns[1], columns[2], columns[3]
	shortest := min(len(c0), len(c1), len(c2), len(c3))
	both := len(slots)
	for both > 0 && int(slots[both-1]) >= shortest {
		both--
	}
	c0, c1, c2, c3 = c0[:shortest], c1[:shortest], c2[:shortest], c3[:shortest]
	a0, a1, a2, a3 := acc[0], acc[1], acc[2], acc[3]
	secs := r.store.grid.secs
	for _, n := range slots[:both] {
		v0, v1, v2, v3 := c0[n], c1[n], c2[n], c3[n]
		if flags[n]&flagAmount != 0 {
			v0, v1, v2, v3 = v0/secs, v1/secs, v2/secs, v3/secs
		}
		a0, a1, a2, a3 = add(a0, v0), add(a1, v1), add(a2, v2), add(a3, v3)
	}
	*acc = [sumColumns]float64{a0, a1, a2, a3}
	for i := range acc {
		r.foldHead(&acc[i], columns[i], slots[both:], flags)
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
