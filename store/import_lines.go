package store

import (
	"cmp"
	"math"
	"slices"

	"pulse/store/block"
)

// build puts the lines together as head values and patches.
func (im *importer) build(all []ImportLine, lines []int) error {
	im.clear()
	for i, n := range lines {
		l := &all[n]
		if i > 0 && all[lines[i-1]].Ref != l.Ref {
			if err := im.flush(); err != nil {
				return err
			}
		}
		im.slot = l.Ref.slot()
		if err := im.line(l); err != nil {
			return err
		}
	}
	return im.flush()
}

// line takes up the values of one line, in the order of time. Of several for
// one time the last holds.
func (im *importer) line(l *ImportLine) error {
	every := or(l.Step, im.check.primary)
	im.every = every
	times, values := l.Times, l.Values
	if !slices.IsSorted(times) {
		order := make([]int, len(times))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
		times, values = make([]int64, len(order)), make([]float64, len(order))
		for i, n := range order {
			times[i], values[i] = l.Times[n], l.Values[n]
		}
	}
	last, good := int64(dawn), int64(0)
	for i := 0; i < len(times); {
		t, v := times[i], values[i]
		if v != v || !im.check.takes(t, every, good) || i+1 < len(times) && times[i+1] == t && values[i+1] == values[i+1] {
			i++
			continue
		}
		n, err := im.run(times[i:], values[i:], every)
		if err != nil {
			return err
		}
		last, good = times[i+n-1], times[i+n-1]
		i += n
	}
	im.newest[im.slot] = max(im.newest[im.slot], last)
	return im.endCell()
}

// run takes up values from the first on, which is taken, and returns how many
// there were: all up to the end of a block when they are steps of its tier that
// follow each other.
func (im *importer) run(times []int64, values []float64, every int64) (int, error) {
	k, newest := 0, im.check.newest
	for ; k < len(im.from)-1 && im.from[k] >= times[0]; k++ {
		newest = min(newest, im.from[k])
	}
	t := im.store.tiers[k]
	if t.grid.step != every || times[0]-every < im.from[k] {
		return 1, im.value(times[0]-every, times[0], values[0])
	}
	number, pos := t.grid.place(times[0])
	n := 1
	for most := min(block.Size-pos, len(times)); n < most && times[n]-times[n-1] == every && times[n] <= newest && values[n] == values[n]; {
		n++
	}
	if k == primary && im.inHead(number) {
		for i, v := range values[:n] {
			im.head = append(im.head, headValue{im.slot, times[i], v})
		}
		return n, nil
	}
	if err := im.endCell(); err != nil {
		return 0, err
	}
	row, err := im.row(k, number)
	if err != nil {
		return 0, err
	}
	rows := &row.cells.rows
	if k == primary {
		copy(rows[0][pos:], values[:n])
		return n, nil
	}
	count, secs := float64(every/im.store.grid.step), t.grid.secs
	for i, v := range values[:n] {
		sum := v * count
		if whole := math.Round(v * secs); whole/secs == v && math.Abs(whole*count) < exactBelow {
			sum = whole * count / secs // as exact as v
		}
		rows[FieldSum][pos+i] = sum
		rows[FieldCount][pos+i] = count
	}
	copy(rows[FieldMin][pos:], values[:n])
	copy(rows[FieldMax][pos:], values[:n])
	return n, nil
}

// inHead reports whether values of a primary block go into the head.
func (im *importer) inHead(number int64) bool {
	return number >= im.open || slices.Contains(im.also, number)
}

// value takes up v for all steps in (start, end], from the finest tier that has
// them down.
func (im *importer) value(start, end int64, v float64) error {
	for k, from := range im.from {
		at := max(start, from)
		if at >= end {
			continue
		}
		var err error
		if k == primary {
			err = im.steps(at, end, v)
		} else {
			err = im.cells(k, at, end, v)
		}
		if err != nil || at == start {
			return err
		}
		end = at
	}
	return nil
}

// steps sets the primary steps in (start, end] to v.
func (im *importer) steps(start, end int64, v float64) error {
	g := im.store.grid
	for start < end {
		number, pos := g.place(start + g.step)
		n := int(min(block.Size-int64(pos), (end-start)/g.step))
		if im.inHead(number) {
			for i := range int64(n) {
				im.head = append(im.head, headValue{im.slot, start + (i+1)*g.step, v})
			}
		} else {
			row, err := im.row(primary, number)
			if err != nil {
				return err
			}
			for i := range n {
				row.cells.rows[0][pos+i] = v
			}
		}
		start += int64(n) * g.step
	}
	return nil
}

// cells gathers v, for the primary steps in (start, end], in the steps of a
// coarser tier.
func (im *importer) cells(tier int, start, end int64, v float64) error {
	g := im.store.tiers[tier].grid
	for at := start; at < end; {
		stamp := g.floor(at) + g.step
		to := min(stamp, end)
		c := &im.cell
		if c.tier != tier || c.stamp != stamp {
			if err := im.endCell(); err != nil {
				return err
			}
			*c = importCell{tier: tier, stamp: stamp, low: v, high: v}
		}
		n := float64((to - at) / im.store.grid.step)
		c.sum += v * n
		c.count += n
		c.low, c.high = min(c.low, v), max(c.high, v)
		at = to
	}
	return nil
}

// endCell puts what was gathered for a step into its block.
func (im *importer) endCell() error {
	c := im.cell
	if c.tier == 0 {
		return nil
	}
	im.cell.tier = 0
	number, pos := im.store.tiers[c.tier].grid.place(c.stamp)
	row, err := im.row(c.tier, number)
	if err == nil {
		row.cells.set(pos, c.sum, c.count, c.low, c.high)
	}
	return err
}

// row returns the block of the series that has the given number, to be
// changed.
func (im *importer) row(tier int, number int64) (*importRow, error) {
	r := &im.rows[tier]
	if r.used && r.number == number {
		return r, nil
	}
	if err := im.end(tier); err != nil {
		return nil, err
	}
	r.used, r.skip, r.number, r.step = true, false, number, im.every
	n := blocksPer(tier)
	if p := im.patches[patchKey{tier, number}]; p != nil {
		if i := len(p.slots) - 1; p.slots[i] == im.slot { // an earlier line came by
			a := arena{tier: tier, number: number, fields: n, dir: p.words[i*n:], data: p.data}
			return r, im.load(r, &a, 0)
		}
	}
	list := im.sealed[tier]
	i, found := searchArena(list, number)
	if !found {
		r.cells.clear()
		return r, nil
	}
	im.pins.at = list[i]
	r.skip = im.lsn != 0 && list[i].applied >= im.lsn
	return r, im.load(r, list[i], im.slot)
}

// load sets the cells of r to what slot n has in a.
func (im *importer) load(r *importRow, a *arena, n uint32) error {
	for f := range a.fields {
		if _, err := a.loadField(&im.scratch, n, f); err != nil {
			return err
		}
		r.cells.rows[f] = im.scratch.row
	}
	return nil
}

// end puts the block of the series in a tier, if one is being changed, into its
// patch.
func (im *importer) end(tier int) error {
	r := &im.rows[tier]
	if !r.used {
		return nil
	}
	r.used = false
	if r.skip {
		return nil
	}
	key := patchKey{tier, r.number}
	p := im.patches[key]
	if p == nil {
		if k := len(im.spare) - 1; k >= 0 {
			p, im.spare = im.spare[k], im.spare[:k]
		} else {
			p = &patcher{}
		}
		im.patches[key] = p
	}
	n := blocksPer(tier)
	if i := len(p.slots) - 1; i >= 0 && p.slots[i] == im.slot {
		p.slots, p.words = p.slots[:i], p.words[:i*n]
	}
	p.slots = append(p.slots, im.slot)
	p.also = im.store.grid.step
	if tier == primary {
		p.value(&r.cells.rows[0], r.step)
	} else {
		p.cells(&r.cells, r.step)
	}
	return nil
}

// flush ends what there is of the series at hand.
func (im *importer) flush() error {
	err := im.endCell()
	for tier := range im.store.tiers {
		if err == nil {
			err = im.end(tier)
		}
	}
	return err
}
