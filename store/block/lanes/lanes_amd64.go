package lanes

import "golang.org/x/sys/cpu"

// Methods return how many values, or whether, a kernel has handled; plain code
// handles the rest. They are called for fewest values or more, and not with Plain.

func widest() Tier {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasBMI2:
		return Plain
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL || !x.HasPOPCNT:
		return AVX2
	}
	return AVX512
}

// reach returns for how many of n integers a kernel can be called: for all with
// AVX-512, which reads no byte that has none of them, and with AVX2 for the groups
// of eight whose loads lie in the data.
func (t Tier) reach(n int, p *Packed) int {
	if t == AVX512 {
		return n
	}
	// A group begins Width bytes behind the one before; of its two loads of 32
	// bytes the second begins where the fifth integer does.
	room := uint(len(p.Data)) - p.Bit/8
	first, groups := (p.Bit%8+4*p.Width)/8+32, (uint(n)+7)/8
	switch {
	case first+(groups-1)*p.Width <= room:
		return n
	case first > room:
		return 0
	}
	return int(8 * ((room-first)/p.Width + 1))
}

func (t Tier) ints(dst []float64, p *Packed) int {
	n := t.reach(len(dst), p)
	switch {
	case t == AVX512:
		ints512(&dst[0], n, &p.Bit)
	case n > 0:
		ints256(&dst[0], n, &p.Bit)
	}
	return n
}

// direct returns 2^52 less the base, if that and every integer is a double and
// has fewer bits than the exponent leaves.
func (p *Packed) direct() (off float64, ok bool) {
	const most = 1 << 52
	base := int64(p.Base)
	return most - float64(base), p.Width <= 52 && base >= -most && base <= most
}

func (t Tier) values(dst []float64, p *Packed, r *Ratio) int {
	off, ok := p.direct()
	if !ok {
		return 0
	}
	n := t.reach(len(dst), p)
	switch {
	case t == AVX512:
		values512(&dst[0], n, &p.Bit, off, &r.Div)
	case n > 0:
		values256(&dst[0], n, &p.Bit, off, &r.Div)
	}
	return n
}

func (t Tier) addValues(acc []float64, p *Packed, r *Ratio) int {
	off, ok := p.direct()
	if !ok {
		return 0
	}
	n := t.reach(len(acc), p)
	switch {
	case t == AVX512:
		addValues512(&acc[0], n, &p.Bit, off, &r.Div)
	case n > 0:
		addValues256(&acc[0], n, &p.Bit, off, &r.Div)
	}
	return n
}

// sums also returns the last sum, which holds where the number of sums is a
// multiple of eight; with AVX-512 nothing is left to go on with.
func (t Tier) sums(dst []float64, p *Packed, first uint64, r *Ratio) (n int, last uint64) {
	n, last = t.reach(len(dst), p), first
	switch {
	case t == AVX512:
		last = sums512(&dst[0], n, &p.Bit, first, &r.Div)
	case n > 0:
		last = sums256(&dst[0], n, &p.Bit, first, &r.Div)
	}
	return n, last
}

func (t Tier) valuesOf(dst []float64, r *Ratio) bool {
	if t == AVX512 {
		valuesOf512(&dst[0], len(dst), &r.Div)
	} else {
		valuesOf256(&dst[0], len(dst), &r.Div)
	}
	return true
}

func (t Tier) sumsOf(dst []float64, first uint64, r *Ratio) bool {
	if t == AVX512 {
		sumsOf512(&dst[0], len(dst), first, &r.Div)
	} else {
		sumsOf256(&dst[0], len(dst), first, &r.Div)
	}
	return true
}

func (t Tier) doubles(dst []float64, p *Packed, zeros uint) int {
	n := t.reach(len(dst), p)
	switch {
	case t == AVX512:
		doubles512(&dst[0], n, &p.Bit, uint64(zeros&63))
	case n > 0:
		doubles256(&dst[0], n, &p.Bit, uint64(zeros&63))
	}
	return n
}

func (t Tier) nudge(dst []float64, p *Packed) int {
	n := t.reach(len(dst), p)
	switch {
	case t == AVX512:
		nudge512(&dst[0], n, &p.Bit)
	case n > 0:
		nudge256(&dst[0], n, &p.Bit)
	}
	return n
}

func (t Tier) add(acc, values []float64) bool {
	if t == AVX512 {
		add512(&acc[0], len(acc), &values[0])
	} else {
		add256(&acc[0], len(acc), &values[0])
	}
	return true
}

func (t Tier) addValuesOf(acc, ints []float64, r *Ratio) bool {
	if t == AVX512 {
		addValuesOf512(&acc[0], len(acc), &ints[0], &r.Div)
	} else {
		addValuesOf256(&acc[0], len(acc), &ints[0], &r.Div)
	}
	return true
}

func (t Tier) addSame(acc []float64, v float64) bool {
	if t == AVX512 {
		addSame512(&acc[0], len(acc), v)
	} else {
		addSame256(&acc[0], len(acc), v)
	}
	return true
}

func (t Tier) fill(dst []float64, v float64) bool {
	if t == AVX512 {
		fill512(&dst[0], len(dst), v)
	} else {
		fill256(&dst[0], len(dst), v)
	}
	return true
}

func (t Tier) spread(dst []float64, bitmap []byte, present int, v float64) bool {
	if t != AVX512 {
		return false
	}
	spread512(&dst[0], len(dst), &bitmap[0], present, v)
	return true
}

func (t Tier) put(dst []float64, x *Exceptions, r *Ratio) {
	put512(&dst[0], len(dst), &x.Bit, &r.Div)
}

func (t Tier) putInts(dst []float64, x *Exceptions) { putInts512(&dst[0], len(dst), &x.Bit) }
