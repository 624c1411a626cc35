package algo

import (
	"encoding/binary"
	"math"
)

const seasonalVersion = 3

// Limits of fields of a saved state.
const (
	timeMost  = 1 << 61
	countMost = math.MaxInt32
)

// fields calls the functions with every field of the state but the two smoothings,
// in the order they are saved.
func (d *seasonal) fields(times func(x *int64), counts func(n *int32, most int32), flags func(b *bool),
	bytes func(b *uint8, most uint8), doubles func(x *float64), singles func(x *float32),
) {
	w, p := &d.windows, &d.pager
	begins := func(b *int32) { // -1 is saved as 0
		n := *b + 1
		counts(&n, bucketsPerDay)
		*b = n - 1
	}
	times(&d.bucketAt)
	times(&d.fitted)
	counts(&d.bucketN, countMost)
	counts(&d.tickN, countMost)
	counts(&w.head, tickRing-1)
	counts(&w.minHead, minuteRing-1)
	counts(&w.minN, countMost)
	counts(&w.absent, maxSteps)
	counts(&w.seen, seenMax)
	counts(&w.learned, seenMax)
	counts(&w.slow.head, driftRing-1)
	counts(&w.slow.seen, seenMax)
	counts(&w.slow.side, sides-1)
	counts(&d.frozen.run, countMost)
	counts(&d.frozen.seen, countMost)
	counts(&p.outFor, maxSteps)
	counts(&p.quiet, countMost)
	for c := range d.profile.tracks {
		counts(&d.profile.tracks[c].predicted, seenMax)
	}
	for i := range w.slow.homes {
		counts(&w.slow.homes[i].close, homeClose)
		counts(&w.slow.homes[i].kept, homeKept)
	}
	begins(&d.begin)
	begins(&d.beginNext)
	flags(&w.slow.young)
	flags(&w.slow.free)
	flags(&d.free)
	flags(&d.whole)
	flags(&d.plainOut)
	flags(&d.excused)
	flags(&d.scale.linear)
	flags(&p.out)
	flags(&w.ramp)
	bytes((*uint8)(&d.choice), uint8(seasons-1))
	bytes((*uint8)(&d.next), uint8(seasons-1))
	bytes(&d.stage, stageFitted)
	bytes(&p.side, sides-1)
	bytes((*uint8)(&p.cause), uint8(CauseWorse))
	bytes((*uint8)(&w.slow.cause), uint8(CauseWorse))
	for _, x := range [...]*float64{&d.bucketSum, &d.bucketLow, &d.bucketHigh, &d.scale.floor, &d.middle, &d.tickSum, &d.tickProfile,
		&w.level, &w.noise.perEvent, &w.noise.common, &w.noise.next[0], &w.noise.next[1], &w.noise.center, &d.frozen.last} {
		doubles(x)
	}
	for c := range d.profile.tracks {
		t := &d.profile.tracks[c]
		doubles(&t.fast)
		doubles(&t.slow)
		doubles(&t.usual)
		doubles(&t.miss)
		doubles(&t.square)
	}
	for _, x := range [...]*float32{&w.minSum, &w.slow.heard, &w.slow.depth, &w.slow.base, &w.slow.usual, &w.slow.calm,
		&w.slow.dawn[0], &w.slow.dawn[1], &w.slow.came, &w.slow.dusk, &d.frozen.usual, &p.depth, &p.peak} {
		singles(x)
	}
	for i := range w.slow.homes {
		singles(&w.slow.homes[i].level)
	}
	w.singles(singles)
	for i := range d.set.shape.days {
		singles(&d.profile.day[i])
	}
	for i := range 7 * d.set.shape.days {
		singles(&d.profile.week[i])
	}
}

// singles calls f with the rings and what is known of stretches and counts.
func (w *windows) singles(f func(x *float32)) {
	tails := func(q *[sides]tail) {
		for side := range q {
			f(&q[side].u)
			f(&q[side].index)
		}
	}
	for i := range w.ticks {
		f(&w.ticks[i])
	}
	for i := range w.minutes {
		f(&w.minutes[i])
	}
	for i := range w.stretch {
		f(&w.stretch[i].excess)
		tails(&w.stretch[i].tails)
	}
	for i := range w.noise.bins {
		b := &w.noise.bins[i]
		f(&b.square)
		f(&b.inverse)
		f(&b.weight)
	}
	for i := range w.slow.own {
		f(&w.slow.own[i])
		f(&w.slow.other[i])
	}
	for _, st := range [...]*slowStretch{&w.slow.step, &w.slow.leak} {
		f(&st.dev)
		tails(&st.tails)
	}
}

// AppendState appends the state: version, the fields above, then the smoothing of
// the stream as it is and without its season. Nothing in it moves as it grows, so
// that two states differ where something was learned only.
func (d *seasonal) AppendState(dst []byte) []byte {
	dst = append(dst, seasonalVersion)
	d.fields(
		func(x *int64) { dst = binary.LittleEndian.AppendUint64(dst, uint64(*x)) },
		func(n *int32, _ int32) { dst = appendCount(dst, *n) },
		func(b *bool) { dst = appendFlag(dst, *b) },
		func(b *uint8, _ uint8) { dst = append(dst, *b) },
		func(x *float64) { dst = appendFloat64(dst, *x) },
		func(x *float32) { dst = appendFloat32(dst, *x) })
	dst = d.plain.AppendState(dst)
	return d.adjusted.AppendState(dst)
}

// Restore reads what AppendState wrote.
func (d *seasonal) Restore(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.version(seasonalVersion)
	d.calendar = calendar{}
	d.fields(
		func(x *int64) {
			*x = int64(binary.LittleEndian.Uint64(r.take(8)))
			if (*x > timeMost || *x < -timeMost) && *x != math.MinInt64 {
				r.fail("a time is %d", *x)
			}
		},
		func(n *int32, most int32) { *n = r.count(most) },
		func(b *bool) { *b = r.flag() },
		func(b *uint8, most uint8) {
			if *b = r.take(1)[0]; *b > most {
				r.fail("a byte is %d, at most %d", *b, most)
			}
		},
		func(x *float64) { *x = r.float64() },
		func(x *float32) { *x = r.float32() })
	if r.err == nil {
		r.src, r.err = d.plain.Restore(r.src)
	}
	if r.err == nil {
		r.src, r.err = d.adjusted.Restore(r.src)
	}
	if r.err != nil {
		d.Reset()
		return nil, r.err
	}
	return r.src, nil
}
